// Checks beside those of the log and the sinks, each of which a mutation had slipped past.
#pragma once

#include "adapters/memory/memory_registry.h"
#include "tests/sim/pipeline_checker.h"

namespace saffron {

// At any moment: a claim is done only when the outcome of its command is recorded.
Violations CheckClaims(const MemoryRegistry& registry);

// Of a history without faults or disturbances, when it has ended: nothing was done that only a
// failure is a reason for. No batch was undone, no lease changed hands.
Violations CheckEconomy(MemoryObjectStore& store, const EventLogFormat& format,
                        const MemoryRegistry& registry);

// Every slot that the publisher's checkpoint has passed is named under indexes/by-date/.
Violations CheckByDate(MemoryObjectStore& store);

}  // namespace saffron
