// Histories that broke earlier drafts of the append protocol, built step by step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/append_history.h"

namespace saffron {
namespace {

class AppendHistories : public testing::Test {
 protected:
  AppendHistories() : world({.seed = 1, .max_outstanding = 8, .rates = {}}) {}

  // From a client, on the writer given. The driver waits.
  AppendAnswer Call(Writer& writer, AppendItem item, Duration timeout = seconds(5)) {
    AppendAnswer answer;
    auto task = world.environment().Spawn("client", [&] {
      AppendRequest request;
      request.items.push_back(std::move(item));
      answer = writer.Call(world.environment(), std::move(request), timeout);
    });
    task->Join();
    return answer;
  }
  // The answer may get lost on its way: with the same id until it is known.
  AppendAnswer CallUntilKnown(Writer& writer, const AppendItem& item) {
    for (int attempt = 0; attempt < 20; ++attempt) {
      AppendAnswer answer = Call(writer, item);
      if (answer.code != AppendCode::kUnknown) return answer;
    }
    return {};
  }
  AppendItem Create(const std::string& aggregate) {
    return MakeCommand(EventId(world.environment().NewUuid()), aggregate, Operation::kCreate,
                       std::nullopt);
  }
  void Settle() {
    world.sim().RunUntil(
        [this] {
          MemoryRegistry::Backup rows = world.registry.Snapshot();
          return rows->reservations.empty() && rows->undecided.empty();
        },
        world.sim().Now() + seconds(30));
  }
  Writer& StartReady(const std::string& name) {
    Writer& writer = world.Start(name);
    world.sim().RunUntil([&] { return writer.ready(); }, world.sim().Now() + seconds(30));
    return writer;
  }
  void ExpectSound() {
    Settle();
    EXPECT_THAT(CheckRegistry(world.store, world.format, world.registry), testing::IsEmpty());
    world.StopAll();
    EXPECT_THAT(CheckLog(world.store, world.format, world.told, world.refused).violations,
                testing::IsEmpty());
  }
  std::uint64_t Tombstones() { return CheckLog(world.store, world.format, {}, {}).tombstones; }

  AppendWorld world;
};

TEST_F(AppendHistories, A4AFallenBackRegistryIsFencedBeforeItHandsOutASlotAgain) {
  Writer& writer = StartReady("w");
  ASSERT_EQ(CallUntilKnown(writer, Create("a0")).items.size(), 1u);
  Settle();
  MemoryRegistry::Backup backup = world.registry.Snapshot();
  const AppendItem lost = Create("a1");
  ASSERT_EQ(CallUntilKnown(writer, lost).items.size(), 1u);
  Settle();
  world.RestartRegistry(backup);
  // The log knows what the registry has forgotten.
  EXPECT_EQ(CallUntilKnown(writer, lost).code, AppendCode::kDuplicate);
  EXPECT_EQ(CallUntilKnown(writer, Create("a1")).code, AppendCode::kConflict);
  ExpectSound();
}

TEST_F(AppendHistories, A7AnOrdinaryStartFencesNobody) {
  StartReady("w0");
  const std::uint64_t before = Tombstones();
  Writer& second = StartReady("w1");
  EXPECT_EQ(CallUntilKnown(second, Create("a0")).items.size(), 1u);
  EXPECT_EQ(Tombstones(), before);
  ExpectSound();
}

// Pipeline simulation, seed 313: each of several writers fenced for itself, and cut off what the
// others had reserved since.
TEST_F(AppendHistories, A18SeveralWritersMeetARestartedRegistryAndOneFenceIsEnough) {
  std::vector<Writer*> writers = {&StartReady("w0"), &StartReady("w1"), &StartReady("w2")};
  const std::uint64_t before = Tombstones();
  world.RestartRegistry(nullptr);
  TaskGroup clients(world.environment());
  for (Writer* writer : writers) {
    clients.Spawn("client", [this, writer] {
      AppendRequest request;
      request.items.push_back(Create("a" + writer->process().name()));
      writer->Call(world.environment(), request, seconds(5));
    });
  }
  clients.JoinAll();
  world.sim().RunFor(seconds(2));
  EXPECT_EQ(Tombstones(), before + world.options.max_outstanding);
  ExpectSound();
}

// What was told to a client keeps its number through a restore, however often.
TEST_F(AppendHistories, A17ASecondFallBackGivesNoNumberTwice) {
  Writer& writer = StartReady("w");
  MemoryRegistry::Backup backup = world.registry.Snapshot();
  std::vector<AppendItem> items;
  for (int i = 0; i < 4; ++i) {
    items.push_back(Create("a" + std::to_string(i)));
    AppendAnswer answer = CallUntilKnown(writer, items.back());
    ASSERT_EQ(answer.items.size(), 1u);
    world.told.push_back({items.back().envelope.event_id, items.back().envelope.aggregate,
                          answer.items[0].number, std::nullopt});
    world.RestartRegistry(backup);
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    AppendAnswer answer = CallUntilKnown(writer, items[i]);
    ASSERT_EQ(answer.code, AppendCode::kDuplicate);
    EXPECT_EQ(answer.items[0].number, world.told[i].number);
  }
  ExpectSound();
}

}  // namespace
}  // namespace saffron
