// A multi-hop query over the rows of the SQLite graph.
#pragma once

#include "adapters/sqlite/sqlite.h"
#include "base/result.h"
#include "ports/graph_store.h"

namespace saffron {

// Reads in the snapshot that the connection is in. Starts are taken in chunks in order of key; for
// a chunk, each hop is one statement over the whole frontier; paths are then followed in memory.
Result<GraphResult> RunGraphQuery(sqlite::Connection& connection, const GraphQuery& query);

}  // namespace saffron
