// A graph query over one generation.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "ports/graph_store.h"

namespace saffron::terminus {

// What a query reads. Ids are keys of instances; everything is of one commit of the server, the one
// that was the newest at the first call.
struct QuerySource {
  // Keys of a class that are alive.
  std::function<Result<std::vector<std::string>>(std::string_view class_id)> live;
  // Those of the keys that are alive, with their documents.
  std::function<Result<std::vector<GraphNode>>(const std::vector<std::string>& keys)> read;
  // Pairs (from, to) of links to the keys, at least those; kConflict: the graph has moved on.
  using Links = std::vector<std::pair<std::string, std::string>>;
  std::function<Result<Links>(const std::vector<std::string>& keys)> linking;
};

// Level by level: forward along the references of what was read, backward by asking who links; then
// path by path over what was found, in order of key.
Result<GraphResult> RunQuery(const QuerySource& source, const GraphQuery& query);

}  // namespace saffron::terminus
