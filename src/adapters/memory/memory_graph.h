// The graph store of tests and of the seeded simulation; the model that others are compared with.
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

// Nodes in a map; edges are the references of the nodes, searched anew by every query. Owned by a
// test; any thread may call it, nothing in it waits. It outlives a simulated crash of the process
// that used it.
class MemoryGraph final : public GraphStore {
 public:
  struct Contents {
    std::map<AggregateKey, GraphNode> nodes;
    GraphState state;
  };

  MemoryGraph();

  Result<GraphState> State() override;
  Status TakeOver(std::uint64_t epoch) override;
  Status Commit(const GraphCommit& commit) override;
  Result<std::map<AggregateKey, GraphNode>> Get(const std::vector<AggregateKey>& keys) override;
  Result<std::vector<GraphNode>> List(AggregateType type, std::string_view id_prefix,
                                      std::string_view after, std::size_t limit) override;
  Result<GraphResult> Query(const GraphQuery& query) override;
  Result<std::unique_ptr<GraphStore>> NewGeneration() override;
  Status Activate(GraphStore& next) override;

  // For tests: a power cut, or a graph that is older than the log.
  Contents Snapshot() const;
  void Restore(Contents contents);
  // For tests of the tests: a graph that takes whatever comes, however old, or from whomever.
  void IgnoreVersions() { ignores_versions_ = true; }
  void IgnoreEpochs() { ignores_epochs_ = true; }

 private:
  // A generation; after Activate two stores share one.
  struct Generation {
    mutable std::mutex mutex;
    Contents contents;
  };
  std::shared_ptr<Generation> Live() const;

  mutable std::mutex mutex_;  // the pointer; never held with a generation's
  std::shared_ptr<Generation> live_;
  std::weak_ptr<Generation> unfinished_;
  std::uint64_t generations_ = 1;
  bool ignores_versions_ = false;
  bool ignores_epochs_ = false;
};

}  // namespace saffron
