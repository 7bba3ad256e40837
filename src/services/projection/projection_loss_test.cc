// The bus, the index or the registry loses what it had; the projection finds it in the log.
#include <gtest/gtest.h>

#include "services/projection/projection_test_home.h"

namespace saffron {
namespace {

const std::string kEvents(kInstanceEventsTopic);

TEST(ProjectionLossTest, C16C19_ACutPartitionSendsTheProjectionToTheLog) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    ProjectionWorld world(seed);
    PublisherProcess publisher(world, "publisher");
    ProjectionProcess projection(world, "p");
    world.Churn(20);
    world.RunUntilProjected(projection);
    world.Churn(10);
    world.simulation.RunFor(milliseconds(world.simulation.random().Below(100)));
    auto ends = world.bus.Describe(kEvents)->end_offsets;
    for (std::uint32_t p = 0; p < 2; ++p) world.bus.Truncate(kEvents, p, ends[p] - ends[p] / 3);
    world.Churn(30);
    world.RunUntilProjected(projection);
    world.ExpectIndexIsFoldOfLog();
  }
}

// Repetitions, as of a publisher that wakes up and does not know yet that it is no longer one.
void Repeat(ProjectionWorld& world, int times) {
  auto task = world.environment.Spawn("repeater", [&] {
    for (int i = 0; i < times; ++i) {
      const SlotPtr& slot = world.builder.slots()[static_cast<std::size_t>(i) % 5];
      const LoggedEvent& event = slot->events.front();
      SAFFRON_ASSERT(world.bus
                         .Produce({{std::string(TopicOf(event.envelope.type)),
                                    event.envelope.aggregate.id,
                                    std::string(slot->LineOf(event)),
                                    {}}},
                                  seconds(1))
                         .ok());
    }
  });
  task->Join();
}

// Instances of which no later event stands for one that was missed.
void AppendInstances(ProjectionWorld& world, int instances) {
  for (int i = 0; i < instances; ++i) {
    world.builder.Outcome(world.Instance(100 + i), R"({"n":1})").Commit();
  }
}

void HalveTheTopic(ProjectionWorld& world) {
  const auto ends = world.bus.Describe(kEvents)->end_offsets;
  for (std::uint32_t p = 0; p < 2; ++p) world.bus.Truncate(kEvents, p, ends[p] / 2);
}

// Repetitions have lifted the group's offset. The publisher does not know of them, so it does not
// miss them when they are cut off, and what it sends then comes to lie below that offset.
TEST(ProjectionLossTest, C19_UnreadEventsBelowTheOffsetOfAProjectionThatIsDown) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    ProjectionWorld world(seed);
    PublisherProcess publisher(world, "publisher");
    {
      ProjectionProcess projection(world, "first");
      world.Churn(5);
      world.RunUntilProjected(projection);
      Repeat(world, 60);
      world.simulation.RunFor(seconds(3));
      projection.Crash();
    }
    HalveTheTopic(world);
    AppendInstances(world, 60);  // grows beyond the offset before the projection is back
    world.simulation.RunFor(seconds(80));
    ProjectionProcess projection(world, "second");
    world.RunUntilProjected(projection);
    world.ExpectIndexIsFoldOfLog();
  }
}

// The publisher knows of them, and sends again what it misses: less than there was.
TEST(ProjectionLossTest, C19_UnreadEventsBelowTheOffsetOfAProjectionThatIsPaused) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    ProjectionWorld world(seed);
    PublisherProcess publisher(world, "publisher");
    ProjectionProcess projection(world, "p");
    world.Churn(5);
    world.RunUntilProjected(projection);
    Repeat(world, 60);
    world.simulation.RunFor(seconds(70));  // the publisher has looked at the bus
    projection.process.PauseFor(seconds(20));
    HalveTheTopic(world);
    AppendInstances(world, 80);
    world.simulation.RunFor(seconds(25));
    world.RunUntilProjected(projection);
    world.ExpectIndexIsFoldOfLog();
  }
}

