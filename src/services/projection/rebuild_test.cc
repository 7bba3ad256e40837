#include "services/projection/rebuild.h"

#include <gtest/gtest.h>

#include "adapters/memory/memory_graph.h"
#include "services/projection/projection_test_home.h"
#include "services/worker/graph_writer.h"
#include "services/worker/sink_digest.h"

namespace saffron {
namespace {

// A process that rebuilds, apart from those that serve.
struct Rebuilder {
  explicit Rebuilder(ProjectionWorld& world)
      : process(world.simulation, "rebuilder"), world(world) {
    context.format = world.builder.format();
  }
  void Run(std::function<Result<RebuildReport>()> rebuild) {
    task = process.Spawn("rebuild", [this, rebuild] { report = rebuild(); });
  }
  void Join() { task->Join(); }

  SimProcess process;
  ProjectionWorld& world;
  Log log = Log::Discard();
  LogContext context{process, world.store, world.registry, log, {}, 0, "test"};
  std::optional<Result<RebuildReport>> report;
  std::unique_ptr<Task> task;
};

// Of the whole log, read as often as a fold needs that holds so many aggregates.
SinkDigest FoldOf(ProjectionWorld& world, std::size_t max_aggregates) {
  const std::set<AggregateKey> none;
  LogFold fold(LogFold::Sink::kGraph, none, max_aggregates);
  do {
    for (const SlotPtr& slot : world.builder.slots()) fold.Add(*slot);
  } while (fold.AnotherReading());
  return fold.digest();
}

TEST(RebuildTest, C25_AnIndexRebuiltWhileTheLiveOneGoesOnMissesNothing) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    ProjectionWorld world(seed, {.slow = 100, .slow_max = milliseconds(20)});
    PublisherProcess publisher(world, "publisher");
    ProjectionProcess projection(world, "p");
    world.Churn(40);
    world.RunUntilProjected(projection);
    // Damage that only a rebuild mends.
    ASSERT_TRUE(world.search
                    .Write({{world.Instance(1),
                             SequenceNumber(1'000'000),
                             Lifecycle::kPresent,
                             {},
                             "{\"wrong\":1}",
                             1}})
                    .ok());
    Rebuilder rebuilder(world);
    FaultPlan plan(rebuilder.process, world.environment, world.late, world.rates, world.counts);
    FaultyObjectStore slow_store(world.store, plan);
    LogContext context{rebuilder.process,      slow_store, world.registry, rebuilder.log,
                       world.builder.format(), 0,          "test"};
    rebuilder.Run(
        [&] { return RebuildSearch(context, world.search, {.owner = "r", .max_events = 10}); });
    for (int i = 0; i < 10; ++i) {
      world.Churn(3);
      // No later event stands for this one.
      world.builder.Outcome(world.Instance(100 + i), R"({"n":1})").Commit();
      world.simulation.RunFor(milliseconds(world.simulation.random().Below(200)));
    }
    rebuilder.Join();
    ASSERT_TRUE(rebuilder.report->ok()) << rebuilder.report->error().ToString();
    world.Churn(5);
    world.RunUntilProjected(projection);
    world.simulation.RunFor(seconds(2));
    world.RunUntilProjected(projection);
    world.ExpectIndexIsFoldOfLog();
  }
}

// The rebuild has read the log for the last time before its switch. Then an outcome comes, and the
// projection puts it where it is about to be thrown away.
class RebuildSwitchTest : public testing::Test {
 protected:
  void SetUp() override {
    world.Churn(20);
    world.RunUntilProjected(projection);
    index.before_switch = [this] {
      world.builder.Outcome(late, R"({"n":1})").Commit();
      while (!ContentsOf(world.search).contains(late)) {
        rebuilder.process.SleepFor(milliseconds(10));
      }
    };
  }
  void Rebuild() {
    rebuilder.Run([this] { return RebuildSearch(context, index, {.owner = "r"}); });
    rebuilder.Join();
  }

