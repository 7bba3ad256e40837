#include "testing/faults/faults.h"

#include <algorithm>
#include <memory>

namespace saffron {
namespace {

// Of a call by its name, "port.call".
Store StoreOf(std::string_view name) {
  if (name.starts_with("store.")) return Store::kObjects;
  if (name.starts_with("bus.")) return Store::kBus;
  if (name.starts_with("graph.")) return Store::kGraph;
  if (name.starts_with("search.")) return Store::kSearch;
  return Store::kRegistry;
}

}  // namespace

std::string_view FaultName(FaultKind kind) {
  switch (kind) {
    case FaultKind::kFailBefore: return "fail before";
    case FaultKind::kNeverApplied: return "never applied";
    case FaultKind::kLostAnswer: return "lost answer";
    case FaultKind::kLate: return "late";
    case FaultKind::kRepeated: return "repeated";
    case FaultKind::kSlow: return "slow";
    case FaultKind::kStale: return "stale";
    case FaultKind::kCrashBefore: return "crash before";
    case FaultKind::kCrashAfter: return "crash after";
    case FaultKind::kPauseBefore: return "pause before";
    case FaultKind::kPauseAfter: return "pause after";
    case FaultKind::kOutage: return "outage";
    case FaultKind::kCount: break;
  }
  return "";
}

std::string_view StoreName(Store store) {
  switch (store) {
    case Store::kObjects: return "objects";
    case Store::kRegistry: return "registry";
    case Store::kBus: return "bus";
    case Store::kGraph: return "graph";
    case Store::kSearch: return "search";
    case Store::kCount: break;
  }
  return "";
}

Duration FaultPlan::RandomUpTo(Duration most) {
  auto micros = std::chrono::duration_cast<std::chrono::microseconds>(most).count();
  return std::chrono::microseconds(
      process_.simulation().random().Below(static_cast<std::uint32_t>(micros)));
}

void FaultPlan::SleepUpTo(Duration most) { process_.SleepFor(RandomUpTo(most)); }

FaultStep FaultPlan::TakeStep(std::string_view name) {
  auto step = std::find_if(script_.begin(), script_.end(),
                           [name](const FaultStep& one) { return one.call == name; });
  if (step == script_.end() || step->skip-- > 0) return FaultStep();
  FaultStep taken = std::move(*step);
  script_.erase(step);
  return taken;
}

void FaultPlan::Count(std::string_view name, FaultKind kind) {
  ++counts_.by_kind[static_cast<std::size_t>(kind)];
  ++counts_.by_call[{std::string(name), kind}];
  process_.simulation().Trace(FaultName(kind));
}

bool FaultPlan::Draw(std::string_view name, const FaultStep& step, FaultKind kind,
                     std::uint32_t per_mille) {
  if (step.fault) return *step.fault == kind;
  if (rates_.focus == name) per_mille = std::max(per_mille, rates_.focus_rate);
  if (per_mille == 0 || process_.simulation().random().Below(1000) >= per_mille) return false;
  Count(name, kind);
  return true;
}

bool FaultPlan::Troubled(std::string_view name, bool writes) {
  if (troubles_ == nullptr) return false;
  const StoreTrouble trouble = (*troubles_)[static_cast<std::size_t>(StoreOf(name))];
  const bool refused = trouble == StoreTrouble::kAway || (trouble == StoreTrouble::kFull && writes);
  if (refused) Count(name, FaultKind::kOutage);
  // Or it goes away just before the call in focus, which others before it have prepared.
  return refused || Draw(name, FaultStep(), FaultKind::kOutage, 0);
}

void FaultPlan::MayCrashOrPause(std::string_view name, const FaultStep& step, FaultKind crash,
                                FaultKind pause) {
  if (process_.crashed()) return;
  const std::uint64_t crashes =
      counts_.Of(FaultKind::kCrashBefore) + counts_.Of(FaultKind::kCrashAfter);
  if (crash_ && crashes < rates_.most_crashes && Draw(name, step, crash, rates_.crash)) {
    return crash_();
  }
  const std::uint64_t pauses =
      counts_.Of(FaultKind::kPauseBefore) + counts_.Of(FaultKind::kPauseAfter);
  if (pauses >= rates_.most_pauses || !Draw(name, step, pause, rates_.pause)) return;
  process_.PauseFor(RandomUpTo(rates_.pause_max));
  process_.SchedulingPoint("paused");
}

bool FaultPlan::Enter(std::string_view name, const FaultStep& step) {
  if (process_.crashed()) return false;
  ++counts_.calls;
  if (step.before) step.before();
  process_.SchedulingPoint(name);
  MayCrashOrPause(name, step, FaultKind::kCrashBefore, FaultKind::kPauseBefore);
  if (!process_.crashed() && Draw(name, step, FaultKind::kSlow, rates_.slow)) {
    SleepUpTo(rates_.slow_max);
  }
  return !process_.crashed();
}

// What was applied may be found out only if the process is still there to hear the answer.
bool FaultPlan::Leave(std::string_view name, const FaultStep& step) {
  if (step.after) step.after();
  MayCrashOrPause(name, step, FaultKind::kCrashAfter, FaultKind::kPauseAfter);
  process_.SchedulingPoint(name);
  return !process_.crashed();
}

void FaultPlan::RunLate(std::string_view name, std::function<void()> body) {
  SimProcess& environment = environment_;
  FaultCounts& counts = counts_;
  const std::uint64_t& era = counts.eras[static_cast<std::size_t>(StoreOf(name))];
  ++counts.under_way;
  late_tasks_.Spawn("late", [&environment, &counts, &era, of = era,
                             delay = RandomUpTo(rates_.late_max), body = std::move(body)] {
    environment.SleepFor(delay);
    environment.SchedulingPoint("late put");
    --counts.under_way;
    if (era == of) body();  // in the same step: power is not cut in between
  });
}

}  // namespace saffron
