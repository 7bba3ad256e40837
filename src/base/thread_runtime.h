// The Runtime of a real process: threads, the steady clock, the system's wall clock.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "base/runtime.h"

namespace saffron {

// Owned by main (or a test) and destroyed after every Task and Condition made by it. All methods
// may be called from any thread. RequestStop takes a mutex: call it from a thread that waits for
// signals (sigwait, signalfd), never from a signal handler. It ends sleeps; a thread that waits on
// a Condition is woken by whoever closes what it waits for.
class ThreadRuntime final : public Runtime {
 public:
  ThreadRuntime();

  Instant Now() override;
  WallTime WallNow() override;
  bool SleepFor(Duration duration) override;
  // Thread names are cut to the 15 bytes that Linux keeps. Background threads have the lowest
  // priority (nice 19), and pass it on.
  using Runtime::Spawn;
  std::unique_ptr<Task> Spawn(std::string name, Urgency urgency,
                              std::function<void()> body) override;
  std::unique_ptr<Condition> NewCondition() override;
  std::uint64_t Random() override;
  void RequestStop() override;
  bool StopRequested() override;

 private:
  const std::chrono::steady_clock::time_point start_;
  std::atomic<bool> stop_{false};
  std::mutex stop_mutex_;
  std::condition_variable stop_changed_;
};

}  // namespace saffron
