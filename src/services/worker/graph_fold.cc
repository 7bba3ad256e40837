#include "services/worker/graph_fold.h"

#include <map>
#include <optional>

#include "base/runtime.h"
#include "eventlog/mutation.h"

namespace saffron {
namespace {

struct Folded {
  const LoggedEvent* last = nullptr;
  std::optional<std::int64_t> created_ms, updated_ms;
};

std::int64_t TimeOf(const LoggedEvent& event) {
  return ParseRfc3339(event.envelope.occurred_at).value_or(WallTime{}).unix_ms;
}

std::map<AggregateKey, Folded> LastOutcomes(const std::vector<SlotPtr>& slots) {
  std::map<AggregateKey, Folded> folded;
  for (const SlotPtr& slot : slots) {
    for (const LoggedEvent& event : slot->events) {
      if (!event.outcome) continue;
      if (event.envelope.type.rejected && Mutated(Mutation::kRejectedNotWritten)) continue;
      Folded& entry = folded[event.envelope.aggregate];
      entry.last = &event;
      const EventType& type = event.envelope.type;
      if (type.rejected) continue;
      entry.updated_ms = TimeOf(event);
      if (type.operation == Operation::kCreate) entry.created_ms = entry.updated_ms;
    }
  }
  return folded;
}

GraphNode NodeOf(const AggregateKey& key, const Folded& folded, const GraphNode* stored) {
  const Outcome& outcome = *folded.last->outcome;
  GraphNode node;
  node.key = key;
  node.version = folded.last->envelope.sequence_number;
  node.lifecycle = outcome.lifecycle;
  node.incarnation = outcome.incarnation;
  node.scope = outcome.scope;
  node.document = outcome.document;
  if (key.type == AggregateType::kInstance && outcome.lifecycle == Lifecycle::kPresent) {
    node.references = ReferencesByShape(outcome.document);
  }
  node.updated_ms = folded.updated_ms.value_or(stored != nullptr ? stored->updated_ms : 0);
  // Without a stored node its creation was refused: the first time that is known stands for it.
  std::int64_t first_known_ms = stored != nullptr ? stored->created_ms : 0;
  if (stored == nullptr && node.lifecycle == Lifecycle::kPresent) first_known_ms = node.updated_ms;
  node.created_ms = folded.created_ms.value_or(first_known_ms);
  return node;
}

}  // namespace

Result<std::vector<GraphNode>> FoldIntoNodes(GraphStore& graph, const std::vector<SlotPtr>& slots) {
  const std::map<AggregateKey, Folded> folded = LastOutcomes(slots);
  std::vector<AggregateKey> known_before;
  for (const auto& [key, entry] : folded) {
    if (!entry.created_ms || !entry.updated_ms) known_before.push_back(key);
  }
  std::map<AggregateKey, GraphNode> stored;
  if (!known_before.empty()) {
    SAFFRON_ASSIGN(stored, graph.Get(known_before));
  }
  std::vector<GraphNode> nodes;
  nodes.reserve(folded.size());
  for (const auto& [key, entry] : folded) {
    auto found = stored.find(key);
    nodes.push_back(NodeOf(key, entry, found == stored.end() ? nullptr : &found->second));
  }
  return nodes;
}

Status CommitLeavingOut(GraphStore& graph, GraphCommit commit, SinkPosition before,
                        const std::function<Status(const GraphRefusal&)>& refused) {
  Status whole = graph.Commit(commit);
  if (!whole.Is(Code::kInvalid)) return whole;
  if (commit.nodes.empty()) return Internal("an empty commit: " + whole.error().message());
  while (Mutated(Mutation::kNoBisection) && commit.nodes.size() > 1) {
    SAFFRON_TRY(refused({commit.nodes.back(), whole.error()}));
    commit.nodes.pop_back();
  }
  if (commit.nodes.size() == 1) {
    SAFFRON_TRY(refused({commit.nodes.front(), whole.error()}));
    commit.nodes.clear();
    return graph.Commit(commit);
  }
  const auto middle = commit.nodes.begin() + static_cast<std::ptrdiff_t>(commit.nodes.size() / 2);
  GraphCommit first{commit.epoch, before, {commit.nodes.begin(), middle}};
  commit.nodes.erase(commit.nodes.begin(), middle);
  SAFFRON_TRY(CommitLeavingOut(graph, std::move(first), before, refused));
  return CommitLeavingOut(graph, std::move(commit), before, refused);
}

}  // namespace saffron
