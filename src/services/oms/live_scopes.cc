#include "services/oms/live_scopes.h"

#include <utility>
#include <vector>

namespace saffron {
namespace {

constexpr std::size_t kPageNodes = 1000;

std::string KeyOf(std::string_view db, std::string_view branch) {
  std::string key;
  key.reserve(db.size() + branch.size() + 1);
  return key.append(db).append(":").append(branch);
}

}  // namespace

Result<LiveScopePtr> LiveScopes::Of(std::string_view db, std::string_view branch) {
  std::string key = KeyOf(db, branch);
  // Before the nodes: a change in between leaves an entry that nobody uses.
  SAFFRON_ASSIGN(GraphState state, graph_.State());
  if (LiveScopePtr kept = Find(key, state)) return kept;
  SAFFRON_ASSIGN(LiveScopePtr scope, Load(db, branch));
  if (state.ontology_version != 0) Keep(std::move(key), state, scope);
  return scope;
}

Result<LiveScopePtr> LiveScopes::Kept(std::string_view db, std::string_view branch) {
  SAFFRON_ASSIGN(GraphState state, graph_.State());
  return Find(KeyOf(db, branch), state);
}

LiveScopePtr LiveScopes::Find(std::string_view key, const GraphState& state) const {
  if (state.ontology_version == 0) return nullptr;
  std::lock_guard<std::mutex> held(mutex_);
  auto found = kept_.find(key);
  if (found == kept_.end()) return nullptr;
  const Entry& entry = found->second;
  const bool current =
      entry.version == state.ontology_version && entry.generation == state.generation;
  return current ? entry.scope : nullptr;
}

void LiveScopes::Keep(std::string key, const GraphState& state, const LiveScopePtr& scope) {
  std::lock_guard<std::mutex> held(mutex_);
  if (kept_.size() >= capacity_ && !kept_.contains(key)) kept_.erase(kept_.begin());
  kept_.insert_or_assign(std::move(key), Entry{state.generation, state.ontology_version, scope});
}

Result<LiveScopePtr> LiveScopes::Load(std::string_view db, std::string_view branch) {
  const AggregateKey key = AggregateKey::Database(db);
  SAFFRON_ASSIGN(auto nodes, graph_.Get({key}));
  auto database = nodes.find(key);
  if (database == nodes.end() || database->second.lifecycle != Lifecycle::kPresent) {
    return NotFound("there is no database \"" + std::string(db) + "\"");
  }
  LiveScope scope{std::string(db), std::string(branch), database->second.incarnation, {}};
  const std::string prefix = KeyOf(db, branch) + ":";
  std::string after;
  while (true) {
    SAFFRON_ASSIGN(std::vector<GraphNode> classes,
                   graph_.List(AggregateType::kOntologyClass, prefix, after, kPageNodes));
    for (const GraphNode& node : classes) {
      after = node.key.id;
      if (node.lifecycle != Lifecycle::kPresent || node.scope.database != scope.database) continue;
      scope.classes.emplace(node.key.id.substr(prefix.size()), node.incarnation);
    }
    if (classes.size() < kPageNodes) break;
  }
  return std::make_shared<const LiveScope>(std::move(scope));
}

}  // namespace saffron
