// The bus loses what it had acknowledged.
#include <gtest/gtest.h>

#include <functional>

#include "services/publisher/publisher_test_home.h"

namespace saffron {
namespace {

const std::string kEvents(kInstanceEventsTopic);

void RunUntilSaved(PublisherWorld& world, PublisherProcess& publisher) {
  RunResult result = world.simulation.RunUntil(
      [&] {
        if (!publisher.publisher->leading()) return false;
        PublisherCheckpoint checkpoint = world.Checkpoint();
        return checkpoint.owner == publisher.process.name() && !checkpoint.republish &&
               checkpoint.shards[0] == world.builder.last();
      },
      world.simulation.Now() + seconds(900));
  ASSERT_EQ(result.end, RunEnd::kPredicate) << result.report;
}

TEST(PublisherRepublishTest, C16_ALostTailIsSentAgainWithinAMinute) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    PublisherWorld world(seed);
    world.Append(40);
    PublisherProcess publisher(world, "p");
    RunUntilSaved(world, publisher);
    const std::uint64_t mark = world.Checkpoint().republish_id;
    auto ends = world.bus.Describe(kEvents)->end_offsets;
    for (std::uint32_t p = 0; p < 2; ++p) world.bus.Truncate(kEvents, p, ends[p] / 2);
    world.simulation.RunFor(seconds(70));
    RunUntilSaved(world, publisher);
    EXPECT_NE(world.Checkpoint().republish_id, mark);
    EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog()) << "seed " << seed;
  }
}

TEST(PublisherRepublishTest, C16_ALostTailIsFoundByTheSuccessorToo) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    PublisherWorld world(seed);
    world.Append(30);
    {
      PublisherProcess publisher(world, "first");
      RunUntilSaved(world, publisher);
      world.Append(10);
      world.simulation.RunFor(milliseconds(seed % 2 == 0 ? 200 : 2500));
      publisher.Crash();
    }
    auto ends = world.bus.Describe(kEvents)->end_offsets;
    for (std::uint32_t p = 0; p < 2; ++p) world.bus.Truncate(kEvents, p, ends[p] - ends[p] / 3);
    PublisherProcess publisher(world, "second");
    RunUntilSaved(world, publisher);
    EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog()) << "seed " << seed;
  }
}

TEST(PublisherRepublishTest, AnOffsetGivenTwiceShowsALossThatEndsCannotShow) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    PublisherWorld world(seed);
    world.Append(30);
    PublisherProcess publisher(world, "p");
    RunUntilSaved(world, publisher);
    const std::uint64_t mark = world.Checkpoint().republish_id;
    auto ends = world.bus.Describe(kEvents)->end_offsets;
    for (std::uint32_t p = 0; p < 2; ++p) world.bus.Truncate(kEvents, p, ends[p] - ends[p] / 4);
    world.Append(60);  // so that the ends are higher than ever when they are looked at
    world.simulation.RunFor(seconds(5));
    RunUntilSaved(world, publisher);
    EXPECT_NE(world.Checkpoint().republish_id, mark);
    EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog()) << "seed " << seed;
  }
}

// The leader dies before it could say what it saw: the bus is as long as it was.
TEST(PublisherRepublishTest, C16_AGapThatWasFilledIsFoundByTheSuccessor) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    PublisherWorld world(seed);
    world.Append(40);
    PublisherProcess first(world, "first");
    RunUntilSaved(world, first);
    const std::uint64_t mark = world.Checkpoint().republish_id;
    const std::uint32_t partition = seed % 2;
    const std::uint64_t end = world.bus.Describe(kEvents)->end_offsets[partition];
    world.bus.Truncate(kEvents, partition, end - 1);
    world.Append(40);
    RunResult filled = world.simulation.RunUntil(
        [&] { return world.bus.Describe(kEvents)->end_offsets[partition] >= end; },
        world.simulation.Now() + seconds(20));
    ASSERT_EQ(filled.end, RunEnd::kPredicate) << filled.report;
    first.Crash();
    ASSERT_EQ(world.Checkpoint().republish_id, mark) << "the leader has told of it";
    PublisherProcess second(world, "second");
    RunUntilSaved(world, second);
    EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog()) << "seed " << seed;
  }
}

