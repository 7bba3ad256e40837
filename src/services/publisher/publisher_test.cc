#include "services/publisher/publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "services/publisher/publisher_test_home.h"

namespace saffron {
namespace {

using testing::HasSubstr;

FaultRates SomeFaults() {
  return {.fail_before = 20, .lost_answer = 20, .late = 10, .repeated = 20, .slow = 10};
}

// How many messages each call to the bus has.
std::function<Status(const std::vector<BusMessage>&)> NoteSizes(std::vector<std::size_t>& sizes) {
  return [&sizes](const std::vector<BusMessage>& messages) {
    sizes.push_back(messages.size());
    return Ok();
  };
}

// Within a partition the first copy of each event comes in the order of the log.
void ExpectFirstCopiesInOrder(PublisherWorld& world) {
  for (std::string_view topic : {kInstanceCommandsTopic, kInstanceEventsTopic}) {
    std::map<std::uint32_t, Position> last;
    std::set<Position> seen;
    for (const BusRecord& record : world.Records(std::string(topic))) {
      Position at = *Position::Parse(PublisherWorld::Header(record, "position"));
      if (!seen.insert(at).second) continue;
      Position& before = last[record.from.partition];
      EXPECT_LT(before, at);
      before = at;
    }
  }
}

TEST(PublisherTest, EveryEventWithKeyBytesAndHeaders) {
  PublisherWorld world(1);
  world.builder.Command(world.Instance(1), Operation::kCreate).Commit();
  SlotPtr slot = world.builder.Outcome(world.Instance(1), R"({"a":1})").Commit();
  PublisherProcess publisher(world, "p1");
  RunUntilPublished(world, publisher);
  auto records = world.Records(std::string(kInstanceEventsTopic));
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].key, world.Instance(1).id);
  EXPECT_EQ(records[0].value, slot->LineOf(slot->events[0]));
  EXPECT_EQ(PublisherWorld::Header(records[0], "position"), "0-2-0");
  EXPECT_EQ(PublisherWorld::Header(records[0], "event_type"), "INSTANCE_CREATED");
  EXPECT_EQ(PublisherWorld::Header(records[0], "sequence_number"), "1");
  EXPECT_EQ(PublisherWorld::Header(records[0], "event_id"),
            slot->events[0].envelope.event_id.ToString());
}

TEST(PublisherTest, NothingIsLostAndOrderIsKeptThroughFaultsAndCrashes) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    PublisherWorld world(seed, SomeFaults());
    world.Append(20);
    for (int crash = 0; crash < 3; ++crash) {
      PublisherProcess publisher(world, "p" + std::to_string(crash), seconds(3));
      world.simulation.RunFor(milliseconds(2000 + world.simulation.random().Below(4000)));
      publisher.Crash();
      world.Append(10);
    }
    PublisherProcess publisher(world, "last", seconds(3));
    RunUntilPublished(world, publisher);
    EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog()) << "seed " << seed;
    ExpectFirstCopiesInOrder(world);
    publisher.Stop();
    world.late.JoinAll();
  }
}

TEST(PublisherTest, AStandbyTakesOverAfterTheLease) {
  PublisherWorld world(3);
  world.Append(5);
  PublisherProcess first(world, "first");
  RunUntilPublished(world, first);
  PublisherProcess second(world, "second");
  world.simulation.RunFor(seconds(60));
  EXPECT_TRUE(first.publisher->leading());  // renewed while idle
  EXPECT_FALSE(second.publisher->leading());
  const Duration crashed = world.simulation.Now();
  first.Crash();
  world.Append(5);
  RunUntilPublished(world, second);
  EXPECT_GT(world.simulation.Now() - crashed, seconds(9));
  EXPECT_LT(world.simulation.Now() - crashed, seconds(20));
  EXPECT_EQ(world.Checkpoint().epoch, 2u);
  EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog());
}

// Found by the simulation: whoever waits for a position waits for the leader's rows.
TEST(PublisherTest, A23_ALeaderThatAloneCannotWriteItsRowsGoes) {
  PublisherWorld world(16);
  StoreTroubles troubles{};
  world.Append(5);
  PublisherProcess cut_off(world, "cut off");
  RunUntilPublished(world, cut_off);
  world.simulation.RunFor(seconds(1));
  PublisherProcess other(world, "other");
  troubles[static_cast<std::size_t>(Store::kRegistry)] = StoreTrouble::kAway;
  cut_off.plan.Suffer(troubles);
  world.Append(5);
  world.simulation.RunFor(seconds(20));  // longer than its lease, and shorter than it stays away
  EXPECT_FALSE(cut_off.publisher->leading());
  EXPECT_TRUE(other.publisher->leading());
  auto row = world.registry.PublishedAt(0, world.builder.last());
  EXPECT_TRUE(row.ok() && row->has_value());
  other.Stop();
  troubles.fill(StoreTrouble::kNone);  // it comes back
  world.Append(5);
  RunUntilPublished(world, cut_off);
  EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog());
}

