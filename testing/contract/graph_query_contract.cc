#include <gmock/gmock.h>

#include "base/random.h"
#include "testing/contract/graph_store_contract.h"

namespace saffron {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

bool LinkGraphQueryContract() { return true; }

TEST_P(GraphStoreContract, HopsForwardAndBackward) {
  Commit({Node("Order", "o1", 1, {"at->Place/p1"}), Node("Order", "o2", 1, {"at->Place/p2"}),
          Node("Order", "o3", 1, {"by->Person/x", "at->Truck/t1"}),
          Node("Place", "p1", 1, {"in->Place/p3"}), Node("Place", "p2", 1, {"in->Place/p3"}),
          Node("Place", "p3"), Node("Truck", "t1", 1, {"in->Place/p3"}), Node("Person", "x")});
  GraphResult one = Run(QueryOf("Order", {"at"}));
  EXPECT_EQ(NamesOf(one.nodes), "Order/o1 Order/o2 Order/o3 Place/p1 Place/p2 Truck/t1");
  ASSERT_THAT(one.edges, SizeIs(3));
  EXPECT_EQ(one.edges[0].predicate, "at");
  EXPECT_EQ(one.count, 3u);
  EXPECT_FALSE(one.more);
  EXPECT_THAT(one.warnings, IsEmpty());
  EXPECT_EQ(NamesOf(Run(QueryOf("Order", {"at->Truck"})).nodes), "Order/o3 Truck/t1");
  EXPECT_EQ(NamesOf(Run(QueryOf("Order", {"at->Place", "in->Place"})).nodes),
            "Order/o1 Order/o2 Place/p1 Place/p2 Place/p3");

  GraphResult back = Run(QueryOf("Place", {"~in->Place", "~at"}));
  EXPECT_EQ(NamesOf(back.nodes), "Order/o1 Order/o2 Place/p1 Place/p2 Place/p3");
  ASSERT_THAT(back.edges, SizeIs(4));
  // An edge says what the reference says, whichever way it was followed.
  EXPECT_EQ(NameOf(back.edges[0].from), "Order/o1");
  EXPECT_EQ(NameOf(back.edges[0].to), "Place/p1");
  EXPECT_EQ(back.count, 1u);

  EXPECT_EQ(Run(QueryOf("Order", {"nothing"})).count, 0u);
  EXPECT_EQ(Run(QueryOf("Nothing")).count, 0u);
  EXPECT_EQ(Run(QueryOf("Order", {"at->Nothing"})).count, 0u);
}

TEST_P(GraphStoreContract, PathsInOrderAndCycles) {
  Commit({Node("Person", "a", 1, {"knows->Person/b", "knows->Person/c", "knows->Person/a"}),
          Node("Person", "b", 1, {"knows->Person/a"}),
          Node("Person", "c", 1, {"knows->Person/b", "knows->Person/b"})});
  GraphQuery query = QueryOf("Person", {"knows", "knows"});
  query.include_paths = true;
  auto paths = [&] {
    std::vector<std::string> names;
    for (const auto& path : Run(query).paths) names.push_back(NamesOf(path));
    return names;
  };
  EXPECT_THAT(paths(), ElementsAre("Person/a Person/c Person/b", "Person/b Person/a Person/c",
                                   "Person/c Person/b Person/a"));
  query.no_cycles = false;
  EXPECT_THAT(paths(), ElementsAre("Person/a Person/a Person/a", "Person/a Person/a Person/b",
                                   "Person/a Person/a Person/c", "Person/a Person/b Person/a",
                                   "Person/a Person/c Person/b", "Person/b Person/a Person/a",
                                   "Person/b Person/a Person/b", "Person/b Person/a Person/c",
                                   "Person/c Person/b Person/a"));
  query.hops = {};
  EXPECT_THAT(paths(), ElementsAre("Person/a", "Person/b", "Person/c"));
}

TEST_P(GraphStoreContract, AReferenceIsFollowedOnceItsTargetIsThere) {
  Commit({Node("Order", "o1", 1, {"at->Place/p1"})});
  EXPECT_EQ(Run(QueryOf("Order", {"at"})).count, 0u);
  EXPECT_EQ(Run(QueryOf("Place", {"~at"})).count, 0u);
  EXPECT_EQ(Run(QueryOf("Place")).count, 0u);
  Commit({Node("Place", "p1")});
  EXPECT_EQ(NamesOf(Run(QueryOf("Order", {"at"})).nodes), "Order/o1 Place/p1");
  EXPECT_EQ(NamesOf(Run(QueryOf("Place", {"~at"})).nodes), "Order/o1 Place/p1");
  // Deleted: not followed. Created again: followed again.
  Commit({Tombstone("Place", "p1", 2)});
  EXPECT_EQ(Run(QueryOf("Order", {"at"})).count, 0u);
  Commit({Node("Place", "p1", 3)});
  EXPECT_EQ(Run(QueryOf("Order", {"at"})).count, 1u);
  // A changed reference moves the edge.
  Commit({Node("Order", "o1", 2, {"at->Place/p2"}), Node("Place", "p2")});
  EXPECT_EQ(NamesOf(Run(QueryOf("Order", {"at"})).nodes), "Order/o1 Place/p2");
  EXPECT_EQ(NamesOf(Run(QueryOf("Place", {"~at"})).nodes), "Order/o1 Place/p2");
}

TEST_P(GraphStoreContract, OnlyTheLiveScopeCounts) {
  GraphNode dead_class = Node("Order", "o2", 1, {"at->Place/p1"});
  dead_class.scope.class_ = SequenceNumber(1);
  GraphNode dead_database = Node("Order", "o3", 1, {"at->Place/p1"});
  dead_database.scope.database = SequenceNumber(7);
  GraphNode elsewhere = Node("Order", "o4", 1, {"at->Place/p1"});
  elsewhere.key = AggregateKey::Instance("other", "main", "Order", "o4");
  GraphNode dead_target = Node("Place", "p9");
  dead_target.scope.class_ = SequenceNumber(1);
  Commit({Node("Order", "o1", 1, {"at->Place/p1", "at->Place/p9"}), dead_class, dead_database,
          elsewhere, Node("Place", "p1"), dead_target});
  EXPECT_EQ(NamesOf(Run(QueryOf("Order")).nodes), "Order/o1");
  EXPECT_EQ(NamesOf(Run(QueryOf("Order", {"at"})).nodes), "Order/o1 Place/p1");
  EXPECT_EQ(NamesOf(Run(QueryOf("Place", {"~at"})).nodes), "Order/o1 Place/p1");
  GraphQuery without_places = QueryOf("Order", {"at"});
  without_places.scope.classes.erase("Place");
  EXPECT_EQ(Run(without_places).count, 0u);
}

TEST_P(GraphStoreContract, FiltersOnStartNodes) {
  Commit({Node("Order", "o1", 1, {"at->Place/p1"}, R"({"status":"open","total":5})"),
          Node("Order", "o2", 1, {"at->Place/p1"}, R"({"status":"closed","total":50})"),
          Node("Order", "o3", 1, {"at->Place/p1"}, R"({"status":"open","total":500})"),
          Node("Place", "p1", 1, {}, R"({"status":"closed"})")});
  GraphQuery query = QueryOf("Order", {"at"});
  query.filters = {{"status", FilterOp::kEq, {"\"open\""}}, {"total", FilterOp::kGt, {"5"}}};
  EXPECT_EQ(NamesOf(Run(query).nodes), "Order/o3 Place/p1");
  query.filters = {{"status", FilterOp::kPrefix, {"7"}}};
  EXPECT_TRUE(store_->Query(query).Is(Code::kInvalid));
}

TEST_P(GraphStoreContract, DocumentsOnlyWhenAskedFor) {
  Commit({Node("Order", "o1", 1, {}, "{\"a\":1}")});
  GraphQuery query = QueryOf("Order");
  ASSERT_THAT(Run(query).nodes, SizeIs(1));
  EXPECT_EQ(Run(query).nodes[0], Node("Order", "o1", 1, {}, "{\"a\":1}"));
  query.include_documents = false;
  ASSERT_THAT(Run(query).nodes, SizeIs(1));
  EXPECT_EQ(Run(query).nodes[0], Node("Order", "o1", 1, {}, ""));
}

TEST_P(GraphStoreContract, BoundsCutWithAWarning) {
  std::vector<GraphNode> nodes;
  for (int i = 10; i < 20; ++i) {
    nodes.push_back(Node("Order", std::to_string(i), 1, {"at->Place/p1", "at->Place/p2"}));
  }
  nodes.push_back(Node("Place", "p1"));
  nodes.push_back(Node("Place", "p2"));
  Commit(nodes);
  GraphQuery query = QueryOf("Order", {"at"});
  query.include_paths = true;
  query.max_nodes = 5;
  GraphResult few_nodes = Run(query);
  EXPECT_EQ(NamesOf(few_nodes.nodes), "Order/10 Order/11 Order/12 Place/p1 Place/p2");
  EXPECT_THAT(few_nodes.warnings, ElementsAre("max_nodes"));
  EXPECT_TRUE(few_nodes.more);
  EXPECT_EQ(few_nodes.count, 3u);

  query.max_nodes = 100;
  query.max_edges = 5;
  GraphResult few_edges = Run(query);
  EXPECT_THAT(few_edges.edges, SizeIs(5));
  EXPECT_THAT(few_edges.warnings, ElementsAre("max_edges"));

  query.max_edges = 100;
  query.max_paths = 3;
  GraphResult few_paths = Run(query);
  EXPECT_THAT(few_paths.paths, SizeIs(3));
  EXPECT_THAT(few_paths.edges, SizeIs(20));
  EXPECT_THAT(few_paths.warnings, ElementsAre("max_paths"));
}

TEST_P(GraphStoreContract, PagesAreByStartNode) {
  std::vector<GraphNode> nodes = {Node("Place", "p1")};
  for (int i = 100; i < 350; ++i) {
    const bool whole = i % 3 != 0;
    nodes.push_back(whole ? Node("Order", std::to_string(i), 1, {"at->Place/p1"})
                          : Node("Order", std::to_string(i), 1, {"at->Place/missing"}));
  }
  Commit(nodes);
  GraphQuery query = QueryOf("Order", {"at"});
  query.limit = 40;
  std::vector<std::string> seen;
  for (;; query.offset += query.limit) {
    GraphResult page = Run(query);
    EXPECT_EQ(page.nodes.size(), page.count + 1);
    for (const auto& node : page.nodes) {
      if (NameOf(node.key) != "Place/p1") seen.push_back(NameOf(node.key));
    }
    if (!page.more) break;
    EXPECT_EQ(page.count, 40u);
  }
  std::vector<std::string> expected;
  for (int i = 100; i < 350; ++i) {
    if (i % 3 != 0) expected.push_back("Order/" + std::to_string(i));
  }
  EXPECT_EQ(seen, expected);
  query.offset = 1000;
  EXPECT_EQ(Run(query).count, 0u);
  query.offset = 0;
  query.limit = 0;
  EXPECT_EQ(Run(query).count, 0u);
  EXPECT_TRUE(Run(query).more);
}

TEST_P(GraphStoreContract, OddIds) {
  const std::vector<std::string> ids = {"a:b:c",    "a b", "%", "'", "a\"b",
                                        "\xc3\xa9", "_",   "A", "a"};
  std::vector<GraphNode> nodes;
  for (const auto& id : ids) {
    GraphNode node = Node("Order", id);
    node.references = {{"at", "Place", id}};
    nodes.push_back(node);
    nodes.push_back(Node("Place", id));
  }
  Commit(nodes);
  GraphQuery query = QueryOf("Order", {"at"});
  query.include_paths = true;
  GraphResult result = Run(query);
  EXPECT_EQ(result.count, ids.size());
  for (const auto& path : result.paths) {
    EXPECT_EQ(SplitAggregateId(path[0])->instance, SplitAggregateId(path[1])->instance);
  }
}

namespace {

constexpr const char* kClasses[] = {"Order", "Place", "Truck"};
constexpr const char* kPredicates[] = {"at", "by", "in"};

std::string RandomClass(RandomBits& random) { return kClasses[random.Below(3)]; }
std::string RandomId(RandomBits& random) { return "n" + std::to_string(random.Below(8)); }

GraphNode RandomNode(RandomBits& random) {
  GraphNode node;
  node.key = AggregateKey::Instance("db", random.Below(8) == 0 ? "side" : "main",
                                    RandomClass(random), RandomId(random));
  node.version = SequenceNumber(1 + random.Below(20));
  node.scope = {SequenceNumber(random.Below(10) == 0 ? 2 : 1),
                SequenceNumber(random.Below(10) == 0 ? 2 : 1)};
  if (random.Below(5) == 0) return node;
  node.lifecycle = Lifecycle::kPresent;
  node.document = "{\"v\":" + std::to_string(random.Below(4)) + "}";
  for (std::uint32_t n = random.Below(5); n > 0; --n) {
    node.references.push_back(
        {kPredicates[random.Below(3)], RandomClass(random), RandomId(random)});
  }
  return node;
}

GraphQuery RandomQuery(RandomBits& random) {
  GraphQuery query;
  query.scope = {"db", random.Below(6) == 0 ? "side" : "main", SequenceNumber(1), {}};
  for (const char* name : kClasses) {
    if (random.Below(6) != 0) query.scope.classes.emplace(name, SequenceNumber(1));
  }
  query.start_class = RandomClass(random);
  for (std::uint32_t n = random.Below(4); n > 0; --n) {
    const std::string predicate = kPredicates[random.Below(3)];
    query.hops.push_back({random.Below(2) == 0 ? predicate : "~" + predicate,
                          random.Below(2) == 0 ? "" : RandomClass(random)});
  }
  if (random.Below(3) == 0) {
    query.filters = {{"v", FilterOp::kGte, {std::to_string(random.Below(4))}}};
  }
  query.limit = random.Below(6);
  query.offset = random.Below(3);
  query.include_paths = random.Below(2) == 0;
  query.no_cycles = random.Below(2) == 0;
  query.include_documents = random.Below(2) == 0;
  if (random.Below(3) == 0) query.max_nodes = 1 + random.Below(8);
  if (random.Below(3) == 0) query.max_edges = 10 + random.Below(8);
  if (random.Below(3) == 0) query.max_paths = random.Below(5);
  return query;
}

}  // namespace

void ExpectSameAnswers(GraphStore& model, GraphStore& store, std::uint64_t seed) {
  RandomBits random(seed);
  ASSERT_TRUE(model.TakeOver(1).ok());
  ASSERT_TRUE(store.TakeOver(1).ok());
  for (std::uint64_t slot = 1; slot <= 12; ++slot) {
    GraphCommit commit{1, {SlotNumber(slot)}, {}};
    for (std::uint32_t n = random.Below(12); n > 0; --n) commit.nodes.push_back(RandomNode(random));
    ASSERT_TRUE(model.Commit(commit).ok());
    ASSERT_TRUE(store.Commit(commit).ok());
    ASSERT_EQ(*store.List(AggregateType::kInstance, "", "", 1000),
              *model.List(AggregateType::kInstance, "", "", 1000));
    for (int i = 0; i < 12; ++i) {
      const GraphQuery query = RandomQuery(random);
      auto expected = model.Query(query);
      auto got = store.Query(query);
      ASSERT_TRUE(expected.ok() && got.ok());
      EXPECT_EQ(got->nodes, expected->nodes) << "seed " << seed;
      EXPECT_EQ(got->edges, expected->edges) << "seed " << seed;
      EXPECT_EQ(got->paths, expected->paths) << "seed " << seed;
      EXPECT_EQ(got->count, expected->count) << "seed " << seed;
      EXPECT_EQ(got->more, expected->more) << "seed " << seed;
      EXPECT_EQ(got->warnings, expected->warnings) << "seed " << seed;
    }
  }
}

}  // namespace saffron
