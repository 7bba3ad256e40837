#include "services/publisher/checkpoint.h"

#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "base/crc32c.h"
#include "domain/json_text.h"
#include "eventlog/mutation.h"

namespace saffron {
namespace {

constexpr std::int64_t kFormat = 1;
constexpr std::string_view kChecksum = ",\"crc32c\":";

using simdjson::SUCCESS;
using simdjson::dom::element;

void AppendName(std::string& out, std::string_view name) {
  json::AppendString(out, name);
  out.push_back(':');
}

void AppendText(std::string& out, std::string_view name, std::string_view text) {
  AppendName(out, name);
  json::AppendString(out, text);
}

void AppendNumber(std::string& out, std::string_view name, std::uint64_t number) {
  AppendName(out, name);
  json::AppendNumber(out, number);
}

bool ReadText(element object, const char* name, std::string& out) {
  std::string_view text;
  if (object[name].get_string().get(text) != SUCCESS) return false;
  out = text;
  return true;
}

bool ReadNumber(element object, const char* name, std::uint64_t& out) {
  return object[name].get_uint64().get(out) == SUCCESS;
}

// Shards and partitions.
bool ReadNumber32(element object, const char* name, std::uint32_t& out) {
  std::uint64_t number = 0;
  if (!ReadNumber(object, name, number) || number > UINT32_MAX) return false;
  out = static_cast<std::uint32_t>(number);
  return true;
}

bool ReadShards(element object, PublisherCheckpoint& out) {
  simdjson::dom::array shards;
  if (object["shards"].get_array().get(shards) != SUCCESS) return false;
  for (element shard : shards) {
    std::uint32_t number = 0;
    std::uint64_t last_slot = 0;
    if (!ReadNumber32(shard, "shard", number) || !ReadNumber(shard, "last_slot", last_slot)) {
      return false;
    }
    out.shards[number] = SlotNumber(last_slot);
  }
  return true;
}

// True when there is none, too.
bool ReadSent(element object, const char* name, std::optional<SentRecord>& out) {
  element found;
  if (object[name].get(found) != SUCCESS) return true;
  SentRecord sent;
  std::string text;
  if (!ReadNumber(found, "offset", sent.offset) || !ReadText(found, "position", text)) return false;
  const std::optional<Position> position = Position::Parse(text);
  if (!position) return false;
  sent.position = *position;
  out = sent;
  return true;
}

void AppendSent(std::string& out, std::string_view name, const std::optional<SentRecord>& sent) {
  if (!sent) return;
  AppendName(out.append(","), name);
  AppendNumber(out.append("{"), "offset", sent->offset);
  AppendText(out.append(","), "position", sent->position.ToString());
  out.append("}");
}

bool ReadEnds(element object, PublisherCheckpoint& out) {
  simdjson::dom::array partitions;
  if (object["partitions"].get_array().get(partitions) != SUCCESS) return false;
  for (element entry : partitions) {
    TopicPartition key;
    PartitionEnd end;
    if (!ReadText(entry, "topic", key.topic) || !ReadNumber32(entry, "partition", key.partition) ||
        !ReadText(entry, "topic_id", end.topic_id) || !ReadNumber(entry, "end", end.end) ||
        !ReadSent(entry, "last", end.last) || !ReadSent(entry, "checked", end.checked)) {
      return false;
    }
    out.ends[key] = std::move(end);
  }
  return true;
}

// True when there is none, too.
bool ReadRepublish(element object, PublisherCheckpoint& out) {
  element found;
  if (object["republish"].get(found) != SUCCESS) return true;
  Republish republish;
  if (!ReadNumber(found, "next", republish.next.value) ||
      !ReadNumber(found, "to", republish.to.value)) {
    return false;
  }
  out.republish = republish;
  return true;
}

// It covers every byte before its own member.
bool ChecksumMatches(element object, std::string_view bytes) {
  std::uint64_t stored = 0;
  return ReadNumber(object, "crc32c", stored) &&
         stored == Crc32c(bytes.substr(0, std::min(bytes.rfind(kChecksum), bytes.size())));
}

// The first member that is missing or wrong; empty: none.
std::string_view Read(element object, PublisherCheckpoint& out) {
  std::int64_t format = 0;
  if (object["format"].get_int64().get(format) != SUCCESS || format != kFormat) return "format";
  if (!ReadText(object, "owner", out.owner)) return "owner";
  if (!ReadNumber(object, "epoch", out.epoch)) return "epoch";
  if (!ReadText(object, "renewed_at", out.renewed_at)) return "renewed_at";
  if (!ReadShards(object, out)) return "shards";
  if (!ReadEnds(object, out)) return "partitions";
  if (!ReadNumber(object, "republish_id", out.republish_id)) return "republish_id";
  if (!ReadRepublish(object, out)) return "republish";
  return {};
}

}  // namespace

std::string EncodeCheckpoint(const PublisherCheckpoint& checkpoint) {
  std::string out = "{";
  AppendNumber(out, "format", kFormat);
  AppendText(out.append(","), "owner", checkpoint.owner);
  AppendNumber(out.append(","), "epoch", checkpoint.epoch);
  AppendText(out.append(","), "renewed_at", checkpoint.renewed_at);
  AppendName(out.append(","), "shards");
  const char* before = "[";
  for (const auto& [shard, slot] : checkpoint.shards) {
    AppendNumber(out.append(before).append("{"), "shard", shard);
    AppendNumber(out.append(","), "last_slot", slot.value);
    out.append("}");
    before = ",";
  }
  if (checkpoint.shards.empty()) out.append("[");
  AppendName(out.append("],"), "partitions");
  before = "[";
  for (const auto& [key, end] : checkpoint.ends) {
    AppendText(out.append(before).append("{"), "topic", key.topic);
    AppendNumber(out.append(","), "partition", key.partition);
    AppendText(out.append(","), "topic_id", end.topic_id);
    AppendNumber(out.append(","), "end", end.end);
    AppendSent(out, "last", end.last);
    if (end.checked != end.last) AppendSent(out, "checked", end.checked);
    out.append("}");
    before = ",";
  }
  if (checkpoint.ends.empty()) out.append("[");
  AppendNumber(out.append("],"), "republish_id", checkpoint.republish_id);
  if (checkpoint.republish && !Mutated(Mutation::kRepublishNotSaved)) {
    AppendName(out.append(","), "republish");
    AppendNumber(out.append("{"), "next", checkpoint.republish->next.value);
    AppendNumber(out.append(","), "to", checkpoint.republish->to.value);
    out.append("}");
  }
  return SealCheckpoint(std::move(out));
}

std::string SealCheckpoint(std::string members) {
  const std::uint32_t checksum = Crc32c(members);
  members.append(kChecksum);
  json::AppendNumber(members, checksum);
  return members.append("}\n");
}

Result<PublisherCheckpoint> DecodeCheckpoint(std::string_view bytes) {
  simdjson::dom::parser parser;
  element object;
  if (parser.parse(bytes.data(), bytes.size()).get(object) != SUCCESS) {
    return Corrupt("the publisher's checkpoint is not JSON");
  }
  if (!ChecksumMatches(object, bytes)) {
    return Corrupt("the publisher's checkpoint does not match its checksum");
  }
  PublisherCheckpoint checkpoint;
  std::string_view wrong = Read(object, checkpoint);
  if (!wrong.empty()) {
    return Corrupt("the publisher's checkpoint has no valid '" + std::string(wrong) + "'");
  }
  return checkpoint;
}

}  // namespace saffron