TEST(PublisherTest, A23_ALeaderThatAloneCannotSendGoes) {
  PublisherWorld world(17);
  WatchedBus bus(world.bus);
  world.Append(5);
  PublisherProcess cut_off(world, "cut off", seconds(15), &bus);
  RunUntilPublished(world, cut_off);
  PublisherProcess other(world, "other");
  bus.before = [](const std::vector<BusMessage>&) { return Unavailable("not allowed"); };
  world.Append(5);
  world.simulation.RunFor(seconds(20));
  EXPECT_TRUE(other.publisher->leading());
  EXPECT_FALSE(cut_off.publisher->leading());
  EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog());
}

// Somebody else leads by then, and everything would be sent twice.
TEST(PublisherTest, A23_ALeaderThatCannotSaveItsCheckpointSendsNothingAfterItsLease) {
  PublisherWorld world(19);
  StoreTroubles troubles{};
  WatchedBus bus(world.bus);
  world.Append(5);
  PublisherProcess cut_off(world, "cut off", seconds(15), &bus);
  RunUntilPublished(world, cut_off);
  world.simulation.RunFor(seconds(2));
  PublisherProcess other(world, "other");
  troubles[static_cast<std::size_t>(Store::kObjects)] = StoreTrouble::kFull;
  cut_off.plan.Suffer(troubles);
  const Duration begun = world.simulation.Now();
  Duration last_sent = begun;
  bus.before = [&](const std::vector<BusMessage>&) {
    last_sent = world.simulation.Now();
    return Ok();
  };
  for (int i = 0; i < 40; ++i) {
    world.Append(1);
    world.simulation.RunFor(seconds(1));
  }
  EXPECT_TRUE(other.publisher->leading());
  EXPECT_FALSE(cut_off.publisher->leading());
  EXPECT_LT(last_sent, begun + seconds(17));
  EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog());
}

// Whoever cannot read the rows cannot begin to send, and would only hold up who can.
TEST(PublisherTest, A23_AStandbyWithoutTheRegistryDoesNotTakeOver) {
  PublisherWorld world(18);
  StoreTroubles troubles{};
  troubles[static_cast<std::size_t>(Store::kRegistry)] = StoreTrouble::kAway;
  world.Append(5);
  PublisherProcess leader(world, "leader");
  RunUntilPublished(world, leader);
  PublisherProcess cut_off(world, "cut off");
  cut_off.plan.Suffer(troubles);
  world.simulation.RunFor(seconds(5));
  leader.Stop();
  world.simulation.RunFor(seconds(5));
  EXPECT_FALSE(cut_off.publisher->leading());
  EXPECT_EQ(world.Checkpoint().owner, "");
}

TEST(PublisherTest, AStoppedPublisherLeavesAtOnce) {
  PublisherWorld world(4);
  world.Append(5);
  PublisherProcess first(world, "first");
  RunUntilPublished(world, first);
  first.Stop();
  EXPECT_EQ(world.Checkpoint().owner, "");
  const Duration stopped = world.simulation.Now();
  world.Append(5);
  PublisherProcess second(world, "second");
  RunUntilPublished(world, second);
  EXPECT_LT(world.simulation.Now() - stopped, seconds(1));
}

TEST(PublisherTest, APausedLeaderThatWakesUpStandsBy) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    PublisherWorld world(seed);
    world.Append(5);
    PublisherProcess first(world, "first");
    RunUntilPublished(world, first);
    PublisherProcess second(world, "second");
    world.simulation.RunFor(seconds(2));
    first.process.PauseFor(Duration::max());
    world.Append(10);
    RunUntilPublished(world, second);
    first.process.Resume();
    world.simulation.RunFor(seconds(10));
    EXPECT_FALSE(first.publisher->leading());
    EXPECT_TRUE(second.publisher->leading());
    world.Append(10);
    RunUntilPublished(world, second);
    EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog());
    EXPECT_EQ(world.Checkpoint().owner, "second");
  }
}

