// Planning a write: from a client's command and a snapshot of the ontology to what is appended, or
// why not. Pure functions.
#pragma once

#include <optional>
#include <vector>

#include "eventlog/append_request.h"
#include "services/oms/ontology_catalog.h"
#include "services/oms/write_request.h"

namespace saffron {

// Why a command cannot be appended, as the snapshot says.
struct PlanRefusal {
  WriteCode code = WriteCode::kInvalid;
  std::vector<Violation> violations;
  std::uint64_t count = 0;
  std::string message;
  // The refusal may be wrong while one of these has an undecided change.
  std::vector<AggregateKey> depends_on;
  bool depends_on_head = false;  // or any class of the branch
};

struct CommandPlan {
  AppendItem item;
  std::optional<PlanRefusal> refusal;  // set: `item` holds at most ids and key
};

// What all commands of a request share.
struct PlanContext {
  const WriteRequest& request;
  const Ontology* ontology;  // null: there is no such database
  std::string occurred_at;
};

// The id of command `index` of the request.
EventId CommandIdOf(const WriteRequest& request, std::size_t index);

CommandPlan PlanCommand(const PlanContext& context, std::size_t index);

// The hash that a repetition of the command must have, given the aggregate that the first one was
// accepted for: a generated or derived instance id is not known without the ontology of then.
// Nothing: the command cannot be one on that aggregate.
std::optional<Sha256Digest> HashOnAggregate(const WriteRequest& request, std::size_t index,
                                            const AggregateKey& aggregate);

// What of the view may still change the refusal; null: the refusal stands.
const UndecidedChange* BlockerOf(const PlanRefusal& refusal, const OntologyView& view);

}  // namespace saffron
