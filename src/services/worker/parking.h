// Parking: an aggregate whose next command failed for good waits for an operator; its later
// commands are acknowledged on the bus and stay in the log. Replay works it off and frees it;
// discard appends a REJECTED outcome, so that a rebuild keeps the decision.
#pragma once

#include <string>
#include <vector>

#include "eventlog/append_log.h"
#include "ports/claim_registry.h"
#include "ports/message_bus.h"
#include "services/worker/claims.h"
#include "services/worker/decider.h"

namespace saffron {

// Dead letter first, then the parked row: repeated after a crash in between, never skipped.
Status ParkAggregate(ClaimRegistry& claims, MessageBus& bus, const ClaimTerms& terms,
                     const Envelope& command, const std::string& reason);

struct ReplayReport {
  std::uint64_t decided = 0;
  bool freed = false;
};

// Decides the aggregate's commands from the work list, then frees it in a transaction that compares
// the allocator's last number, a pending one included. An error leaves it parked.
Result<ReplayReport> ReplayParked(LogContext& context, AppendLog& log, ClaimRegistry& claims,
                                  const ParkKey& key, Instant deadline);

// Rejects the command that failed, as "discarded", and then replays the rest.
Result<ReplayReport> DiscardParked(LogContext& context, AppendLog& log, ClaimRegistry& claims,
                                   const ParkKey& key, const std::string& reason, Instant deadline);

}  // namespace saffron
