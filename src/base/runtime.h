// Runtime: time, threads, waiting and randomness behind one interface, with two implementations:
// real threads (thread_runtime.h) and a seeded simulation on one thread with fibers
// (testing/sim/sim_runtime.h), in which every wait and every port call is a scheduling point.
//
// Code above the ports takes a Runtime& and uses nothing else to wait, to start work, to know
// the time or to draw a number. Waiting is only on a Condition (bounded channels are built on it)
// and on the clock. No Condition is held across a port call.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"

namespace saffron {

using Duration = std::chrono::nanoseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A point on the process's own monotonic clock.
struct Instant {
  Duration since_start{0};
  friend auto operator<=>(const Instant&, const Instant&) = default;
  friend Instant operator+(Instant at, Duration d) { return {at.since_start + d}; }
  friend Duration operator-(Instant a, Instant b) { return a.since_start - b.since_start; }
  static Instant Max() { return {Duration::max()}; }
};

// Milliseconds since the Unix epoch, UTC. For people and time stamps, never for order.
struct WallTime {
  std::int64_t unix_ms = 0;
  friend auto operator<=>(const WallTime&, const WallTime&) = default;
  // RFC 3339 UTC with milliseconds: "2026-11-23T07:01:02.345Z".
  std::string ToRfc3339() const;
};

// Any RFC 3339 time stamp, whatever its offset; digits below the millisecond are cut.
std::optional<WallTime> ParseRfc3339(std::string_view text);

// A mutex with one condition: everything that is waited for is guarded by one.
// Lock/Unlock make it a BasicLockable: use std::lock_guard<Condition>.
class Condition {
 public:
  virtual ~Condition() = default;
  virtual void lock() = 0;
  virtual void unlock() = 0;
  // Called with the lock held; releases it while waiting and holds it on return.
  // False when `deadline` has passed. Spurious returns happen: test the predicate in a loop.
  virtual bool WaitUntil(Instant deadline) = 0;
  virtual void NotifyAll() = 0;
};

// A started thread or fiber. Its owner joins it before destroying it.
class Task {
 public:
  virtual ~Task() = default;
  virtual void Join() = 0;
};

// Who goes first when cores are short.
enum class Urgency {
  kServing,     // somebody waits for its answer
  kBackground,  // catches up later
};

class Runtime {
 public:
  virtual ~Runtime() = default;

  virtual Instant Now() = 0;
  virtual WallTime WallNow() = 0;
  // Returns early, with false, when the runtime is stopping.
  virtual bool SleepFor(Duration duration) = 0;
  // What a task spawns itself is as urgent as it is, at most.
  virtual std::unique_ptr<Task> Spawn(std::string name, Urgency urgency,
                                      std::function<void()> body) = 0;
  std::unique_ptr<Task> Spawn(std::string name, std::function<void()> body) {
    return Spawn(std::move(name), Urgency::kServing, std::move(body));
  }
  virtual std::unique_ptr<Condition> NewCondition() = 0;
  // 64 uniform bits; reproducible in the simulation.
  virtual std::uint64_t Random() = 0;

  // Stop is a one-way request to the whole (simulated) process: sleeps end, loops leave.
  virtual void RequestStop() = 0;
  virtual bool StopRequested() = 0;

  Uuid NewUuid() { return Uuid::FromTime(WallNow().unix_ms, Random(), Random()); }
  // Uniform in [0, bound).
  std::uint64_t RandomBelow(std::uint64_t bound) { return bound == 0 ? 0 : Random() % bound; }
};

// RAII: joins on destruction.
class TaskGroup {
 public:
  explicit TaskGroup(Runtime& runtime) : runtime_(runtime) {}
  ~TaskGroup() { JoinAll(); }
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  void Spawn(std::string name, std::function<void()> body) {
    Spawn(std::move(name), Urgency::kServing, std::move(body));
  }
  void Spawn(std::string name, Urgency urgency, std::function<void()> body) {
    tasks_.push_back(runtime_.Spawn(std::move(name), urgency, std::move(body)));
  }
  void JoinAll() {
    for (auto& task : tasks_) task->Join();
    tasks_.clear();
  }

 private:
  Runtime& runtime_;
  std::vector<std::unique_ptr<Task>> tasks_;
};

}  // namespace saffron