// A call whose answer is lost fills the gap: sent again, it brings no offset twice.
TEST(PublisherRepublishTest, C16_AGapThatWasFilledByACallOfUnknownOutcomeIsFound) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    PublisherWorld world(seed);
    WatchedBus bus(world.bus);
    world.Append(40);
    PublisherProcess publisher(world, "p", seconds(15), &bus);
    RunUntilSaved(world, publisher);
    const std::uint64_t mark = world.Checkpoint().republish_id;
    const std::uint32_t partition = seed % 2;
    const std::uint64_t end = world.bus.Describe(kEvents)->end_offsets[partition];
    world.bus.Truncate(kEvents, partition, end - 1);
    bool lost = false;
    bus.before = [&](const std::vector<BusMessage>& messages) -> Status {
      const bool fills = std::any_of(messages.begin(), messages.end(), [&](const auto& message) {
        return message.topic == kEvents && PartitionOf(message.key, 2) == partition;
      });
      if (!fills || std::exchange(lost, true)) return Ok();
      (void)world.bus.Produce(messages, seconds(1));
      return UnknownOutcome("its answer is lost");
    };
    world.Append(40);
    world.simulation.RunFor(seconds(20));
    RunUntilSaved(world, publisher);
    EXPECT_NE(world.Checkpoint().republish_id, mark);
    EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog()) << "seed " << seed;
  }
}

// A predecessor was paused in a call, and wakes up when the bus has lost its tail: what it sends
// has been sent since, and lies where something else was.
TEST(PublisherRepublishTest, C16_AGapThatAPredecessorFilledIsFound) {
  for (std::uint64_t seed = 1; seed <= 16; ++seed) {
    PublisherWorld world(seed);
    world.Append(10);
    PublisherProcess publisher(world, "p");
    RunUntilSaved(world, publisher);
    for (int i = 0; i < 10; ++i) {  // a row each
      world.Append(2);
      world.simulation.RunFor(milliseconds(100));
    }
    RunUntilSaved(world, publisher);
    world.simulation.RunFor(seconds(70));  // the bus was looked at
    const std::uint32_t partition = seed % 2;
    std::vector<BusMessage> late;
    for (const BusRecord& record : world.Records(kEvents)) {
      if (record.from.partition != partition || record.offset > 1) continue;
      late.push_back({kEvents, record.key, record.value, record.headers});
    }
    const std::uint64_t end = world.bus.Describe(kEvents)->end_offsets[partition];
    // Shorter than it was, longer (then the next call lands behind it), or as long.
    constexpr std::uint64_t kLost[] = {4, 1, 2};
    const std::uint64_t lost = kLost[seed % 3];
    ASSERT_EQ(late.size(), 2u);
    ASSERT_GT(end, lost + 2);
    world.bus.Truncate(kEvents, partition, end - lost);
    world.environment.Spawn("predecessor", [&] { (void)world.bus.Produce(late, seconds(1)); })
        ->Join();
    world.Append(20);
    world.simulation.RunFor(seconds(70));
    RunUntilSaved(world, publisher);
    EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog()) << "seed " << seed;
  }
}

TEST(PublisherRepublishTest, WithoutALossNothingIsTakenForOne) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    PublisherWorld world(seed, {.fail_before = 30, .lost_answer = 60, .slow = 60});
    world.Append(10);
    std::unique_ptr<PublisherProcess> publisher;
    for (int i = 0; i < 6; ++i) {
      publisher = std::make_unique<PublisherProcess>(world, "p" + std::to_string(i));
      RunUntilPublished(world, *publisher);
      world.Append(20);
      world.simulation.RunFor(milliseconds(300));
      i % 2 == 0 ? publisher->Crash() : publisher->Stop();
      world.bus.DropBelow(kEvents, i % 2, world.bus.Describe(kEvents)->end_offsets[i % 2]);
    }
    publisher = std::make_unique<PublisherProcess>(world, "last");
    RunUntilSaved(world, *publisher);
    world.simulation.RunFor(seconds(130));
    EXPECT_EQ(world.Checkpoint().republish_id, 0u) << "seed " << seed;
  }
}

