// Judges a log by its bytes: the invariants of docs/event-log.md, written apart from the code under
// test and small enough to be read in one sitting.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/memory/memory_object_store.h"
#include "adapters/memory/memory_registry.h"
#include "domain/envelope.h"
#include "eventlog/log_context.h"

namespace saffron {

// What some client was told: the command is committed with this number.
struct ToldCommitted {
  EventId command;
  AggregateKey aggregate;
  SequenceNumber number;
  std::optional<SequenceNumber> expected;
  Position position = {};
};

struct LogVerdict {
  std::vector<std::string> violations;
  std::uint64_t slots = 0, tombstones = 0, commands = 0, outcomes = 0;
};

// DecodeSlot of the log, for who has not done it already.
using SlotDecoder = std::function<Result<SlotPtr>(std::string bytes, SlotNumber slot)>;
SlotDecoder DecoderOf(const EventLogFormat& format);

// What lies in the slots of a store, decoded once for all who judge it. The store outlives it.
class DecodedLog {
 public:
  struct Entry {
    std::shared_ptr<const std::string> bytes;
    Result<SlotPtr> slot;
  };
  DecodedLog(const MemoryObjectStore& store, SlotDecoder decode)
      : store_(store), decode_(std::move(decode)) {
    Update();
  }
  // Decodes what is new in the store, or lies there instead.
  void Update();
  const std::map<SlotNumber, Entry>& slots() const { return slots_; }

 private:
  const MemoryObjectStore& store_;
  const SlotDecoder decode_;
  std::map<SlotNumber, Entry> slots_;
};

// I1 to I6 over everything in the log, and against what clients were told.
LogVerdict CheckLog(const DecodedLog& log, const std::vector<ToldCommitted>& told,
                    const std::vector<EventId>& refused);

// The registry is settled and equals the fold of the log. Call when everything is quiet.
std::vector<std::string> CheckRegistry(const DecodedLog& log, const MemoryRegistry& registry);

}  // namespace saffron