TEST(ProjectionLossTest, C18_ATopicMadeAgainWhileTheProjectionRunsOrIsDown) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    ProjectionWorld world(seed);
    PublisherProcess publisher(world, "publisher");
    auto projection = std::make_unique<ProjectionProcess>(world, "first");
    world.Churn(20);
    world.RunUntilProjected(*projection);
    const bool down = seed % 2 == 0;
    if (down) projection->Crash();
    world.Churn(5);
    world.bus.DeleteTopic(kEvents);
    world.Churn(25);
    if (down) {
      world.simulation.RunFor(seconds(90));
      projection = std::make_unique<ProjectionProcess>(world, "second");
    }
    world.RunUntilProjected(*projection);
    world.ExpectIndexIsFoldOfLog();
  }
}

// Nobody tells it: the publisher is gone, too, and with it what it had still to send.
TEST(ProjectionLossTest, C18_TheProjectionItselfSeesThatATopicWasMadeAgain) {
  ProjectionWorld world(1);
  PublisherProcess publisher(world, "publisher");
  ProjectionProcess projection(world, "p");
  world.Churn(20);
  world.RunUntilProjected(projection);
  publisher.Crash();
  AppendInstances(world, 5);
  world.bus.DeleteTopic(kEvents);
  world.simulation.RunFor(seconds(5));
  world.ExpectIndexIsFoldOfLog();
}

TEST(ProjectionLossTest, C17_AnIndexOlderThanTheGroupsOffsets) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    ProjectionWorld world(seed);
    PublisherProcess publisher(world, "publisher");
    std::shared_ptr<const MemorySearch::Generation> backup;
    {
      ProjectionProcess projection(world, "first");
      world.Churn(10);
      world.RunUntilProjected(projection);
      world.simulation.RunFor(seconds(1));
      backup = world.search.Snapshot();
      world.Churn(20);
      world.RunUntilProjected(projection);
      projection.Crash();
    }
    world.search.Restore(backup);
    ProjectionProcess projection(world, "second");
    world.RunUntilProjected(projection);
    world.ExpectIndexIsFoldOfLog();
  }
}

// Pipeline simulation, seed 10121962: its start took longer than the time to its first look at the
// other members, of whom the group still had the offsets, and the index no longer what they stand
// for.
TEST(ProjectionLossTest, C17_WhatTheDeadHadCommittedIsNotBelieved) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    ProjectionWorld world(seed);
    PublisherProcess publisher(world, "publisher");
    std::shared_ptr<const MemorySearch::Generation> backup;
    {
      ProjectionProcess projection(world, "first");
      world.Churn(10);
      world.RunUntilProjected(projection);
      world.simulation.RunFor(seconds(1));
      backup = world.search.Snapshot();
      AppendInstances(world, 20);
      world.RunUntilProjected(projection);
      projection.Crash();
    }
    world.search.Restore(backup);
    ProjectionProcess projection(world, "second");
    projection.plan.Script(
        {.call = "bus.subscribe", .before = [&] { projection.process.SleepFor(seconds(1)); }});
    world.RunUntilProjected(projection);
    world.ExpectIndexIsFoldOfLog();
  }
}

// Pipeline simulation, seed 10461198: a member that was given partitions committed their ends
// before it had caught up with them, and died; the other one believed it.
TEST(ProjectionLossTest, C17_AMemberThatHasNotCaughtUpCommitsNothing) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    ProjectionWorld world(seed);
    PublisherProcess publisher(world, "publisher");
    ProjectionProcess first(world, "first");
    world.Churn(10);
    world.RunUntilProjected(first);
    world.simulation.RunFor(seconds(1));
    first.plan.Script(
        {.call = "search.write", .before = [&] { first.process.SleepFor(seconds(2)); }});
    AppendInstances(world, 40);
    ProjectionProcess second(world, "second");
    for (int i = 0; i < 20; ++i) {  // so that it is time to tend when it has a partition
      second.plan.Script(
          {.call = "bus.poll", .after = [&] { second.process.SleepFor(seconds(1)); }});
    }
    second.plan.Script({.call = "bus.commit", .after = [&] {
                          second.process.SleepFor(seconds(2));
                          second.process.Crash();
                        }});
    world.RunUntilProjected(first);
    world.ExpectIndexIsFoldOfLog();
  }
}

