#include "services/worker/graph_writer.h"

#include <gtest/gtest.h>

#include <functional>

#include "eventlog/mutation.h"
#include "services/worker/graph_writer_test_home.h"

namespace saffron {
namespace {

void RunUntilFolded(GraphWorld& world, GraphProcess& process) {
  RunResult result = world.simulation.RunUntil(
      [&] {
        return process.writer->writing() && process.writer->position() == world.builder.last();
      },
      world.simulation.Now() + seconds(600));
  ASSERT_EQ(result.end, RunEnd::kPredicate) << result.report;
}

// Calls back around commits, and refuses documents with a word in them.
class HookedGraph final : public GraphStore {
 public:
  explicit HookedGraph(GraphStore& inner) : inner_(inner) {}
  Result<GraphState> State() override { return inner_.State(); }
  Status TakeOver(std::uint64_t epoch) override { return inner_.TakeOver(epoch); }
  Status Commit(const GraphCommit& commit) override {
    ++commits;
    largest = std::max(largest, commit.nodes.size());
    if (before) before();
    if (drop > 0) {
      --drop;
      return UnknownOutcome("gone before it was applied");
    }
    for (const GraphNode& node : commit.nodes) {
      if (!refuse.empty() && node.document.find(refuse) != std::string::npos) {
        return Invalid("the engine dislikes " + refuse);
      }
    }
    GraphCommit given = commit;
    if (Mutated(Mutation::kGraphIgnoresEpochs)) {
      const GraphState state = *inner_.State();
      given.epoch = state.epoch;
      given.position = std::max(given.position, state.position);
    }
    Status committed = inner_.Commit(given);
    conflicts += committed.Is(Code::kConflict);
    if (after) after();
    return committed;
  }
  Result<std::map<AggregateKey, GraphNode>> Get(const std::vector<AggregateKey>& keys) override {
    return inner_.Get(keys);
  }
  Result<std::vector<GraphNode>> List(AggregateType type, std::string_view prefix,
                                      std::string_view above, std::size_t limit) override {
    return inner_.List(type, prefix, above, limit);
  }
  Result<GraphResult> Query(const GraphQuery& query) override { return inner_.Query(query); }
  Result<std::unique_ptr<GraphStore>> NewGeneration() override { return inner_.NewGeneration(); }
  Status Activate(GraphStore& next) override { return inner_.Activate(next); }

  std::function<void()> before, after;
  std::string refuse;
  int drop = 0;  // so many commits are not applied, and nobody is told
  int commits = 0, conflicts = 0;
  std::size_t largest = 0;

 private:
  GraphStore& inner_;
};

std::vector<BusRecord> DeadLetters(GraphWorld& world) {
  std::vector<BusRecord> letters;
  auto task = world.environment.Spawn("reader", [&] {
    auto consumer = world.bus.Subscribe("reader", {std::string(kProjectionFailuresTopic)});
    while (true) {
      auto batch = (*consumer)->Poll(100, milliseconds(10));
      if (batch->records.empty() && batch->assigned.empty()) return;
      letters.insert(letters.end(), batch->records.begin(), batch->records.end());
    }
  });
  task->Join();
  return letters;
}

TEST(GraphWriterTest, TheGraphIsTheFoldOfTheLogThroughFaultsAndCrashes) {
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    GraphWorld world(seed, {.fail_before = 20, .lost_answer = 30, .slow = 20});
    for (int run = 0; run < 3; ++run) {
      world.Append(15);
      GraphProcess process(world, "w" + std::to_string(run));
      world.simulation.RunFor(milliseconds(500 + world.simulation.random().Below(7000)));
      process.Crash();
    }
    GraphProcess process(world, "last");
    RunUntilFolded(world, process);
    world.ExpectGraphIsFoldOfLog();
  }
}

TEST(GraphWriterTest, C8_ARejectionAdvancesTheVersionAndKeepsTheDocument) {
  GraphWorld world(1);
  const AggregateKey key = GraphWorld::Instance(1);
  world.builder.Outcome(key, R"({"a":1})").Commit();
  world.builder.Rejected(key).Commit();
  GraphProcess process(world, "w");
  RunUntilFolded(world, process);
  GraphNode node = world.graph.Snapshot().nodes.at(key);
  EXPECT_EQ(node.version, SequenceNumber(2));
  EXPECT_EQ(node.document, R"({"a":1})");
  EXPECT_LT(0, node.created_ms);
  EXPECT_EQ(node.updated_ms, node.created_ms);
}

TEST(GraphWriterTest, KilledBeforeOrAfterItsCommit) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    for (bool before : {true, false}) {
      GraphWorld world(seed);
      world.Append(20);
      HookedGraph hooked(world.graph);
      GraphProcess first(world, "first", &hooked);
      auto kill = [&] {
        if (hooked.commits == 2) first.process.Crash();
      };
      (before ? hooked.before : hooked.after) = kill;
      world.simulation.RunUntil([&] { return first.process.crashed(); }, seconds(60));
      ASSERT_TRUE(first.process.crashed());
      first.End();
      world.Append(5);
      GraphProcess second(world, "second");
      RunUntilFolded(world, second);
      world.ExpectGraphIsFoldOfLog();
    }
  }
}

