#include "adapters/terminusdb/terminus_query.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>

#include "adapters/embedded/search_query.h"

namespace saffron::terminus {

namespace {

constexpr std::size_t kFirstChunk = 64;  // starts; doubled from chunk to chunk
constexpr std::size_t kLargestChunk = 4096;
// Work bounds beside those of the query: dead ends cost too, though they are not in the result.
constexpr std::uint64_t kEdgesReadPerEdge = 20;
constexpr std::uint64_t kMaxSteps = 5'000'000;

class Run {
 public:
  Run(const QuerySource& source, const GraphQuery& query, const DocumentFilter& filter)
      : source_(source), query_(query), filter_(filter), layers_(query.hops.size()) {}

  Result<GraphResult> Do() {
    SAFFRON_ASSIGN(std::vector<std::string> starts, source_.live(query_.start_class));
    std::sort(starts.begin(), starts.end());
    std::size_t chunk = kFirstChunk;
    for (std::size_t from = 0; from < starts.size() && !done_;
         from += chunk, chunk = std::min(chunk * 2, kLargestChunk)) {
      const std::size_t to = std::min(starts.size(), from + chunk);
      SAFFRON_TRY(TakeChunk({starts.begin() + static_cast<std::ptrdiff_t>(from),
                             starts.begin() + static_cast<std::ptrdiff_t>(to)}));
    }
    SAFFRON_TRY(Collect());
    return std::move(result_);
  }

 private:
  // Numbers of keys met; small, and equal for equal keys.
  using NodeId = std::uint32_t;
  struct Known {
    std::string key;
    bool read = false;              // looked for
    std::optional<GraphNode> node;  // alive
  };
  // By hop: the neighbours of each node of the frontier, in order of key.
  using Layer = std::unordered_map<NodeId, std::vector<NodeId>>;
  using Edge = std::tuple<NodeId, std::string_view, NodeId>;  // from, predicate, to

  NodeId Number(const std::string& key) {
    auto [at, added] = numbers_.try_emplace(key, static_cast<NodeId>(known_.size()));
    if (added) known_.push_back({key, false, {}});
    return at->second;
  }

  static bool IsBack(const GraphHop& hop) { return hop.predicate.starts_with('~'); }

  Status Read(const std::vector<NodeId>& ids) {
    std::vector<std::string> keys;
    for (NodeId id : ids) {
      if (!known_[id].read) keys.push_back(known_[id].key);
      known_[id].read = true;
    }
    if (keys.empty()) return Ok();
    SAFFRON_ASSIGN(std::vector<GraphNode> nodes, source_.read(keys));
    for (GraphNode& node : nodes) known_[Number(node.key.id)].node = std::move(node);
    return Ok();
  }

  Status TakeChunk(const std::vector<std::string>& keys) {
    std::vector<NodeId> starts;
    for (const std::string& key : keys) starts.push_back(Number(key));
    const bool first_is_forward = !query_.hops.empty() && !IsBack(query_.hops[0]);
    if (!filter_.empty() || first_is_forward) SAFFRON_TRY(Read(starts));
    if (!filter_.empty()) {
      std::erase_if(starts, [&](NodeId id) {
        return !known_[id].node || !filter_.Matches(known_[id].node->document);
      });
    }
    SAFFRON_TRY(ExpandAll(starts));
    for (NodeId start : starts) {
      if (done_) break;
      TakeStart(start);
    }
    return Ok();
  }

  Status ExpandAll(const std::vector<NodeId>& starts) {
    std::vector<NodeId> frontier = starts;
    for (std::size_t depth = 0; depth < query_.hops.size() && !frontier.empty(); ++depth) {
      Layer& layer = layers_[depth];
      std::erase_if(frontier, [&](NodeId id) { return layer.contains(id); });
      SAFFRON_TRY(Expand(query_.hops[depth], frontier, layer));
      if (edges_read_ > query_.max_edges * kEdgesReadPerEdge) {
        Stop("max_edges");
        return Ok();
      }
      std::set<NodeId> next;
      for (NodeId id : frontier) next.insert(layer[id].begin(), layer[id].end());
      frontier.assign(next.begin(), next.end());
    }
    return Ok();
  }

