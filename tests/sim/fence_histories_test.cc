// Histories that broke earlier drafts of the append protocol, built step by step: a registry that
// is not of the log's state, and its recovery. docs/histories.md lists them.
#include "tests/sim/append_histories_home.h"

namespace saffron {
namespace {

using FenceHistories = AppendHistories;

// Slot n is in flight and n+1 committed when the registry falls back to before both. Whoever takes
// n now would find it free.
TEST_F(FenceHistories, A4_NoSlotIsHandedOutAgainOnStalePreconditions) {
  Writer& idle = StartReady("idle");  // was never handed a slot
  Writer& dying = StartReady("dying");
  Writer& busy = StartReady("busy");
  const MemoryRegistry::Backup backup = world.registry.Snapshot();
  dying.plan().Script({.call = kPut, .before = [&] { world.Crash(dying); }});
  EXPECT_EQ(Call(dying, Create("b"), kWhileReserved).code, AppendCode::kUnknown);
  const AppendItem told = Create("a");
  ASSERT_EQ(Commit(busy, told), 1u);
  world.Crash(busy);
  world.RestartRegistry(backup);
  EXPECT_EQ(Call(idle, Create("a")).code, AppendCode::kConflict);
  EXPECT_EQ(Call(idle, told).code, AppendCode::kDuplicate);
}

// Three slots are in flight when the registry falls back to before them. A fence that ended at its
// first tombstone would hand the second one out again, and the third could still land with a number
// that somebody has been given meanwhile.
TEST_F(FenceHistories, A4_AFenceReachesBeyondWhatTheLostStateHadHandedOut) {
  Writer& writer = StartReady("w");
  std::vector<Writer*> late;
  for (const char* name : {"b", "c", "a"}) late.push_back(&StartReady(std::string("late-") + name));
  const MemoryRegistry::Backup backup = world.registry.Snapshot();
  for (Writer* one : late) {
    // The last one lands first: the others notice that their slot is taken, and fence.
    PauseBeforePut(*one, one == late.back() ? seconds(5) : seconds(10));
    const std::string aggregate = one->process().name().substr(5, 1);
    EXPECT_EQ(Call(*one, Create(aggregate), milliseconds(200)).code, AppendCode::kUnknown);
  }
  world.RestartRegistry(backup);
  ASSERT_EQ(Commit(writer, Create("a")), 1u);
  world.sim().RunFor(seconds(15));
}

// The engine lost its last transactions and does not show it: the incarnation is the same.
TEST_F(FenceHistories, A5_AStartFindsTheSlotsThatTheRegistryHasLost) {
  Writer& writer = StartReady("w");
  const MemoryRegistry::Backup backup = world.registry.Snapshot();
  ASSERT_EQ(Commit(writer, Create("a")), 1u);
  world.Crash(writer);
  world.registry.Restore(backup);
  Writer& next = StartReady("next");
  EXPECT_EQ(Call(next, Create("a")).code, AppendCode::kConflict);
}

TEST_F(FenceHistories, A5_AWriterThatIsHandedASlotTwiceFences) {
  Writer& writer = StartReady("w");
  const MemoryRegistry::Backup backup = world.registry.Snapshot();
  writer.plan().Script({.call = kPut, .before = [&] { writer.process().SleepFor(seconds(1)); }});
  Asked in_flight = Ask(writer, Create("b"));
  world.sim().RunFor(milliseconds(10));
  ASSERT_EQ(Commit(writer, Create("a")), 1u);  // by the other lane, one slot above
  world.registry.Restore(backup);
  EXPECT_EQ(Call(writer, Create("a")).code, AppendCode::kConflict);
  EXPECT_EQ(AnswerOf(in_flight).code, AppendCode::kUnknown);
}

// The same by one that was never handed a slot: it knows from its start how far the registry was.
// Else one lane reserves the slot that is taken, and until it meets what lies there another admits
// on rows that are stale.
TEST_F(FenceHistories, A5_AProcessThatHasOnlyStartedKnowsHowFarItWas) {
  Writer& writer = StartReady("w");
  const MemoryRegistry::Backup backup = world.registry.Snapshot();
  ASSERT_EQ(Commit(writer, Create("a")), 1u);
  RunUntil([this] { return world.registry.Snapshot()->reservations.empty(); });
  Writer& idle = StartReady("idle");
  world.registry.Restore(backup);
  idle.plan().Script({.call = kPut, .before = [&] { idle.process().SleepFor(seconds(1)); }});
  Asked in_flight = Ask(idle, Create("b"));
  world.sim().RunFor(milliseconds(10));
  EXPECT_EQ(Call(idle, Create("a")).code, AppendCode::kConflict);
  AnswerOf(in_flight);
}

// The registry that comes back still reserves slot n, which is a tombstone by now, and n+1 holds
// the aggregate's number. Undoing n after n+1 was applied would take that number back.
TEST_F(FenceHistories, A6_AFenceSettlesWhatIsReservedFirstAndInOrder) {
  Writer& late = StartReady("late");
  const AppendItem command = Create("a");
  PauseBeforePut(late, seconds(20));
  EXPECT_EQ(Call(late, command, kWhileReserved).code, AppendCode::kUnknown);
  const MemoryRegistry::Backup backup = world.registry.Snapshot();
  Writer& writer = StartReady("w");
  ASSERT_EQ(Commit(writer, command), 1u);
  world.RestartRegistry(backup);
  const AppendItem update = Update("a", 1);
  Asked asked = Ask(writer, update);
  RunUntil([this] { return Fenced(); });
  EXPECT_TRUE(world.registry.Snapshot()->reservations.empty());
  EXPECT_EQ(Told(update, AnswerOf(asked)), 2u);
  world.sim().RunFor(seconds(20));
}

// A second process starts while a slot of the first is in flight.
TEST_F(FenceHistories, A7_AnOrdinaryStartFencesNobody) {
  Writer& first = StartReady("first");
  const std::uint64_t before = Tombstones();
  first.plan().Script({.call = kPut, .before = [&] { first.process().SleepFor(seconds(1)); }});
  const AppendItem command = Create("a");
  Asked asked = Ask(first, command);
  world.sim().RunFor(milliseconds(10));
  Writer& second = StartReady("second");
  EXPECT_EQ(Commit(second, Create("b")), 1u);
  EXPECT_EQ(Told(command, AnswerOf(asked)), 1u);
  EXPECT_EQ(Tombstones(), before);
}

// What others commit while a start looks at registry and log is not what the registry has lost.
TEST_F(FenceHistories, A7_AStartUnderSteadyWritesFencesNobody) {
  Writer& first = StartReady("first");
  ASSERT_EQ(Commit(first, Create("a")), 1u);
  const std::uint64_t before = Tombstones();
  Writer& second = world.Start("second");
  int written = 0;
  const auto write = [&] {
    const AppendItem command = Create("b" + std::to_string(written));
    AppendRequest request{.items = {command}, .checks = {}};
    AppendAnswer answer = first.Call(second.process(), std::move(request), seconds(5));
    written += Told(command, answer) == 1;
  };
  for (int i = 0; i < 2; ++i) second.plan().Script({.call = "store.list", .before = write});
  RunUntil([&] { return second.ready(); });
  EXPECT_GE(written, 1);
  EXPECT_EQ(Commit(second, Create("c")), 1u);
  EXPECT_EQ(Tombstones(), before);
}

// Several processes of a new deployment, or after the registry's engine was restarted.
TEST_F(FenceHistories, A7_OfProcessesThatStartTogetherOneFences) {
  Writer& writer = StartReady("w");
  ASSERT_EQ(Commit(writer, Create("a")), 1u);
  world.Crash(writer);
  const std::uint64_t before = Tombstones();
  world.RestartRegistry(world.registry.Snapshot());
  std::vector<Writer*> writers;
  for (int i = 0; i < 4; ++i) writers.push_back(&world.Start("w" + std::to_string(i)));
  // It has seen what the others see, and has the lock when the first one is done.
  Writer& slow = *writers.back();
  slow.plan().Script({.call = "registry.lock_fence", .before = [&] {
                        while (!Fenced()) slow.process().SleepFor(milliseconds(10));
                      }});
  for (Writer* started : writers) RunUntil([started] { return started->ready(); });
  EXPECT_EQ(Tombstones(), before + world.options.max_outstanding);
  for (Writer* one : writers) EXPECT_EQ(Commit(*one, Create(one->process().name())), 1u);
}

TEST_F(FenceHistories, A8_ARegistryOfAnotherLogOrAheadOfItsOwnRefusesToStart) {
  Writer& writer = StartReady("w");
  ASSERT_EQ(Commit(writer, Create("a")), 1u);
  world.sim().RunFor(seconds(1));
  world.Crash(writer);
  MemoryObjectStore bucket;
  Status other_log = Ok(), lost_log = Ok();
  auto task = world.environment().Spawn("start", [&] {
    Result<EventLogFormat> made = OpenFormat(bucket, world.environment(), EventLogFormat(), false);
    SAFFRON_ASSERT(made.ok());
    Log log = Log::Discard();
    LogContext staging(world.environment(), bucket, world.registry, log, *made, 0u, "staging",
                       false);
    other_log = OpenRegistry(staging);
    staging.format = world.format;
    lost_log = OpenRegistry(staging);
  });
  task->Join();
  EXPECT_THAT(other_log.error().message(), testing::HasSubstr("belongs to log"));
  ASSERT_TRUE(lost_log.Is(Code::kInvalid));
  EXPECT_THAT(lost_log.error().message(), testing::HasSubstr("ahead of the log"));
  EXPECT_THAT(lost_log.error().message(), testing::HasSubstr("saffron rebuild registry"));
}

// A lane wakes up after its batch was settled by a resolver and the aggregate went on.
TEST_F(FenceHistories, A17_ALateSettlingLowersNoNumber) {
  Writer& late = StartReady("late");
  late.plan().Script({.call = kPut, .after = [&] { late.process().PauseFor(seconds(10)); }});
  const AppendItem create = Create("a");
  EXPECT_EQ(Call(late, create, kWhileReserved).code, AppendCode::kUnknown);
  Writer& writer = StartReady("w");
  EXPECT_EQ(Call(writer, create).code, AppendCode::kDuplicate);
  ASSERT_EQ(Commit(writer, Update("a", 1)), 2u);
  world.sim().RunFor(seconds(10));
  EXPECT_EQ(Commit(writer, Update("a", 2)), 3u);
}

// What was told to a client keeps its number through a restore, however often.
TEST_F(FenceHistories, A17_ASecondFallBackGivesNoNumberTwice) {
  Writer& writer = StartReady("w");
  const MemoryRegistry::Backup backup = world.registry.Snapshot();
  std::vector<AppendItem> items;
  for (int i = 0; i < 4; ++i) {
    items.push_back(Create("a" + std::to_string(i)));
    ASSERT_EQ(Commit(writer, items.back()), 1u);
    world.RestartRegistry(backup);
  }
  for (const AppendItem& item : items) {
    const AppendAnswer answer = Call(writer, item);
    ASSERT_EQ(answer.code, AppendCode::kDuplicate);
    EXPECT_EQ(answer.items[0].number, SequenceNumber(1));
  }
}

// A fence's tombstone names no batch. The lane whose slot it lies in has nothing to recover.
TEST_F(FenceHistories, A18_ALateLaneThatMeetsAFencesTombstoneFencesNobody) {
  Writer& late = StartReady("late");
  Writer& writer = StartReady("w");
  const std::uint64_t before = Tombstones();
  PauseBeforePut(late, seconds(5));
  EXPECT_EQ(Call(late, Create("a"), kWhileReserved).code, AppendCode::kUnknown);
  world.RestartRegistry(nullptr);
  EXPECT_EQ(Commit(writer, Create("b")), 1u);
  const std::uint64_t fenced = Tombstones();
  EXPECT_EQ(fenced, before + world.options.max_outstanding);
  world.sim().RunFor(seconds(8));
  EXPECT_EQ(Commit(late, Create("c")), 1u);
  EXPECT_EQ(Tombstones(), fenced);
}

// Pipeline simulation, seed 313: each of several writers fenced for itself, and cut off what the
// others had reserved since.
TEST_F(FenceHistories, A18_SeveralWritersMeetARestartedRegistryAndOneFenceIsEnough) {
  std::vector<Writer*> writers = {&StartReady("w0"), &StartReady("w1"), &StartReady("w2")};
  const std::uint64_t before = Tombstones();
  world.RestartRegistry(nullptr);
  std::vector<Asked> asked;
  for (Writer* writer : writers) asked.push_back(Ask(*writer, Create(writer->process().name())));
  for (const Asked& one : asked) EXPECT_EQ(AnswerOf(one).code, AppendCode::kCommitted);
  world.sim().RunFor(seconds(2));
  EXPECT_EQ(Tombstones(), before + world.options.max_outstanding);
}

// The registry falls back a second time when the fence has applied the log and has only to say so.
TEST_F(FenceHistories, A19_AFenceThatWasOvertakenDoesNotSayThatItIsDone) {
  Writer& writer = StartReady("w");
  const MemoryRegistry::Backup backup = world.registry.Snapshot();
  ASSERT_EQ(Commit(writer, Create("a")), 1u);
  world.sim().RunFor(seconds(1));
  world.RestartRegistry(backup);
  const AppendItem again = Create("a");
  // When the last tombstone is written, the fence applies the log in one transaction and says in
  // another that it is done.
  const FaultStep applied{.call = kTransact, .after = [&] { world.RestartRegistry(backup); }};
  writer.plan().Script({.call = kPut,
                        .skip = static_cast<int>(world.options.max_outstanding) - 1,
                        .after = [&] { writer.plan().Script(applied); }});
  EXPECT_EQ(Call(writer, again).code, AppendCode::kConflict);
}

// A slot is committed and not settled, the one above it is settled; then the engine restarts.
TEST_F(FenceHistories, A20_AFenceBeginsAtTheLowestUnsettledSlot) {
  Writer& dying = StartReady("dying");
  Writer& writer = StartReady("w");
  dying.plan().Script({.call = kPut, .after = [&] { world.Crash(dying); }});
  const AppendItem create = Create("a");
  EXPECT_EQ(Call(dying, create, kWhileReserved).code, AppendCode::kUnknown);
  ASSERT_EQ(Commit(writer, Create("b")), 1u);
  world.RestartRegistry(nullptr);
  const AppendItem update = Update("a", 1);
  Asked asked = Ask(writer, update);
  RunUntil([this] { return Fenced(); });
  EXPECT_TRUE(world.registry.Snapshot()->reservations.empty());
  EXPECT_EQ(Told(update, AnswerOf(asked)), 2u);
}

// Emptied, or from an older state, with a new incarnation or without: nobody writes, and the
// resolver's next pass notices.
TEST_F(FenceHistories, A22_ARegistryThatIsLostWhileNobodyWritesIsFenced) {
  const auto nothing = std::make_shared<const MemoryRegistry::Rows>();
  Writer& writer = StartReady("w");
  StartReady("idle");
  const auto lose = [&](const char* aggregate, const std::function<void()>& how) {
    ASSERT_EQ(Commit(writer, Create(aggregate)), 1u);
    RunUntil([this] { return world.registry.Snapshot()->reservations.empty(); });
    const MemoryRegistry::Backup whole = world.registry.Snapshot();
    how();
    RunUntil([&] {
      return Fenced() && world.registry.Snapshot()->control.next_slot > whole->control.next_slot;
    });
    EXPECT_EQ(world.registry.Snapshot()->commands, whole->commands) << aggregate;
  };
  lose("a", [&] { world.RestartRegistry(nothing); });
  MemoryRegistry::Backup backup = world.registry.Snapshot();
  lose("b", [&] { world.RestartRegistry(backup); });
  backup = world.registry.Snapshot();
  lose("c", [&] { world.registry.Restore(backup); });
}

}  // namespace
}  // namespace saffron
