#include "testing/sim/sim_runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/channel.h"

namespace saffron {
namespace {

using testing::HasSubstr;

// Two processes that hand numbers on through channels, sleep, time out and draw numbers.
std::uint64_t HashOfAProgram(std::uint64_t seed, FiberPool* pool) {
  Simulation simulation({.seed = seed, .switch_cost = Duration(10), .pool = pool});
  SimProcess left(simulation, "left");
  SimProcess right(simulation, "right");
  Channel<int> forth(left, 3);
  Channel<int> back(right, 2);
  TaskGroup tasks(left);
  for (int p = 0; p < 3; ++p) {
    tasks.Spawn("producer", [&, p] {
      for (int i = 0; i < 20; ++i) {
        forth.Push(p * 100 + i, Instant::Max());
        left.SchedulingPoint("produced");
        left.SleepFor(Duration(left.RandomBelow(1000)));
      }
    });
  }
  TaskGroup relays(right);
  relays.Spawn("relay", [&] {
    for (int i = 0; i < 60; ++i) {
      back.Push(*forth.Pop(Instant::Max()), Instant::Max());
      right.SchedulingPoint("relayed");
    }
  });
  tasks.Spawn("consumer", [&] {
    for (int taken = 0; taken < 60;) {
      auto item = back.Pop(right.Now() + Duration(50));
      simulation.Trace(item ? "item " + std::to_string(*item) : "nothing yet");
      if (item) ++taken;
    }
  });
  EXPECT_EQ(simulation.Run().end, RunEnd::kFinished);
  return simulation.TraceHash();
}

TEST(SimulationTest, ASeedIsARunAndSeedsDiffer) {
  FiberPool pool;
  std::set<std::uint64_t> hashes;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::uint64_t hash = HashOfAProgram(seed, &pool);
    EXPECT_EQ(HashOfAProgram(seed, nullptr), hash) << "seed " << seed;
    hashes.insert(hash);
  }
  EXPECT_EQ(hashes.size(), 20u);
}

TEST(SimulationTest, SeedsFindALostUpdate) {
  std::set<int> outcomes;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Simulation simulation({.seed = seed});
    SimProcess process(simulation, "p");
    int counter = 0;
    TaskGroup tasks(process);
    for (int i = 0; i < 2; ++i) {
      tasks.Spawn("adder", [&] {
        int read = counter;
        process.SchedulingPoint("between read and write");
        counter = read + 1;
      });
    }
    tasks.JoinAll();
    outcomes.insert(counter);
  }
  EXPECT_EQ(outcomes, (std::set<int>{1, 2}));
}

