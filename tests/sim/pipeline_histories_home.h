// A whole pipeline without faults but those that a history scripts. For the tests that build a
// history of workers, sinks and operators step by step.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "services/worker/parking.h"
#include "tests/sim/pipeline_history.h"

namespace saffron {

inline constexpr std::uint32_t kWorkers = kOntologyWorkerRole | kInstanceWorkerRole;
inline constexpr std::uint32_t kOthers = kAllRoles & ~kWorkers;
inline constexpr std::uint32_t kNothing = 0;  // a process that only appends: an operator's
inline constexpr char kTransact[] = "registry.transact";
inline constexpr char kPut[] = "store.put_if_absent";

inline constexpr char kThing[] =
    R"({"id":"Thing","properties":[{"name":"id","type":"string","required":true,)"
    R"("primary_key":true},{"name":"value","type":"integer"},{"name":"pad_a","type":"string"},)"
    R"({"name":"pad_b","type":"string"},{"name":"pad_c","type":"string"},)"
    R"({"name":"pad_d","type":"string"}]})";

inline WriteCommand Instance(Operation operation, const std::string& id, std::string body,
                             std::uint64_t expected = 0) {
  WriteCommand command;
  command.operation = operation;
  command.class_id = "Thing";
  command.instance_id = id;
  command.body = std::move(body);
  if (operation != Operation::kCreate) command.expected_seq = SequenceNumber(expected);
  return command;
}
inline WriteCommand Create(const std::string& id) {
  return Instance(Operation::kCreate, id, R"({"id":")" + id + R"(","value":1})");
}
inline WriteCommand Update(const std::string& id, std::uint64_t expected) {
  return Instance(Operation::kUpdate, id, R"({"value":2})", expected);
}
inline WriteCommand Delete(const std::string& id, std::uint64_t expected) {
  return Instance(Operation::kDelete, id, "", expected);
}
inline WriteCommand Database(Operation operation, std::uint64_t expected = 0) {
  WriteCommand command;
  command.type = AggregateType::kDatabase;
  command.operation = operation;
  if (operation != Operation::kCreate) command.expected_seq = SequenceNumber(expected);
  return command;
}
inline WriteCommand Class(Operation operation, const std::string& id, std::string definition,
                          std::uint64_t expected = 0) {
  WriteCommand command = Database(operation, expected);
  command.type = AggregateType::kOntologyClass;
  command.class_id = id;
  command.body = std::move(definition);
  return command;
}
inline AggregateKey ThingKey(const std::string& id) {
  return AggregateKey::Instance("sim", "main", "Thing", id);
}

class PipelineHistories : public testing::Test {
 protected:
  explicit PipelineHistories(PipelineOptions options = {}) : world(Faultless(options)) {}
  // Every history ends with everything decided, and every sink a fold of the log.
  void TearDown() override {
    if (!damaged.empty()) world.sim().RunFor(seconds(7));  // the publisher looks at the bus
    Settle();
    DecodedLog log(world.store, world.decoder());
    EXPECT_THAT(JudgePipeline(world, log, damaged), testing::IsEmpty());
    world.StopAll();
    log.Update();
    EXPECT_THAT(CheckLog(log, told, {}).violations, testing::IsEmpty());
  }
  static PipelineOptions Faultless(PipelineOptions options) {
    options.lost_answer_one_in = 0;
    return options;
  }

