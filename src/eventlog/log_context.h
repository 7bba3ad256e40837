// What the parts of one process's event log share: the ports, the log's format, the cache of recent
// slots and the signal that a slot was committed. Owned by the process; outlives the parts.
// Thread-safe. Nothing of it survives a crash.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/log.h"
#include "base/runtime.h"
#include "eventlog/slot.h"
#include "ports/append_registry.h"
#include "ports/object_store.h"

namespace saffron {

// events/format.json: made once, never changed.
struct EventLogFormat {
  LogId log;
  std::uint32_t shards = 1;
  std::uint64_t max_outstanding = 64;  // F
  std::uint64_t max_event_bytes = kDefaultMaxEnvelopeBytes;
  friend bool operator==(const EventLogFormat&, const EventLogFormat&) = default;
};

// Recent slots, bounded by bytes: followers of the log in the writing process do not read and
// verify again what it has just written.
class SlotCache {
 public:
  explicit SlotCache(std::size_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}
  void Put(SlotPtr slot);
  SlotPtr Find(SlotNumber slot) const;

 private:
  const std::size_t capacity_bytes_;
  mutable std::mutex mutex_;
  std::list<SlotPtr> order_;  // oldest first
  std::unordered_map<std::uint64_t, SlotPtr> slots_;
  std::size_t size_bytes_ = 0;
};

// "Something happened at or before this slot": wake-up of followers. A hint; whoever misses it
// polls.
class SlotSignal {
 public:
  explicit SlotSignal(Runtime& runtime) : condition_(runtime.NewCondition()) {}
  void Raise(SlotNumber slot);
  // Wakes waiters without news (stop).
  void Nudge();
  // True when a slot at or above it was raised before the deadline.
  bool WaitFor(SlotNumber slot, Instant deadline);
  SlotNumber highest() const;

 private:
  const std::unique_ptr<Condition> condition_;
  SlotNumber highest_;
  std::uint64_t nudges_ = 0;
};

struct LogContext {
  Runtime& runtime;
  ObjectStore& store;
  AppendRegistry& registry;
  Log& log;
  EventLogFormat format;
  std::uint32_t shard = 0;
  std::string writer;  // host and process incarnation: for people
  // No other process can have a PUT in flight (the directory store under its lock).
  bool exclusive = false;
  // DecodeSlot, unless a simulation of many processes decodes the same bytes once for all of them.
  std::function<Result<SlotPtr>(std::string bytes, SlotNumber slot)> decode{};
  // Slots that a reader of a backlog asks the store for at once.
  std::size_t reads_at_once = 1;
  SlotCache cache{16 << 20};
  SlotSignal committed{runtime};  // a slot was written
  SlotSignal settled{runtime};    // a slot was settled in the registry
  // `committed` is raised for every settled slot, whichever process wrote it: followers need not
  // ask the store for what nobody has told of. False while the registry's notifications are away.
  std::atomic<bool> told{false};
  // Somebody met a registry that is not of this log's state; the resolver fences.
  std::atomic<bool> fence_requested{false};
  // It contradicted the log: another batch lay in a reserved slot, or a slot was handed out twice.
  // Then it is fenced even if it looks healthy by now.
  std::atomic<bool> registry_contradicted{false};
  // The highest slot that RESERVE is known to have handed out, to whomever. Never falls.
  std::atomic<std::uint64_t> highest_handed{0};
  void NoteHanded(SlotNumber slot) {
    std::uint64_t highest = highest_handed.load();
    while (highest < slot.value && !highest_handed.compare_exchange_weak(highest, slot.value)) {
    }
  }
};

// Reads one slot, verified. kNotFound while it is absent.
Result<SlotPtr> ReadSlot(LogContext& context, SlotNumber slot);
// The highest slot that is present above `after`; 0: none is.
Result<SlotNumber> HighestSlot(LogContext& context, SlotNumber after);
// One event by range, verified by its checksum.
Result<Envelope> ReadEvent(LogContext& context, const EventLocation& location);

}  // namespace saffron
