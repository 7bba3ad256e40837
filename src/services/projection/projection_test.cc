#include "services/projection/projection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/projection/projection_test_home.h"

namespace saffron {
namespace {

using testing::HasSubstr;

FaultRates SomeFaults() { return {.fail_before = 20, .lost_answer = 20, .slow = 10}; }

TEST(ProjectionTest, TheIndexIsTheFoldOfTheLogThroughFaultsAndCrashes) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    ProjectionWorld world(seed, SomeFaults());
    PublisherProcess publisher(world, "publisher");
    for (int run = 0; run < 3; ++run) {
      world.Churn(15);
      ProjectionProcess projection(world, "p" + std::to_string(run));
      world.simulation.RunFor(milliseconds(500 + world.simulation.random().Below(5000)));
      projection.Crash();
    }
    world.Churn(10);
    ProjectionProcess projection(world, "last");
    world.RunUntilProjected(projection);
    world.ExpectIndexIsFoldOfLog();
  }
}

TEST(ProjectionTest, TheWatermarkReachesTheLogAndIsNeverAheadOfTheIndex) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    ProjectionWorld world(seed, {.slow = 200, .slow_max = milliseconds(50)});
    PublisherProcess publisher(world, "publisher");
    ProjectionProcess projection(world, "p");
    for (int i = 0; i < 12; ++i) {
      world.Churn(3);
      world.simulation.RunFor(milliseconds(world.simulation.random().Below(700)));
      const SearchContents index = ContentsOf(world.search);
      for (const SlotPtr& slot : world.builder.slots()) {
        auto passed = projection.progress.Passed(world.registry, 0, slot->number());
        if (!passed.ok() || !*passed) continue;
        for (const LoggedEvent& event : slot->events) {
          auto found = index.find(event.envelope.aggregate);
          ASSERT_TRUE(found != index.end());
          EXPECT_LE(event.envelope.sequence_number, found->second.version);
        }
      }
    }
    world.RunUntilProjected(projection);
    world.simulation.RunFor(seconds(2));
    auto stored = DecodeWatermark(*world.search.Watermark());
    EXPECT_EQ(stored->slot, world.builder.last());
  }
}

TEST(ProjectionTest, C8_ARejectionAdvancesTheVersion) {
  ProjectionWorld world(1);
  world.builder.Outcome(world.Instance(1), R"({"a":1})").Commit();
  world.builder.Rejected(world.Instance(1)).Commit();
  PublisherProcess publisher(world, "publisher");
  ProjectionProcess projection(world, "p");
  world.RunUntilProjected(projection);
  SearchDocument document = ContentsOf(world.search).at(world.Instance(1));
  EXPECT_EQ(document.version, SequenceNumber(2));
  EXPECT_EQ(document.document, R"({"a":1})");
}

TEST(ProjectionTest, KilledBeforeTheWriteAfterItAndBeforeTheCommit) {
  enum class At { kBeforeWrite, kAfterWrite, kBeforeCommit };
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    for (At at : {At::kBeforeWrite, At::kAfterWrite, At::kBeforeCommit}) {
      ProjectionWorld world(seed);
      PublisherProcess publisher(world, "publisher");
      {
        ProjectionProcess first(world, "first");  // past the catching up of an empty index
        world.Churn(3);
        world.RunUntilProjected(first);
        world.simulation.RunFor(seconds(2));  // its watermark is stored
        first.Crash();
      }
      HookedSearch hooked(world.search);
      ProjectionProcess second(world, "second", &hooked);
      world.Churn(20);
      int writes = 0;
      auto kill = [&] {
        if (++writes == 3) second.process.Crash();
      };
      if (at == At::kBeforeWrite) hooked.before = kill;
      if (at == At::kAfterWrite) hooked.after = kill;
      if (at == At::kBeforeCommit) {
        // The done rows are written between the index and the offsets.
        world.simulation.RunUntil(
            [&] {
              auto done = world.registry.ClaimsWith("projection_worker:instance_events",
                                                    ClaimStatus::kDone, 1000);
              if (done->size() < 20) return false;
              second.process.Crash();
              return true;
            },
            world.simulation.Now() + seconds(60));
      } else {
        world.simulation.RunUntil([&] { return second.process.crashed(); },
                                  world.simulation.Now() + seconds(60));
      }
      ASSERT_TRUE(second.process.crashed());
      second.End();
      ProjectionProcess third(world, "third");
      world.RunUntilProjected(third);
      world.ExpectIndexIsFoldOfLog();
    }
  }
}