  WriteRequest RequestOf(std::vector<WriteCommand> commands, WriteKind kind = WriteKind::kSingle) {
    WriteRequest request;
    request.request_id = EventId(world.environment().NewUuid());
    request.kind = kind;
    request.db = "sim";
    request.commands = std::move(commands);
    request.actor = "client";
    return request;
  }
  // A request that is under way.
  struct Asked {
    WriteRequest request;
    std::shared_ptr<WriteAnswer> answer = std::make_shared<WriteAnswer>();
    std::unique_ptr<Task> task;
  };
  Asked Ask(WriteRequest request, PipelineNode* to = nullptr, Duration timeout = seconds(5)) {
    Asked asked;
    asked.request = std::move(request);
    asked.task = world.environment().Spawn(
        "client", [this, request = asked.request, answer = asked.answer, to, timeout] {
          PipelineNode* node = to;
          while (node == nullptr && (node = world.AnyLive(kOms)) == nullptr) {
            world.environment().SleepFor(milliseconds(50));
          }
          *answer = node->Call(world.environment(), request, timeout);
        });
    return asked;
  }
  WriteAnswer AnswerOf(const Asked& asked) {
    asked.task->Join();
    const WriteAnswer& answer = *asked.answer;
    for (std::size_t i = 0; i < answer.items.size() && answer.code == WriteCode::kAccepted; ++i) {
      const ItemAnswer& item = answer.items[i];
      if (item.code != WriteCode::kAccepted) continue;
      told.push_back(
          {item.command_id, item.aggregate, item.number, asked.request.commands[i].expected_seq});
    }
    return answer;
  }
  WriteAnswer Deliver(WriteRequest request) { return AnswerOf(Ask(std::move(request))); }
  WriteAnswer Write(WriteCommand command) { return Deliver(RequestOf({std::move(command)})); }
  // The database and its class, decided.
  void Begin() {
    ASSERT_EQ(Write(Database(Operation::kCreate)).code, WriteCode::kAccepted);
    ASSERT_EQ(Write(Class(Operation::kCreate, "Thing", kThing)).code, WriteCode::kAccepted);
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
  void RunUntil(const std::function<bool()>& done, Duration patience = seconds(30)) {
    RunResult ran = world.sim().RunUntil(done, world.sim().Now() + patience);
    ASSERT_EQ(ran.end, RunEnd::kPredicate) << ran.report;
  }

  // As if command `first` of the instance had failed for good.
  void Park(const std::string& id, std::uint64_t first) {
    ParkedRow row;
    row.key = ParkKeyOf(id);
    row.first = SequenceNumber(first);
    row.reason = "by the test";
    PutParked({.put_claims = {}, .put_parked = {row}, .delete_parked = {}, .put_leases = {}});
  }
  void ForgetThatItIsParked(const std::string& id) {
    PutParked(
        {.put_claims = {}, .put_parked = {}, .delete_parked = {ParkKeyOf(id)}, .put_leases = {}});
  }
  static ParkKey ParkKeyOf(const std::string& id) {
    return {std::string(kInstanceWorker), ThingKey(id)};
  }
  // What an operator does, in a process that can append.
  ReplayReport Replay(PipelineNode& node, const std::string& id) {
    return Operate(node, [&](Instant deadline) {
      return ReplayParked(node.context(), node.append(), world.registry, ParkKeyOf(id), deadline);
    });
  }
  ReplayReport Discard(PipelineNode& node, const std::string& id) {
    return Operate(node, [&](Instant deadline) {
      return DiscardParked(node.context(), node.append(), world.registry, ParkKeyOf(id),
                           "by the test", deadline);
    });
  }

  GraphNode InGraph(const std::string& id) { return world.graph.Snapshot().nodes[ThingKey(id)]; }
  // The instance's row in the registry.
  AggregateRow RowOf(const std::string& id) {
    RegistryRead read;
    read.aggregates = {ThingKey(id)};
    return world.registry.Read(read)->aggregates[ThingKey(id)];
  }
  bool Decided(const std::string& id, std::uint64_t number) {
    return RowOf(id).decided.number >= SequenceNumber(number);
  }

  PipelineWorld world;
  std::vector<ToldCommitted> told;
  std::map<std::string, TopicHistory> damaged;

 private:
  void PutParked(const ClaimWrite& write) {
    ClaimRegistry& claims = world.registry;
    ASSERT_TRUE(claims.Transact({}, [&](const ClaimRows&) { return write; }).ok());
  }
  ReplayReport Operate(PipelineNode& node,
                       const std::function<Result<ReplayReport>(Instant)>& operation) {
    RunUntil([&] { return node.ready(); });
    std::optional<Result<ReplayReport>> report;
    auto task = node.process().Spawn(
        "operator", [&] { report = operation(node.process().Now() + seconds(20)); });
    task->Join();
    EXPECT_TRUE(report->ok()) << report->error().ToString();
    return report->ok() ? report->value() : ReplayReport();
  }
};

}  // namespace saffron