TEST(PublisherRepublishTest, C18_ATopicMadeAgainIsFilledByASuccessorToo) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    PublisherWorld world(seed, {.slow = 300, .slow_max = seconds(1)});
    world.Append(150);
    PublisherProcess first(world, "first");
    RunUntilSaved(world, first);
    world.bus.DeleteTopic(kEvents);
    RunResult begun = world.simulation.RunUntil(
        [&] {
          auto republish = world.Checkpoint().republish;
          return republish && SlotNumber(1) < republish->next;
        },
        world.simulation.Now() + seconds(120));
    ASSERT_EQ(begun.end, RunEnd::kPredicate) << "the republish was over too soon to be cut";
    first.Crash();
    PublisherProcess second(world, "second");
    RunUntilSaved(world, second);
    EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog()) << "seed " << seed;
  }
}

TEST(PublisherRepublishTest, TheRepublishIsInTheCheckpointBeforeItsFirstEvent) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    PublisherWorld world(seed);
    WatchedBus bus(world.bus);
    world.Append(40);
    PublisherProcess publisher(world, "p", seconds(15), &bus);
    RunUntilSaved(world, publisher);  // the checkpoint was written just now
    const SlotNumber published = world.builder.last();
    int sent_again = 0;
    bus.before = [&](const std::vector<BusMessage>& messages) -> Status {
      for (const BusMessage& message : messages) {
        for (const auto& [name, value] : message.headers) {
          if (name != "position" || published < Position::Parse(value)->slot) continue;
          EXPECT_TRUE(world.Checkpoint().republish.has_value());
          ++sent_again;
        }
      }
      return Ok();
    };
    world.bus.DeleteTopic(kEvents);
    world.Append(5);
    world.simulation.RunFor(seconds(3));
    EXPECT_GT(sent_again, 0);
    EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog());
  }
}

TEST(PublisherRepublishTest, ATopicMadeAgainIsKnownByItsIdWhateverItHolds) {
  PublisherWorld world(1);
  world.Append(20);
  {
    PublisherProcess publisher(world, "first");
    RunUntilSaved(world, publisher);
    publisher.Stop();
  }
  const auto ends = world.bus.Describe(kEvents)->end_offsets;
  world.bus.DeleteTopic(kEvents);
  auto task = world.environment.Spawn("stranger", [&] {
    for (std::uint64_t i = 0; i < 8 * (ends[0] + ends[1]); ++i) {
      SAFFRON_ASSERT(
          world.bus.Produce({{kEvents, std::to_string(i), "strange", {}}}, seconds(1)).ok());
    }
  });
  task->Join();
  for (std::uint32_t p = 0; p < 2; ++p) {
    ASSERT_GT(world.bus.Describe(kEvents)->end_offsets[p], ends[p]);
    world.bus.DropBelow(kEvents, p, ends[p]);  // what lies where ours were does not tell either
  }
  PublisherProcess publisher(world, "second");
  RunUntilSaved(world, publisher);
  std::set<std::string> on_bus = world.PositionsOnBus();
  on_bus.erase("");
  EXPECT_EQ(on_bus, world.PositionsInLog());
}

// The predecessor had sent more than its last checkpoint says, and the bus has lost just that: only
// its row knows. The ends of the checkpoint are all there.
TEST(PublisherRepublishTest, ARowAboveTheCheckpointShowsALossAndIsNoLongerBelieved) {
  for (bool lost : {true, false}) {
    PublisherWorld world(2);
    world.Append(10);
    {
      PublisherProcess publisher(world, "first");
      RunUntilSaved(world, publisher);
      publisher.Stop();
    }
    const PublisherCheckpoint before = world.Checkpoint();
    PublishedRow row{0, world.builder.last().Next(), {{kRepublishMark, before.republish_id}}};
    for (const auto& [key, end] : before.ends) row.ends[{key.topic, key.partition}] = end.end;
    if (lost) row.ends.at({kEvents, 0}) += 1;
    ASSERT_TRUE(world.registry.PutPublished(row, SlotNumber()).ok());
    PublisherProcess publisher(world, "second");
    world.simulation.RunFor(seconds(3));
    EXPECT_EQ(world.Checkpoint().republish_id != before.republish_id, lost);
    auto now = world.registry.PublishedAt(0, row.slot);
    ASSERT_TRUE(now.ok() && *now);
    EXPECT_TRUE((*now)->ends.empty());
  }
}

