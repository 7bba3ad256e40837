// The publisher's state as it is stored in checkpoints/event_publisher.json. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "ports/message_bus.h"

namespace saffron {

// Slots that are being sent once more: `next` to `to`, both included.
struct Republish {
  SlotNumber next;
  SlotNumber to;
  friend bool operator==(const Republish&, const Republish&) = default;
};

// A record that was on the bus. Another one at its offset: the bus lost it, and went on.
struct SentRecord {
  std::uint64_t offset = 0;
  Position position;
  friend bool operator==(const SentRecord&, const SentRecord&) = default;
};

struct PartitionEnd {
  std::string topic_id;
  std::uint64_t end = 0;  // the offset after the last that was acknowledged
  // The newest that is known, and the one that was when the bus was last found whole: what lies
  // between may have been sent into a gap. None: not known.
  std::optional<SentRecord> last, checked;
  friend bool operator==(const PartitionEnd&, const PartitionEnd&) = default;
};

struct PublisherCheckpoint {
  std::string owner;  // empty: released by its last owner
  std::uint64_t epoch = 0;
  std::string renewed_at;                       // RFC 3339 UTC; for people
  std::map<std::uint32_t, SlotNumber> shards;   // last slot whose events were all acknowledged
  std::map<TopicPartition, PartitionEnd> ends;  // by the bus
  // Which republish the bus' contents stem from (below 2^53); 0: none since the checkpoint was
  // made.
  std::uint64_t republish_id = 0;
  std::optional<Republish> republish;  // one that is under way
  friend bool operator==(const PublisherCheckpoint&, const PublisherCheckpoint&) = default;
};

std::string EncodeCheckpoint(const PublisherCheckpoint& checkpoint);
// kCorrupt with what is missing or wrong. Unknown members are passed over.
//
// A checksum is the last member: without it a flipped bit in a slot's number is another number, and
// the publisher goes on from there.
Result<PublisherCheckpoint> DecodeCheckpoint(std::string_view bytes);

// The object of which `members` is the beginning, up to its last member: with checksum and end.
std::string SealCheckpoint(std::string members);

}  // namespace saffron