  Status Expand(const GraphHop& hop, const std::vector<NodeId>& frontier, Layer& layer) {
    std::vector<std::pair<NodeId, NodeId>> pairs;  // of the frontier, its neighbour
    if (IsBack(hop)) {
      SAFFRON_ASSIGN(pairs, Backward(hop, frontier));
    } else {
      pairs = Forward(hop, frontier);
    }
    std::vector<NodeId> neighbours;
    for (const auto& pair : pairs) neighbours.push_back(pair.second);
    SAFFRON_TRY(Read(neighbours));
    for (NodeId id : frontier) layer.try_emplace(id);
    for (const auto& [at, to] : pairs) {
      if (!known_[to].node) continue;
      if (IsBack(hop) && !Refers(*known_[to].node, hop, at)) continue;
      layer[at].push_back(to);
    }
    for (NodeId id : frontier) {
      std::vector<NodeId>& next = layer[id];
      std::sort(next.begin(), next.end(),
                [&](NodeId a, NodeId b) { return known_[a].key < known_[b].key; });
      next.erase(std::unique(next.begin(), next.end()), next.end());
    }
    return Ok();
  }

  AggregateKey Target(const Reference& reference) const {
    return AggregateKey::Instance(query_.scope.db, query_.scope.branch, reference.target_class,
                                  reference.target_id);
  }

  std::vector<std::pair<NodeId, NodeId>> Forward(const GraphHop& hop,
                                                 const std::vector<NodeId>& frontier) {
    std::vector<std::pair<NodeId, NodeId>> pairs;
    for (NodeId id : frontier) {
      if (!known_[id].node) continue;
      std::vector<std::string> targets;
      for (const Reference& reference : known_[id].node->references) {
        if (reference.predicate != hop.predicate) continue;
        ++edges_read_;
        if (hop.target_class.empty() || reference.target_class == hop.target_class) {
          targets.push_back(Target(reference).id);
        }
      }
      for (const std::string& target : targets) pairs.emplace_back(id, Number(target));
    }
    return pairs;
  }

  Result<std::vector<std::pair<NodeId, NodeId>>> Backward(const GraphHop& hop,
                                                          const std::vector<NodeId>& frontier) {
    std::vector<std::pair<NodeId, NodeId>> pairs;
    if (frontier.empty()) return pairs;
    std::vector<std::string> keys;
    for (NodeId id : frontier) keys.push_back(known_[id].key);
    const std::set<std::string_view> wanted(keys.begin(), keys.end());
    SAFFRON_ASSIGN(QuerySource::Links links, source_.linking(keys));
    for (const auto& [from, to] : links) {
      if (!wanted.contains(to)) continue;
      ++edges_read_;
      if (!hop.target_class.empty()) {
        const AggregateKey key{AggregateType::kInstance, from};
        auto parts = SplitAggregateId(key);
        if (!parts.ok() || parts->class_id != hop.target_class) continue;
      }
      pairs.emplace_back(Number(to), Number(from));
    }
    return pairs;
  }

  bool Refers(const GraphNode& from, const GraphHop& hop, NodeId to) const {
    const std::string_view predicate = std::string_view(hop.predicate).substr(1);
    return std::any_of(from.references.begin(), from.references.end(), [&](const Reference& r) {
      return r.predicate == predicate && Target(r).id == known_[to].key;
    });
  }

  void TakeStart(NodeId start) {
    taking_ = whole_ >= query_.offset && result_.count < query_.limit;
    found_ = false;
    path_ = {start};
    Walk(start, 0);
    if (!found_) return;
    if (whole_ >= query_.offset && !taking_) {
      result_.more = true;
      done_ = true;
      return;
    }
    result_.count += taking_ ? 1 : 0;
    ++whole_;
  }

