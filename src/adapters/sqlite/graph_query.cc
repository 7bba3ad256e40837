#include "adapters/sqlite/graph_query.h"

#include <algorithm>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "adapters/embedded/search_query.h"
#include "adapters/sqlite/graph_rows.h"

namespace saffron {

namespace {

constexpr std::size_t kFirstChunk = 64;  // starts; doubled from chunk to chunk
constexpr std::size_t kLargestChunk = 4096;
// Work bounds beside those of the query: dead ends cost too, though they are not in the result.
constexpr std::uint64_t kEdgesReadPerEdge = 20;
constexpr std::uint64_t kMaxSteps = 5'000'000;

using NodeId = std::int64_t;

std::string JsonArray(const std::vector<NodeId>& ids) {
  std::string json = "[";
  for (NodeId id : ids) json.append(json.size() > 1 ? "," : "").append(std::to_string(id));
  return json.append("]");
}

class Run {
 public:
  Run(sqlite::Connection& connection, const GraphQuery& query, const DocumentFilter& filter)
      : connection_(connection), query_(query), filter_(filter) {}

  Result<GraphResult> Do() {
    SAFFRON_TRY(ResolveNames());
    const std::string prefix =
        query_.scope.db + ":" + query_.scope.branch + ":" + query_.start_class + ":";
    std::string after = prefix;
    bool more_starts = query_.scope.classes.contains(query_.start_class);
    for (std::size_t chunk = kFirstChunk; more_starts && !done_;
         chunk = std::min(chunk * 2, kLargestChunk)) {
      SAFFRON_ASSIGN(auto starts, ReadStarts(prefix, chunk, after, more_starts));
      SAFFRON_TRY(ExpandAll(starts));
      for (NodeId start : starts) {
        if (done_) break;
        TakeStart(start);
      }
    }
    SAFFRON_TRY(Collect());
    return std::move(result_);
  }

 private:
  // By hop: the neighbours of each node of the frontier, in order of key.
  using Layer = std::unordered_map<NodeId, std::vector<NodeId>>;

  Result<std::int64_t> FindName(std::string_view name) {
    SAFFRON_ASSIGN(auto find, connection_.Prepare("SELECT id FROM name WHERE name=?"));
    SAFFRON_ASSIGN(bool found, find.BindText(1, name).Step());
    return found ? find.Int(0) : -1;  // -1: no row has it
  }

  Status ResolveNames() {
    for (const auto& [name, scope] : query_.scope.classes) {
      SAFFRON_ASSIGN(std::int64_t id, FindName(name));
      if (id > 0) live_classes_.emplace(id, scope.value);
    }
    for (const GraphHop& hop : query_.hops) {
      const bool back = hop.predicate.starts_with('~');
      Hop resolved{back, 0, 0};
      SAFFRON_ASSIGN(resolved.predicate,
                     FindName(std::string_view(hop.predicate).substr(back ? 1 : 0)));
      if (!hop.target_class.empty()) {
        SAFFRON_ASSIGN(resolved.target_class, FindName(hop.target_class));
      }
      hops_.push_back(resolved);
    }
    layers_.resize(hops_.size());
    return Ok();
  }

  Result<std::vector<NodeId>> ReadStarts(const std::string& prefix, std::size_t limit,
                                         std::string& after, bool& more) {
    SAFFRON_ASSIGN(
        auto rows,
        connection_.Prepare("SELECT id, key, lifecycle, scope_db, scope_class, document FROM node"
                            " WHERE type=?1 AND key>?2 AND key<?3 ORDER BY key LIMIT ?4"));
    const std::string from = after;
    std::string end = prefix;
    end.back() = ';';  // the byte after ':'
    rows.BindInt(1, static_cast<std::int64_t>(AggregateType::kInstance));
    rows.BindText(2, from).BindText(3, end).BindInt(4, static_cast<std::int64_t>(limit));
    const std::uint64_t live_class = query_.scope.classes.find(query_.start_class)->second.value;
    std::vector<NodeId> starts;
    std::size_t read = 0;
    for (;; ++read) {
      SAFFRON_ASSIGN(bool row, rows.Step());
      if (!row) break;
      after = rows.String(1);
      if (rows.Int(2) == 0 ||
          static_cast<std::uint64_t>(rows.Int(3)) != query_.scope.database.value ||
          static_cast<std::uint64_t>(rows.Int(4)) != live_class || !filter_.Matches(rows.Text(5))) {
        continue;
      }
      starts.push_back(rows.Int(0));
      keys_.try_emplace(rows.Int(0), after);
    }
    more = read == limit;
    return starts;
  }

  Status ExpandAll(const std::vector<NodeId>& starts) {
    std::vector<NodeId> frontier = starts;
    for (std::size_t depth = 0; depth < hops_.size() && !frontier.empty(); ++depth) {
      Layer& layer = layers_[depth];
      std::erase_if(frontier, [&](NodeId id) { return layer.contains(id); });
      std::unordered_set<NodeId> next;
      SAFFRON_TRY(Expand(hops_[depth], frontier, layer, next));
      if (edges_read_ > query_.max_edges * kEdgesReadPerEdge) {
        Stop("max_edges");
        return Ok();
      }
      frontier.assign(next.begin(), next.end());
    }
    return Ok();
  }