TEST(GraphWriterTest, C14C15_APausedWriterWritesNothingOnceAnotherHasTakenOver) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    GraphWorld world(seed);
    world.Append(10);
    HookedGraph hooked(world.graph);
    GraphProcess first(world, "first", &hooked);
    // It pauses with a commit in its hands, right before the engine sees it.
    bool held = false;
    hooked.before = [&] {
      if (held || hooked.commits < 2) return;
      held = true;
      first.process.PauseFor(Duration::max());
      first.process.SchedulingPoint("paused in commit");
    };
    world.simulation.RunUntil([&] { return held; }, seconds(60));
    ASSERT_TRUE(held);
    for (std::uint32_t i = 0; i < 6; ++i) world.builder.Outcome(GraphWorld::Instance(i), "");
    world.builder.Commit();  // everything is deleted
    GraphProcess second(world, "second");
    RunUntilFolded(world, second);
    world.ExpectGraphIsFoldOfLog();
    first.process.Resume();
    world.simulation.RunFor(seconds(5));
    EXPECT_FALSE(first.writer->writing());
    EXPECT_TRUE(second.writer->writing());
    EXPECT_EQ(hooked.conflicts, 1);
    world.ExpectGraphIsFoldOfLog();  // nothing was resurrected
  }
}

TEST(GraphWriterTest, C17_ASinkOlderThanTheRegistryIsFoldedFromItsOwnPosition) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    GraphWorld world(seed);
    world.Append(20);
    MemoryGraph::Contents backup;
    {
      GraphProcess first(world, "first");
      RunUntilFolded(world, first);
      backup = world.graph.Snapshot();
      world.Append(20);
      RunUntilFolded(world, first);
      first.Crash();
    }
    world.graph.Restore(backup);
    GraphProcess second(world, "second");
    RunUntilFolded(world, second);
    world.ExpectGraphIsFoldOfLog();
  }
}

TEST(GraphWriterTest, AnEmptyRegistryDoesNotBringBackAnOldEpoch) {
  GraphWorld world(2);
  world.Append(5);
  ASSERT_TRUE(world.graph.TakeOver(41).ok());
  GraphProcess process(world, "w");
  RunUntilFolded(world, process);
  EXPECT_EQ(world.graph.State()->epoch, 42u);
}

TEST(GraphWriterTest, C23_OneBadDocumentIsDeadLetteredAndTheRestIsWritten) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    GraphWorld world(seed);
    for (std::uint32_t i = 0; i < 60; ++i) {
      world.builder.Outcome(GraphWorld::Instance(i), i == 37 ? R"({"bad":1})" : R"({"good":1})");
    }
    world.builder.Commit();
    HookedGraph hooked(world.graph);
    hooked.refuse = "bad";
    GraphProcess process(world, "w", &hooked);
    RunUntilFolded(world, process);
    auto expected = GraphOfLog(world.builder);
    expected.erase(GraphWorld::Instance(37));
    EXPECT_TRUE(world.graph.Snapshot().nodes == expected);
    EXPECT_EQ(process.writer->refused(), 1u);
    EXPECT_LT(hooked.commits, 20);
    auto letters = DeadLetters(world);
    ASSERT_EQ(letters.size(), 1u);
    EXPECT_EQ(letters[0].key, GraphWorld::Instance(37).id);
    EXPECT_NE(letters[0].value.find(R"("position":"0-1-37")"), std::string::npos);
    EXPECT_NE(letters[0].value.find("dislikes bad"), std::string::npos);
    // The next outcome of the same aggregate is written.
    world.builder.Outcome(GraphWorld::Instance(37), R"({"good":2})").Commit();
    RunUntilFolded(world, process);
    GraphNode node = world.graph.Snapshot().nodes.at(GraphWorld::Instance(37));
    EXPECT_EQ(node.document, R"({"good":2})");
    EXPECT_EQ(node.created_ms, node.updated_ms);
  }
}