  void Walk(NodeId at, std::size_t depth) {
    if (depth == query_.hops.size()) return TakePath();
    auto neighbours = layers_[depth].find(at);
    if (neighbours == layers_[depth].end()) return;
    for (NodeId next : neighbours->second) {
      if (done_ || (found_ && !taking_)) return;
      if (++steps_ > kMaxSteps) return Stop("steps");
      if (query_.no_cycles && std::find(path_.begin(), path_.end(), next) != path_.end()) continue;
      path_.push_back(next);
      Walk(next, depth + 1);
      path_.pop_back();
    }
  }

  Edge EdgeOf(std::size_t depth) const {
    const GraphHop& hop = query_.hops[depth];
    if (!IsBack(hop)) return {path_[depth], hop.predicate, path_[depth + 1]};
    return {path_[depth + 1], std::string_view(hop.predicate).substr(1), path_[depth]};
  }

  void TakePath() {
    if (!taking_) {
      found_ = true;
      return;
    }
    std::vector<NodeId> new_nodes;
    for (NodeId id : path_) {
      if (nodes_.insert(id).second) new_nodes.push_back(id);
    }
    std::vector<Edge> new_edges;
    for (std::size_t depth = 0; depth + 1 < path_.size(); ++depth) {
      if (Edge edge = EdgeOf(depth); edges_.insert(edge).second) new_edges.push_back(edge);
    }
    const bool too_many_nodes = nodes_.size() > query_.max_nodes;
    if (too_many_nodes || edges_.size() > query_.max_edges) {
      for (NodeId id : new_nodes) nodes_.erase(id);
      for (const Edge& edge : new_edges) edges_.erase(edge);
      return Stop(too_many_nodes ? "max_nodes" : "max_edges");
    }
    found_ = true;
    if (!query_.include_paths) return;
    if (result_.paths.size() >= query_.max_paths) return Warn("max_paths");
    std::vector<AggregateKey>& keys = result_.paths.emplace_back();
    for (NodeId id : path_) keys.push_back(KeyOf(id));
  }

  void Stop(const char* bound) {
    result_.more = done_ = true;
    Warn(bound);
  }
  void Warn(const std::string& bound) {
    auto& warnings = result_.warnings;
    if (std::find(warnings.begin(), warnings.end(), bound) == warnings.end()) {
      warnings.push_back(bound);
    }
  }

  AggregateKey KeyOf(NodeId id) const { return {AggregateType::kInstance, known_[id].key}; }

  Status Collect() {
    SAFFRON_TRY(Read({nodes_.begin(), nodes_.end()}));
    for (NodeId id : nodes_) {
      if (!known_[id].node) return Corrupt("TerminusDB: a node of the result is missing");
      if (!query_.include_documents) known_[id].node->document.clear();
      result_.nodes.push_back(std::move(*known_[id].node));
    }
    std::sort(result_.nodes.begin(), result_.nodes.end(),
              [](const GraphNode& a, const GraphNode& b) { return a.key < b.key; });
    for (const auto& [from, predicate, to] : edges_) {
      result_.edges.push_back({KeyOf(from), std::string(predicate), KeyOf(to)});
    }
    std::sort(result_.edges.begin(), result_.edges.end());
    return Ok();
  }

  const QuerySource& source_;
  const GraphQuery& query_;
  const DocumentFilter& filter_;
  std::vector<Known> known_;  // by number
  std::unordered_map<std::string, NodeId> numbers_;
  std::vector<Layer> layers_;
  std::uint64_t edges_read_ = 0;
  std::uint64_t steps_ = 0;

  GraphResult result_;
  std::set<NodeId> nodes_;  // of the result
  std::set<Edge> edges_;
  std::vector<NodeId> path_;
  std::uint64_t whole_ = 0;  // starts so far that have a whole path
  bool taking_ = false;      // this start is of the page
  bool found_ = false;       // it has a whole path
  bool done_ = false;
};

}  // namespace

Result<GraphResult> RunQuery(const QuerySource& source, const GraphQuery& query) {
  SAFFRON_ASSIGN(DocumentFilter filter, DocumentFilter::Compile(query.filters));
  return Run(source, query, filter).Do();
}

}  // namespace saffron::terminus