  struct Hop {
    bool back;
    std::int64_t predicate;
    std::int64_t target_class;  // 0: any
  };

  Status Expand(const Hop& hop, const std::vector<NodeId>& frontier, Layer& layer,
                std::unordered_set<NodeId>& next) {
    for (NodeId id : frontier) layer.try_emplace(id);
    if (frontier.empty() || hop.predicate < 0 || hop.target_class < 0) return Ok();
    SAFFRON_ASSIGN(
        auto rows,
        connection_.Prepare(
            hop.back
                ? "SELECT e.to_id, n.id, n.class, n.lifecycle, n.scope_db, n.scope_class, n.key"
                  " FROM json_each(?1) f CROSS JOIN edge e INDEXED BY edge_back"
                  " ON e.to_id=f.value AND e.predicate=?2 CROSS JOIN node n ON n.id=e.from_id"
                : "SELECT e.from_id, n.id, n.class, n.lifecycle, n.scope_db, n.scope_class,"
                  " n.key FROM json_each(?1) f CROSS JOIN edge e"
                  " ON e.from_id=f.value AND e.predicate=?2 CROSS JOIN node n ON n.id=e.to_id"));
    const std::string ids = JsonArray(frontier);
    rows.BindText(1, ids).BindInt(2, hop.predicate);
    const std::uint64_t most = query_.max_edges * kEdgesReadPerEdge;
    while (edges_read_ <= most) {
      SAFFRON_ASSIGN(bool row, rows.Step());
      if (!row) break;
      ++edges_read_;
      if (!LiveRow(rows, hop.target_class)) continue;
      const NodeId to = rows.Int(1);
      layer[rows.Int(0)].push_back(to);
      keys_.try_emplace(to, rows.Text(6));
      next.insert(to);
    }
    for (NodeId id : frontier) {
      auto& neighbours = layer[id];
      std::sort(neighbours.begin(), neighbours.end(),
                [&](NodeId a, NodeId b) { return keys_.at(a) < keys_.at(b); });
    }
    return Ok();
  }

  bool LiveRow(const sqlite::Statement& row, std::int64_t target_class) const {
    if (row.Int(3) == 0) return false;
    if (target_class != 0 && row.Int(2) != target_class) return false;
    auto live = live_classes_.find(row.Int(2));
    return live != live_classes_.end() &&
           static_cast<std::uint64_t>(row.Int(4)) == query_.scope.database.value &&
           static_cast<std::uint64_t>(row.Int(5)) == live->second;
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
    if (depth == hops_.size()) return TakePath();
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

  // An edge of the result: from, predicate's name, to.
  using Edge = std::tuple<NodeId, std::string_view, NodeId>;

  Edge EdgeOf(std::size_t depth) const {
    std::string_view predicate = query_.hops[depth].predicate;
    if (hops_[depth].back) return {path_[depth + 1], predicate.substr(1), path_[depth]};
    return {path_[depth], predicate, path_[depth + 1]};
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
    std::vector<AggregateKey> keys;
    for (NodeId id : path_) keys.push_back(KeyOf(id));
    result_.paths.push_back(std::move(keys));
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

  AggregateKey KeyOf(NodeId id) const { return {AggregateType::kInstance, keys_.at(id)}; }

  Status Collect() {
    const std::string ids = JsonArray({nodes_.begin(), nodes_.end()});
    SAFFRON_ASSIGN(auto rows,
                   connection_.Prepare("SELECT " + std::string(graph_rows::kNodeColumns) +
                                       " FROM node WHERE id IN (SELECT value FROM json_each(?1))"));
    rows.BindText(1, ids);
    for (;;) {
      SAFFRON_ASSIGN(bool row, rows.Step());
      if (!row) break;
      SAFFRON_ASSIGN(GraphNode node, graph_rows::ReadNode(rows, 0, query_.include_documents));
      result_.nodes.push_back(std::move(node));
    }
    std::sort(result_.nodes.begin(), result_.nodes.end(),
              [](const GraphNode& a, const GraphNode& b) { return a.key < b.key; });
    for (const auto& [from, predicate, to] : edges_) {
      result_.edges.push_back({KeyOf(from), std::string(predicate), KeyOf(to)});
    }
    std::sort(result_.edges.begin(), result_.edges.end());
    return Ok();
  }

  sqlite::Connection& connection_;
  const GraphQuery& query_;
  const DocumentFilter& filter_;
  std::unordered_map<std::int64_t, std::uint64_t> live_classes_;  // name id -> incarnation
  std::vector<Hop> hops_;
  std::vector<Layer> layers_;
  std::unordered_map<NodeId, std::string> keys_;
  std::uint64_t edges_read_ = 0;
  std::uint64_t steps_ = 0;

  GraphResult result_;
  std::unordered_set<NodeId> nodes_;  // of the result
  std::set<Edge> edges_;
  std::vector<NodeId> path_;
  std::uint64_t whole_ = 0;  // starts so far that have a whole path
  bool taking_ = false;      // this start is of the page
  bool found_ = false;       // it has a whole path
  bool done_ = false;
};

}  // namespace

Result<GraphResult> RunGraphQuery(sqlite::Connection& connection, const GraphQuery& query) {
  SAFFRON_ASSIGN(DocumentFilter filter, DocumentFilter::Compile(query.filters));
  return Run(connection, query, filter).Do();
}

}  // namespace saffron
