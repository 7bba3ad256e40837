#include <algorithm>

#include "testing/sim/sim_fiber.h"

namespace saffron {

void SimCondition::lock() {
  SimFiber* self = simulation_.current_;
  std::uint32_t one_in = simulation_.options_.lock_switch_one_in;
  if (self != nullptr && self->held_locks == 0 && one_in != 0 &&
      simulation_.schedule_.Below(one_in) == 0) {
    simulation_.Yield();
  }
  Acquire();
}

void SimCondition::unlock() { Release(); }

bool SimCondition::WaitUntil(Instant deadline) {
  SimFiber* self = simulation_.current_;
  SAFFRON_ASSERT(self != nullptr);  // the driver must not wait
  Release();
  std::uint32_t one_in = simulation_.options_.spurious_wake_one_in;
  bool in_time = true;
  if (self->process->crashed()) {
    simulation_.FutileWait();
    in_time = false;
  } else if (one_in != 0 && deadline > process_.Now() && simulation_.schedule_.Below(one_in) == 0) {
    simulation_.Yield();
  } else {
    waiters_.push_back(self);
    self->waits_on = this;
    self->state = FiberState::kOnCondition;
    simulation_.Block(process_.ToVirtual(deadline));
    in_time = !self->timed_out;
  }
  Acquire();
  return in_time;
}

void SimCondition::NotifyAll() {
  while (!waiters_.empty()) simulation_.Wake(waiters_.front());
}

void SimCondition::Acquire() {
  SimFiber* self = simulation_.current_;
  while (locked_) {
    // The driver cannot wait for a fiber, and nobody for itself.
    SAFFRON_ASSERT(self != nullptr && owner_ != self);
    lock_waiters_.push_back(self);
    self->state = FiberState::kOnLock;
    simulation_.Block(Duration::max());
  }
  locked_ = true;
  owner_ = self;
  if (self != nullptr) ++self->held_locks;
}

void SimCondition::Release() {
  SAFFRON_ASSERT(locked_ && owner_ == simulation_.current_);
  locked_ = false;
  if (owner_ != nullptr) --owner_->held_locks;
  owner_ = nullptr;
  for (SimFiber* fiber : lock_waiters_) simulation_.Ready(fiber);
  lock_waiters_.clear();
}

void SimCondition::Forget(SimFiber* fiber) {
  waiters_.erase(std::find(waiters_.begin(), waiters_.end(), fiber));
}

}  // namespace saffron