// Pipeline simulation, seed 21284739: the other member had come to a republish beyond a row at
// which this one waited for it. Neither counts what the other commits.
TEST(ProjectionLossTest, AMemberThatIsBehindARepublishDoesNotWaitForOneThatIsBeyondIt) {
  ProjectionWorld world(1);
  ProjectionProcess first(world, "first");
  {
    PublisherProcess publisher(world, "publisher");
    world.Churn(10);
    world.RunUntilProjected(first);
    world.simulation.RunFor(seconds(2));
    publisher.Stop();
  }
  constexpr std::uint64_t kLater = 7;
  bool done = false;
  auto other = world.environment.Spawn("other", [&] {
    auto consumer = world.bus.Subscribe("projection_worker-group",
                                        {kEvents, std::string(kOntologyEventsTopic)});
    std::map<TopicPartition, CommittedOffset> ours;
    while (!done) {
      auto batch = (*consumer)->Poll(100, milliseconds(100));
      for (const TopicPartition& key : batch->assigned) {
        const TopicState state = *world.bus.Describe(key.topic);
        ours[key] = {state.end_offsets[key.partition], state.topic_id + "#" +
                                                           std::to_string(kLater) + "#" +
                                                           std::to_string(batch->generation)};
      }
      if (!ours.empty()) (void)(*consumer)->Commit(ours);
    }
  });
  world.simulation.RunFor(seconds(2));
  PublishedRow row = **world.registry.PublishedAt(0, world.builder.last());
  for (const bool later : {false, true}) {
    world.builder.Tombstone();
    row.slot = world.builder.last();
    if (later) row.ends[kRepublishMark] = kLater;
    ASSERT_TRUE(world.registry.PutPublished(row, SlotNumber()).ok());
    world.simulation.RunFor(seconds(2));
  }
  world.RunUntilProjected(first);
  done = true;
  other->Join();
}

TEST(ProjectionLossTest, AnEmptyIndexIsFilledFromTheLogEvenIfTheBusHasForgotten) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    ProjectionWorld world(seed);
    PublisherProcess publisher(world, "publisher");
    world.Churn(30);
    world.simulation.RunFor(seconds(10));
    for (std::uint32_t p = 0; p < 2; ++p) world.bus.DropBelow(kEvents, p, 10);
    ProjectionProcess projection(world, "p");
    world.RunUntilProjected(projection);
    world.ExpectIndexIsFoldOfLog();
  }
}

TEST(ProjectionLossTest, RecordsThatRetentionTookBeforeTheyWereRead) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    ProjectionWorld world(seed);
    PublisherProcess publisher(world, "publisher");
    {
      ProjectionProcess projection(world, "first");
      world.Churn(5);
      world.RunUntilProjected(projection);
      projection.Crash();
    }
    world.Churn(40);
    world.simulation.RunFor(seconds(10));
    auto ends = world.bus.Describe(kEvents)->end_offsets;
    for (std::uint32_t p = 0; p < 2; ++p) world.bus.DropBelow(kEvents, p, ends[p] - 1);
    ProjectionProcess projection(world, "second");
    world.RunUntilProjected(projection);
    world.ExpectIndexIsFoldOfLog();
  }
}

