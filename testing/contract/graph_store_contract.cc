#include "testing/contract/graph_store_contract.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

namespace saffron {

using ::testing::SizeIs;

bool LinkGraphStoreContract() { return true; }

std::string NameOf(const AggregateKey& key) {
  auto parts = SplitAggregateId(key);
  if (!parts.ok()) return key.id;
  return std::string(parts->class_id) + "/" + std::string(parts->instance);
}

std::string NamesOf(const std::vector<AggregateKey>& keys) {
  std::string names;
  for (const auto& key : keys) names += (names.empty() ? "" : " ") + NameOf(key);
  return names;
}

std::string NamesOf(const std::vector<GraphNode>& nodes) {
  std::vector<AggregateKey> keys;
  for (const auto& node : nodes) keys.push_back(node.key);
  return NamesOf(keys);
}

void GraphStoreContract::SetUp() {
  home_ = GetParam()();
  store_ = home_->Open();
  ASSERT_TRUE(store_->TakeOver(1).ok());
}

void GraphStoreContract::Reopen() {
  store_.reset();
  store_ = home_->Open();
}

AggregateKey GraphStoreContract::Key(std::string_view class_id, std::string_view id) {
  return AggregateKey::Instance("logistics", "main", class_id, id);
}

GraphNode GraphStoreContract::Node(std::string_view class_id, std::string_view id,
                                   std::uint64_t version,
                                   std::initializer_list<std::string_view> references,
                                   std::string document) {
  GraphNode node;
  node.key = Key(class_id, id);
  node.version = SequenceNumber(version);
  node.lifecycle = Lifecycle::kPresent;
  node.incarnation = SequenceNumber(1);
  node.scope = {SequenceNumber(1), SequenceNumber(2)};
  node.document = std::move(document);
  for (std::string_view text : references) {
    const std::size_t arrow = text.find("->");
    const std::size_t slash = text.find('/', arrow);
    node.references.push_back({std::string(text.substr(0, arrow)),
                               std::string(text.substr(arrow + 2, slash - arrow - 2)),
                               std::string(text.substr(slash + 1))});
  }
  node.created_ms = 1'700'000'000'000;
  node.updated_ms = node.created_ms + static_cast<std::int64_t>(version);
  return node;
}

GraphNode GraphStoreContract::Tombstone(std::string_view class_id, std::string_view id,
                                        std::uint64_t version) {
  GraphNode node = Node(class_id, id, version, {}, "");
  node.lifecycle = Lifecycle::kAbsent;
  return node;
}

GraphQuery GraphStoreContract::QueryOf(std::string_view start_class,
                                       std::initializer_list<std::string_view> hops) {
  GraphQuery query;
  query.scope = {"logistics", "main", SequenceNumber(1), {}};
  for (const char* name : {"Order", "Place", "Truck", "Person"}) {
    query.scope.classes.emplace(name, SequenceNumber(2));
  }
  query.start_class = start_class;
  for (std::string_view hop : hops) {
    const std::size_t arrow = hop.find("->");
    query.hops.push_back(
        {std::string(hop.substr(0, arrow)),
         arrow == std::string_view::npos ? "" : std::string(hop.substr(arrow + 2))});
  }
  return query;
}

void GraphStoreContract::Commit(std::vector<GraphNode> nodes) {
  Status done = store_->Commit({1, {SlotNumber(++position_)}, std::move(nodes)});
  ASSERT_TRUE(done.ok()) << done.error().ToString();
}

GraphResult GraphStoreContract::Run(const GraphQuery& query) {
  auto result = store_->Query(query);
  EXPECT_TRUE(result.ok()) << result.error().ToString();
  return result.ok() ? *result : GraphResult();
}

TEST_P(GraphStoreContract, StartsEmpty) {
  Reopen();
  auto state = store_->State();
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(state->position.slot, SlotNumber(0));
  EXPECT_FALSE(state->generation.empty());
  EXPECT_TRUE(store_->Get({Key("Order", "o1")})->empty());
  EXPECT_TRUE(store_->List(AggregateType::kInstance, "", "", 10)->empty());
  EXPECT_TRUE(Run(QueryOf("Order")).nodes.empty());
}

TEST_P(GraphStoreContract, NodesComeBackWhole) {
  GraphNode node = Node("Order", "o:1.x", 7, {"at->Place/p:1", "by->Person/x"},
                        "{\"n\":1,\"s\":\"\xc3\xa9\\n'\\\"\"}");
  GraphNode database = node;
  database.key = AggregateKey::Database("logistics");
  database.scope = {};
  database.references.clear();
  GraphNode type = database;
  type.key = AggregateKey::OntologyClass("logistics", "main", "Order");
  type.scope = {SequenceNumber(1), SequenceNumber(0)};
  Commit({node, database, type});
  for (int round = 0; round < 2; ++round, Reopen()) {
    auto found = store_->Get({node.key, database.key, type.key, Key("Place", "p:1")});
    ASSERT_TRUE(found.ok());
    EXPECT_THAT(*found, SizeIs(3));  // what is only pointed at is not there
    EXPECT_EQ(found->at(node.key), node);
    EXPECT_EQ(found->at(database.key), database);
    EXPECT_EQ(found->at(type.key), type);
    EXPECT_EQ(store_->State()->position.slot, SlotNumber(position_));
    EXPECT_EQ(store_->State()->epoch, 1u);
  }
}

TEST_P(GraphStoreContract, OnlyAHigherVersionIsWritten) {
  Commit({Node("Order", "o1", 3, {"at->Place/p1"}, "{\"v\":3}"), Node("Place", "p1")});
  Commit({Node("Order", "o1", 3, {}, "{\"v\":\"again\"}"), Node("Order", "o1", 2, {}, "{}")});
  EXPECT_EQ(store_->Get({Key("Order", "o1")})->at(Key("Order", "o1")).document, "{\"v\":3}");
  EXPECT_EQ(NamesOf(Run(QueryOf("Order", {"at"})).nodes), "Order/o1 Place/p1");
  // Within one commit, too, in whatever order.
  Commit({Node("Order", "o1", 5, {}, "{\"v\":5}"), Node("Order", "o1", 4, {}, "{\"v\":4}")});
  EXPECT_EQ(store_->Get({Key("Order", "o1")})->at(Key("Order", "o1")).document, "{\"v\":5}");
  EXPECT_EQ(Run(QueryOf("Order", {"at"})).count, 0u);
}

TEST_P(GraphStoreContract, TombstonesStayAndOldWritesDoNotResurrect) {
  Commit({Node("Order", "o1", 1), Node("Order", "o2", 1)});
  Commit({Tombstone("Order", "o1", 2)});
  Commit({Node("Order", "o1", 1)});
  auto found = store_->Get({Key("Order", "o1")});
  ASSERT_THAT(*found, SizeIs(1));
  EXPECT_EQ(found->begin()->second, Tombstone("Order", "o1", 2));
  EXPECT_EQ(NamesOf(*store_->List(AggregateType::kInstance, "logistics:", "", 10)),
            "Order/o1 Order/o2");
  EXPECT_EQ(NamesOf(Run(QueryOf("Order")).nodes), "Order/o2");
}

TEST_P(GraphStoreContract, AnotherEpochWritesNothing) {
  Commit({Node("Order", "o1", 1)});
  ASSERT_TRUE(store_->TakeOver(5).ok());
  ASSERT_TRUE(store_->TakeOver(5).ok());
  EXPECT_TRUE(store_->TakeOver(4).Is(Code::kConflict));
  for (std::uint64_t epoch : {1u, 4u, 6u}) {
    EXPECT_TRUE(
        store_->Commit({epoch, {SlotNumber(9)}, {Node("Order", "o1", 9)}}).Is(Code::kConflict));
  }
  EXPECT_EQ(store_->Get({Key("Order", "o1")})->begin()->second.version, SequenceNumber(1));
  EXPECT_EQ(store_->State()->position.slot, SlotNumber(1));
  EXPECT_TRUE(store_->Commit({5, {SlotNumber(9)}, {Node("Order", "o1", 9)}}).ok());
  Reopen();
  EXPECT_EQ(store_->State()->epoch, 5u);
  EXPECT_TRUE(store_->TakeOver(4).Is(Code::kConflict));
}

TEST_P(GraphStoreContract, ThePositionNeverGoesBack) {
  ASSERT_TRUE(store_->Commit({1, {SlotNumber(8)}, {}}).ok());
  EXPECT_TRUE(store_->Commit({1, {SlotNumber(7)}, {Node("Order", "o1")}}).Is(Code::kConflict));
  EXPECT_TRUE(store_->Get({Key("Order", "o1")})->empty());
  EXPECT_TRUE(store_->Commit({1, {SlotNumber(8)}, {Node("Order", "o1")}}).ok());
  EXPECT_EQ(store_->State()->position.slot, SlotNumber(8));
}

TEST_P(GraphStoreContract, ListsInOrderOfId) {
  Commit({Node("Place", "b", 1, {"x->Place/zz"}), Node("Place", "a:1"), Node("Place", "a"),
          Node("Place", "B"), Node("Order", "a"), Tombstone("Place", "c", 1)});
  auto list = [&](std::string_view prefix, std::string_view after, std::size_t limit) {
    return NamesOf(*store_->List(AggregateType::kInstance, prefix, after, limit));
  };
  EXPECT_EQ(list("logistics:main:Place:", "", 10), "Place/B Place/a Place/a:1 Place/b Place/c");
  EXPECT_EQ(list("logistics:main:Place:", "logistics:main:Place:a", 2), "Place/a:1 Place/b");
  EXPECT_EQ(list("logistics:main:Place:a", "", 10), "Place/a Place/a:1");
  EXPECT_EQ(list("", "", 1), "Order/a");
  EXPECT_EQ(list("", "", 0), "");
  EXPECT_EQ(list("logistics:main:Place:", "zzz", 10), "");
  EXPECT_TRUE(store_->List(AggregateType::kDatabase, "", "", 10)->empty());
}

TEST_P(GraphStoreContract, ANewGenerationReplacesTheLiveOneAtOnce) {
  Commit({Node("Order", "old", 1)});
  const std::string before = store_->State()->generation;
  auto dropped = store_->NewGeneration();
  ASSERT_TRUE(dropped.ok());
  auto next = store_->NewGeneration();
  ASSERT_TRUE(next.ok()) << next.error().ToString();
  EXPECT_EQ((*next)->State()->position.slot, SlotNumber(0));
  ASSERT_TRUE((*next)->Commit({1, {SlotNumber(1)}, {Node("Order", "new", 1)}}).ok());
  // Both are written while the new one catches up, and only the live one is read.
  Commit({Node("Order", "old2", 1)});
  EXPECT_EQ(NamesOf(Run(QueryOf("Order")).nodes), "Order/old Order/old2");
  EXPECT_TRUE(store_->Activate(**dropped).Is(Code::kInvalid));
  ASSERT_TRUE(store_->Activate(**next).ok());
  EXPECT_EQ(NamesOf(Run(QueryOf("Order")).nodes), "Order/new");
  EXPECT_NE(store_->State()->generation, before);
  next->reset();
  dropped->reset();
  Reopen();
  EXPECT_EQ(NamesOf(Run(QueryOf("Order")).nodes), "Order/new");
  EXPECT_EQ(store_->State()->position.slot, SlotNumber(1));
  EXPECT_TRUE(store_->Commit({1, {SlotNumber(2)}, {Node("Order", "newer", 1)}}).ok());
}

TEST_P(GraphStoreContract, AGenerationOfAnOldEpochIsNotActivated) {
  auto next = store_->NewGeneration();
  ASSERT_TRUE(next.ok());
  ASSERT_TRUE(store_->TakeOver(2).ok());
  EXPECT_TRUE(store_->Activate(**next).Is(Code::kConflict));
  ASSERT_TRUE((*next)->TakeOver(2).ok());
  EXPECT_TRUE(store_->Activate(**next).ok());
}

TEST_P(GraphStoreContract, AnUnfinishedGenerationIsForgottenAtTheNextStart) {
  Commit({Node("Order", "o1", 1)});
  auto next = store_->NewGeneration();
  ASSERT_TRUE((*next)->Commit({1, {SlotNumber(1)}, {Node("Order", "other", 1)}}).ok());
  next->reset();
  Reopen();
  EXPECT_EQ(NamesOf(Run(QueryOf("Order")).nodes), "Order/o1");
}

TEST_P(GraphStoreContract, TheOntologyVersionMovesWithDatabasesAndClasses) {
  auto type = [](std::uint64_t version) {
    GraphNode node = Node("", "", version);
    node.key = AggregateKey::OntologyClass("logistics", "main", "Order");
    return node;
  };
  Commit({type(1)});
  const std::uint64_t before = store_->State()->ontology_version;
  if (before == 0) GTEST_SKIP() << "this engine cannot tell";
  Commit({Node("Order", "o1", 1)});
  ASSERT_TRUE(store_->TakeOver(1).ok());
  EXPECT_EQ(store_->State()->ontology_version, before);
  // Also when the position stays, as in a part of a commit that was refused.
  ASSERT_TRUE(store_->Commit({1, {SlotNumber(position_)}, {type(2)}}).ok());
  const std::uint64_t after = store_->State()->ontology_version;
  EXPECT_NE(after, before);
  EXPECT_TRUE(store_->Commit({9, {SlotNumber(position_)}, {type(3)}}).Is(Code::kConflict));
  EXPECT_NE(store_->State()->ontology_version, 0u);
  EXPECT_NE((*store_->NewGeneration())->State()->ontology_version, 0u);
}

TEST_P(GraphStoreContract, WhatIsReadUnderAnOntologyVersionHoldsUnderIt) {
  const AggregateKey key = AggregateKey::OntologyClass("logistics", "main", "Order");
  std::atomic<bool> stop{false};
  std::atomic<int> broken{0};
  std::thread reader([&] {
    std::uint64_t kept_version = 0, kept_number = 0;
    while (!stop) {
      const std::uint64_t version = store_->State()->ontology_version;
      auto found = store_->Get({key});
      const std::uint64_t number = found->empty() ? 0 : found->begin()->second.version.value;
      // What was kept under the version is older than what its node says by now.
      if (version != 0 && version == kept_version && number != kept_number &&
          store_->State()->ontology_version == version) {
        ++broken;
      }
      kept_version = version;
      kept_number = number;
    }
  });
  for (std::uint64_t number = 1; number <= 2000; ++number) {
    GraphNode node = Node("", "", number);
    node.key = key;
    Commit({node});
  }
  stop = true;
  reader.join();
  EXPECT_EQ(broken, 0);
}

TEST_P(GraphStoreContract, ReadersSeeWholeCommitsWhileTheWriterWorks) {
  Commit({Node("Order", "a", 1), Node("Order", "b", 1)});
  std::atomic<bool> stop{false};
  std::atomic<int> torn{0};
  std::atomic<int> reads{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!stop || reads < 10) {
        auto found = store_->Get({Key("Order", "a"), Key("Order", "b")});
        if (!found.ok() || found->size() != 2 ||
            found->at(Key("Order", "a")).version != found->at(Key("Order", "b")).version) {
          ++torn;
        }
        ++reads;
      }
    });
  }
  for (std::uint64_t version = 2; version < 100; ++version) {
    Commit({Node("Order", "a", version), Node("Order", "b", version)});
  }
  stop = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(torn, 0);
}

}  // namespace saffron
