#include "testing/sim/sim_runtime.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "testing/sim/sim_fiber.h"

namespace saffron {
namespace {

// So many waits that return at once, in a process that ends, mean a loop that ignores the end.
constexpr std::uint32_t kFutileWaitLimit = 100'000;

std::uint64_t Fold(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
  return hash ^ (hash >> 32);
}

std::string FullName(const SimFiber& fiber) { return fiber.process->name() + "/" + fiber.name; }

std::string_view WaitsFor(const SimFiber& fiber) {
  switch (fiber.state) {
    case FiberState::kRunnable: return fiber.process->paused() ? "is paused" : "can run";
    case FiberState::kSleeping: return "sleeps";
    case FiberState::kOnCondition: return "waits on a condition";
    case FiberState::kOnLock: return "waits for a lock";
    case FiberState::kJoining: return "joins another";
    case FiberState::kStuck: return "is stuck";
    case FiberState::kDone: return "is done";
  }
  return "";
}

}  // namespace

Simulation::Simulation(Options options)
    : options_(options),
      pool_(options.pool != nullptr ? *options.pool : own_pool_),
      schedule_(options.seed),
      random_(options.seed ^ 0x6a09e667f3bcc908ull),
      trace_hash_(Fold(0, 1)) {}

Simulation::~Simulation() { SAFFRON_ASSERT(live_.empty() || failed_); }

RunResult Simulation::RunUntil(const std::function<bool()>& predicate, Duration deadline) {
  SAFFRON_ASSERT(current_ == nullptr);
  deadline_ = deadline;
  has_predicate_ = predicate != nullptr;
  for (;;) {
    if (!stuck_.empty()) return Fail(RunEnd::kStuck, stuck_);
    if (predicate && predicate()) return {RunEnd::kPredicate, ""};
    if (live_.empty()) {
      if (!predicate && deadline != Duration::max()) now_ = std::max(now_, deadline);
      return {RunEnd::kFinished, ""};
    }
    FireDueTimers();
    if (now_ > deadline) return {RunEnd::kDeadline, ""};
    if (!runnable_.empty()) {
      RunOne();
      continue;
    }
    // Fibers that all wait for the driver are idle until a mere deadline, not locked up.
    if (timers_.empty() && (predicate || deadline == Duration::max())) {
      return Fail(RunEnd::kDeadlock, "nothing can run:" + DescribeFibers());
    }
    if (timers_.empty() || timers_.earliest()->at > deadline) {
      now_ = deadline;
      return {RunEnd::kDeadline, ""};
    }
    now_ = timers_.earliest()->at;
    switches_at_now_ = 0;
  }
}

RunResult Simulation::RunFor(Duration duration) {
  return RunUntil({}, duration > Duration::max() - now_ ? Duration::max() : now_ + duration);
}

RunResult Simulation::Run() { return RunUntil({}, Duration::max()); }

void Simulation::RunOne() {
  std::size_t pick = 0;
  if (runnable_.size() > 1) pick = schedule_.Below(static_cast<std::uint32_t>(runnable_.size()));
  SimFiber* fiber = runnable_[pick];
  runnable_[pick] = runnable_.back();
  runnable_.pop_back();
  CountSwitchTo(*fiber);
  current_ = fiber;
  fiber->stack->Resume();
  current_ = nullptr;
  if (!fiber->stack->idle()) return;
  fiber->state = FiberState::kDone;
  SAFFRON_ASSERT(fiber->held_locks == 0);
  pool_.Give(std::move(fiber->stack));
  --fiber->process->fibers_;
  for (SimFiber* joiner : fiber->joiners) Ready(joiner);
  fiber->joiners.clear();
  auto at = std::find_if(live_.begin(), live_.end(),
                         [&](const auto& other) { return other.get() == fiber; });
  *at = std::move(live_.back());
  live_.pop_back();
}

void Simulation::CountSwitchTo(const SimFiber& fiber) {
  ++switches_;
  if (options_.switch_cost != Duration::zero()) {
    now_ += options_.switch_cost;
  } else if (++switches_at_now_ > options_.standstill_switches) {
    stuck_ = "virtual time stands still; last ran " + FullName(fiber) + ";" + DescribeFibers();
  }
  trace_hash_ = Fold(trace_hash_, fiber.id);
}

bool Simulation::GoesOnAlone() const {
  return runnable_.empty() && !current_->process->paused_ && !has_predicate_ && stuck_.empty() &&
         now_ <= deadline_ && (timers_.empty() || timers_.earliest()->at > now_);
}

std::shared_ptr<SimFiber> Simulation::Start(SimProcess& process, std::string name,
                                            std::function<void()> body) {
  auto fiber = std::make_shared<SimFiber>();
  fiber->id = ++next_fiber_id_;
  fiber->process = &process;
  fiber->name = std::move(name);
  fiber->timer.fiber = fiber.get();
  fiber->stack = pool_.Take();
  fiber->stack->SetBody(std::move(body));
  live_.push_back(fiber);
  ++process.fibers_;
  Ready(fiber.get());
  return fiber;
}

void Simulation::Ready(SimFiber* fiber) {
  fiber->state = FiberState::kRunnable;
  (fiber->process->paused_ ? fiber->process->held_ : runnable_).push_back(fiber);
}

void Simulation::Block(Duration deadline) {
  SimFiber* self = current_;
  self->timed_out = false;
  if (deadline != Duration::max()) timers_.Set(&self->timer, deadline);
  self->stack->Suspend();
}

// Ends a wait with an answer (a sleep, or a wait on a condition) before or at its timer.
void Simulation::Wake(SimFiber* fiber) {
  timers_.Cancel(&fiber->timer);
  if (fiber->waits_on != nullptr) fiber->waits_on->Forget(fiber);
  fiber->waits_on = nullptr;
  fiber->sleeps_on = nullptr;
  Ready(fiber);
}

void Simulation::Yield() {
  if (current_ == nullptr) return;
  if (GoesOnAlone()) return CountSwitchTo(*current_);
  Ready(current_);
  current_->stack->Suspend();
}

void Simulation::FutileWait() {
  if (++current_->futile_waits <= kFutileWaitLimit) return Yield();
  stuck_ = FullName(*current_) + " goes on waiting though its process has ended";
  current_->state = FiberState::kStuck;
  for (;;) current_->stack->Suspend();
}

void Simulation::Join(SimFiber* fiber) {
  if (fiber->state == FiberState::kDone) return;
  if (current_ == nullptr) {
    RunResult result = RunUntil([&] { return fiber->state == FiberState::kDone; }, Duration::max());
    if (!result.report.empty()) std::fprintf(stderr, "simulation: %s\n", result.report.c_str());
    SAFFRON_ASSERT(fiber->state == FiberState::kDone);
    return;
  }
  fiber->joiners.push_back(current_);
  current_->state = FiberState::kJoining;
  Block(Duration::max());
}

void Simulation::FireDueTimers() {
  while (!timers_.empty() && timers_.earliest()->at <= now_) {
    Timer* timer = timers_.earliest();
    if (timer->process != nullptr) {
      timer->process->Resume();
    } else {
      timer->fiber->timed_out = true;
      Wake(timer->fiber);
    }
  }
}

SimProcess* Simulation::CurrentProcess() const {
  return current_ == nullptr ? nullptr : current_->process;
}

void Simulation::Trace(std::string_view line) {
  trace_hash_ = Fold(trace_hash_, static_cast<std::uint64_t>(now_.count()));
  trace_hash_ = Fold(trace_hash_, current_ == nullptr ? 0 : current_->id);
  trace_hash_ = XXH3_64bits_withSeed(line.data(), line.size(), trace_hash_);
  if (watcher_) watcher_(CurrentName(), line);
  if (options_.kept_trace_lines == 0) return;
  if (trace_lines_.size() == options_.kept_trace_lines) trace_lines_.pop_front();
  trace_lines_.push_back(std::to_string(now_.count()) + "ns " + CurrentName() + " " +
                         std::string(line));
}

std::string Simulation::CurrentName() const {
  return current_ == nullptr ? "driver" : FullName(*current_);
}

RunResult Simulation::Fail(RunEnd end, std::string report) {
  failed_ = true;
  return {end, std::move(report)};
}

std::string Simulation::DescribeFibers() const {
  std::string text;
  for (const auto& fiber : live_) {
    text += ' ';
    text += FullName(*fiber);
    text += ' ';
    text += WaitsFor(*fiber);
    text += ";";
  }
  return text;
}

}  // namespace saffron
