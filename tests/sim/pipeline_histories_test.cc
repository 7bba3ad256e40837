// Histories that broke earlier drafts of the pipeline, built step by step over a whole pipeline
// without other faults.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/pipeline_history.h"

namespace saffron {
namespace {

constexpr char kThing[] =
    R"({"id":"Thing","properties":[{"name":"id","type":"string","required":true,)"
    R"("primary_key":true},{"name":"value","type":"integer"},{"name":"pad_a","type":"string"},)"
    R"({"name":"pad_b","type":"string"},{"name":"pad_c","type":"string"},)"
    R"({"name":"pad_d","type":"string"}]})";
constexpr std::uint32_t kWorkers = kOntologyWorkerRole | kInstanceWorkerRole;
constexpr std::uint32_t kOthers = kAllRoles & ~kWorkers;

WriteCommand Instance(Operation operation, const std::string& id, std::string body,
                      std::uint64_t expected = 0) {
  WriteCommand command;
  command.operation = operation;
  command.class_id = "Thing";
  command.instance_id = id;
  command.body = std::move(body);
  if (operation != Operation::kCreate) command.expected_seq = SequenceNumber(expected);
  return command;
}
WriteCommand Create(const std::string& id) {
  return Instance(Operation::kCreate, id, R"({"id":")" + id + R"(","value":1})");
}

class PipelineHistories : public testing::Test {
 protected:
  PipelineHistories() : world({.rates = {}, .lost_answer_one_in = 0}) {}
  void TearDown() override { ExpectSound(); }

  WriteRequest RequestOf(std::vector<WriteCommand> commands, WriteKind kind = WriteKind::kSingle) {
    WriteRequest request;
    request.request_id = EventId(world.environment().NewUuid());
    request.kind = kind;
    request.db = "sim";
    request.commands = std::move(commands);
    request.actor = "client";
    return request;
  }
  WriteAnswer Deliver(WriteRequest request) {
    WriteAnswer answer;
    auto task = world.environment().Spawn("client", [&] {
      PipelineNode* node = nullptr;
      while ((node = world.AnyLive(kOms)) == nullptr)
        world.environment().SleepFor(milliseconds(50));
      answer = node->Call(world.environment(), request, seconds(5));
    });
    task->Join();
    for (std::size_t i = 0; i < answer.items.size() && answer.code == WriteCode::kAccepted; ++i) {
      told.push_back({answer.items[i].command_id, answer.items[i].aggregate, answer.items[i].number,
                      request.commands[i].expected_seq});
    }
    return answer;
  }
  WriteAnswer Write(WriteCommand command) { return Deliver(RequestOf({std::move(command)})); }

  // The database and its class, decided.
  void Begin() {
    WriteCommand database;
    database.type = AggregateType::kDatabase;
    ASSERT_EQ(Write(database).code, WriteCode::kAccepted);
    WriteCommand thing;
    thing.type = AggregateType::kOntologyClass;
    thing.class_id = "Thing";
    thing.body = kThing;
    ASSERT_EQ(Write(thing).code, WriteCode::kAccepted);
    Settle();
  }
  // How long it took.
  Duration Settle(Duration patience = seconds(60)) {
    const Duration started = world.sim().Now();
    std::string unsettled = "not begun";
    while (!unsettled.empty() && world.sim().Now() < started + patience) {
      world.sim().RunFor(milliseconds(100));
      unsettled = world.Unsettled();
    }
    EXPECT_EQ(unsettled, "");
    return world.sim().Now() - started;
  }
  void ExpectSound() {
    if (!damaged.empty()) world.sim().RunFor(seconds(4));  // the publisher looks at the bus
    Settle();
    EXPECT_THAT(JudgePipeline(world, damaged), testing::IsEmpty());
    world.StopAll();
    EXPECT_THAT(CheckLog(world.store, world.format, told, {}).violations, testing::IsEmpty());
  }
  GraphNode InGraph(const std::string& id) {
    return world.graph.Snapshot().nodes[AggregateKey::Instance("sim", "main", "Thing", id)];
  }

