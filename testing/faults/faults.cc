#include "testing/faults/faults.h"

#include <algorithm>
#include <memory>

namespace saffron {

std::string_view FaultName(FaultKind kind) {
  switch (kind) {
    case FaultKind::kFailBefore: return "fail before";
    case FaultKind::kLostAnswer: return "lost answer";
    case FaultKind::kLate: return "late";
    case FaultKind::kRepeated: return "repeated";
    case FaultKind::kSlow: return "slow";
    case FaultKind::kCount: break;
  }
  return "";
}

Duration FaultPlan::RandomUpTo(Duration most) {
  auto micros = std::chrono::duration_cast<std::chrono::microseconds>(most).count();
  return std::chrono::microseconds(
      process_.simulation().random().Below(static_cast<std::uint32_t>(micros)));
}

FaultStep FaultPlan::TakeStep(std::string_view name) {
  auto step = std::find_if(script_.begin(), script_.end(),
                           [name](const FaultStep& one) { return one.call == name; });
  if (step == script_.end() || step->skip-- > 0) return FaultStep();
  FaultStep taken = std::move(*step);
  script_.erase(step);
  return taken;
}

bool FaultPlan::Draw(const FaultStep& step, FaultKind kind, std::uint32_t per_mille) {
  if (step.fault) return *step.fault == kind;
  if (per_mille == 0 || process_.simulation().random().Below(1000) >= per_mille) return false;
  ++counts_.by_kind[static_cast<std::size_t>(kind)];
  process_.simulation().Trace(FaultName(kind));
  return true;
}

bool FaultPlan::Enter(std::string_view name, const FaultStep& step) {
  if (process_.crashed()) return false;
  ++counts_.calls;
  if (step.before) step.before();
  process_.SchedulingPoint(name);
  if (!process_.crashed() && Draw(step, FaultKind::kSlow, rates_.slow)) {
    process_.SleepFor(RandomUpTo(rates_.slow_max));
  }
  return !process_.crashed();
}

// What was applied may be found out only if the process is still there to hear the answer.
bool FaultPlan::Leave(std::string_view name, const FaultStep& step) {
  if (step.after) step.after();
  process_.SchedulingPoint(name);
  return !process_.crashed();
}

void FaultPlan::RunLate(Duration delay, std::function<void()> body) {
  SimProcess& environment = environment_;
  late_tasks_.Spawn("late", [&environment, delay, body = std::move(body)] {
    environment.SleepFor(delay);
    body();
  });
}

}  // namespace saffron
