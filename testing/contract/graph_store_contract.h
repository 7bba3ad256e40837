// The contract of GraphStore as tests, run on every store:
//
//   INSTANTIATE_GRAPH_STORE_CONTRACT(Memory, [] { return std::make_shared<MemoryHome>(); });
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ports/graph_store.h"

namespace saffron {

// A place for a graph, empty at first, that outlives the stores opened on it.
class GraphStoreHome {
 public:
  virtual ~GraphStoreHome() = default;
  // Called again only when the store before is gone.
  virtual std::shared_ptr<GraphStore> Open() = 0;
};

using GraphStoreHomeMaker = std::function<std::shared_ptr<GraphStoreHome>()>;

// Nodes of database "logistics", branch "main", database incarnation 1, class incarnations 2.
class GraphStoreContract : public ::testing::TestWithParam<GraphStoreHomeMaker> {
 protected:
  void SetUp() override;
  void Reopen();

  static AggregateKey Key(std::string_view class_id, std::string_view id);
  // "at->Place/p1": a reference.
  static GraphNode Node(std::string_view class_id, std::string_view id, std::uint64_t version = 1,
                        std::initializer_list<std::string_view> references = {},
                        std::string document = "{}");
  static GraphNode Tombstone(std::string_view class_id, std::string_view id, std::uint64_t version);
  // Scope of the nodes above, hops like "at->Place" and "~at->Order".
  static GraphQuery QueryOf(std::string_view start_class,
                            std::initializer_list<std::string_view> hops = {});

  // At the next position, with epoch 1.
  void Commit(std::vector<GraphNode> nodes);
  GraphResult Run(const GraphQuery& query);

  std::shared_ptr<GraphStoreHome> home_;
  std::shared_ptr<GraphStore> store_;
  std::uint64_t position_ = 0;
};

// "Order/o1 Place/p1": the nodes of a result, a path.
std::string NamesOf(const std::vector<GraphNode>& nodes);
std::string NamesOf(const std::vector<AggregateKey>& keys);
std::string NameOf(const AggregateKey& key);

// Two stores that were given the same commits answer random queries alike.
void ExpectSameAnswers(GraphStore& model, GraphStore& store, std::uint64_t seed);

// Referenced by the instantiation, so that the linker keeps the tests.
bool LinkGraphStoreContract();
bool LinkGraphQueryContract();

}  // namespace saffron

#define INSTANTIATE_GRAPH_STORE_CONTRACT(name, ...)         \
  const bool graph_store_contract_of_##name =               \
      LinkGraphStoreContract() && LinkGraphQueryContract(); \
  INSTANTIATE_TEST_SUITE_P(name, GraphStoreContract,        \
                           ::testing::Values(GraphStoreHomeMaker(__VA_ARGS__)))
