// The slot: one committed batch object of the log, or a tombstone. Format: docs/event-log.md.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/runtime.h"
#include "domain/envelope.h"

namespace saffron {

inline constexpr int kSlotFormat = 1;

// "events/000/00000000000000000012.jsonl"
std::string SlotKey(std::uint32_t shard, SlotNumber slot);
// "events/000/": what every slot key of the shard starts with.
std::string SlotPrefix(std::uint32_t shard);
// Nothing when the key is not that of a slot of the shard.
std::optional<SlotNumber> SlotOfKey(std::uint32_t shard, std::string_view key);

// The first line of a slot object.
struct SlotHeader {
  LogId log;
  std::uint32_t shard = 0;
  SlotNumber slot;
  bool tombstone = false;
  // Of a batch: its id. Of a tombstone: the batch that it aborts, nil if it names none.
  BatchId batch;
  std::string writer;
  std::string reserved_at;  // RFC 3339 UTC
  friend bool operator==(const SlotHeader&, const SlotHeader&) = default;
};

struct LoggedEvent {
  Envelope envelope;
  EventLocation location;
  std::optional<Outcome> outcome;  // decoded, when the event is one
};

// Immutable once made; shared by threads.
struct Slot {
  SlotHeader header;
  std::string bytes;  // the object as stored
  std::vector<LoggedEvent> events;

  SlotNumber number() const { return header.slot; }
  std::string_view LineOf(const LoggedEvent& event) const {
    return std::string_view(bytes).substr(event.location.offset_bytes, event.location.length_bytes);
  }
};
using SlotPtr = std::shared_ptr<const Slot>;

// Makes the object of a batch from its envelopes, and the locations of its events.
Slot MakeBatchSlot(const SlotHeader& header, std::vector<LoggedEvent> events);
Slot MakeTombstone(const SlotHeader& header);

// Verifies everything: header, log id, shard, slot, count, length, checksum, every envelope.
// kCorrupt names the slot and what is wrong.
Result<Slot> DecodeSlot(std::string bytes, const LogId& log, std::uint32_t shard, SlotNumber slot);

}  // namespace saffron
