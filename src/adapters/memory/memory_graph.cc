#include "adapters/memory/memory_graph.h"

#include <algorithm>
#include <set>
#include <utility>

#include "adapters/embedded/search_query.h"

namespace saffron {

namespace {

using Nodes = std::map<AggregateKey, GraphNode>;
using Path = std::vector<AggregateKey>;

// One query, path by path: starts in order of key, then each next node in order of key.
class PathSearch {
 public:
  PathSearch(const Nodes& nodes, const GraphQuery& query, const DocumentFilter& filters)
      : nodes_(nodes), query_(query), filters_(filters) {}

  GraphResult Run() {
    const std::string prefix =
        query_.scope.db + ":" + query_.scope.branch + ":" + query_.start_class + ":";
    std::uint64_t whole = 0;
    for (auto at = nodes_.lower_bound({AggregateType::kInstance, prefix});
         at != nodes_.end() && at->first.id.starts_with(prefix) && !stopped_; ++at) {
      if (!Live(at->second) || !filters_.Matches(at->second.document)) continue;
      taking_ = whole >= query_.offset && result_.count < query_.limit;
      found_ = false;
      path_ = {at->first};
      edges_.clear();
      Walk(at->first, 0);
      if (!found_) continue;
      if (whole >= query_.offset && !taking_) {
        result_.more = true;
        break;
      }
      result_.count += taking_ ? 1 : 0;
      ++whole;
    }
    if (stopped_) result_.more = true;
    for (const AggregateKey& key : keys_) {
      result_.nodes.push_back(nodes_.at(key));
      if (!query_.include_documents) result_.nodes.back().document.clear();
    }
    result_.edges.assign(seen_edges_.begin(), seen_edges_.end());
    return std::move(result_);
  }

 private:
  bool Live(const GraphNode& node) const {
    auto parts = SplitAggregateId(node.key);
    if (!parts.ok() || node.key.type != AggregateType::kInstance) return false;
    auto live_class = query_.scope.classes.find(parts->class_id);
    return node.lifecycle == Lifecycle::kPresent && parts->db == query_.scope.db &&
           parts->branch == query_.scope.branch && node.scope.database == query_.scope.database &&
           live_class != query_.scope.classes.end() && node.scope.class_ == live_class->second;
  }

  AggregateKey Target(const Reference& reference) const {
    return AggregateKey::Instance(query_.scope.db, query_.scope.branch, reference.target_class,
                                  reference.target_id);
  }

  std::set<std::pair<AggregateKey, GraphEdge>> Step(const AggregateKey& at, const GraphHop& hop) {
    std::set<std::pair<AggregateKey, GraphEdge>> next;
    auto add = [&](const AggregateKey& to, GraphEdge edge) {
      auto node = nodes_.find(to);
      if (node == nodes_.end() || !Live(node->second)) return;
      if (!hop.target_class.empty() && SplitAggregateId(to).value().class_id != hop.target_class) {
        return;
      }
      next.emplace(to, std::move(edge));
    };
    if (!hop.predicate.starts_with('~')) {
      for (const Reference& reference : nodes_.at(at).references) {
        if (reference.predicate != hop.predicate) continue;
        add(Target(reference), {at, hop.predicate, Target(reference)});
      }
      return next;
    }
    const std::string predicate = hop.predicate.substr(1);
    for (const auto& [key, node] : nodes_) {
      for (const Reference& reference : node.references) {
        if (reference.predicate == predicate && Target(reference) == at) {
          add(key, {key, predicate, at});
        }
      }
    }
    return next;
  }

  void Walk(const AggregateKey& at, std::size_t depth) {
    if (depth == query_.hops.size()) {
      TakePath();
      return;
    }
    for (const auto& [next, edge] : Step(at, query_.hops[depth])) {
      if (stopped_ || (found_ && !taking_)) return;
      if (query_.no_cycles && std::find(path_.begin(), path_.end(), next) != path_.end()) continue;
      path_.push_back(next);
      edges_.push_back(edge);
      Walk(next, depth + 1);
      path_.pop_back();
      edges_.pop_back();
    }
  }

  void TakePath() {
    if (!taking_) {
      found_ = true;
      return;
    }
    std::set<AggregateKey> keys = keys_;
    keys.insert(path_.begin(), path_.end());
    std::set<GraphEdge> edges = seen_edges_;
    edges.insert(edges_.begin(), edges_.end());
    if (keys.size() > query_.max_nodes) return Stop("max_nodes");
    if (edges.size() > query_.max_edges) return Stop("max_edges");
    found_ = true;
    keys_ = std::move(keys);
    seen_edges_ = std::move(edges);
    if (!query_.include_paths) return;
    if (result_.paths.size() < query_.max_paths) {
      result_.paths.push_back(path_);
    } else {
      Warn("max_paths");
    }
  }

  void Stop(const char* bound) {
    stopped_ = true;
    Warn(bound);
  }
  void Warn(const std::string& bound) {
    auto& warnings = result_.warnings;
    if (std::find(warnings.begin(), warnings.end(), bound) == warnings.end()) {
      warnings.push_back(bound);
    }
  }