  ProjectionWorld world{1};
  PublisherProcess publisher{world, "publisher"};
  ProjectionProcess projection{world, "p"};
  HookedSearch index{world.search};
  const AggregateKey late = world.Instance(100);
  Rebuilder rebuilder{world};
  FaultPlan plan{rebuilder.process, world.environment, world.late, world.rates, world.counts};
  FaultyObjectStore store{world.store, plan};
  LogContext context{rebuilder.process,      store, world.registry, rebuilder.log,
                     world.builder.format(), 0,     "test"};
};

TEST_F(RebuildSwitchTest, C25_WhatCameBeforeTheSwitchIsThereWhenTheRebuildIsDone) {
  Rebuild();
  ASSERT_TRUE(rebuilder.report->ok()) << rebuilder.report->error().ToString();
  EXPECT_TRUE(ContentsOf(world.search).contains(late));
}

TEST_F(RebuildSwitchTest, C25_ARebuildThatDiesAfterItsSwitchLosesNothing) {
  index.after_switch = [this] { rebuilder.process.Crash(); };
  Rebuild();
  ASSERT_FALSE(rebuilder.report->ok());
  EXPECT_FALSE(ContentsOf(world.search).contains(late));
  // The projection sees another index than the one it wrote to, and goes on where that one is.
  world.simulation.RunFor(seconds(5));
  world.RunUntilProjected(projection);
  world.ExpectIndexIsFoldOfLog();
}

// For every slot that is read another one is written: whoever runs after the end never gets there.
TEST(RebuildTest, SteadyWritesDoNotKeepItFromEnding) {
  constexpr int kWrites = 2000;
  ProjectionWorld world(3);
  world.Churn(20);
  Rebuilder rebuilder(world);
  FaultPlan plan(rebuilder.process, world.environment, world.late, world.rates, world.counts);
  for (int i = 0; i < kWrites; ++i) {
    plan.Script({.call = "store.get", .after = [&] { world.Churn(1); }});
  }
  FaultyObjectStore store(world.store, plan);
  LogContext context{rebuilder.process,      store, world.registry, rebuilder.log,
                     world.builder.format(), 0,     "test"};
  rebuilder.Run([&] { return RebuildSearch(context, world.search, {.owner = "r"}); });
  rebuilder.Join();
  ASSERT_TRUE(rebuilder.report->ok()) << rebuilder.report->error().ToString();
  EXPECT_LT((*rebuilder.report)->position.value, std::uint64_t{kWrites} / 2);
}

TEST(RebuildTest, ADifferenceFromTheLogIsFoundAndNotSwitchedTo) {
  ProjectionWorld world(2);
  world.Churn(20);
  // An index whose generations lose one document.
  class Forgetful final : public SearchIndex {
   public:
    explicit Forgetful(std::unique_ptr<SearchIndex> inner) : inner_(std::move(inner)) {}
    Result<std::vector<WriteRefusal>> Write(const std::vector<SearchDocument>& documents) override {
      std::vector<SearchDocument> kept = documents;
      std::erase_if(kept, [](const auto& d) { return d.key.id.ends_with(":1"); });
      SAFFRON_TRY(inner_->Write(kept));
      return std::vector<WriteRefusal>(documents.size());
    }
    Status Refresh() override { return inner_->Refresh(); }
    Result<std::map<AggregateKey, SearchDocument>> Get(
        const std::vector<AggregateKey>& keys) override {
      return inner_->Get(keys);
    }
    Result<SearchPage> Search(const SearchQuery& query) override { return inner_->Search(query); }
    Result<std::vector<SearchDocument>> Scan(const std::optional<AggregateKey>& after,
                                             std::size_t limit) override {
      return inner_->Scan(after, limit);
    }
    Result<std::string> Watermark() override { return inner_->Watermark(); }
    Status SetWatermark(std::string_view value) override { return inner_->SetWatermark(value); }
    Result<std::unique_ptr<SearchIndex>> NewGeneration() override {
      return std::unique_ptr<SearchIndex>(
          std::make_unique<Forgetful>(std::make_unique<MemorySearch>()));
    }
    Status Activate(SearchIndex&) override {
      activated = true;
      return Ok();
    }
    bool activated = false;

   private:
    const std::unique_ptr<SearchIndex> inner_;
  };
  Forgetful index(std::make_unique<MemorySearch>());
  Rebuilder rebuilder(world);
  rebuilder.Run([&] { return RebuildSearch(rebuilder.context, index, {}); });
  rebuilder.Join();
  EXPECT_TRUE(rebuilder.report->Is(Code::kCorrupt));
  EXPECT_FALSE(index.activated);
}

