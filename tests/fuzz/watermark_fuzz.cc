// The projection's watermark and the format of the log, read by simdjson, against RapidJSON.
#include "services/projection/watermark.h"

#include "eventlog/recovery.h"
#include "tests/fuzz/properties.h"
#include "tests/fuzz/reference_json.h"

namespace saffron::fuzz {
namespace {

void Same(const JsonNode& object, std::string_view name, std::string_view expected) {
  const JsonNode* node = object.Find(name);
  Require(node != nullptr, "a member that was read is there");
  Require((node->text == "-0" ? "0" : node->text) == expected, "RapidJSON reads the same");
}

void CheckWatermark(std::string_view bytes, const std::optional<JsonNode>& object) {
  const auto watermark = DecodeWatermark(bytes);
  if (!watermark.ok()) return Require(watermark.Is(Code::kCorrupt), "what is none is damaged");
  const auto again = DecodeWatermark(EncodeWatermark(*watermark));
  Require(again.ok() && *again == *watermark, "a watermark comes back as it was");
  if (bytes.empty()) return Require(*watermark == ProjectionWatermark(), "nothing is nothing");
  Require(object.has_value(), "what simdjson reads is JSON");
  Same(*object, "generation", watermark->generation);
  Same(*object, "republish_id", std::to_string(watermark->republish_id));
  Same(*object, "slot", std::to_string(watermark->slot.value));
  // Later entries of a partition replace earlier ones.
  for (const JsonNode& entry : object->Find("partitions")->elements) {
    bool found = false;
    for (const auto& [key, progress] : watermark->partitions) {
      const std::string& number = entry.Find("partition")->text;
      found = found || (entry.Find("topic")->text == key.topic &&
                        (number == "-0" ? "0" : number) == std::to_string(key.partition));
    }
    Require(found, "every partition is kept under its number");
  }
}

void CheckFormat(std::string_view bytes, const std::optional<JsonNode>& object) {
  const auto format = DecodeFormat(std::string(bytes));
  if (!format.ok()) {
    Require(format.Is(Code::kCorrupt) || format.Is(Code::kInvalid), "a refusal has its code");
    return;
  }
  Require(object.has_value(), "what simdjson reads is JSON");
  Require(format->shards == 1 && format->max_outstanding >= 2, "a format is one that runs");
  Require(Uuid::Parse(object->Find("log_id")->text) == format->log.uuid, "the log is read");
  Same(*object, "max_outstanding_reservations", std::to_string(format->max_outstanding));
  Same(*object, "max_event_bytes", std::to_string(format->max_event_bytes));
}

}  // namespace

void FuzzWatermark(std::string_view bytes) {
  const auto object = ReadJson(bytes);
  CheckWatermark(bytes, object);
  CheckFormat(bytes, object);
}

}  // namespace saffron::fuzz
