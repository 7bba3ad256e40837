// The publisher's checkpoint, read by simdjson, against RapidJSON.
#include "services/publisher/checkpoint.h"

#include "tests/fuzz/properties.h"
#include "tests/fuzz/reference_json.h"

namespace saffron::fuzz {
namespace {

void Same(const JsonNode& object, std::string_view name, std::string_view expected) {
  const JsonNode* node = object.Find(name);
  Require(node != nullptr && node->text == expected, "simdjson and RapidJSON read the same");
}

std::string Digits(const JsonNode& object, std::string_view name) {
  const JsonNode* node = object.Find(name);
  Require(node != nullptr, "a number that was read is there");
  return node->text == "-0" ? "0" : node->text;
}

void Same(const JsonNode& object, std::string_view name, std::uint64_t expected) {
  Require(Digits(object, name) == std::to_string(expected), "simdjson and RapidJSON read the same");
}

// Later entries of the same shard or partition replace earlier ones.
void CheckLists(const JsonNode& object, const PublisherCheckpoint& checkpoint) {
  for (const JsonNode& entry : object.Find("shards")->elements) {
    bool found = false;
    for (const auto& [shard, slot] : checkpoint.shards) {
      found = found || Digits(entry, "shard") == std::to_string(shard);
    }
    Require(found, "every shard is kept under its number");
  }
  for (const JsonNode& entry : object.Find("partitions")->elements) {
    bool found = false;
    for (const auto& [key, end] : checkpoint.ends) {
      found = found || (entry.Find("topic")->text == key.topic &&
                        Digits(entry, "partition") == std::to_string(key.partition));
    }
    Require(found, "every partition is kept under its number");
  }
}

}  // namespace

void FuzzCheckpoint(std::string_view input) {
  (void)DecodeCheckpoint(input);
  // No input would match its checksum.
  const std::string bytes = SealCheckpoint(std::string(input.substr(0, input.rfind('}'))));
  const auto checkpoint = DecodeCheckpoint(bytes);
  if (!checkpoint.ok()) {
    return Require(checkpoint.Is(Code::kCorrupt), "what is no checkpoint is damaged");
  }
  const auto again = DecodeCheckpoint(EncodeCheckpoint(*checkpoint));
  Require(again.ok() && *again == *checkpoint, "a checkpoint comes back as it was");
  const auto object = ReadJson(bytes);
  Require(object.has_value(), "what simdjson reads is JSON");
  Same(*object, "owner", checkpoint->owner);
  Same(*object, "epoch", checkpoint->epoch);
  Same(*object, "renewed_at", checkpoint->renewed_at);
  Same(*object, "republish_id", checkpoint->republish_id);
  CheckLists(*object, *checkpoint);
  if (!checkpoint->republish) return;
  Same(*object->Find("republish"), "next", checkpoint->republish->next.value);
  Same(*object->Find("republish"), "to", checkpoint->republish->to.value);
}

}  // namespace saffron::fuzz
