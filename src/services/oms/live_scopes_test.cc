#include "services/oms/live_scopes.h"

#include <gtest/gtest.h>

#include <functional>

#include "adapters/memory/memory_graph.h"

namespace saffron {
namespace {

// A graph that counts reads of nodes, runs a hook before the first of them, and may not know its
// ontology version.
class WatchedGraph final : public GraphStore {
 public:
  Result<GraphState> State() override {
    SAFFRON_ASSIGN(GraphState state, inner.State());
    if (!knows_version) state.ontology_version = 0;
    return state;
  }
  Status TakeOver(std::uint64_t epoch) override { return inner.TakeOver(epoch); }
  Status Commit(const GraphCommit& commit) override { return inner.Commit(commit); }
  Result<std::map<AggregateKey, GraphNode>> Get(const std::vector<AggregateKey>& keys) override {
    ++reads;
    auto nodes = inner.Get(keys);
    if (auto hook = std::move(after_get)) hook();
    after_get = nullptr;
    return nodes;
  }
  Result<std::vector<GraphNode>> List(AggregateType type, std::string_view id_prefix,
                                      std::string_view after, std::size_t limit) override {
    ++reads;
    return inner.List(type, id_prefix, after, limit);
  }
  Result<GraphResult> Query(const GraphQuery& query) override { return inner.Query(query); }
  Result<std::unique_ptr<GraphStore>> NewGeneration() override { return inner.NewGeneration(); }
  Status Activate(GraphStore& next) override { return inner.Activate(next); }

  MemoryGraph inner;
  bool knows_version = true;
  int reads = 0;
  std::function<void()> after_get;
};

class LiveScopesTest : public ::testing::Test {
 protected:
  LiveScopesTest() {
    EXPECT_TRUE(graph_.TakeOver(1).ok());
    Write(AggregateKey::Database("shop"), 1, 1);
    Write(AggregateKey::OntologyClass("shop", "main", "Order"), 1, 1);
  }

  static GraphNode Node(const AggregateKey& key, std::uint64_t version, std::uint64_t incarnation) {
    GraphNode node;
    node.key = key;
    node.version = SequenceNumber(version);
    node.lifecycle = incarnation == 0 ? Lifecycle::kAbsent : Lifecycle::kPresent;
    node.incarnation = SequenceNumber(incarnation);
    if (key.type != AggregateType::kDatabase) node.scope.database = SequenceNumber(1);
    node.document = "{}";
    return node;
  }
  // Incarnation 0: deleted. The position stays, as in a commit that leaves a refused node out.
  void Write(const AggregateKey& key, std::uint64_t version, std::uint64_t incarnation) {
    ASSERT_TRUE(graph_.Commit({1, {}, {Node(key, version, incarnation)}}).ok());
  }
  std::uint64_t IncarnationOfOrder() {
    Result<LiveScopePtr> scope = scopes_.Of("shop", "main");
    EXPECT_TRUE(scope.ok());
    auto found = (*scope)->classes.find("Order");
    return found == (*scope)->classes.end() ? 0 : found->second.value;
  }

  const AggregateKey order_ = AggregateKey::OntologyClass("shop", "main", "Order");
  WatchedGraph graph_;
  LiveScopes scopes_{graph_};
};

TEST_F(LiveScopesTest, InstancesThatComeDoNotMakeItReadAgain) {
  EXPECT_EQ(*scopes_.Kept("shop", "main"), nullptr);
  EXPECT_EQ(IncarnationOfOrder(), 1u);
  const int reads = graph_.reads;
  Write(AggregateKey::Instance("shop", "main", "Order", "A"), 1, 1);
  EXPECT_EQ(IncarnationOfOrder(), 1u);
  ASSERT_NE(*scopes_.Kept("shop", "main"), nullptr);
  EXPECT_EQ(graph_.reads, reads);
}

TEST_F(LiveScopesTest, EveryChangeOfAClassOrDatabaseShowsAtOnce) {
  EXPECT_EQ(IncarnationOfOrder(), 1u);
  Write(order_, 2, 0);
  EXPECT_EQ(*scopes_.Kept("shop", "main"), nullptr);
  EXPECT_EQ(IncarnationOfOrder(), 0u);
  Write(order_, 3, 3);
  EXPECT_EQ(IncarnationOfOrder(), 3u);
  Write(AggregateKey::Database("shop"), 2, 0);
  EXPECT_TRUE(scopes_.Of("shop", "main").Is(Code::kNotFound));
  Write(AggregateKey::Database("shop"), 3, 3);
  EXPECT_EQ(IncarnationOfOrder(), 0u);  // the class was of the database before
}

TEST_F(LiveScopesTest, WhatChangesWhileItReadsIsNotKept) {
  graph_.after_get = [this] { Write(AggregateKey::Database("shop"), 2, 2); };
  ASSERT_TRUE(scopes_.Of("shop", "main").ok());
  EXPECT_EQ(*scopes_.Kept("shop", "main"), nullptr);
  EXPECT_EQ((*scopes_.Of("shop", "main"))->database, SequenceNumber(2));
}

TEST_F(LiveScopesTest, AnotherGenerationIsReadAnew) {
  auto next = graph_.NewGeneration();
  ASSERT_TRUE(next.ok());
  ASSERT_TRUE((*next)->Commit({1, {}, {Node(AggregateKey::Database("shop"), 1, 1)}}).ok());
  ASSERT_TRUE((*next)->Commit({1, {}, {Node(order_, 2, 2)}}).ok());
  // The versions are alike, the generations are not.
  EXPECT_EQ(IncarnationOfOrder(), 1u);
  EXPECT_EQ((*next)->State()->ontology_version, graph_.State()->ontology_version);
  ASSERT_TRUE(graph_.Activate(**next).ok());
  EXPECT_EQ(IncarnationOfOrder(), 2u);
}

TEST_F(LiveScopesTest, NothingIsKeptOfAGraphThatCannotTell) {
  graph_.knows_version = false;
  EXPECT_EQ(IncarnationOfOrder(), 1u);
  EXPECT_EQ(*scopes_.Kept("shop", "main"), nullptr);
  Write(order_, 2, 0);
  EXPECT_EQ(IncarnationOfOrder(), 0u);
}

TEST_F(LiveScopesTest, OnlySoManyAreKept) {
  LiveScopes few(graph_, 2);
  for (const char* name : {"a", "b", "c"}) Write(AggregateKey::Database(name), 1, 1);
  int kept = 0;
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(few.Of(name, "main").ok());
  for (const char* name : {"a", "b", "c"}) kept += *few.Kept(name, "main") == nullptr ? 0 : 1;
  EXPECT_EQ(kept, 2);
}

}  // namespace
}  // namespace saffron
