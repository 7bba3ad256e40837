// Histories that broke earlier drafts of the append protocol, built step by step: reservations,
// tombstones, and what clients are told. docs/histories.md lists them.
#include "tests/sim/append_histories_home.h"

namespace saffron {
namespace {

// A resolver writes the tombstone and dies before it undoes. The next one finds an object there
// that it did not write, and it is not the batch.
TEST_F(AppendHistories, A1_ATombstoneMeansUndoWhoeverWroteIt) {
  Writer& late = StartReady("late");
  const AppendItem command = Create("a");
  PauseBeforePut(late, seconds(12));
  EXPECT_EQ(Call(late, command, kWhileReserved).code, AppendCode::kUnknown);
  Writer& first = StartReady("first");
  first.plan().Script({.call = kPut, .after = [&] { world.Crash(first); }});
  RunUntil([&] { return first.process().crashed(); });
  Writer& second = StartReady("second");
  EXPECT_EQ(Commit(second, command), 1u);
  world.sim().RunFor(seconds(12));  // the late one meets the tombstone
}

TEST_F(AppendHistories, A2_ADuplicateOfAnUnsettledBatchIsNotAnswered) {
  Writer& slow = StartReady("slow");
  Writer& other = StartReady("other");
  const AppendItem command = Create("a");
  PauseBeforePut(slow, seconds(12));
  EXPECT_EQ(Call(slow, command, kWhileReserved).code, AppendCode::kUnknown);
  EXPECT_EQ(Call(other, command, kWhileReserved).code, AppendCode::kTimedOut);
  EXPECT_EQ(Commit(other, command), 1u);  // once the slot is a tombstone
  world.sim().RunFor(seconds(12));
}

TEST_F(AppendHistories, A3_ARivalOfAnUnsettledOutcomeIsNotAnswered) {
  Writer& slow = StartReady("slow");
  Writer& other = StartReady("other");
  const AppendItem command = Create("a");
  ASSERT_EQ(Commit(slow, command), 1u);
  const AppendItem outcome = OutcomeOf(command, 1);
  PauseBeforePut(slow, seconds(12));
  EXPECT_EQ(Call(slow, outcome, kWhileReserved).code, AppendCode::kUnknown);
  EXPECT_EQ(Call(other, outcome, kWhileReserved).code, AppendCode::kTimedOut);
  EXPECT_EQ(Call(other, outcome).code, AppendCode::kCommitted);
  world.sim().RunFor(seconds(12));
}

// It commits and goes idle: nothing comes that its settling could ride on.
TEST_F(AppendHistories, A9_AnIdleWriterSettlesAtOnce) {
  Writer& idle = StartReady("idle");
  Writer& other = StartReady("other");
  ASSERT_EQ(Commit(idle, Create("a")), 1u);
  const Duration began = world.sim().Now();
  EXPECT_EQ(Commit(other, Update("a", 1)), 2u);
  EXPECT_LT(world.sim().Now() - began, kReservation / 4);
}

// RESERVE was applied, its answer lost, and whether it was cannot be found out, nor can the slot be
// closed: the second try meets the rows of the first, though its ids were made for it.
TEST_F(AppendHistories, AnIdIsFreshOnlyOnce) {
  Writer& writer = StartReady("w");
  AppendRequest request{.items = {Create("a")}, .checks = {}, .fresh = true};
  writer.plan().Script({.call = kTransact, .fault = FaultKind::kLostAnswer});
  for (int i = 0; i < 50; ++i) {
    writer.plan().Script({.call = "registry.read", .fault = FaultKind::kFailBefore});
    writer.plan().Script({.call = kPut, .fault = FaultKind::kFailBefore});
  }
  AppendAnswer answer = Call(writer, request, seconds(30));
  if (answer.code == AppendCode::kUnknown) {
    request.fresh = false;
    answer = Call(writer, request, seconds(30));
  }
  EXPECT_EQ(Told(request.items[0], answer), 1u);
}

// Neither a RESERVE that is rolled back nor one that admits nothing leaves a hole in the log.
TEST_F(AppendHistories, A10_ASlotNumberIsTakenWithItsReservationOrNotAtAll) {
  Writer& writer = StartReady("w");
  const std::uint64_t before = Slots();
  writer.plan().Script({.call = kTransact, .fault = FaultKind::kFailBefore});
  EXPECT_EQ(Commit(writer, Create("a")), 1u);
  EXPECT_EQ(Call(writer, Create("a")).code, AppendCode::kConflict);
  EXPECT_EQ(Commit(writer, Create("b")), 1u);
  EXPECT_EQ(Slots(), before + 2);
}

// Of sixteen aggregates some are always pending, each for a while.
class BusyAggregates : public AppendHistories {
 protected:
  BusyAggregates() : AppendHistories({.slow = 1000, .slow_max = milliseconds(20)}) {}
};

TEST_F(BusyAggregates, A11_ATransactionOverBusyAggregatesGetsIn) {
  Writer& busy = StartReady("busy");
  Writer& other = StartReady("other");
  AppendRequest all;
  for (int i = 0; i < 16; ++i) {
    ASSERT_EQ(Commit(busy, Create("a" + std::to_string(i))), 1u);
    all.items.push_back(Command("a" + std::to_string(i), Operation::kUpdate, std::nullopt));
  }
  bool done = false;
  TaskGroup clients(world.environment());
  for (const AppendItem& item : all.items) {
    clients.Spawn("client", [&, name = AggregateName(item)] {
      while (!done) {
        AppendItem one = Command(name, Operation::kUpdate, std::nullopt);
        busy.Call(world.environment(), {.items = {one}, .checks = {}}, seconds(1));
      }
    });
  }
  EXPECT_EQ(Call(other, all, seconds(5)).code, AppendCode::kCommitted);
  done = true;
  clients.JoinAll();
}

// A resolver hangs in its PUT: writers go on, and another resolver settles what it had taken.
TEST_F(AppendHistories, A16_NothingWaitsForAResolverThatHangs) {
  Writer& dying = StartReady("dying");
  dying.plan().Script({.call = kPut, .before = [&] { world.Crash(dying); }});
  const AppendItem command = Create("a");
  EXPECT_EQ(Call(dying, command, kWhileReserved).code, AppendCode::kUnknown);
  Writer& hanging = StartReady("hanging");
  bool hangs = false;
  hanging.plan().Script({.call = kPut, .before = [&] {
                           hangs = true;
                           hanging.process().PauseFor(seconds(60));
                         }});
  RunUntil([&] { return hangs; });
  Writer& other = StartReady("other");
  const Duration began = world.sim().Now();
  EXPECT_EQ(Commit(other, Create("b")), 1u);
  EXPECT_LT(world.sim().Now() - began, kReservation / 4);
  EXPECT_EQ(Commit(other, command), 1u);
  EXPECT_LT(world.sim().Now() - began, seconds(5));
}

// A process is cut off from the store, but not from the registry: its resolver takes what it cannot
// settle, and must leave it to another one.
TEST_F(AppendHistories, A23_NothingWaitsForAResolverThatIsCutOffFromTheStore) {
  Writer& dying = StartReady("dying");
  dying.plan().Script({.call = kPut, .before = [&] { world.Crash(dying); }});
  const AppendItem command = Create("a");
  EXPECT_EQ(Call(dying, command, kWhileReserved).code, AppendCode::kUnknown);
  Writer& cut_off = StartReady("cut off");
  int tried = 0;
  for (int i = 0; i < 200; ++i) {
    cut_off.plan().Script(
        {.call = kPut, .fault = FaultKind::kFailBefore, .before = [&] { ++tried; }});
  }
  RunUntil([&] { return tried > 0; });
  Writer& other = StartReady("other");
  EXPECT_EQ(Commit(other, command), 1u);
  EXPECT_LT(tried, 100) << "it is cut off all the time";
}

// Both are in one batch: the second is refused because of the first, and then the batch is undone.
TEST_F(AppendHistories, A21_ARefusalBecauseOfItsOwnBatchWaitsForTheCommit) {
  Writer& slow = StartReady("slow");
  StartReady("resolving");
  PauseBeforePut(slow, seconds(5));
  const AppendItem items[] = {Create("a"), Create("a")};
  std::optional<AppendAnswer> answers[2];
  for (int i = 0; i < 2; ++i) {
    slow.append().Submit({.items = {items[i]}, .checks = {}}, slow.process().Now() + seconds(8),
                         [&answer = answers[i]](AppendAnswer given) { answer = given; });
  }
  world.sim().RunFor(kWhileReserved);
  EXPECT_FALSE(answers[1]);
  RunUntil([&] { return answers[0] && answers[1]; });
  EXPECT_EQ(answers[0]->code, AppendCode::kUnknown);
  EXPECT_EQ(Told(items[1], *answers[1]), 1u);
  EXPECT_EQ(Call(slow, items[0]).code, AppendCode::kConflict);
}

// W has decided n-1 and n, and pauses; meanwhile an operator's outcome of n-1 is recorded. What W
// makes of n holds a change that never was.
TEST_F(AppendHistories, C2_AnOutcomeIsAdmittedOnlyOnItsBasis) {
  Writer& writer = StartReady("w");
  const AppendItem create = Create("a"), update = Update("a", 1);
  ASSERT_EQ(Commit(writer, create), 1u);
  ASSERT_EQ(Commit(writer, update), 2u);
  const AppendAnswer discarded = Call(writer, OutcomeOf(create, 1));
  ASSERT_EQ(discarded.code, AppendCode::kCommitted);
  AppendRequest both{.items = {OutcomeOf(create, 1), OutcomeOf(update, 2)}, .checks = {}};
  both.items[1].basis_in_request = true;
  EXPECT_EQ(Call(writer, both).code, AppendCode::kOutcomeExists);
  Position elsewhere = discarded.items[0].location.position;
  elsewhere.slot = elsewhere.slot.Next();
  EXPECT_EQ(Call(writer, OutcomeOf(update, 2)).code, AppendCode::kBasisChanged);
  EXPECT_EQ(Call(writer, OutcomeOf(update, 2, elsewhere)).code, AppendCode::kBasisChanged);
  EXPECT_EQ(Call(writer, OutcomeOf(update, 2, discarded.items[0].location.position)).code,
            AppendCode::kCommitted);
}

// No command of the first version has a consequence for another aggregate; this one has.
TEST_F(AppendHistories, C3_AConsequenceIsInTheSlotOfItsOutcomeOrNeitherIs) {
  Writer& writer = StartReady("w");
  Writer& slow = StartReady("slow");
  const AppendItem cause = Create("cause");
  ASSERT_EQ(Commit(writer, cause), 1u);
  AppendRequest decided{.items = {OutcomeOf(cause, 1), Create("target")}, .checks = {}};
  // The target is pending: both wait, also the outcome, which by itself need not.
  PauseBeforePut(slow, seconds(12));
  EXPECT_EQ(Call(slow, Create("target"), kWhileReserved).code, AppendCode::kUnknown);
  EXPECT_EQ(Call(writer, decided, kWhileReserved).code, AppendCode::kTimedOut);
  // Its writer dies when both are in the log: there is nothing left to do but to settle.
  writer.plan().Script({.call = kPut, .skip = 1, .after = [&] { world.Crash(writer); }});
  EXPECT_EQ(Call(writer, decided).code, AppendCode::kUnknown);
  Writer& next = StartReady("next");
  EXPECT_EQ(Call(next, decided).code, AppendCode::kOutcomeExists);
  EXPECT_EQ(Commit(next, Update("target", 1)), 2u);
  world.sim().RunFor(seconds(12));
}

}  // namespace
}  // namespace saffron
