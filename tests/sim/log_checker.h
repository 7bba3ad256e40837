// Judges a log by its bytes: the invariants of docs/event-log.md, written apart from the code under
// test and small enough to be read in one sitting.
#pragma once

#include <map>
#include <optional>
#include <string>
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
};

struct LogVerdict {
  std::vector<std::string> violations;
  std::uint64_t slots = 0, tombstones = 0, commands = 0, outcomes = 0;
};

// I1 to I6 over everything in the store, and against what clients were told.
LogVerdict CheckLog(const MemoryObjectStore& store, const EventLogFormat& format,
                    const std::vector<ToldCommitted>& told, const std::vector<EventId>& refused);

// The registry is settled and equals the fold of the log. Call when everything is quiet.
std::vector<std::string> CheckRegistry(MemoryObjectStore& store, const EventLogFormat& format,
                                       MemoryRegistry& registry);

}  // namespace saffron
