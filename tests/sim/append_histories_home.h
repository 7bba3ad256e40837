// A few writers over one log, without faults but those that a history scripts, and nobody who
// decides. For the tests that build a history of the append protocol step by step.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/sim/append_world.h"

namespace saffron {

inline constexpr char kPut[] = "store.put_if_absent";          // of a slot or a tombstone
inline constexpr char kTransact[] = "registry.transact";       // RESERVE, FINALIZE, undo
inline constexpr Duration kReservation = seconds(2);           // as the world's writers have it
inline constexpr Duration kWhileReserved = milliseconds(500);  // too short for a resolver

class AppendHistories : public testing::Test {
 protected:
  explicit AppendHistories(const FaultRates& rates = {})
      : world({.max_outstanding = 8, .rates = rates, .deciders = false, .lost_answer_one_in = 0}) {}
  // Every history ends in a sound log and a registry that says the same.
  void TearDown() override {
    RunUntil([this] { return world.registry.Snapshot()->reservations.empty(); }, seconds(60));
    EXPECT_THAT(CheckRegistry(Decoded(), world.registry), testing::IsEmpty());
    world.StopAll();
    EXPECT_THAT(CheckLog(Decoded(), world.told, {}).violations, testing::IsEmpty());
  }

  Writer& StartReady(const std::string& name) {
    Writer& writer = world.Start(name);
    RunUntil([&] { return writer.ready(); });
    return writer;
  }
  void RunUntil(const std::function<bool()>& done, Duration patience = seconds(30)) {
    RunResult ran = world.sim().RunUntil(done, world.sim().Now() + patience);
    ASSERT_EQ(ran.end, RunEnd::kPredicate) << ran.report;
  }

  // A request that is under way. No answer in time: kUnknown.
  struct Asked {
    std::shared_ptr<AppendAnswer> answer = std::make_shared<AppendAnswer>();
    std::unique_ptr<Task> task;
  };
  Asked Ask(Writer& writer, AppendRequest request, Duration timeout = seconds(8)) {
    Asked asked;
    asked.task = world.environment().Spawn(
        "client", [this, &writer, request = std::move(request), timeout, answer = asked.answer] {
          *answer = writer.Call(world.environment(), request, timeout);
        });
    return asked;
  }
  Asked Ask(Writer& writer, const AppendItem& item, Duration timeout = seconds(8)) {
    return Ask(writer, AppendRequest{.items = {item}, .checks = {}}, timeout);
  }
  AppendAnswer AnswerOf(const Asked& asked) {
    asked.task->Join();
    return *asked.answer;
  }
  template <class Request>
  AppendAnswer Call(Writer& writer, const Request& request, Duration timeout = seconds(8)) {
    return AnswerOf(Ask(writer, request, timeout));
  }
  // The number it was committed with, and told to the client; 0: it was not.
  std::uint64_t Commit(Writer& writer, const AppendItem& item) {
    return Told(item, Call(writer, item));
  }
  std::uint64_t Told(const AppendItem& item, const AppendAnswer& answer) {
    if (answer.code != AppendCode::kCommitted) return 0;
    world.told.push_back({item.envelope.event_id, item.envelope.aggregate, answer.items[0].number,
                          item.expected_seq});
    return answer.items[0].number.value;
  }

  AppendItem Create(const std::string& aggregate) {
    return Command(aggregate, Operation::kCreate, std::nullopt);
  }
  AppendItem Update(const std::string& aggregate, std::uint64_t expected) {
    return Command(aggregate, Operation::kUpdate, SequenceNumber(expected));
  }
  AppendItem Command(const std::string& aggregate, Operation operation,
                     std::optional<SequenceNumber> expected) {
    return MakeCommand(EventId(world.environment().NewUuid()), aggregate, operation, expected);
  }
  static std::string AggregateName(const AppendItem& item) {
    return std::string(SplitAggregateId(item.envelope.aggregate)->instance);
  }
  // It succeeds, on this basis.
  AppendItem OutcomeOf(const AppendItem& command, std::uint64_t number,
                       std::optional<Position> basis = std::nullopt) {
    CommandRow row;
    row.id = command.envelope.event_id;
    row.aggregate = command.envelope.aggregate;
    row.number = SequenceNumber(number);
    row.type = command.envelope.type;
    Outcome outcome;
    outcome.lifecycle = Lifecycle::kPresent;
    outcome.incarnation = SequenceNumber(1);
    outcome.document = "{\"n\":" + std::to_string(number) + "}";
    outcome.basis = basis;
    return OutcomeItem(row, outcome);
  }

  // The writer stops for so long just before its next PUT.
  void PauseBeforePut(Writer& writer, Duration pause) {
    writer.plan().Script(
        {.call = kPut, .before = [&writer, pause] { writer.process().PauseFor(pause); }});
  }
  DecodedLog Decoded() { return DecodedLog(world.store, DecoderOf(world.format)); }
  std::uint64_t Slots() { return CheckLog(Decoded(), {}, {}).slots; }
  std::uint64_t Tombstones() { return CheckLog(Decoded(), {}, {}).tombstones; }
  bool Fenced() {
    return world.registry.Snapshot()->control.fenced_incarnation ==
           world.registry.Read(RegistryRead{})->live_incarnation;
  }

  AppendWorld world;
};

}  // namespace saffron
