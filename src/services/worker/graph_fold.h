// Folding outcomes of the log into nodes of a graph, and committing them.
#pragma once

#include <functional>
#include <vector>

#include "eventlog/slot.h"
#include "ports/graph_store.h"

namespace saffron {

// The nodes of a graph after consecutive slots: one for each aggregate with an outcome in them, the
// last outcome wins. What the slots do not tell (times of creation) is read from the store, which
// holds exactly the slots before.
Result<std::vector<GraphNode>> FoldIntoNodes(GraphStore& graph, const std::vector<SlotPtr>& slots);

struct GraphRefusal {
  const GraphNode& node;
  const Error& error;
};

// Commits the nodes, leaving out those that the store refuses (kInvalid), each of which is found by
// halving and given to `refused` first; an error of that ends the commit. The position moves from
// `before` to `commit.position` with the last part, so after a crash the whole is done again.
Status CommitLeavingOut(GraphStore& graph, GraphCommit commit, SinkPosition before,
                        const std::function<Status(const GraphRefusal&)>& refused);

}  // namespace saffron