TEST(SimulationTest, TimeJumpsToTheEarliestTimer) {
  Simulation simulation({.seed = 1});
  SimProcess process(simulation, "p");
  std::vector<int> order;
  TaskGroup tasks(process);
  for (int hours : {3, 1, 2}) {
    tasks.Spawn("sleeper", [&, hours] {
      process.SleepFor(std::chrono::hours(hours));
      EXPECT_EQ(process.Now(), Instant{std::chrono::hours(hours)});
      order.push_back(hours);
    });
  }
  EXPECT_EQ(simulation.RunFor(std::chrono::minutes(90)).end, RunEnd::kDeadline);
  EXPECT_EQ(simulation.Now(), std::chrono::minutes(90));
  EXPECT_EQ(order, (std::vector<int>{1}));
  EXPECT_EQ(simulation.RunUntil([&] { return order.size() == 2; }, Duration::max()).end,
            RunEnd::kPredicate);
  EXPECT_EQ(simulation.Run().end, RunEnd::kFinished);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(SimulationTest, TimePassesWithoutFibersToo) {
  Simulation simulation({.seed = 1});
  EXPECT_EQ(simulation.RunFor(seconds(5)).end, RunEnd::kFinished);
  SimProcess process(simulation, "p");
  EXPECT_EQ(simulation.Now(), seconds(5));
  EXPECT_EQ(process.Now(), Instant{});
}

TEST(SimulationTest, ADeadlockIsReportedWithNames) {
  Simulation simulation({.seed = 1});
  SimProcess process(simulation, "oms");
  Channel<int> channel(process, 1);
  TaskGroup tasks(process);
  tasks.Spawn("lane-0", [&] { channel.Pop(Instant::Max()); });
  // Idle until a deadline is no deadlock; waiting for ever for what cannot come is.
  EXPECT_EQ(simulation.RunFor(seconds(1)).end, RunEnd::kDeadline);
  RunResult result = simulation.Run();
  EXPECT_EQ(result.end, RunEnd::kDeadlock);
  EXPECT_THAT(result.report, HasSubstr("oms/lane-0 waits on a condition"));
  result = simulation.RunUntil([] { return false; }, seconds(9));
  EXPECT_EQ(result.end, RunEnd::kDeadlock);
  channel.Close();
  tasks.JoinAll();
}

TEST(SimulationTest, FibersThatOnlyWakeOneAnotherAreReported) {
  Simulation simulation({.seed = 1, .standstill_switches = 1000});
  SimProcess process(simulation, "p");
  auto task = process.Spawn("spinner", [&] {
    for (;;) simulation.Yield();
  });
  RunResult result = simulation.Run();
  EXPECT_EQ(result.end, RunEnd::kStuck);
  EXPECT_THAT(result.report, HasSubstr("p/spinner"));
}

TEST(SimProcessTest, ACrashEndsEveryWaitOfItsOwnFibersOnly) {
  Simulation simulation({.seed = 3});
  SimProcess victim(simulation, "victim");
  SimProcess other(simulation, "other");
  Channel<int> channel(victim, 1);
  int unwound = 0;
  bool other_slept = false;
  TaskGroup tasks(victim);
  tasks.Spawn("sleeper", [&] {
    EXPECT_FALSE(victim.SleepFor(std::chrono::hours(1)));
    EXPECT_EQ(simulation.Now(), seconds(1));
    ++unwound;
  });
  tasks.Spawn("popper", [&] {
    EXPECT_EQ(channel.Pop(Instant::Max()), std::nullopt);
    EXPECT_EQ(channel.Pop(Instant::Max()), std::nullopt);
    EXPECT_FALSE(victim.SleepFor(seconds(5)));
    EXPECT_EQ(simulation.Now(), seconds(1));
    ++unwound;
  });
  TaskGroup others(other);
  others.Spawn("sleeper", [&] { other_slept = other.SleepFor(seconds(2)); });
  simulation.RunFor(seconds(1));
  victim.Crash();
  EXPECT_TRUE(victim.crashed() && victim.StopRequested());
  EXPECT_FALSE(other.crashed() || other.StopRequested());
  tasks.JoinAll();
  EXPECT_EQ(unwound, 2);
  EXPECT_EQ(victim.fibers(), 0u);
  others.JoinAll();
  EXPECT_TRUE(other_slept);
}

TEST(SimProcessTest, AFiberOfACrashedProcessWaitsOnNothingElsewhereEither) {
  Simulation simulation({.seed = 3});
  SimProcess server(simulation, "server");
  SimProcess client(simulation, "client");
  Channel<int> channel(server, 1);
  TaskGroup tasks(client);
  tasks.Spawn("popper", [&] { EXPECT_EQ(channel.Pop(Instant::Max()), std::nullopt); });
  tasks.Spawn("sleeper", [&] { EXPECT_FALSE(server.SleepFor(seconds(9))); });
  simulation.RunFor(seconds(1));
  client.Crash();
  tasks.JoinAll();
  EXPECT_EQ(simulation.Now(), seconds(1));
}

TEST(SimProcessTest, ALoopThatIgnoresTheCrashIsReportedByName) {
  Simulation simulation({.seed = 1});
  SimProcess process(simulation, "worker");
  auto task = process.Spawn("deaf", [&] {
    for (;;) process.SleepFor(seconds(1));
  });
  simulation.RunFor(seconds(3));
  process.Crash();
  RunResult result = simulation.Run();
  EXPECT_EQ(result.end, RunEnd::kStuck);
  EXPECT_THAT(result.report, HasSubstr("worker/deaf"));
}

TEST(SimProcessTest, AFiberMayCrashItsOwnProcess) {
  Simulation simulation({.seed = 1});
  SimProcess process(simulation, "p");
  TaskGroup tasks(process);
  tasks.Spawn("waiter", [&] { EXPECT_FALSE(process.SleepFor(seconds(100))); });
  tasks.Spawn("crasher", [&] {
    process.SleepFor(seconds(1));
    process.Crash();
    process.SchedulingPoint("after");
    EXPECT_FALSE(process.SleepFor(seconds(100)));
  });
  EXPECT_EQ(simulation.Run().end, RunEnd::kFinished);
  EXPECT_EQ(simulation.Now(), seconds(1));
}

TEST(SimProcessTest, APauseHoldsFibersWhileTimePasses) {
  Simulation simulation({.seed = 1});
  SimProcess paused(simulation, "paused");
  SimProcess running(simulation, "running");
  Duration woke{0};
  int ticks = 0;
  TaskGroup tasks(paused);
  tasks.Spawn("sleeper", [&] {
    paused.SleepFor(seconds(2));
    woke = simulation.Now();
  });
  simulation.RunFor(seconds(1));
  tasks.Spawn("self", [&] {
    paused.PauseFor(seconds(10));
    simulation.Yield();
    EXPECT_EQ(simulation.Now(), seconds(11));
  });
  TaskGroup tickers(running);
  tickers.Spawn("ticker", [&] {
    for (; ticks < 5; ++ticks) running.SleepFor(seconds(1));
  });
  simulation.RunFor(seconds(6));
  EXPECT_EQ(simulation.Now(), seconds(7));
  EXPECT_TRUE(paused.paused());
  EXPECT_EQ(woke, Duration(0));
  EXPECT_EQ(ticks, 5);
  EXPECT_EQ(simulation.Run().end, RunEnd::kFinished);
  EXPECT_EQ(woke, seconds(11));
}

TEST(SimProcessTest, APauseWithoutEndIsNamedAndResumed) {
  Simulation simulation({.seed = 1});
  SimProcess process(simulation, "p");
  auto task = process.Spawn("f", [&] { process.SleepFor(seconds(1)); });
  process.PauseFor(Duration::max());
  RunResult result = simulation.Run();
  EXPECT_EQ(result.end, RunEnd::kDeadlock);
  EXPECT_THAT(result.report, HasSubstr("p/f is paused"));
  process.Resume();
  task->Join();
}

TEST(SimProcessTest, ClocksOfProcessesDiffer) {
  Simulation simulation({.seed = 1});
  SimProcess first(simulation, "first");
  simulation.RunFor(seconds(7));
  SimProcess second(simulation, "second");
  EXPECT_EQ(first.Now(), Instant{seconds(7)});
  EXPECT_EQ(second.Now(), Instant{});
  EXPECT_EQ(first.WallNow(), second.WallNow());
  second.SetWallOffset(-std::chrono::hours(2));
  EXPECT_EQ(first.WallNow().unix_ms - second.WallNow().unix_ms, 7'200'000);
  // A deadline counts in the clock of the process that made the condition.
  Channel<int> channel(second, 1);
  auto task = second.Spawn("f", [&] { channel.Pop(second.Now() + seconds(3)); });
  task->Join();
  EXPECT_EQ(simulation.Now(), seconds(10));
}

TEST(SimProcessTest, TraceLinesNameTimeProcessAndFiber) {
  Simulation simulation({.seed = 1, .kept_trace_lines = 2});
  SimProcess process(simulation, "p");
  process
      .Spawn("f",
             [&] {
               process.SchedulingPoint("first");
               process.SchedulingPoint("second");
               process.SleepFor(Duration(5));
               process.SchedulingPoint("third");
             })
      ->Join();
  EXPECT_THAT(simulation.TraceLines(), testing::ElementsAre("0ns p/f second", "5ns p/f third"));
}

TEST(SimulationDeathTest, NoConditionIsHeldAtASchedulingPoint) {
  auto hold = [] {
    Simulation simulation({.seed = 1});
    SimProcess process(simulation, "p");
    auto condition = process.NewCondition();
    process
        .Spawn("f",
               [&] {
                 std::lock_guard<Condition> held(*condition);
                 process.SchedulingPoint("a port call");
               })
        ->Join();
  };
  EXPECT_DEATH(hold(), "held_locks == 0");
}

TEST(SimulationDeathTest, ALockIsNotTakenTwice) {
  auto twice = [] {
    Simulation simulation({.seed = 1});
    SimProcess process(simulation, "p");
    auto condition = process.NewCondition();
    process
        .Spawn("f",
               [&] {
                 std::lock_guard<Condition> held(*condition);
                 condition->lock();
               })
        ->Join();
  };
  EXPECT_DEATH(twice(), "broken invariant");
}

}  // namespace
}  // namespace saffron
