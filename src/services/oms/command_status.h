// CommandStatuses: how far commands are: registry, claims and the graph's position together.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eventlog/log_context.h"
#include "ports/claim_registry.h"
#include "ports/graph_store.h"

namespace saffron {

struct CommandStatus {
  enum class Kind {
    kUnknown,    // there is no such command
    kUnsettled,  // reserved: nobody knows yet whether it is in the log
    kPending,
    kProcessing,  // claimed, or decided and not in the graph yet
    kRetrying,    // failed attempts, or parked
    kCompleted,   // the graph has passed its outcome
    kFailed,      // rejected
  };
  Kind kind = Kind::kUnknown;
  EventId id;
  AggregateKey aggregate;
  EventType type;
  SequenceNumber number;
  Position position;
  bool parked = false;
  std::uint32_t retry_count = 0;
  std::string reason_code;   // kFailed
  std::string error;         // kFailed: the reason; kRetrying: the last error
  std::string completed_at;  // RFC 3339; of kCompleted and kFailed

  bool final() const { return kind == Kind::kCompleted || kind == Kind::kFailed; }
};
// "PENDING", ...
std::string_view StatusName(CommandStatus::Kind kind);

// Any thread.
class CommandStatuses {
 public:
  CommandStatuses(LogContext& context, ClaimRegistry& claims, GraphStore& graph)
      : context_(context), claims_(claims), graph_(graph) {}

  // In the order of the ids.
  Result<std::vector<CommandStatus>> Of(const std::vector<EventId>& ids);

 private:
  Status AddOutcome(const CommandRow& row, const GraphState& graph, CommandStatus& status);
  Status AddClaims(std::vector<CommandStatus>& statuses);

  LogContext& context_;
  ClaimRegistry& claims_;
  GraphStore& graph_;
};

}  // namespace saffron
