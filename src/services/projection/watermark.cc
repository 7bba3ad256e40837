#include "services/projection/watermark.h"

#include <simdjson.h>

#include "domain/json_text.h"
#include "domain/names.h"

namespace saffron {
namespace {

using simdjson::SUCCESS;
using simdjson::dom::element;

bool ReadText(element object, const char* name, std::string& out) {
  std::string_view text;
  if (object[name].get_string().get(text) != SUCCESS) return false;
  out = text;
  return true;
}

bool ReadNumber(element object, const char* name, std::uint64_t& out) {
  return object[name].get_uint64().get(out) == SUCCESS;
}

bool Read(element object, ProjectionWatermark& out) {
  std::uint64_t format = 0;
  if (!ReadNumber(object, "format", format) || format != 1 ||
      !ReadText(object, "generation", out.generation) ||
      !ReadNumber(object, "republish_id", out.republish_id) ||
      !ReadNumber(object, "slot", out.slot.value)) {
    return false;
  }
  simdjson::dom::array partitions;
  if (object["partitions"].get_array().get(partitions) != SUCCESS) return false;
  for (element entry : partitions) {
    TopicPartition key;
    PartitionProgress progress;
    std::uint64_t partition = 0;
    if (!ReadText(entry, "topic", key.topic) || !ReadNumber(entry, "partition", partition) ||
        partition > UINT32_MAX || !ReadText(entry, "topic_id", progress.topic_id) ||
        !ReadNumber(entry, "next", progress.next)) {
      return false;
    }
    key.partition = static_cast<std::uint32_t>(partition);
    out.partitions[key] = std::move(progress);
  }
  return true;
}

}  // namespace

std::string EncodeWatermark(const ProjectionWatermark& watermark) {
  std::string out = "{\"format\":1,\"generation\":";
  json::AppendString(out, watermark.generation);
  out.append(",\"republish_id\":").append(std::to_string(watermark.republish_id));
  out.append(",\"slot\":").append(std::to_string(watermark.slot.value));
  out.append(",\"partitions\":[");
  for (const auto& [key, progress] : watermark.partitions) {
    if (out.back() != '[') out.push_back(',');
    json::AppendString(out.append("{\"topic\":"), key.topic);
    out.append(",\"partition\":").append(std::to_string(key.partition));
    json::AppendString(out.append(",\"topic_id\":"), progress.topic_id);
    out.append(",\"next\":").append(std::to_string(progress.next)).append("}");
  }
  return out.append("]}");
}

Result<ProjectionWatermark> DecodeWatermark(std::string_view text) {
  ProjectionWatermark watermark;
  if (text.empty()) return watermark;
  simdjson::dom::parser parser;
  element object;
  if (parser.parse(text.data(), text.size()).get(object) != SUCCESS || !Read(object, watermark)) {
    return Corrupt("the watermark of the search index cannot be read");
  }
  return watermark;
}

bool IsProjected(std::string_view topic) {
  return topic == kInstanceEventsTopic || topic == kOntologyEventsTopic;
}

std::optional<std::uint64_t> RepublishOf(const PublishedRow& row) {
  auto found = row.ends.find(kRepublishMark);
  if (found == row.ends.end()) return std::nullopt;
  return found->second;
}

bool HasPassed(const ProjectionWatermark& watermark, const PublishedRow& row) {
  if (row.slot <= watermark.slot) return true;
  if (RepublishOf(row) != watermark.republish_id) return false;
  for (const auto& [key, end] : row.ends) {
    if (end == 0 || !IsProjected(key.first)) continue;
    auto partition = watermark.partitions.find({key.first, key.second});
    if (partition == watermark.partitions.end() || partition->second.next < end) return false;
  }
  return true;
}

}  // namespace saffron
