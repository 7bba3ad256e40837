// The simulated runtime: many processes of many fibers on one thread, in virtual time, every
// scheduling decision drawn from a seed, so that a run can be repeated bit for bit.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/runtime.h"
#include "testing/sim/fiber.h"
#include "testing/sim/timer_heap.h"

namespace saffron {

class SimCondition;
class SimProcess;
struct SimFiber;  // one spawned task; sim_fiber.h

enum class RunEnd {
  kPredicate,  // the predicate became true
  kDeadline,   // virtual time reached the deadline
  kFinished,   // no fiber is left
  kDeadlock,   // fibers are left, and nothing can ever wake one
  kStuck,      // a fiber goes on for ever without time passing or its process ending
};

struct RunResult {
  RunEnd end;
  std::string report;  // for kDeadlock and kStuck: which fibers, and what they wait for
};

// Owned by a test; outlives its processes. Belongs to the thread that made it. "The driver" is that
// thread outside of fibers: it may spawn, notify, crash, read clocks and join, but not wait.
class Simulation {
 public:
  struct Options {
    std::uint64_t seed = 1;
    // Virtual time that each switch takes. At zero, time passes only when nothing can run; above
    // it, deadlines race with work.
    Duration switch_cost{0};
    // Taking a lock while holding none switches once in so many; 0: never.
    std::uint32_t lock_switch_one_in = 8;
    // A wait on a Condition returns for no reason once in so many; 0: never.
    std::uint32_t spurious_wake_one_in = 64;
    // So many switches without time passing mean that fibers only wake one another.
    std::uint64_t standstill_switches = 10'000'000;
    // How many of the last trace lines are kept.
    std::size_t kept_trace_lines = 0;
    // Shares stacks between simulations that follow one another; none: the simulation's own.
    FiberPool* pool = nullptr;
  };

  explicit Simulation(Options options);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  // Runs fibers until the predicate (may be empty; called between steps, must not wait) is true,
  // virtual time would pass `deadline`, or there is nothing more to do. Called by the driver.
  RunResult RunUntil(const std::function<bool()>& predicate, Duration deadline);
  RunResult RunFor(Duration duration);
  // Until no fiber is left.
  RunResult Run();

  // Virtual time since the simulation began; processes have clocks of their own.
  Duration Now() const { return now_; }
  // Lets any other fiber run. No effect for the driver.
  void Yield();
  // The process of the running fiber; none for the driver.
  SimProcess* CurrentProcess() const;
  // A stream of its own for faults and delays, apart from the scheduler's.
  RandomBits& random() { return random_; }

  // Folds a line, with virtual time, process and fiber, into the hash of the run.
  void Trace(std::string_view line);
  std::uint64_t TraceHash() const { return trace_hash_; }
  // For whoever tells what happens: called with every line that is traced, in the fiber that traces
  // it ("process/fiber"; or "driver"). Must not wait.
  using Watcher = std::function<void(std::string_view who, std::string_view line)>;
  void Watch(Watcher watcher) { watcher_ = std::move(watcher); }
  // A line for the watcher alone, made when there is one: no part of the run.
  template <class MakeLine>
  void Remark(const MakeLine& line) {
    if (watcher_) watcher_(CurrentName(), line());
  }
  const std::deque<std::string>& TraceLines() const { return trace_lines_; }
  std::uint64_t switches() const { return switches_; }

 private:
  friend class SimCondition;
  friend class SimProcess;
  friend class SimTask;

  std::shared_ptr<SimFiber> Start(SimProcess& process, std::string name,
                                  std::function<void()> body);
  void Ready(SimFiber* fiber);
  // Suspends the running fiber until Ready; with a deadline (virtual), a timer is set.
  void Block(Duration deadline);
  // A wait that would return at once: yields, and stops a fiber that does it for ever.
  void FutileWait();
  void Join(SimFiber* fiber);
  void Wake(SimFiber* fiber);
  void FireDueTimers();
  void RunOne();
  void CountSwitchTo(const SimFiber& fiber);
  // The running fiber has become the only one that can run, and nothing else is due before it: what
  // the driver would do is to resume it.
  bool GoesOnAlone() const;
  std::string CurrentName() const;
  RunResult Fail(RunEnd end, std::string report);
  std::string DescribeFibers() const;

  const Options options_;
  FiberPool own_pool_;
  FiberPool& pool_;
  RandomBits schedule_;
  RandomBits random_;
  Duration now_{0};
  TimerHeap timers_;
  SimFiber* current_ = nullptr;
  Duration deadline_{0};        // of the RunUntil under way
  bool has_predicate_ = false;  // the same
  std::vector<SimFiber*> runnable_;
  std::vector<std::shared_ptr<SimFiber>> live_;
  std::uint64_t next_fiber_id_ = 0;
  std::uint64_t next_process_id_ = 0;
  std::uint64_t switches_ = 0;
  std::uint64_t switches_at_now_ = 0;
  std::uint64_t trace_hash_ = 0;
  std::deque<std::string> trace_lines_;
  Watcher watcher_;
  std::string stuck_;
  bool failed_ = false;
};

// One run of one simulated process; a restart is a new object. Owned by a test and destroyed when
// its fibers have ended. Its monotonic clock starts with it; a Condition counts in the clock of the
// process that made it. What survives its crash is what lives elsewhere: in the ports' memory.
class SimProcess final : public Runtime {
 public:
  SimProcess(Simulation& simulation, std::string name);
  ~SimProcess() override;
  SimProcess(const SimProcess&) = delete;
  SimProcess& operator=(const SimProcess&) = delete;

  Instant Now() override;
  WallTime WallNow() override;
  bool SleepFor(Duration duration) override;
  using Runtime::Spawn;
  std::unique_ptr<Task> Spawn(std::string name, Urgency urgency,
                              std::function<void()> body) override;
  std::unique_ptr<Condition> NewCondition() override;
  std::uint64_t Random() override;
  void RequestStop() override;
  bool StopRequested() override { return stopping_; }

  // From now on the process is stopping, every wait of its fibers returns false at once, and the
  // decorators of its ports refuse every call: the fibers unwind and can reach nothing.
  void Crash();
  bool crashed() const { return crashed_; }
  // Its fibers are not run for so long (Duration::max(): until Resume).
  void PauseFor(Duration duration);
  void Resume();
  bool paused() const { return paused_; }
  // How far the wall clock is ahead of virtual time; may change at any moment, in any direction.
  void SetWallOffset(Duration offset) { wall_offset_ = offset; }

  // Called before and after every port call: the fiber must hold no Condition. Traces the name and
  // lets others run.
  void SchedulingPoint(std::string_view name);

  const std::string& name() const { return name_; }
  std::size_t fibers() const { return fibers_; }
  Simulation& simulation() { return simulation_; }

 private:
  friend class SimCondition;
  friend class Simulation;

  // A point of this process's clock in virtual time.
  Duration ToVirtual(Instant at) const;

  Simulation& simulation_;
  const std::string name_;
  const std::uint64_t id_;
  const Duration origin_;
  RandomBits random_;
  Duration wall_offset_{0};
  std::size_t fibers_ = 0;
  bool stopping_ = false;
  bool crashed_ = false;
  bool paused_ = false;
  std::vector<SimFiber*> held_;  // runnable, but the process is paused
  Timer resume_;
};

}  // namespace saffron
