// Parked aggregates, as an operator sees them.
#pragma once

#include <string>

#include "eventlog/log_context.h"
#include "ports/claim_registry.h"

namespace saffron {

// {"parked":[{handler, aggregate_type, aggregate_id, first_sequence_number, command_id, reason,
// parked_at}], "more"}. Of one handler, or all when it is empty.
Result<std::string> ListParked(ClaimRegistry& claims, const std::string& handler,
                               std::size_t limit);

// One of them with its commands that wait (envelopes from the log, at most `limit`) and the
// attempts of the one that failed. kNotFound when it is not parked.
Result<std::string> ShowParked(LogContext& context, ClaimRegistry& claims, const ParkKey& key,
                               std::size_t limit);

// kNotFound when it is not parked.
Result<ParkedRow> FindParked(ClaimRegistry& claims, const ParkKey& key);

}  // namespace saffron
