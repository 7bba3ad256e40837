// Faults at port calls, drawn from the simulation's seed. A decorator around each port asks the
// FaultPlan of its process before and after every call.
//
//   fail before   the call did nothing, kUnavailable; a transaction has run its rules for nothing
//   lost answer   the call was applied, the caller is told kUnknownOutcome (reads: kUnavailable)
//   late          the caller is told kUnknownOutcome now, the call is applied later, even after the
//                 caller has crashed (puts of objects only: other engines cut a session's work off)
//   repeated      the call is applied twice, as by a transport that retries (puts of objects only)
//   slow          virtual time passes before or after the call
// After SimProcess::Crash every call is refused and does nothing.
//
// A history that must happen exactly so is scripted instead: a FaultStep says what becomes of one
// call of one process.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>

#include "testing/sim/sim_runtime.h"

namespace saffron {

enum class FaultKind { kFailBefore, kLostAnswer, kLate, kRepeated, kSlow, kCount };
std::string_view FaultName(FaultKind kind);

// Shared by all processes of a simulation; chances are per mille of the calls.
struct FaultRates {
  std::uint32_t fail_before = 0;
  std::uint32_t lost_answer = 0;
  std::uint32_t late = 0;
  std::uint32_t repeated = 0;
  std::uint32_t slow = 0;
  Duration slow_max = milliseconds(300);
  Duration late_max = seconds(12);
};

struct FaultCounts {
  std::array<std::uint64_t, static_cast<std::size_t>(FaultKind::kCount)> by_kind{};
  std::uint64_t calls = 0;
};

// One call of a process that a test has chosen. Its hooks run in the calling fiber and may crash or
// pause the process, sleep, or touch the world: then the call goes on, or does not.
struct FaultStep {
  std::string call;  // "store.put_if_absent"
  int skip = 0;      // so many calls of that name before it
  std::optional<FaultKind> fault = std::nullopt;
  std::function<void()> before = nullptr;  // nothing has been done yet
  std::function<void()> after = nullptr;   // it has been done, the caller has no answer yet
};

// One for each simulated process. `environment` is a process that never crashes: late effects run
// there, in `late_tasks`, which its owner joins at the end.
class FaultPlan {
 public:
  FaultPlan(SimProcess& process, SimProcess& environment, TaskGroup& late_tasks,
            const FaultRates& rates, FaultCounts& counts)
      : process_(process),
        environment_(environment),
        late_tasks_(late_tasks),
        rates_(rates),
        counts_(counts) {}

  // From now on; the first step of a name is for its first call.
  void Script(FaultStep step) { script_.push_back(std::move(step)); }

  // A call that changes nothing.
  template <class R>
  R Read(std::string_view name, const std::function<R()>& call) {
    const FaultStep step = TakeStep(name);
    if (!Enter(name, step)) return Gone();
    if (Draw(step, FaultKind::kFailBefore, rates_.fail_before)) return Failed(name);
    R answer = call();
    if (!Leave(name, step)) return Gone();
    if (Draw(step, FaultKind::kLostAnswer, rates_.lost_answer)) return Failed(name);
    return answer;
  }

  // A call whose answer cannot get lost apart from the process.
  template <class R>
  R Before(std::string_view name, const std::function<R()>& call) {
    const FaultStep step = TakeStep(name);
    if (!Enter(name, step)) return Gone();
    if (Draw(step, FaultKind::kFailBefore, rates_.fail_before)) return Failed(name);
    R answer = call();
    if (!Leave(name, step)) return Gone();
    return answer;
  }

  // A call that changes something within a session: applied now or never. `rolled_back` is what a
  // transaction does that fails only at its end.
  template <class R>
  R Change(std::string_view name, const std::function<R()>& call,
           const std::function<void()>& rolled_back = nullptr) {
    const FaultStep step = TakeStep(name);
    if (!Enter(name, step)) return Gone();
    if (Draw(step, FaultKind::kFailBefore, rates_.fail_before)) {
      if (rolled_back) rolled_back();
      return Failed(name);
    }
    R answer = call();
    if (!Leave(name, step)) return Gone();
    if (Draw(step, FaultKind::kLostAnswer, rates_.lost_answer)) return Lost(name);
    return answer;
  }

  // A put of an object: may land late, or twice. `call` must own what it needs.
  template <class R>
  R Put(std::string_view name, const std::function<R()>& call) {
    const FaultStep step = TakeStep(name);
    if (!Enter(name, step)) return Gone();
    if (Draw(step, FaultKind::kFailBefore, rates_.fail_before)) return Failed(name);
    if (Draw(step, FaultKind::kLate, rates_.late)) {
      Duration delay = RandomUpTo(rates_.late_max);
      SimProcess& environment = environment_;
      RunLate(delay, [call, &environment] {
        environment.SchedulingPoint("late put");
        (void)call();
      });
      if (!Leave(name, step)) return Gone();
      return Lost(name);
    }
    R answer = call();
    if (Draw(step, FaultKind::kRepeated, rates_.repeated)) answer = call();
    if (!Leave(name, step)) return Gone();
    if (Draw(step, FaultKind::kLostAnswer, rates_.lost_answer)) return Lost(name);
    return answer;
  }

  SimProcess& process() { return process_; }

 private:
  // The step for this call; one of no name: there is none.
  FaultStep TakeStep(std::string_view name);
  bool Enter(std::string_view name, const FaultStep& step);
  bool Leave(std::string_view name, const FaultStep& step);
  bool Draw(const FaultStep& step, FaultKind kind, std::uint32_t per_mille);
  Duration RandomUpTo(Duration most);
  void RunLate(Duration delay, std::function<void()> body);
  static Error Gone() { return Cancelled("the process has crashed"); }
  static Error Failed(std::string_view name) {
    return Unavailable("injected before " + std::string(name));
  }
  static Error Lost(std::string_view name) {
    return UnknownOutcome("injected after " + std::string(name));
  }

  SimProcess& process_;
  SimProcess& environment_;
  TaskGroup& late_tasks_;
  const FaultRates& rates_;
  FaultCounts& counts_;
  std::list<FaultStep> script_;
};

}  // namespace saffron