TEST(GraphWriterTest, AnOutageIsShownAndSurvived) {
  GraphWorld world(3);
  world.Append(10);
  GraphProcess process(world, "w");
  RunUntilFolded(world, process);
  world.rates.fail_before = 1000;
  world.Append(10);
  world.simulation.RunFor(seconds(60));
  EXPECT_FALSE(process.writer->healthy());
  world.rates.fail_before = 0;
  RunUntilFolded(world, process);
  EXPECT_TRUE(process.writer->healthy());
  world.ExpectGraphIsFoldOfLog();
}

// One process is cut off from the log, with which it renews no lease: another one must write.
TEST(GraphWriterTest, A23_AWriterThatIsCutOffFromTheLogGivesTheLeaseUp) {
  for (const Duration each_takes : {Duration(0), Duration(seconds(3))}) {
    GraphWorld world(8);
    world.Append(5);
    GraphProcess first(world, "first");
    RunUntilFolded(world, first);
    GraphProcess second(world, "second");
    for (int i = 0; i < 1000; ++i) {
      first.plan.Script({.call = "store.get", .fault = FaultKind::kFailBefore, .before = [&] {
                           first.process.SleepFor(each_takes);
                         }});
    }
    world.Append(5);
    world.simulation.RunFor(seconds(30));  // five times the lease
    EXPECT_TRUE(second.writer->writing());
    EXPECT_FALSE(first.writer->writing());
    world.ExpectGraphIsFoldOfLog();
  }
}

TEST(GraphWriterTest, AnUnknownOutcomeIsLookedUpNotTakenForACommit) {
  GraphWorld world(5);
  HookedGraph hooked(world.graph);
  GraphProcess process(world, "w", &hooked);
  world.Append(5);
  RunUntilFolded(world, process);
  hooked.drop = 2;
  world.Append(5);
  RunUntilFolded(world, process);
  EXPECT_EQ(hooked.drop, 0);
  world.ExpectGraphIsFoldOfLog();
}

TEST(GraphWriterTest, TheLeaseIsRenewedWhileIdle) {
  GraphWorld world(6);
  world.Append(5);
  GraphProcess first(world, "first");
  RunUntilFolded(world, first);
  GraphProcess second(world, "second");
  world.simulation.RunFor(seconds(60));  // ten times the lease
  EXPECT_TRUE(first.writer->writing());
  EXPECT_FALSE(second.writer->writing());
  EXPECT_EQ(world.graph.State()->epoch, 1u);
}

// After kill -9 and a restart nothing became COMPLETED until the lease of the dead run had expired.
TEST(GraphWriterTest, AWriterWithTheLogToItselfDoesNotWaitForTheLeaseOfADeadOne) {
  for (bool exclusive : {true, false}) {
    GraphWorld world(7);
    world.Append(5);
    GraphProcess first(world, "first");
    RunUntilFolded(world, first);
    first.Crash();
    world.Append(5);
    GraphProcess second(world, "second");
    second.context.exclusive = exclusive;
    world.simulation.RunFor(seconds(2));  // a third of the lease
    EXPECT_EQ(world.graph.Snapshot().state.position.slot == world.builder.last(), exclusive);
  }
}

TEST(GraphWriterTest, WhatWaitsIsFoldedInFewCommits) {
  GraphWorld world(4);
  for (int i = 0; i < 40; ++i) world.builder.Outcome(GraphWorld::Instance(1), "{}").Commit();
  HookedGraph hooked(world.graph);
  GraphProcess process(world, "w", &hooked);
  RunUntilFolded(world, process);
  EXPECT_LT(hooked.commits, 20);
  EXPECT_EQ(hooked.largest, 1u);
  world.ExpectGraphIsFoldOfLog();
}

}  // namespace
}  // namespace saffron