TEST(ProjectionTest, C15_RepeatedAndShuffledDeliveriesDoNoHarm) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    ProjectionWorld world(seed);
    world.Churn(5);
    PublisherProcess publisher(world, "publisher");
    ProjectionProcess projection(world, "p");
    world.RunUntilProjected(projection);
    world.Churn(15);
    // Another sender repeats old and new outcomes in any order.
    std::vector<BusMessage> messages;
    for (const SlotPtr& slot : world.builder.slots()) {
      for (const LoggedEvent& event : slot->events) {
        if (!event.outcome) continue;
        messages.push_back({std::string(TopicOf(event.envelope.type)),
                            event.envelope.aggregate.id,
                            std::string(slot->LineOf(event)),
                            {}});
      }
    }
    for (std::size_t i = messages.size() - 1; i > 0; --i) {
      std::swap(messages[i],
                messages[world.simulation.random().Below(static_cast<std::uint32_t>(i + 1))]);
    }
    auto task = world.environment.Spawn("sender", [&] {
      for (const BusMessage& message : messages) {
        SAFFRON_ASSERT(world.bus.Produce({message}, seconds(1)).ok());
        world.environment.SleepFor(milliseconds(5));
      }
    });
    task->Join();
    world.RunUntilProjected(projection);
    world.simulation.RunFor(seconds(2));
    world.ExpectIndexIsFoldOfLog();
  }
}

TEST(ProjectionTest, TwoMembersShareThePartitionsAndOneTakesOver) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    ProjectionWorld world(seed);
    PublisherProcess publisher(world, "publisher");
    world.Churn(10);
    ProjectionProcess one(world, "one");
    ProjectionProcess two(world, "two");
    for (int i = 0; i < 5; ++i) {
      world.Churn(5);
      world.simulation.RunFor(milliseconds(700));
    }
    world.RunUntilProjected(one);  // each knows of the other's partitions
    world.RunUntilProjected(two);
    world.ExpectIndexIsFoldOfLog();
    one.Crash();
    world.Churn(10);
    world.RunUntilProjected(two);
    world.ExpectIndexIsFoldOfLog();
  }
}

std::vector<BusRecord> DeadLetters(ProjectionWorld& world) {
  return world.Records(std::string(kProjectionFailuresTopic));
}

TEST(ProjectionTest, ARefusedDocumentIsDeadLetteredAndTheRestIsWritten) {
  ProjectionWorld world(2);
  PublisherProcess publisher(world, "publisher");
  HookedSearch hooked(world.search);
  hooked.refuse = "bad";
  ProjectionProcess projection(world, "p", &hooked);
  world.simulation.RunFor(seconds(3));
  for (int i = 0; i < 9; ++i) {
    world.builder.Outcome(world.Instance(i), i == 4 ? R"({"bad":1})" : R"({"good":1})");
  }
  world.builder.Commit();
  world.RunUntilProjected(projection);
  SearchContents expected = SearchOfLog(world.builder);
  expected.erase(world.Instance(4));
  EXPECT_TRUE(ContentsOf(world.search) == expected);
  EXPECT_EQ(projection.projection->refused(), 1u);
  auto letters = DeadLetters(world);
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_THAT(letters[0].value, HasSubstr(R"("position":"0-1-4","sink":"search")"));
}