// A store that swaps the checkpoint and loses the answer, so many times.
class LosesSwaps final : public ObjectStore {
 public:
  explicit LosesSwaps(ObjectStore& inner) : inner_(inner) {}
  Result<std::string> PutIfAbsent(std::string_view key, std::string_view bytes) override {
    return inner_.PutIfAbsent(key, bytes);
  }
  Result<std::string> PutIfMatch(std::string_view key, std::string_view bytes,
                                 std::string_view etag) override {
    auto put = inner_.PutIfMatch(key, bytes, etag);
    if (put.ok() && lose > 0) {
      --lose;
      return UnknownOutcome("lost");
    }
    return put;
  }
  Status Put(std::string_view key, std::string_view bytes) override {
    return inner_.Put(key, bytes);
  }
  Result<StoredObject> Get(std::string_view key) override { return inner_.Get(key); }
  Result<std::string> GetRange(std::string_view key, std::uint64_t offset,
                               std::uint64_t length) override {
    return inner_.GetRange(key, offset, length);
  }
  Result<std::vector<std::string>> List(std::string_view prefix, std::string_view after,
                                        std::size_t limit) override {
    return inner_.List(prefix, after, limit);
  }
  Status Delete(std::string_view key) override { return inner_.Delete(key); }
  std::string Describe() const override { return inner_.Describe(); }

  int lose = 0;

 private:
  ObjectStore& inner_;
};

TEST(PublisherTest, C20_ALostAnswerOfTheSwapIsReadBack) {
  Simulation simulation({.seed = 5});
  SimProcess process(simulation, "only");
  MemoryObjectStore memory;
  LosesSwaps store(memory);
  MemoryRegistry registry({.now_ms = [&] { return process.WallNow().unix_ms; }});
  MemoryBus bus(process, {});
  LogBuilder builder(memory);
  Log log = Log::Discard();
  LogContext context{process, store, registry, log, builder.format(), 0, "test"};
  PublisherOptions options;
  options.owner = "only";
  Publisher publisher(context, bus, registry, options, nullptr);
  auto task = process.Spawn("publisher", [&] { publisher.Run(); });
  const AggregateKey key = AggregateKey::Database("db");
  for (int i = 0; i < 4; ++i) {
    builder.Command(key, Operation::kCreate).Commit();
    store.lose = 1;
    RunResult result =
        simulation.RunUntil([&] { return store.lose == 0; }, simulation.Now() + seconds(30));
    ASSERT_EQ(result.end, RunEnd::kPredicate);
    simulation.RunFor(seconds(3));
    EXPECT_TRUE(publisher.leading());
  }
  auto checkpoint = DecodeCheckpoint(memory.Get(kCheckpointKey)->bytes);
  EXPECT_EQ(checkpoint->shards.at(0), builder.last());
  EXPECT_EQ(checkpoint->epoch, 1u);
  process.RequestStop();
  task->Join();
}

TEST(PublisherTest, ACheckpointThatIsDeletedIsWrittenAgainFromMemory) {
  PublisherWorld world(6);
  world.Append(5);
  PublisherProcess publisher(world, "p");
  RunUntilPublished(world, publisher);
  ASSERT_TRUE(world.store.Delete(kCheckpointKey).ok());
  world.simulation.RunFor(seconds(10));
  EXPECT_TRUE(publisher.publisher->leading());
  EXPECT_EQ(world.Checkpoint().shards.at(0), world.builder.last());
}

TEST(PublisherTest, WithoutOrWithAnUnreadableCheckpointTheWholeLogIsSent) {
  for (bool unreadable : {false, true}) {
    PublisherWorld world(7);
    world.Append(12);
    {
      PublisherProcess publisher(world, "first");
      RunUntilPublished(world, publisher);
      publisher.Crash();
    }
    const std::size_t before = world.Records(std::string(kInstanceEventsTopic)).size();
    ASSERT_TRUE(world.store.Delete(kCheckpointKey).ok());
    if (unreadable) {
      ASSERT_TRUE(world.store.Put(kCheckpointKey, "{\"owner\":").ok());
    }
    PublisherProcess publisher(world, "second");
    RunUntilPublished(world, publisher);
    EXPECT_EQ(world.Records(std::string(kInstanceEventsTopic)).size(), 2 * before);
    world.simulation.RunFor(seconds(2));
    EXPECT_EQ(world.Checkpoint().owner, "second");
  }
}

TEST(PublisherTest, ACheckpointRolledBackOnlyRepeats) {
  PublisherWorld world(8);
  world.Append(5);
  {
    PublisherProcess publisher(world, "first");
    RunUntilPublished(world, publisher);
    publisher.Stop();
  }
  const std::string old = world.store.Get(kCheckpointKey)->bytes;
  world.Append(5);
  {
    PublisherProcess publisher(world, "second");
    RunUntilPublished(world, publisher);
    publisher.Stop();
  }
  ASSERT_TRUE(world.store.Put(kCheckpointKey, old).ok());
  world.Append(5);
  PublisherProcess publisher(world, "third");
  RunUntilPublished(world, publisher);
  EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog());
}

