// What holds for every Runtime, and for Channel and Promise on it: over threads and over the
// simulation.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/channel.h"
#include "base/thread_runtime.h"
#include "testing/sim/sim_runtime.h"

namespace saffron {
namespace {

class OverThreads {
 public:
  void Run(const std::function<void(Runtime&)>& body) { body(runtime_); }

 private:
  ThreadRuntime runtime_;
};

class OverSimulation {
 public:
  void Run(const std::function<void(Runtime&)>& body) {
    process_.Spawn("test", [&] { body(process_); })->Join();
  }

 private:
  Simulation simulation_{{.seed = 7}};
  SimProcess process_{simulation_, "process"};
};

template <class Environment>
class RuntimeSuite : public testing::Test {
 protected:
  void Run(const std::function<void(Runtime&)>& body) { environment_.Run(body); }

 private:
  Environment environment_;
};

class EnvironmentNames {
 public:
  template <class T>
  static std::string GetName(int) {
    return std::is_same_v<T, OverThreads> ? "Threads" : "Simulation";
  }
};
using Environments = testing::Types<OverThreads, OverSimulation>;
TYPED_TEST_SUITE(RuntimeSuite, Environments, EnvironmentNames);

Instant In(Runtime& runtime, Duration duration) { return runtime.Now() + duration; }

TYPED_TEST(RuntimeSuite, ASleepLastsAtLeastAsLongAsAsked) {
  this->Run([](Runtime& runtime) {
    Instant before = runtime.Now();
    EXPECT_TRUE(runtime.SleepFor(milliseconds(5)));
    EXPECT_GE(runtime.Now() - before, milliseconds(5));
    EXPECT_TRUE(runtime.SleepFor(milliseconds(0)));
    EXPECT_TRUE(runtime.SleepFor(milliseconds(-5)));
  });
}

TYPED_TEST(RuntimeSuite, StopEndsEverySleep) {
  this->Run([](Runtime& runtime) {
    int ended = 0;
    std::unique_ptr<Condition> guard = runtime.NewCondition();
    TaskGroup tasks(runtime);
    for (Duration duration : {Duration(std::chrono::hours(9)), Duration::max()}) {
      tasks.Spawn("sleeper", [&runtime, &ended, &guard, duration] {
        EXPECT_FALSE(runtime.SleepFor(duration));
        std::lock_guard<Condition> held(*guard);
        ++ended;
      });
    }
    EXPECT_FALSE(runtime.StopRequested());
    runtime.RequestStop();
    runtime.RequestStop();
    tasks.JoinAll();
    EXPECT_EQ(ended, 2);
    EXPECT_TRUE(runtime.StopRequested());
    EXPECT_FALSE(runtime.SleepFor(seconds(100)));
  });
}

TYPED_TEST(RuntimeSuite, AWaitEndsAtItsDeadlineWithTheLockHeld) {
  this->Run([](Runtime& runtime) {
    std::unique_ptr<Condition> condition = runtime.NewCondition();
    Instant deadline = In(runtime, milliseconds(5));
    std::lock_guard<Condition> held(*condition);
    while (condition->WaitUntil(deadline)) EXPECT_LT(runtime.Now(), In(runtime, seconds(100)));
    EXPECT_GE(runtime.Now(), deadline);
    EXPECT_FALSE(condition->WaitUntil(deadline));
  });
}

TYPED_TEST(RuntimeSuite, NotifyWakesEveryWaiter) {
  this->Run([](Runtime& runtime) {
    std::unique_ptr<Condition> condition = runtime.NewCondition();
    bool open = false;
    int woken = 0;
    TaskGroup tasks(runtime);
    for (int i = 0; i < 5; ++i) {
      tasks.Spawn("waiter", [&] {
        std::lock_guard<Condition> held(*condition);
        while (!open) condition->WaitUntil(Instant::Max());
        ++woken;
      });
    }
    runtime.SleepFor(milliseconds(2));
    {
      std::lock_guard<Condition> held(*condition);
      open = true;
      condition->NotifyAll();
    }
    tasks.JoinAll();
    EXPECT_EQ(woken, 5);
  });
}

TYPED_TEST(RuntimeSuite, TheLockExcludes) {
  this->Run([](Runtime& runtime) {
    std::unique_ptr<Condition> condition = runtime.NewCondition();
    std::unique_ptr<Condition> other = runtime.NewCondition();
    int inside = 0;
    int total = 0;
    TaskGroup tasks(runtime);
    for (int task = 0; task < 4; ++task) {
      tasks.Spawn("locker", [&] {
        for (int i = 0; i < 100; ++i) {
          std::lock_guard<Condition> held(*condition);
          EXPECT_EQ(++inside, 1);
          // Waiting on another condition with the first held switches fibers.
          std::lock_guard<Condition> held_too(*other);
          other->WaitUntil(Instant{});
          EXPECT_EQ(inside--, 1);
          ++total;
        }
      });
    }
    tasks.JoinAll();
    EXPECT_EQ(total, 400);
  });
}

TYPED_TEST(RuntimeSuite, TasksSpawnTasks) {
  this->Run([](Runtime& runtime) {
    int depth = 0;
    std::function<void()> nest = [&] {
      if (++depth < 10) runtime.Spawn("a task with quite a long name", nest)->Join();
    };
    nest();
    EXPECT_EQ(depth, 10);
  });
}

TYPED_TEST(RuntimeSuite, RandomNumbersAndIdsDiffer) {
  this->Run([](Runtime& runtime) {
    std::vector<std::uint64_t> numbers(100);
    for (auto& number : numbers) number = runtime.Random();
    std::sort(numbers.begin(), numbers.end());
    EXPECT_EQ(std::unique(numbers.begin(), numbers.end()), numbers.end());
    EXPECT_NE(runtime.NewUuid(), runtime.NewUuid());
    EXPECT_EQ(runtime.NewUuid().ToString()[14], '7');
    for (int i = 0; i < 100; ++i) EXPECT_LT(runtime.RandomBelow(3), 3u);
    // A wall clock of this century.
    EXPECT_GT(runtime.WallNow(), *ParseRfc3339("2025-01-01T00:00:00Z"));
  });
}

TYPED_TEST(RuntimeSuite, AChannelKeepsOrderAndBound) {
  this->Run([](Runtime& runtime) {
    Channel<int> channel(runtime, 2);
    EXPECT_TRUE(channel.TryPush(1));
    EXPECT_TRUE(channel.Push(2, Instant{}));
    EXPECT_FALSE(channel.TryPush(3));
    EXPECT_FALSE(channel.Push(3, In(runtime, milliseconds(1))));
    EXPECT_EQ(channel.Size(), 2u);
    EXPECT_EQ(channel.Pop(Instant{}), 1);
    EXPECT_TRUE(channel.TryPush(4));
    EXPECT_EQ(channel.PopMany(10, Instant::Max()), (std::vector<int>{2, 4}));
    EXPECT_EQ(channel.Pop(In(runtime, milliseconds(1))), std::nullopt);
    EXPECT_TRUE(channel.PopMany(10, In(runtime, milliseconds(1))).empty());
  });
}

TYPED_TEST(RuntimeSuite, AFullChannelHoldsThePusherUntilThereIsRoom) {
  this->Run([](Runtime& runtime) {
    Channel<std::unique_ptr<int>> channel(runtime, 1);
    TaskGroup tasks(runtime);
    tasks.Spawn("pusher", [&] {
      for (int i = 0; i < 50; ++i) {
        EXPECT_TRUE(channel.Push(std::make_unique<int>(i), Instant::Max()));
      }
      channel.Close();
    });
    for (int i = 0; i < 50; ++i) {
      auto item = channel.Pop(Instant::Max());
      ASSERT_TRUE(item.has_value());
      EXPECT_EQ(**item, i);
      EXPECT_LE(channel.Size(), 1u);
    }
    EXPECT_FALSE(channel.Pop(Instant::Max()).has_value());
  });
}

TYPED_TEST(RuntimeSuite, CloseWakesBothSidesAndKeepsWhatIsQueued) {
  this->Run([](Runtime& runtime) {
    Channel<int> empty(runtime, 1);
    Channel<int> full(runtime, 1);
    EXPECT_TRUE(full.TryPush(1));
    TaskGroup tasks(runtime);
    tasks.Spawn("popper", [&] { EXPECT_EQ(empty.Pop(Instant::Max()), std::nullopt); });
    tasks.Spawn("pusher", [&] { EXPECT_FALSE(full.Push(2, Instant::Max())); });
    runtime.SleepFor(milliseconds(2));
    empty.Close();
    full.Close();
    tasks.JoinAll();
    EXPECT_TRUE(full.Closed());
    EXPECT_EQ(full.Pop(Instant::Max()), 1);
    EXPECT_EQ(full.Pop(Instant::Max()), std::nullopt);
    EXPECT_FALSE(full.TryPush(3));
  });
}

TYPED_TEST(RuntimeSuite, ManyProducersAndConsumersLoseAndDoubleNothing) {
  this->Run([](Runtime& runtime) {
    constexpr int kEach = 500;
    Channel<int> channel(runtime, 7);
    Channel<std::vector<int>> results(runtime, 3);
    TaskGroup producers(runtime);
    TaskGroup consumers(runtime);
    for (int p = 0; p < 3; ++p) {
      producers.Spawn("producer", [&, p] {
        for (int i = 0; i < kEach; ++i) channel.Push(p * kEach + i, Instant::Max());
      });
      consumers.Spawn("consumer", [&] {
        std::vector<int> mine;
        for (;;) {
          std::vector<int> some = channel.PopMany(5, Instant::Max());
          if (some.empty()) break;
          mine.insert(mine.end(), some.begin(), some.end());
        }
        results.Push(std::move(mine), Instant::Max());
      });
    }
    producers.JoinAll();
    channel.Close();
    consumers.JoinAll();
    std::vector<int> all;
    while (auto part = results.Pop(Instant{})) all.insert(all.end(), part->begin(), part->end());
    std::sort(all.begin(), all.end());
    std::vector<int> expected(3 * kEach);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(all, expected);
  });
}

TYPED_TEST(RuntimeSuite, APromiseIsSetOnce) {
  this->Run([](Runtime& runtime) {
    Promise<std::string> promise(runtime);
    EXPECT_EQ(promise.Wait(In(runtime, milliseconds(1))), std::nullopt);
    TaskGroup tasks(runtime);
    for (int i = 0; i < 3; ++i) {
      tasks.Spawn("waiter", [&] { EXPECT_EQ(promise.Wait(Instant::Max()), "first"); });
    }
    EXPECT_TRUE(promise.Set("first"));
    EXPECT_FALSE(promise.Set("second"));
    tasks.JoinAll();
    EXPECT_EQ(promise.Wait(Instant{}), "first");
  });
}

}  // namespace
}  // namespace saffron