TEST(ProjectionLossTest, EverythingAtOnceWithFaults) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    ProjectionWorld world(seed, {.fail_before = 10, .lost_answer = 10, .slow = 10});
    RandomBits& random = world.simulation.random();
    auto publisher = std::make_unique<PublisherProcess>(world, "publisher", seconds(3));
    auto one = std::make_unique<ProjectionProcess>(world, "one");
    ProjectionProcess two(world, "two");
    for (int i = 0; i < 8; ++i) {
      world.Churn(8);
      world.simulation.RunFor(milliseconds(random.Below(4000)));
      const std::string name = std::to_string(i);
      switch (random.Below(4)) {
        case 0: world.bus.DeleteTopic(kEvents); break;
        case 1: {
          auto ends = world.bus.Describe(kEvents)->end_offsets;
          world.bus.Truncate(kEvents, i % 2, ends[static_cast<std::size_t>(i % 2)] / 2);
          break;
        }
        case 2:
          publisher->Crash();
          publisher = std::make_unique<PublisherProcess>(world, "publisher" + name, seconds(3));
          break;
        default: one->Crash(); one = std::make_unique<ProjectionProcess>(world, "one" + name);
      }
    }
    world.simulation.RunFor(seconds(70));  // until the publisher has looked at the bus
    world.Churn(3);
    world.RunUntilProjected(two);
    world.ExpectIndexIsFoldOfLog();
  }
}

// Pipeline simulation, seed 801: rows of slots that the projection had still to pass were made to
// say nothing by a publisher that was no longer one. Nobody sends those slots again.
TEST(ProjectionLossTest, ARowThatSaysNothingForLongSendsTheProjectionToTheLog) {
  ProjectionWorld world(1);
  PublishedRow nothing;
  {
    PublisherProcess publisher(world, "publisher");
    ProjectionProcess first(world, "first");
    world.Churn(10);
    world.RunUntilProjected(first);
    first.Crash();
    world.Churn(5);
    nothing.slot = world.builder.last();
    ASSERT_EQ(world.simulation
                  .RunUntil([&] { return publisher.publisher->last_slot() == nothing.slot; },
                            world.simulation.Now() + seconds(60))
                  .end,
              RunEnd::kPredicate);
  }
  ASSERT_TRUE(world.registry.PutPublished(nothing, nothing.slot).ok());
  ProjectionProcess projection(world, "second");
  world.simulation.RunFor(seconds(20));
  EXPECT_EQ(projection.progress.Get().slot, nothing.slot);
  world.ExpectIndexIsFoldOfLog();
}

// Pipeline simulation, seed 1354: the only commit of a partition failed, then one of another
// partition succeeded, and the other member of the group waited for the first for ever.
TEST(ProjectionLossTest, AnOffsetThatCouldNotBeCommittedIsCommittedWithoutNews) {
  const auto instance_of = [](std::uint32_t partition) {
    int i = 0;
    while (PartitionOf(ProjectionWorld::Instance(i).id, 2) != partition) ++i;
    return ProjectionWorld::Instance(i);
  };
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    ProjectionWorld world(seed);
    PublisherProcess publisher(world, "publisher");
    ProjectionProcess projection(world, "p");
    world.Churn(5);
    world.RunUntilProjected(projection);
    world.simulation.RunFor(seconds(2));
    const auto append = [&](std::uint32_t partition) {
      world.builder.Outcome(instance_of(partition), R"({"n":1})").Commit();
    };
    bool failed = false;
    projection.plan.Script({.call = "bus.commit", .fault = FaultKind::kFailBefore, .before = [&] {
                              failed = true;
                              append(1);
                            }});
    append(0);
    world.simulation.RunUntil([&] { return failed; }, world.simulation.Now() + seconds(10));
    ASSERT_TRUE(failed);
    world.RunUntilProjected(projection);
    world.simulation.RunFor(seconds(2));
    auto offsets = world.bus.GroupOffsets("projection_worker-group");
    ASSERT_TRUE(offsets.ok());
    const std::vector<std::uint64_t> ends = world.bus.Describe(kEvents)->end_offsets;
    for (std::uint32_t p = 0; p < 2; ++p) {
      const TopicPartition key{kEvents, p};
      EXPECT_EQ((*offsets)[key].next, ends[p]) << "seed " << seed << ", partition " << p;
    }
  }
}

}  // namespace
}  // namespace saffron
