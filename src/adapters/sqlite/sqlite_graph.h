// The embedded graph store: SQLite, one file a generation.
//
// Files in the directory: graph-{generation}.db, and graph.current, which names the live one and is
// replaced by a rename. Any other generation found when the graph is opened is dropped.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "ports/graph_store.h"

namespace saffron {

struct SqliteGraphOptions {
  std::string directory;    // exists
  std::string log_id = {};  // that it follows from; empty: nobody asks
  std::size_t max_readers = 4;
  std::size_t cache_bytes = 64 << 20;  // of the writer and of each reader
};

// Owned by the process's wiring; any thread may call it. Reads take a connection of a pool and do
// not wait for the writer. A commit is one transaction: after a crash of the process every commit
// is there, after a power cut the newest may be gone, whole, with their position.
class SqliteGraph final : public GraphStore {
 public:
  static Result<std::unique_ptr<SqliteGraph>> Open(SqliteGraphOptions options);
  ~SqliteGraph() override;

  Result<GraphState> State() override;
  Status TakeOver(std::uint64_t epoch) override;
  Status Commit(const GraphCommit& commit) override;
  Result<std::map<AggregateKey, GraphNode>> Get(const std::vector<AggregateKey>& keys) override;
  Result<std::vector<GraphNode>> List(AggregateType type, std::string_view id_prefix,
                                      std::string_view after, std::size_t limit) override;
  Result<GraphResult> Query(const GraphQuery& query) override;
  // Both hold the epoch of the live one, so that the fence reaches over the switch.
  Result<std::unique_ptr<GraphStore>> NewGeneration() override;
  Status Activate(GraphStore& next) override;

 private:
  class Generation;  // an open file

  SqliteGraph(SqliteGraphOptions options, std::shared_ptr<Generation> live)
      : options_(std::move(options)), live_(std::move(live)) {}
  std::shared_ptr<Generation> Live() const;
  std::string FileOf(std::uint64_t generation) const;
  Status RemoveOtherThan(std::uint64_t generation) const;

  const SqliteGraphOptions options_;
  mutable std::mutex mutex_;  // the pointer to the live generation, and the switch
  std::shared_ptr<Generation> live_;
  std::weak_ptr<Generation> unfinished_;  // the newest one made here
  std::uint64_t newest_ = 0;              // its number, used once
};

}  // namespace saffron
