// Histories that broke earlier drafts of the pipeline, built step by step: workers, claims, the
// work list, parked commands. docs/histories.md lists them.
#include "services/oms/progress.h"
#include "tests/sim/pipeline_histories_home.h"

namespace saffron {
namespace {

const std::string kCommands(kInstanceCommandsTopic);

// Its answer gets lost, and all that the client has is the id that the 503 carries.
TEST_F(PipelineHistories, A12_ItemsOfAKeylessBulkKeepTheirIdsWhenItIsRepeated) {
  PipelineNode& node = world.Start("one", kAllRoles);
  Begin();
  node.plan().Script({.call = kPut, .after = [&] { node.process().SleepFor(seconds(3)); }});
  Asked bulk = Ask(RequestOf({Create("a"), Create("b")}, WriteKind::kBulk), nullptr, seconds(1));
  EXPECT_EQ(AnswerOf(bulk).code, WriteCode::kUnknown);
  WriteRequest again = bulk.request;
  again.keyed = true;
  const WriteAnswer second = Deliver(again);
  ASSERT_EQ(second.code, WriteCode::kAccepted);
  for (const ItemAnswer& item : second.items) EXPECT_TRUE(item.duplicate);
}

TEST_F(PipelineHistories, A13_AnItemOfABulkRepeatedOnItsOwnIsTheSameCommand) {
  world.Start("one", kAllRoles);
  Begin();
  WriteRequest bulk = RequestOf({Create("a"), Create("b")}, WriteKind::kBulk);
  const WriteAnswer first = Deliver(bulk);
  ASSERT_EQ(first.code, WriteCode::kAccepted);
  WriteRequest again = RequestOf({Create("b")});
  again.request_id = ItemCommandId(bulk.request_id, 1);
  again.keyed = true;
  const WriteAnswer second = Deliver(again);
  EXPECT_EQ(second.code, WriteCode::kAccepted);
  EXPECT_TRUE(second.items[0].duplicate);
  EXPECT_EQ(second.items[0].position, first.items[1].position);
}

TEST_F(PipelineHistories, C1_APausedWorkerWakesUpAfterAnotherHasDecided) {
  world.Start("front", kOthers);
  PipelineNode& paused = world.Start("worker-1", kWorkers);
  Begin();
  // It has decided, and holds the outcome.
  bool holds = false;
  paused.plan().Script({.call = kTransact, .before = [&] {
                          holds = true;
                          paused.process().PauseFor(seconds(20));
                        }});
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  RunUntil([&] { return holds; });
  world.Start("worker-2", kWorkers);
  EXPECT_LT(Settle(), seconds(15));
  world.sim().RunFor(seconds(20));  // it is awake again
}

// The work list is looked at once, at the start: what happens later must not need it.
class WithoutSweeps : public PipelineHistories {
 protected:
  WithoutSweeps() : PipelineHistories({.sweep_every = seconds(3600)}) {}
};

TEST_F(WithoutSweeps, C4_ACommandThatTheBusHasLostIsFetchedWhenTheNextOneComes) {
  world.Start("front", kOthers);
  PipelineNode& worker = world.Start("worker", kWorkers);
  Begin();
  worker.process().PauseFor(Duration::max());
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  ASSERT_EQ(Write(Update("a", 1)).code, WriteCode::kAccepted);
  world.sim().RunFor(seconds(1));
  const std::vector<std::uint64_t> ends = world.bus.Describe(kCommands)->end_offsets;
  for (std::uint32_t p = 0; p < ends.size(); ++p) {
    if (ends[p] > 0) world.bus.DropBelow(kCommands, p, ends[p] - 1);
  }
  damaged[kCommands] = TopicHistory::kDropped;
  worker.process().Resume();
  Settle();
  EXPECT_EQ(InGraph("a").version, SequenceNumber(2));
}

// A process dies with many claims, and the next one takes them up one at a time. What stands behind
// those that wait is there: it was looked for all the same, for each, in every round.
TEST_F(PipelineHistories, C4_WhatStandsBehindACommandThatWaitsIsNoGap) {
  world.Start("front", kOthers);
  PipelineNode& dying = world.Start("dying", kWorkers);
  Begin();
  dying.process().PauseFor(Duration::max());
  for (const char* id : {"a", "b", "c", "d"}) {
    ASSERT_EQ(Write(Create(id)).code, WriteCode::kAccepted);
    for (std::uint64_t n = 1; n < 5; ++n) {
      ASSERT_EQ(Write(Update(id, n)).code, WriteCode::kAccepted);
    }
  }
  dying.plan().Script({.call = kTransact, .before = [&] { world.Crash(dying); }});
  dying.process().Resume();
  RunUntil([&] { return !dying.live(); });
  const auto claimed =
      world.registry.ClaimsWith(std::string(kInstanceWorker), ClaimStatus::kProcessing, 100);
  EXPECT_GT(claimed->size(), 10u);
  PipelineNode& next = world.Start("next", kWorkers);
  int looked = 0;
  const std::function<void()> count = [&] {
    ++looked;
    next.plan().Script({.call = "registry.commands_of", .before = count});
  };
  next.plan().Script({.call = "registry.commands_of", .before = count});
  Settle();
  EXPECT_LE(looked, 1);  // behind an outcome that is committed and not settled yet
}

TEST_F(PipelineHistories, C4_CommandsOfATopicThatIsGoneAreDecided) {
  world.Start("front", kOthers);
  PipelineNode& worker = world.Start("worker", kWorkers);
  Begin();
  world.Crash(worker);
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  ASSERT_EQ(Write(Update("a", 1)).code, WriteCode::kAccepted);
  world.sim().RunFor(seconds(1));
  damaged[kCommands] = TopicHistory::kLost;
  world.bus.DeleteTopic(kCommands);
  world.Start("worker", kWorkers);
  Settle();
  EXPECT_EQ(InGraph("a").version, SequenceNumber(2));
}

TEST_F(PipelineHistories, C5_ARegistryRestoredToBeforeTheCommandsDoesNotForgetThem) {
  world.Start("front", kOthers);
  PipelineNode& worker = world.Start("worker", kWorkers);
  Begin();
  const MemoryRegistry::Backup backup = world.registry.Snapshot();
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  Settle();
  ASSERT_EQ(Write(Create("b")).code, WriteCode::kAccepted);
  world.Crash(worker);
  world.RestartRegistry(backup);
  world.Start("worker", kWorkers);
  ASSERT_EQ(Write(Create("c")).code, WriteCode::kAccepted);  // notices, and fences
  Settle();
  EXPECT_EQ(Write(Create("a")).code, WriteCode::kConflict);
  EXPECT_EQ(InGraph("b").lifecycle, Lifecycle::kPresent);
}

// Parked commands are acknowledged on the bus, and then the registry forgets that they are parked.
// More commands, still parked, stand before them in the work list than one sweep takes.
class ShortSweeps : public PipelineHistories {
 protected:
  ShortSweeps() : PipelineHistories({.sweep_most = 4}) {}
};

TEST_F(ShortSweeps, C5_WhatWasParkedAndIsNotAnyMoreIsFoundBehindWhatStillIs) {
  PipelineNode& front = world.Start("front", kOthers);
  PipelineNode& worker = world.Start("worker", kWorkers);
  Begin();
  worker.process().PauseFor(Duration::max());
  std::vector<std::string> parked;
  for (int i = 0; i < 6; ++i) parked.push_back("p" + std::to_string(i));
  for (const std::string& id : parked) {
    ASSERT_EQ(Write(Create(id)).code, WriteCode::kAccepted);
    Park(id, 1);
  }
  ASSERT_EQ(Write(Create("z")).code, WriteCode::kAccepted);
  Park("z", 1);
  worker.process().Resume();
  world.sim().RunFor(seconds(5));
  EXPECT_FALSE(Decided("z", 1));
  ForgetThatItIsParked("z");
  RunUntil([&] { return Decided("z", 1); });
  for (const std::string& id : parked) EXPECT_TRUE(Replay(front, id).freed);
}

// A worker's appends fail for a while: until its outcome is in the log a command is not finished.
TEST_F(PipelineHistories, C5_AnOffsetIsCommittedBehindItsOutcomeOnly) {
  world.Start("front", kOthers);
  PipelineNode& worker = world.Start("worker", kWorkers);
  Begin();
  for (int i = 0; i < 250; ++i) {
    worker.plan().Script({.call = kTransact, .fault = FaultKind::kFailBefore});
  }
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  world.sim().RunFor(seconds(4));  // more than the worker's patience with one append
  EXPECT_FALSE(Decided("a", 1));
  std::uint64_t committed = 0;
  auto task = world.environment().Spawn("operator", [&] {
    auto offsets = world.bus.GroupOffsets(std::string(kInstanceWorker) + "-group");
    ASSERT_TRUE(offsets.ok());
    for (const auto& [partition, offset] : *offsets) committed += offset.next;
  });
  task->Join();
  EXPECT_EQ(committed, 0u);
}

// Replay has finished n; n+1 is reserved and not settled, and would be acknowledged as parked.
TEST_F(PipelineHistories, C6_AnAggregateWithACommandInFlightIsNotFreed) {
  PipelineNode& front = world.Start("front", kOthers);
  PipelineNode& worker = world.Start("worker", kWorkers);
  PipelineNode& operators = world.Start("operators", kNothing);
  Begin();
  worker.process().PauseFor(Duration::max());
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  Park("a", 1);
  front.plan().Script({.call = kPut, .before = [&] { front.process().SleepFor(seconds(1)); }});
  Asked next = Ask(RequestOf({Update("a", 1)}));
  RunUntil([&] { return RowOf("a").pending.has_value(); });
  const ReplayReport report = Replay(operators, "a");
  EXPECT_EQ(report.decided, 2u);
  EXPECT_TRUE(report.freed);
  EXPECT_EQ(AnswerOf(next).code, WriteCode::kAccepted);
  worker.process().Resume();
}

// #2 DELETE and #3 CREATE are accepted. Then #2 is rejected, so #3 is too: it exists.
TEST_F(PipelineHistories, C7_WhatWasDecidedCountsNotWhatWasAccepted) {
  PipelineNode& front = world.Start("front", kOthers);
  PipelineNode& worker = world.Start("worker", kWorkers);
  Begin();
  for (const char* id : {"a", "b"}) ASSERT_EQ(Write(Create(id)).code, WriteCode::kAccepted);
  Settle();
  worker.process().PauseFor(Duration::max());
  for (const char* id : {"a", "b"}) ASSERT_EQ(Write(Delete(id, 1)).code, WriteCode::kAccepted);
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  EXPECT_EQ(Discard(front, "a").decided, 1u);  // beside the discarded one
  EXPECT_EQ(Discard(front, "b").decided, 0u);
  worker.process().Resume();
  Settle();
  EXPECT_EQ(InGraph("a").lifecycle, Lifecycle::kPresent);
  EXPECT_EQ(Write(Create("a")).code, WriteCode::kConflict);
  EXPECT_EQ(Write(Update("a", 3)).code, WriteCode::kAccepted);
  EXPECT_EQ(Write(Update("b", 2)).code, WriteCode::kAccepted);
}

TEST_F(PipelineHistories, C8_ARejectionReachesTheSinksSoThatTheClientCanGoOn) {
  world.Start("one", kAllRoles);
  Begin();
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  // C24: a small patch makes an outcome that is too large.
  std::uint64_t number = 1;
  for (char pad : {'a', 'b', 'c', 'd'}) {
    const std::string patch = std::string(R"({"pad_)") + pad + R"(":")" + std::string(500, pad);
    ASSERT_EQ(Write(Instance(Operation::kUpdate, "a", patch + "\"}", number++)).code,
              WriteCode::kAccepted);
  }
  Settle();
  const GraphNode node = InGraph("a");
  EXPECT_EQ(node.version, SequenceNumber(number));
  EXPECT_EQ(node.document.find("pad_d"), std::string::npos);
  EXPECT_EQ(Write(Update("a", number)).code, WriteCode::kAccepted);
}

// Everything is delivered again, the creation after the deletion.
TEST_F(PipelineHistories, C15_ADeletedInstanceStaysDeletedInEverySink) {
  world.Start("one", kAllRoles);
  Begin();
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  ASSERT_EQ(Write(Delete("a", 1)).code, WriteCode::kAccepted);
  Settle();
  const std::string events(kInstanceEventsTopic);
  for (const BusRecord& record : world.Records(events)) {
    auto task = world.environment().Spawn("repeats", [&] {
      EXPECT_TRUE(
          world.bus.Produce({{events, record.key, record.value, record.headers}}, seconds(1)).ok());
    });
    task->Join();
  }
  world.sim().RunFor(seconds(2));
  EXPECT_EQ(InGraph("a").lifecycle, Lifecycle::kAbsent);
}

TEST_F(PipelineHistories, C17_AGraphThatLostItsLastCommitsFoldsTheLogAgain) {
  PipelineNode& node = world.Start("one", kAllRoles);
  Begin();
  MemoryGraph::Contents before = world.graph.Snapshot();
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  Settle();
  world.Crash(node);
  world.graph.Restore(before);
  world.Start("one", kAllRoles);
  Settle();
  EXPECT_EQ(InGraph("a").lifecycle, Lifecycle::kPresent);
}

TEST_F(PipelineHistories, C21_AProcessThatDiesAgainAndAgainParksNothingThatWasNotAlone) {
  world.Start("front", kOthers);
  PipelineNode* worker = &world.Start("worker", kWorkers);
  Begin();
  const auto die_when_decided = [&] {
    worker->plan().Script({.call = kTransact, .before = [&] { world.Crash(*worker); }});
  };
  die_when_decided();
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(Write(Create("t" + std::to_string(i))).code, WriteCode::kAccepted);
  }
  for (int death = 0; death < 8; ++death) {
    RunUntil([&] { return worker->process().crashed(); });
    worker = &world.Start("worker", kWorkers);
    if (death < 7) die_when_decided();
  }
}

// A claim is good for a quarter of an hour, and whoever replaces a dead worker has another name.
class LongLeases : public PipelineHistories {
 protected:
  LongLeases() : PipelineHistories({.worker_lease = seconds(900)}) {}
};

TEST_F(LongLeases, C22_AReplacementWithAnotherNameNeedNotWaitForTheLease) {
  world.Start("front", kOthers);
  PipelineNode& dying = world.Start("pod-1", kWorkers);
  Begin();
  dying.plan().Script({.call = kTransact, .before = [&] { world.Crash(dying); }});
  for (const char* id : {"a", "b", "c"}) ASSERT_EQ(Write(Create(id)).code, WriteCode::kAccepted);
  RunUntil([&] { return dying.process().crashed(); });
  world.Start("pod-2", kWorkers);
  EXPECT_LT(Settle(), seconds(15));
}

TEST_F(PipelineHistories, C26_AParkedCommandDoesNotHoldUpReadsOfItsPosition) {
  PipelineNode& front = world.Start("front", kOthers);
  PipelineNode& worker = world.Start("worker", kWorkers);
  Begin();
  worker.process().PauseFor(Duration::max());
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  Park("a", 1);
  const WriteAnswer later = Write(Create("b"));
  ASSERT_EQ(later.code, WriteCode::kAccepted);
  worker.process().Resume();
  bool passed = false;
  std::vector<std::string> warnings;
  auto read = front.process().Spawn("read", [&] {
    SinkProgress progress(front.context(), world.graph, world.search, nullptr);
    ReadGate::Conditions conditions;
    conditions.db = "sim";
    conditions.min_position = later.items[0].position;
    ReadGate gate(front.context(), world.registry, progress, conditions);
    for (int i = 0; i < 100 && !passed; ++i) {
      front.process().SleepFor(milliseconds(50));
      passed = *gate.Pass();
      warnings = gate.warnings();
    }
  });
  read->Join();
  EXPECT_TRUE(passed);
  EXPECT_EQ(InGraph("b").version, SequenceNumber(1));
  EXPECT_THAT(warnings, testing::ElementsAre(testing::HasSubstr(ThingKey("a").ToString())));
  EXPECT_TRUE(Replay(front, "a").freed);
}

}  // namespace
}  // namespace saffron
