#include "adapters/memory/memory_graph.h"

#include <gtest/gtest.h>

#include "testing/contract/graph_store_contract.h"

namespace saffron {
namespace {

class MemoryGraphHome final : public GraphStoreHome {
 public:
  std::shared_ptr<GraphStore> Open() override { return graph_; }

 private:
  std::shared_ptr<MemoryGraph> graph_ = std::make_shared<MemoryGraph>();
};

INSTANTIATE_GRAPH_STORE_CONTRACT(Memory, [] { return std::make_shared<MemoryGraphHome>(); });

TEST(MemoryGraphTest, RestoreGoesBackToASnapshot) {
  MemoryGraph graph;
  ASSERT_TRUE(graph.Commit({0, {SlotNumber(1)}, {}}).ok());
  auto snapshot = graph.Snapshot();
  GraphNode node;
  node.key = AggregateKey::Database("db");
  node.version = SequenceNumber(1);
  ASSERT_TRUE(graph.Commit({0, {SlotNumber(2)}, {node}}).ok());
  graph.Restore(snapshot);
  EXPECT_EQ(graph.State()->position.slot, SlotNumber(1));
  EXPECT_TRUE(graph.Get({node.key})->empty());
}

}  // namespace
}  // namespace saffron
