#include <algorithm>
#include <utility>

#include "testing/sim/sim_fiber.h"

namespace saffron {

// The Task handle of a fiber.
class SimTask final : public Task {
 public:
  SimTask(Simulation& simulation, std::shared_ptr<SimFiber> fiber)
      : simulation_(simulation), fiber_(std::move(fiber)) {}
  ~SimTask() override { SAFFRON_ASSERT(fiber_->state == FiberState::kDone || simulation_.failed_); }
  void Join() override { simulation_.Join(fiber_.get()); }

 private:
  Simulation& simulation_;
  const std::shared_ptr<SimFiber> fiber_;
};

namespace {

// 2026-01-01T00:00:00Z: the wall clock when a simulation begins.
constexpr std::int64_t kWallEpochMs = 1'767'225'600'000;

}  // namespace

SimProcess::SimProcess(Simulation& simulation, std::string name)
    : simulation_(simulation),
      name_(std::move(name)),
      id_(++simulation.next_process_id_),
      origin_(simulation.now_),
      random_(simulation.options_.seed * 0x2545f4914f6cdd1dull + id_) {
  resume_.process = this;
}

SimProcess::~SimProcess() {
  SAFFRON_ASSERT(fibers_ == 0 || simulation_.failed_);
  simulation_.timers_.Cancel(&resume_);
}

Instant SimProcess::Now() { return {simulation_.now_ - origin_}; }

WallTime SimProcess::WallNow() {
  auto elapsed = std::chrono::floor<milliseconds>(simulation_.now_ + wall_offset_);
  return {kWallEpochMs + elapsed.count()};
}

Duration SimProcess::ToVirtual(Instant at) const {
  if (at.since_start > Duration::max() - origin_) return Duration::max();
  return at.since_start + origin_;
}

bool SimProcess::SleepFor(Duration duration) {
  SimFiber* self = simulation_.current_;
  SAFFRON_ASSERT(self != nullptr);  // the driver lets time pass by running the simulation
  SAFFRON_ASSERT(self->held_locks == 0);
  if (stopping_ || self->process->crashed()) {
    simulation_.FutileWait();
    return false;
  }
  Duration now = simulation_.now_;
  self->sleeps_on = this;
  self->state = FiberState::kSleeping;
  simulation_.Block(duration > Duration::max() - now ? Duration::max() : now + duration);
  return !stopping_ && !self->process->crashed();
}

std::unique_ptr<Task> SimProcess::Spawn(std::string name, Urgency /*one thread runs all*/,
                                        std::function<void()> body) {
  return std::make_unique<SimTask>(simulation_,
                                   simulation_.Start(*this, std::move(name), std::move(body)));
}

std::unique_ptr<Condition> SimProcess::NewCondition() {
  return std::make_unique<SimCondition>(*this);
}

std::uint64_t SimProcess::Random() { return random_.Next(); }

void SimProcess::RequestStop() {
  if (stopping_) return;
  stopping_ = true;
  for (const auto& fiber : simulation_.live_) {
    if (fiber->sleeps_on == this) simulation_.Wake(fiber.get());
  }
}

void SimProcess::Crash() {
  if (crashed_) return;
  simulation_.Trace("crash of " + name_);
  crashed_ = true;
  RequestStop();
  for (const auto& fiber : simulation_.live_) {
    if (fiber->process != this || (fiber->waits_on == nullptr && fiber->sleeps_on == nullptr)) {
      continue;
    }
    fiber->timed_out = true;
    simulation_.Wake(fiber.get());
  }
  Resume();
}

void SimProcess::PauseFor(Duration duration) {
  if (crashed_) return;
  simulation_.Trace("pause of " + name_);
  paused_ = true;
  auto mine = [this](SimFiber* fiber) { return fiber->process == this; };
  std::vector<SimFiber*>& runnable = simulation_.runnable_;
  std::copy_if(runnable.begin(), runnable.end(), std::back_inserter(held_), mine);
  std::erase_if(runnable, mine);
  Duration now = simulation_.now_;
  simulation_.timers_.Cancel(&resume_);
  if (duration < Duration::max() - now) simulation_.timers_.Set(&resume_, now + duration);
}

void SimProcess::Resume() {
  simulation_.timers_.Cancel(&resume_);
  if (!paused_) return;
  simulation_.Trace("resumption of " + name_);
  paused_ = false;
  simulation_.runnable_.insert(simulation_.runnable_.end(), held_.begin(), held_.end());
  held_.clear();
}

void SimProcess::SchedulingPoint(std::string_view name) {
  simulation_.Trace(name);
  SimFiber* self = simulation_.current_;
  if (self == nullptr) return;
  SAFFRON_ASSERT(self->held_locks == 0);  // no Condition is held across a port call
  if (self->process->crashed()) {
    simulation_.FutileWait();
  } else {
    simulation_.Yield();
  }
}

}  // namespace saffron
