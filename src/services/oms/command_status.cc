#include "services/oms/command_status.h"

namespace saffron {

using Kind = CommandStatus::Kind;

std::string_view StatusName(Kind kind) {
  switch (kind) {
    case Kind::kUnknown:
    case Kind::kUnsettled:
    case Kind::kPending: return "PENDING";
    case Kind::kProcessing: return "PROCESSING";
    case Kind::kRetrying: return "RETRYING";
    case Kind::kCompleted: return "COMPLETED";
    case Kind::kFailed: return "FAILED";
  }
  return "PENDING";
}

Result<std::vector<CommandStatus>> CommandStatuses::Of(const std::vector<EventId>& ids) {
  RegistryRead read;
  read.commands = ids;
  SAFFRON_ASSIGN(RegistryRows rows, context_.registry.Read(read));
  std::optional<GraphState> graph;
  std::vector<CommandStatus> statuses;
  for (const EventId& id : ids) {
    CommandStatus& status = statuses.emplace_back();
    status.id = id;
    auto found = rows.commands.find(id);
    if (found == rows.commands.end()) continue;
    const CommandRow& row = found->second;
    status.kind = Kind::kUnsettled;
    if (!row.settled()) continue;
    status.kind = Kind::kPending;
    status.aggregate = row.aggregate;
    status.type = row.type;
    status.number = row.number;
    status.position = row.location->position;
    if (!row.outcome) continue;
    if (!graph) {
      SAFFRON_ASSIGN(graph, graph_.State());
    }
    SAFFRON_TRY(AddOutcome(row, *graph, status));
  }
  SAFFRON_TRY(AddClaims(statuses));
  return statuses;
}

Status CommandStatuses::AddOutcome(const CommandRow& row, const GraphState& graph,
                                   CommandStatus& status) {
  status.kind = Kind::kProcessing;
  const bool passed = graph.position.slot >= row.outcome->position.slot;
  if (!row.outcome_rejected && !passed) return Ok();
  SAFFRON_ASSIGN(Envelope event, ReadEvent(context_, *row.outcome));
  status.kind = row.outcome_rejected ? Kind::kFailed : Kind::kCompleted;
  status.completed_at = event.occurred_at;
  if (!row.outcome_rejected) return Ok();
  SAFFRON_ASSIGN(Outcome outcome, DecodeOutcome(event.data));
  status.reason_code = outcome.reason_code;
  status.error = outcome.reason_message;
  return Ok();
}

Status CommandStatuses::AddClaims(std::vector<CommandStatus>& statuses) {
  ClaimRead read;
  for (const CommandStatus& status : statuses) {
    if (status.kind != Kind::kPending) continue;
    std::string handler(HandlerOf(status.aggregate.type));
    read.claims.push_back({handler, status.id});
    read.parked.push_back({handler, status.aggregate});
  }
  if (read.claims.empty()) return Ok();
  SAFFRON_ASSIGN(ClaimRows rows, claims_.Read(read));
  for (CommandStatus& status : statuses) {
    if (status.kind != Kind::kPending) continue;
    std::string handler(HandlerOf(status.aggregate.type));
    if (auto claim = rows.claims.find({handler, status.id}); claim != rows.claims.end()) {
      const ClaimRow& row = claim->second;
      const bool failed = row.attempt_count > 1 || !row.last_error.empty();
      const bool working = row.status == ClaimStatus::kProcessing && !row.owner.empty();
      if (failed || row.status == ClaimStatus::kFailed) {
        status.kind = Kind::kRetrying;
      } else if (working) {
        status.kind = Kind::kProcessing;
      }
      status.error = row.last_error;
      status.retry_count = row.attempt_count > 0 ? row.attempt_count - 1 : 0;
    }
    auto parked = rows.parked.find({handler, status.aggregate});
    if (parked != rows.parked.end() && parked->second.first <= status.number) {
      status.kind = Kind::kRetrying;
      status.parked = true;
      if (status.error.empty()) status.error = parked->second.reason;
    }
  }
  return Ok();
}

}  // namespace saffron
