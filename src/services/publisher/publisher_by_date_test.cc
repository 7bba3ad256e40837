// The index by date: every slot that the checkpoint has passed is in an entry.
#include <gtest/gtest.h>

#include "services/publisher/publisher_test_home.h"

namespace saffron {
namespace {

std::string ByDateEntries(PublisherWorld& world) {
  const auto keys = world.store.List("indexes/by-date/", "", 100);
  std::string all;
  for (const std::string& key : *keys) all += world.store.Get(key)->bytes;
  return all;
}

TEST(PublisherTest, TheByDateIndexNamesEverySlotOnce) {
  PublisherWorld world(12);
  world.Append(30);
  PublisherProcess publisher(world, "p");
  RunUntilPublished(world, publisher);
  world.simulation.RunFor(seconds(3));
  const std::string all = ByDateEntries(world);
  for (const SlotPtr& slot : world.builder.slots()) {
    const std::string name = SlotKey(0, slot->number());
    EXPECT_NE(all.find(name), std::string::npos) << name;
    EXPECT_EQ(all.find(name), all.rfind(name)) << name;
  }
}

// Found with real processes, where a publisher stood still while it wrote an entry: its successor's
// entry begins at the same slot, and was replaced when it went on.
TEST(PublisherTest, AnEntryThatAPausedPublisherWritesLateReplacesNoLongerOne) {
  PublisherWorld world(13);
  world.Append(10);
  bool stands_still = true;
  PublisherProcess paused(world, "a");
  paused.plan.Script(
      {.call = "store.put_if_absent", .skip = 1, .before = [&] {  // 0: its checkpoint
         while (stands_still) paused.process.SleepFor(milliseconds(100));
       }});
  world.simulation.RunFor(seconds(3));
  world.Append(20);
  PublisherProcess successor(world, "b");
  RunUntilPublished(world, successor);
  world.simulation.RunFor(seconds(3));
  const std::string before = ByDateEntries(world);
  stands_still = false;
  world.simulation.RunFor(seconds(3));
  EXPECT_FALSE(paused.publisher->leading());
  EXPECT_EQ(ByDateEntries(world), before);
  for (const SlotPtr& slot : world.builder.slots()) {
    EXPECT_NE(before.find(SlotKey(0, slot->number())), std::string::npos) << slot->number().value;
  }
}

// The same, but the successor had only begun: what is longer stays.
TEST(PublisherTest, AnEntryIsReplacedByALongerOne) {
  PublisherWorld world(14);
  world.Append(5);
  ByDateRun shorter;
  shorter.Add(*world.builder.slots().front());
  ASSERT_TRUE(world.store.PutIfAbsent(shorter.Key(), shorter.Json()).ok());
  PublisherProcess publisher(world, "p");
  RunUntilPublished(world, publisher);
  world.simulation.RunFor(seconds(3));
  const std::string all = ByDateEntries(world);
  for (const SlotPtr& slot : world.builder.slots()) {
    EXPECT_NE(all.find(SlotKey(0, slot->number())), std::string::npos) << slot->number().value;
  }
}

// A republish that begins behind them would pass them over, and a second loss what lies between.
TEST(PublisherTest, ARepublishGoesBackToTheEntriesThatAreMissing) {
  PublisherWorld world(21);
  const std::string topic(kInstanceEventsTopic);
  world.Append(40);
  {
    PublisherProcess publisher(world, "a");
    RunUntilPublished(world, publisher);
    world.simulation.RunFor(seconds(5));
    for (int i = 0; i < 1000; ++i) {
      publisher.plan.Script({.call = "store.put_if_absent", .fault = FaultKind::kFailBefore});
    }
    for (int i = 0; i < 30; ++i) {
      world.Append(1);
      RunUntilPublished(world, publisher);
      world.simulation.RunFor(milliseconds(200));
    }
    const std::vector<std::uint64_t> ends = world.bus.Describe(topic)->end_offsets;
    for (std::uint32_t p = 0; p < 2; ++p) world.bus.Truncate(topic, p, ends[p] - 4);
    world.simulation.RunUntil([&] { return world.Checkpoint().republish.has_value(); },
                              world.simulation.Now() + seconds(70));
    publisher.Crash();
    PublisherCheckpoint left = world.Checkpoint();
    ASSERT_TRUE(left.republish.has_value());
    EXPECT_EQ(left.shards[0].value, 40u);
    EXPECT_EQ(left.republish->next.value, 41u);
  }
  PublisherProcess successor(world, "b");
  RunUntilPublished(world, successor);
  world.simulation.RunFor(seconds(30));
  const std::string all = ByDateEntries(world);
  for (const SlotPtr& slot : world.builder.slots()) {
    EXPECT_NE(all.find(SlotKey(0, slot->number())), std::string::npos) << slot->number().value;
  }
  EXPECT_EQ(world.PositionsOnBus(), world.PositionsInLog());
}

// Found in CI: the last entry before a stop could not be written, the checkpoint behind it could.
TEST(PublisherTest, WhoeverComesNextWritesTheEntriesThatCouldNotBeWritten) {
  for (bool killed : {true, false}) {
    PublisherWorld world(15);
    world.Append(10);
    {
      PublisherProcess publisher(world, "a");
      for (int i = 0; i < 20; ++i) {
        publisher.plan.Script({.call = "store.put_if_absent",
                               .skip = i == 0 ? 1 : 0,
                               .fault = FaultKind::kFailBefore});  // 0: its checkpoint
      }
      RunUntilPublished(world, publisher);
      world.simulation.RunFor(seconds(3));
      killed ? publisher.Crash() : publisher.Stop();
      EXPECT_EQ(world.Checkpoint().shards[0].value, 0u);  // no entry, not published
      EXPECT_EQ(ByDateEntries(world), "");
    }
    PublisherProcess successor(world, "b");
    RunUntilPublished(world, successor);
    world.simulation.RunFor(seconds(20));
    EXPECT_EQ(world.Checkpoint().shards[0], world.builder.last());
    const std::string all = ByDateEntries(world);
    for (const SlotPtr& slot : world.builder.slots()) {
      EXPECT_NE(all.find(SlotKey(0, slot->number())), std::string::npos) << slot->number().value;
    }
  }
}

}  // namespace
}  // namespace saffron
