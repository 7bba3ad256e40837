#include "base/thread_runtime.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <thread>

namespace saffron {
namespace {

// What holds for every Runtime is tested in testing/sim; here is what only threads have.

TEST(ThreadRuntimeTest, ASignalThreadMayStopIt) {
  ThreadRuntime runtime;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &signals, nullptr), 0);
  std::thread waiter([&] {
    int signal = 0;
    EXPECT_EQ(sigwait(&signals, &signal), 0);
    runtime.RequestStop();
  });
  auto sleeper = runtime.Spawn("sleeper", [&] { EXPECT_FALSE(runtime.SleepFor(seconds(600))); });
  ASSERT_EQ(pthread_kill(waiter.native_handle(), SIGUSR1), 0);
  sleeper->Join();
  waiter.join();
  EXPECT_TRUE(runtime.StopRequested());
}

TEST(ThreadRuntimeTest, TasksRunAtTheSameTime) {
  ThreadRuntime runtime;
  std::atomic<int> here{0};
  TaskGroup tasks(runtime);
  for (int i = 0; i < 3; ++i) {
    tasks.Spawn("spinner", [&] {
      ++here;
      while (here < 3) std::this_thread::yield();
    });
  }
  tasks.JoinAll();
  EXPECT_EQ(here, 3);
}

TEST(ThreadRuntimeDeathTest, ATaskMustBeJoined) {
  EXPECT_DEATH(
      {
        ThreadRuntime runtime;
        runtime.Spawn("forgotten", [&] { runtime.SleepFor(seconds(600)); });
      },
      "broken invariant");
}

}  // namespace
}  // namespace saffron