  const Nodes& nodes_;
  const GraphQuery& query_;
  const DocumentFilter& filters_;
  GraphResult result_;
  std::set<AggregateKey> keys_;
  std::set<GraphEdge> seen_edges_;
  Path path_;
  std::vector<GraphEdge> edges_;
  bool taking_ = false;   // this start is of the page
  bool found_ = false;    // it has a whole path
  bool stopped_ = false;  // a bound was reached
};

}  // namespace

MemoryGraph::MemoryGraph() : live_(std::make_shared<Generation>()) {
  live_->contents.state.generation = "1";
  live_->contents.state.ontology_version = 1;
}

std::shared_ptr<MemoryGraph::Generation> MemoryGraph::Live() const {
  std::lock_guard lock(mutex_);
  return live_;
}

Result<GraphState> MemoryGraph::State() {
  auto live = Live();
  std::lock_guard lock(live->mutex);
  return live->contents.state;
}

Status MemoryGraph::TakeOver(std::uint64_t epoch) {
  auto live = Live();
  std::lock_guard lock(live->mutex);
  if (live->contents.state.epoch > epoch) return Conflict("the graph is of a later epoch");
  live->contents.state.epoch = epoch;
  return Ok();
}

Status MemoryGraph::Commit(const GraphCommit& commit) {
  auto live = Live();
  std::lock_guard lock(live->mutex);
  Contents& contents = live->contents;
  if (contents.state.epoch != commit.epoch && !ignores_epochs_) {
    return Conflict("the graph is of another epoch");
  }
  if (commit.position < contents.state.position && !ignores_epochs_) {
    return Conflict("the position would go back");
  }
  for (const GraphNode& node : commit.nodes) {
    auto found = contents.nodes.find(node.key);
    const bool older =
        node.version <= (found == contents.nodes.end() ? SequenceNumber() : found->second.version);
    if (older && !ignores_versions_) continue;
    contents.nodes.insert_or_assign(node.key, node);
  }
  contents.state.position = std::max(contents.state.position, commit.position);
  if (WritesOntology(commit)) ++contents.state.ontology_version;
  return Ok();
}

Result<std::map<AggregateKey, GraphNode>> MemoryGraph::Get(const std::vector<AggregateKey>& keys) {
  auto live = Live();
  std::lock_guard lock(live->mutex);
  std::map<AggregateKey, GraphNode> found;
  for (const AggregateKey& key : keys) {
    if (auto at = live->contents.nodes.find(key); at != live->contents.nodes.end()) {
      found.insert(*at);
    }
  }
  return found;
}

Result<std::vector<GraphNode>> MemoryGraph::List(AggregateType type, std::string_view id_prefix,
                                                 std::string_view after, std::size_t limit) {
  auto live = Live();
  std::lock_guard lock(live->mutex);
  std::vector<GraphNode> found;
  const Nodes& nodes = live->contents.nodes;
  auto at = nodes.lower_bound({type, std::string(std::max(id_prefix, after))});
  for (; at != nodes.end() && at->first.type == type && at->first.id.starts_with(id_prefix) &&
         found.size() < limit;
       ++at) {
    if (at->first.id > after) found.push_back(at->second);
  }
  return found;
}

Result<GraphResult> MemoryGraph::Query(const GraphQuery& query) {
  SAFFRON_ASSIGN(DocumentFilter filters, DocumentFilter::Compile(query.filters));
  auto live = Live();
  std::lock_guard lock(live->mutex);
  return PathSearch(live->contents.nodes, query, filters).Run();
}

Result<std::unique_ptr<GraphStore>> MemoryGraph::NewGeneration() {
  SAFFRON_ASSIGN(GraphState state, State());
  auto next = std::make_unique<MemoryGraph>();
  std::lock_guard lock(mutex_);
  // The fence holds for the new one too.
  next->live_->contents.state = {state.epoch, SinkPosition(), std::to_string(++generations_), 1};
  unfinished_ = next->live_;
  return std::unique_ptr<GraphStore>(std::move(next));
}

Status MemoryGraph::Activate(GraphStore& next) {
  auto* other = dynamic_cast<MemoryGraph*>(&next);
  if (other == nullptr) return Invalid("not a generation of this graph");
  std::shared_ptr<Generation> generation = other->Live();
  SAFFRON_ASSIGN(GraphState mine, State());
  SAFFRON_ASSIGN(GraphState theirs, other->State());
  if (mine.epoch > theirs.epoch) return Conflict("the graph is of a later epoch");
  std::lock_guard lock(mutex_);
  if (unfinished_.lock() != generation) return Invalid("not the newest generation of this graph");
  live_ = std::move(generation);
  unfinished_.reset();
  return Ok();
}

MemoryGraph::Contents MemoryGraph::Snapshot() const {
  auto live = Live();
  std::lock_guard lock(live->mutex);
  return live->contents;
}

void MemoryGraph::Restore(Contents contents) {
  auto live = Live();
  std::lock_guard lock(live->mutex);
  const std::uint64_t version = live->contents.state.ontology_version;
  live->contents = std::move(contents);
  live->contents.state.ontology_version = version + 1;  // a used one would mean the old contents
}

}  // namespace saffron