TEST(PublisherTest, AnUnreachableCheckpointIsNotTakenForNone) {
  PublisherWorld world(9);
  world.Append(5);
  {
    PublisherProcess publisher(world, "first");
    RunUntilPublished(world, publisher);
    publisher.Stop();
  }
  const std::size_t before = world.PositionsOnBus().size();
  world.rates.fail_before = 1000;
  PublisherProcess publisher(world, "second");
  world.simulation.RunFor(seconds(30));
  EXPECT_FALSE(publisher.publisher->healthy());
  EXPECT_FALSE(publisher.publisher->leading());
  world.rates.fail_before = 0;
  RunUntilPublished(world, publisher);
  EXPECT_TRUE(publisher.publisher->healthy());
  std::size_t records = 0;
  for (auto topic : {kInstanceCommandsTopic, kInstanceEventsTopic}) {
    records += world.Records(std::string(topic)).size();
  }
  EXPECT_EQ(records, before);  // nothing was sent again
}

TEST(PublisherTest, ARefusedEventGoesToTheDeadLettersAndTheRestGoesOn) {
  PublisherWorld world(10);
  const std::string huge = "{\"a\":\"" + std::string(5000, 'x') + "\"}";
  world.builder.Outcome(world.Instance(1), huge).Outcome(world.Instance(2), "{}").Commit();
  MemoryBus small(world.environment, {.max_message_bytes = 4000});
  PublisherProcess publisher(world, "p", seconds(15), &small);
  RunUntilPublished(world, publisher);
  std::vector<BusRecord> letters;
  auto task = world.environment.Spawn("reader", [&] {
    auto consumer = small.Subscribe("r", {std::string(kCommandFailuresTopic)});
    while (letters.empty()) {
      auto batch = (*consumer)->Poll(10, seconds(1));
      letters = batch->records;
    }
  });
  task->Join();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(PublisherWorld::Header(letters[0], "position"), "0-1-0");
  EXPECT_THAT(PublisherWorld::Header(letters[0], "reason"), HasSubstr("4000"));
  EXPECT_EQ(small.Describe(std::string(kInstanceEventsTopic))->end_offsets.size(), 2u);
}

// Its process asks for 3 a call.
TEST(PublisherTest, ABacklogIsSentInLargerCallsThanNews) {
  PublisherWorld world(13);
  world.Append(400);
  WatchedBus bus(world.bus);
  std::vector<std::size_t> sizes;
  bus.before = NoteSizes(sizes);
  PublisherProcess publisher(world, "p", seconds(15), &bus);
  RunUntilPublished(world, publisher);
  const std::size_t largest = *std::max_element(sizes.begin(), sizes.end());
  EXPECT_GE(largest, 24u);
  EXPECT_LE(largest, 48u);
  world.simulation.RunFor(seconds(5));  // nothing waits
  sizes.clear();
  for (int i = 0; i < 20; ++i) {
    world.Append(1);
    RunUntilPublished(world, publisher);
  }
  ASSERT_FALSE(sizes.empty());
  EXPECT_EQ(*std::max_element(sizes.begin(), sizes.end()), 3u);
  EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog());
  ExpectFirstCopiesInOrder(world);
}

TEST(PublisherTest, ABusThatIsTooSlowForLargeCallsIsSparedThemForAWhile) {
  PublisherWorld world(14);
  world.Append(400);
  WatchedBus bus(world.bus);
  int failed = 0;
  bus.before = [&failed](const std::vector<BusMessage>& messages) -> Status {
    if (messages.size() <= 3) return Ok();
    ++failed;
    return UnknownOutcome("not acknowledged in time");
  };
  PublisherProcess publisher(world, "p", seconds(15), &bus);
  const Duration began = world.simulation.Now();
  RunUntilPublished(world, publisher);
  EXPECT_GE(failed, 1);
  EXPECT_LE(failed, 1 + (world.simulation.Now() - began) / seconds(30));
  EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog());
  ExpectFirstCopiesInOrder(world);
}

TEST(PublisherTest, RowsSayWhereASlotEnds) {
  PublisherWorld world(11);
  world.Append(30);
  PublisherProcess publisher(world, "p");
  RunUntilPublished(world, publisher);
  world.simulation.RunFor(seconds(1));  // the last row is written when idle, too
  auto row = world.registry.PublishedAt(0, world.builder.last());
  ASSERT_TRUE(row.ok() && row->has_value());
  EXPECT_EQ((*row)->slot, world.builder.last());
  for (std::string_view topic : {kInstanceCommandsTopic, kInstanceEventsTopic}) {
    TopicState state = *world.bus.Describe(std::string(topic));
    for (std::uint32_t p = 0; p < 2; ++p) {
      EXPECT_EQ((*row)->ends.at({std::string(topic), p}), state.end_offsets[p]);
    }
  }
  EXPECT_EQ((*row)->ends.at(kRepublishMark), world.Checkpoint().republish_id);
}

}  // namespace
}  // namespace saffron