  PipelineWorld world;
  std::vector<ToldCommitted> told;
  std::map<std::string, TopicHistory> damaged;
};

TEST_F(PipelineHistories, A13AnItemOfABulkRepeatedOnItsOwnIsTheSameCommand) {
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

TEST_F(PipelineHistories, C1APausedWorkerWakesUpAfterAnotherHasDecided) {
  world.Start("front", kOthers);
  PipelineNode& paused = world.Start("worker-1", kWorkers);
  Begin();
  for (const char* id : {"a", "b", "c"}) ASSERT_EQ(Write(Create(id)).code, WriteCode::kAccepted);
  world.sim().RunFor(milliseconds(2));  // somewhere between claim and outcome
  paused.process().PauseFor(seconds(12));
  world.Start("worker-2", kWorkers);
  EXPECT_LT(Settle(), seconds(12));
  world.sim().RunFor(seconds(15));  // it is awake again
}

TEST_F(PipelineHistories, C4CommandsLostOnTheBusAreDecidedFromTheWorkList) {
  world.Start("front", kOthers);
  PipelineNode& worker = world.Start("worker", kWorkers);
  Begin();
  world.Crash(worker);
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  ASSERT_EQ(Write(Instance(Operation::kUpdate, "a", R"({"value":2})", 1)).code,
            WriteCode::kAccepted);
  world.sim().RunFor(seconds(1));
  damaged[std::string(kInstanceCommandsTopic)] = TopicHistory::kMade;
  world.bus.DeleteTopic(std::string(kInstanceCommandsTopic));
  world.Start("worker", kWorkers);
  Settle();
  EXPECT_EQ(InGraph("a").version, SequenceNumber(2));
}

TEST_F(PipelineHistories, C5ARegistryRestoredToBeforeTheCommandsDoesNotForgetThem) {
  world.Start("front", kOthers);
  PipelineNode& worker = world.Start("worker", kWorkers);
  Begin();
  MemoryRegistry::Backup backup = world.registry.Snapshot();
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

TEST_F(PipelineHistories, C8ARejectionReachesTheSinksSoThatTheClientCanGoOn) {
  world.Start("one", kAllRoles);
  Begin();
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  std::uint64_t number = 1;
  for (char pad : {'a', 'b', 'c', 'd'}) {
    const std::string patch = std::string(R"({"pad_)") + pad + R"(":")" + std::string(500, pad);
    ASSERT_EQ(Write(Instance(Operation::kUpdate, "a", patch + "\"}", number++)).code,
              WriteCode::kAccepted);
  }
  Settle();
  const GraphNode node = InGraph("a");
  EXPECT_EQ(node.version, SequenceNumber(number));
  EXPECT_EQ(node.document.find("pad_d"), std::string::npos) << "it is too large (C24)";
  EXPECT_EQ(Write(Instance(Operation::kUpdate, "a", R"({"value":7})", number)).code,
            WriteCode::kAccepted);
}

TEST_F(PipelineHistories, C13AClassWithAcceptedInstancesThatNobodyHasDecidedIsInUse) {
  world.Start("front", kOthers);
  PipelineNode& worker = world.Start("worker", kWorkers);
  Begin();
  world.Crash(worker);
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  WriteCommand removal;
  removal.type = AggregateType::kOntologyClass;
  removal.operation = Operation::kDelete;
  removal.class_id = "Thing";
  removal.expected_seq = SequenceNumber(1);
  EXPECT_EQ(Write(removal).code, WriteCode::kClassInUse);
  world.Start("worker", kWorkers);
}

TEST_F(PipelineHistories, C17AGraphThatLostItsLastCommitsFoldsTheLogAgain) {
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

TEST_F(PipelineHistories, C21AProcessThatDiesAgainAndAgainParksNothingThatWasNotAlone) {
  world.Start("front", kOthers);
  PipelineNode* worker = &world.Start("worker", kWorkers);
  Begin();
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(Write(Create("t" + std::to_string(i))).code, WriteCode::kAccepted);
  }
  for (int death = 0; death < 8; ++death) {
    world.Crash(*worker);
    worker = &world.Start("worker", kWorkers);
    world.sim().RunFor(milliseconds(100) + milliseconds(world.Below(1500)));
  }
}

TEST_F(PipelineHistories, C22AReplacementWithAnotherNameNeedNotWaitForLong) {
  world.Start("front", kOthers);
  PipelineNode& dying = world.Start("pod-1", kWorkers);
  Begin();
  for (const char* id : {"a", "b", "c"}) ASSERT_EQ(Write(Create(id)).code, WriteCode::kAccepted);
  world.sim().RunFor(milliseconds(2));
  world.Crash(dying);
  world.Start("pod-2", kWorkers);
  EXPECT_LT(Settle(), seconds(8));
}

}  // namespace
}  // namespace saffron
