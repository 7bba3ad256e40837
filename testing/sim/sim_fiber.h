// What the scheduler, the conditions and the processes of the simulation share: inner to it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "testing/sim/fiber.h"
#include "testing/sim/sim_runtime.h"

namespace saffron {

enum class FiberState { kRunnable, kSleeping, kOnCondition, kOnLock, kJoining, kStuck, kDone };

// One spawned task. Owned by the simulation while it lives and by its Task handle.
struct SimFiber {
  std::uint64_t id = 0;
  SimProcess* process = nullptr;
  std::string name;
  std::unique_ptr<Fiber> stack;
  FiberState state = FiberState::kRunnable;
  Timer timer;
  bool timed_out = false;            // why the last wait ended
  SimCondition* waits_on = nullptr;  // kOnCondition
  SimProcess* sleeps_on = nullptr;   // kSleeping: the runtime it sleeps on
  std::vector<SimFiber*> joiners;
  std::uint32_t held_locks = 0;
  std::uint32_t futile_waits = 0;
};

// A Condition of the simulation: the lock has an owner and blocks properly, though a fiber seldom
// switches while it holds one.
class SimCondition final : public Condition {
 public:
  explicit SimCondition(SimProcess& process)
      : process_(process), simulation_(process.simulation()) {}
  ~SimCondition() override { SAFFRON_ASSERT(waiters_.empty() || simulation_.failed_); }

  void lock() override;
  void unlock() override;
  bool WaitUntil(Instant deadline) override;
  void NotifyAll() override;

 private:
  friend class Simulation;

  void Acquire();
  void Release();
  void Forget(SimFiber* fiber);

  SimProcess& process_;
  Simulation& simulation_;
  bool locked_ = false;
  SimFiber* owner_ = nullptr;  // none while locked: the driver
  std::vector<SimFiber*> waiters_;
  std::vector<SimFiber*> lock_waiters_;
};

}  // namespace saffron