TEST(PublisherRepublishTest, NoRowOfBeforeTheLossSaysThatASlotIsOnTheBus) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    PublisherWorld world(seed);
    world.Append(60);
    PublisherProcess publisher(world, "p");
    RunUntilSaved(world, publisher);
    auto ends = world.bus.Describe(kEvents)->end_offsets;
    for (std::uint32_t p = 0; p < 2; ++p) world.bus.Truncate(kEvents, p, ends[p] / 2);
    world.simulation.RunFor(seconds(61));
    RunUntilSaved(world, publisher);
    world.simulation.RunFor(seconds(1));
    const std::uint64_t mark = world.Checkpoint().republish_id;
    auto last = world.registry.PublishedAt(0, world.builder.last());
    ASSERT_TRUE(last.ok() && *last);
    EXPECT_EQ((*last)->ends.at(kRepublishMark), mark);
    for (SlotNumber slot(1); slot <= world.builder.last(); slot = slot.Next()) {
      auto row = world.registry.PublishedAt(0, slot);
      ASSERT_TRUE(row.ok() && *row) << "a slot that nobody can ever pass";
      if (!(*row)->ends.empty() && (*row)->ends.at(kRepublishMark) != mark) {
        auto now = world.bus.Describe(kEvents)->end_offsets;
        for (std::uint32_t p = 0; p < 2; ++p) {
          EXPECT_LE((*row)->ends.at({kEvents, p}), ends[p] / 2) << "a row that lies";
        }
      }
    }
  }
}

TEST(PublisherRepublishTest, EmptiedDeadLettersAreNoLoss) {
  PublisherWorld world(3);
  world.Append(10);
  PublisherProcess publisher(world, "p");
  RunUntilSaved(world, publisher);
  const std::uint64_t mark = world.Checkpoint().republish_id;
  world.bus.DeleteTopic(std::string(kCommandFailuresTopic));
  world.simulation.RunFor(seconds(130));
  EXPECT_EQ(world.Checkpoint().republish_id, mark);
}

// Pipeline simulation, seed 313: a predecessor that had not yet noticed that it is one made the
// last row say nothing; no news followed, so no other row either.
TEST(PublisherRepublishTest, TheLastRowIsWrittenAgainWithoutNews) {
  PublisherWorld world(1);
  world.Append(10);
  PublisherProcess publisher(world, "p");
  RunUntilSaved(world, publisher);
  world.simulation.RunFor(seconds(1));
  PublishedRow nothing;
  nothing.slot = world.builder.last();
  ASSERT_TRUE(world.registry.PutPublished(nothing, SlotNumber()).ok());
  world.simulation.RunFor(seconds(70));
  auto row = world.registry.PublishedAt(0, world.builder.last());
  ASSERT_TRUE(row.ok() && *row);
  EXPECT_FALSE((*row)->ends.empty());
}

// What it sends fills the gap, so that the bus is as long as it was. Then the bus is away for so
// long that the leader lets go, and who comes next, itself or another, sees nothing amiss.
TEST(PublisherRepublishTest, C16_ALossThatOnlyTheLeaderHasSeenIsToldToItsSuccessor) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    PublisherWorld world(seed);
    StoreTroubles troubles{};
    WatchedBus bus(world.bus);
    world.Append(20);
    PublisherProcess publisher(world, "a", seconds(15), &bus);
    RunUntilSaved(world, publisher);
    publisher.plan.Suffer(troubles);
    const std::vector<std::uint64_t> ends = world.bus.Describe(kEvents)->end_offsets;
    for (std::uint32_t p = 0; p < ends.size(); ++p) {
      if (ends[p] > 0) world.bus.Truncate(kEvents, p, ends[p] - 1);
    }
    bus.before = [&](const std::vector<BusMessage>&) {
      troubles[static_cast<std::size_t>(Store::kBus)] = StoreTrouble::kAway;  // after this call
      return Ok();
    };
    world.Append(5);
    world.simulation.RunFor(seconds(40));
    EXPECT_FALSE(publisher.publisher->leading());
    bus.before = nullptr;
    troubles.fill(StoreTrouble::kNone);
    RunUntilSaved(world, publisher);
    EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace saffron