TEST(RebuildTest, AGraphRebuiltWhileItsWriterGoesOnMissesNothing) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    ProjectionWorld world(seed);
    MemoryGraph graph;
    SimProcess process(world.simulation, "worker");
    FaultPlan plan(process, world.environment, world.late, world.rates, world.counts);
    FaultyGraph slow_graph(graph, plan);
    Log log = Log::Discard();
    LogContext context{process, world.store, world.registry, log, world.builder.format(), 0, "t"};
    GraphWriter writer(context, slow_graph, world.registry, world.bus, {.owner = "w"}, nullptr);
    auto task = process.Spawn("writer", [&] { writer.Run(); });
    world.Churn(30);
    world.simulation.RunFor(seconds(5));
    const std::string before = graph.State()->generation;
    GraphCommit damage{graph.State()->epoch, graph.State()->position, {}};
    GraphNode wrong;
    wrong.key = world.Instance(1);
    wrong.version = SequenceNumber(1'000'000);
    damage.nodes = {wrong};
    ASSERT_TRUE(graph.Commit(damage).ok());

    Rebuilder rebuilder(world);
    FaultPlan other(rebuilder.process, world.environment, world.late, world.rates, world.counts);
    FaultyObjectStore slow_store(world.store, other);
    LogContext apart{rebuilder.process,      slow_store, world.registry, rebuilder.log,
                     world.builder.format(), 0,          "test"};
    rebuilder.Run([&] {
      return RebuildGraph(apart, graph, world.registry, {.owner = "r", .max_events = 10});
    });
    for (int i = 0; i < 10; ++i) {
      world.Churn(3);
      world.simulation.RunFor(milliseconds(world.simulation.random().Below(60)));
    }
    rebuilder.Join();
    ASSERT_TRUE(rebuilder.report->ok()) << rebuilder.report->error().ToString();
    EXPECT_NE(graph.State()->generation, before);
    world.Churn(5);
    RunResult folded = world.simulation.RunUntil(
        [&] { return graph.State()->position.slot == world.builder.last(); },
        world.simulation.Now() + seconds(60));
    ASSERT_EQ(folded.end, RunEnd::kPredicate);
    EXPECT_EQ(DigestOfGraph(graph, {})->Hex(), FoldOf(world, 1'000'000).Hex());
    EXPECT_EQ(DigestOfGraph(graph, {})->Hex(), FoldOf(world, 2).Hex());
    process.RequestStop();
    task->Join();
  }
}

TEST(SinkDigestTest, EveryPartOfAnEntryCountsButTheOrderOfItsMembers) {
  const AggregateKey key = AggregateKey::Instance("d", "b", "C", "1");
  const Sha256Digest digest =
      EntryDigest(key, SequenceNumber(1), Lifecycle::kPresent, {}, R"({"a":1,"b":2})");
  EXPECT_EQ(digest,
            EntryDigest(key, SequenceNumber(1), Lifecycle::kPresent, {}, R"({"b": 2,"a":1})"));
  EXPECT_NE(digest,
            EntryDigest(key, SequenceNumber(1), Lifecycle::kPresent, {}, R"({"a":1,"b":3})"));
  EXPECT_NE(digest,
            EntryDigest(key, SequenceNumber(2), Lifecycle::kPresent, {}, R"({"a":1,"b":2})"));
  EXPECT_NE(digest, EntryDigest(key, SequenceNumber(1), Lifecycle::kPresent,
                                {SequenceNumber(1), SequenceNumber(0)}, R"({"a":1,"b":2})"));
  EXPECT_NE(digest, EntryDigest(key, SequenceNumber(1), Lifecycle::kAbsent, {}, ""));
  EXPECT_NE(digest, EntryDigest(AggregateKey::Instance("d", "b", "C", "2"), SequenceNumber(1),
                                Lifecycle::kPresent, {}, R"({"a":1,"b":2})"));
}

}  // namespace
}  // namespace saffron