TEST(ProjectionTest, APoisonedBatchIsRetriedThenTakenApart) {
  ProjectionWorld world(3);
  PublisherProcess publisher(world, "publisher");
  HookedSearch hooked(world.search);
  hooked.poison = "poison";
  ProjectionProcess projection(world, "p", &hooked);
  world.simulation.RunFor(seconds(3));
  for (int i = 0; i < 9; ++i) {
    world.builder.Outcome(world.Instance(i), i == 4 ? R"({"poison":1})" : R"({"good":1})");
  }
  world.builder.Commit();
  world.RunUntilProjected(projection);
  SearchContents expected = SearchOfLog(world.builder);
  expected.erase(world.Instance(4));
  EXPECT_TRUE(ContentsOf(world.search) == expected);
  EXPECT_EQ(DeadLetters(world).size(), 1u);
}

TEST(ProjectionTest, AnOutagePausesAndBurnsNoAttempt) {
  ProjectionWorld world(4);
  PublisherProcess publisher(world, "publisher");
  HookedSearch hooked(world.search);
  ProjectionProcess projection(world, "p", &hooked);
  world.Churn(5);
  world.RunUntilProjected(projection);
  hooked.outage = true;
  world.Churn(10);
  world.simulation.RunFor(seconds(300));  // longer than the session's timeout
  EXPECT_FALSE(projection.projection->healthy());
  hooked.outage = false;
  world.RunUntilProjected(projection);
  EXPECT_TRUE(projection.projection->healthy());
  world.ExpectIndexIsFoldOfLog();
  EXPECT_TRUE(DeadLetters(world).empty());
}

// Its partitions would wait for it, and every reader with them.
TEST(ProjectionTest, A23_AMemberThatAloneCannotWriteGoes) {
  for (bool away : {true, false}) {  // the whole index, or only its writes
    ProjectionWorld world(6);
    PublisherProcess publisher(world, "publisher");
    HookedSearch hooked(world.search);
    ProjectionProcess failing(world, "a", &hooked);
    ProjectionProcess other(world, "b");
    world.Churn(5);
    world.RunUntilProjected(other);
    world.simulation.RunFor(seconds(5));  // both follow the bus
    hooked.before = [&] {
      if (away) hooked.gone = true;
    };
    hooked.outage = true;
    world.Churn(10);
    world.RunUntilProjected(other);
    EXPECT_FALSE(failing.projection->healthy());
    world.ExpectIndexIsFoldOfLog();
  }
}

TEST(ProjectionTest, WhatIsNoOutcomeIsDeadLettered) {
  ProjectionWorld world(5);
  PublisherProcess publisher(world, "publisher");
  ProjectionProcess projection(world, "p");
  world.Churn(2);
  world.RunUntilProjected(projection);
  world.simulation.RunFor(seconds(2));  // it follows the bus
  auto task = world.environment.Spawn("sender", [&] {
    SAFFRON_ASSERT(
        world.bus.Produce({{std::string(kInstanceEventsTopic), "k", "nonsense", {}}}, seconds(1))
            .ok());
  });
  task->Join();
  world.Churn(5);
  world.RunUntilProjected(projection);
  world.ExpectIndexIsFoldOfLog();
  EXPECT_EQ(DeadLetters(world).size(), 1u);
}

TEST(ProjectionTest, DoneRowsForOperators) {
  ProjectionWorld world(6);
  PublisherProcess publisher(world, "publisher");
  ProjectionProcess projection(world, "p");
  world.simulation.RunFor(seconds(3));
  SlotPtr slot = world.builder.Outcome(world.Instance(1), "{}").Commit();
  world.RunUntilProjected(projection);
  world.simulation.RunFor(seconds(1));
  auto rows = world.registry.ClaimsWith("projection_worker:instance_events", ClaimStatus::kDone, 9);
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ(rows->front().key.event, slot->events[0].envelope.event_id);
  EXPECT_EQ(rows->front().number, SequenceNumber(1));
}

}  // namespace
}  // namespace saffron
