// Faults at port calls, drawn from the simulation's seed. A decorator around each port asks the
// FaultPlan of its process before and after every call.
//
//   fail before    the call did nothing, kUnavailable; a transaction has run its rules for nothing
//   never applied  the call did nothing, and the caller is told kUnknownOutcome (a 409 or a 5xx)
//   lost answer    the call was applied, the caller is told kUnknownOutcome (reads: kUnavailable);
//                  of several records the first ones of each partition were, perhaps not all
//   late           the caller is told kUnknownOutcome now, the call is applied later, even after
//                  the caller has crashed (requests of HTTP, and what is sent to the bus: other
//                  engines cut a session's work off)
//   repeated       the call is applied twice, as by a transport that retries; a transaction runs
//                  its rules twice, as after a serialization failure
//   slow           virtual time passes before the call
//   stale          a read is carried out, and its answer comes later: no port's contract allows one
//                  that is older than its call
//   crash, pause   of the whole process, before or after the call
//   outage         the store is away, or full: see StoreTroubles
// After SimProcess::Crash every call is refused and does nothing.
//
// A history that must happen exactly so is scripted instead: a FaultStep says what becomes of one
// call of one process.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "testing/sim/sim_runtime.h"

namespace saffron {

enum class FaultKind {
  kFailBefore,
  kNeverApplied,
  kLostAnswer,
  kLate,
  kRepeated,
  kSlow,
  kStale,
  kCrashBefore,
  kCrashAfter,
  kPauseBefore,
  kPauseAfter,
  kOutage,
  kCount
};
std::string_view FaultName(FaultKind kind);

// Shared by all processes of a simulation; chances are per mille of the calls.
struct FaultRates {
  std::uint32_t fail_before = 0;
  std::uint32_t lost_answer = 0;
  std::uint32_t late = 0;
  std::uint32_t repeated = 0;
  std::uint32_t slow = 0;
  std::uint32_t never_applied = 0;
  std::uint32_t stale = 0;
  std::uint32_t crash = 0;
  std::uint32_t pause = 0;
  // Of a whole history, so that a rate on a frequent call leaves time for work.
  std::uint32_t most_crashes = 10;
  std::uint32_t most_pauses = 10;
  // Every kind befalls this call as often as that, if it is more: so that rare calls have faults.
  std::string focus = "";
  std::uint32_t focus_rate = 0;
  Duration slow_max = milliseconds(300);
  Duration stale_max = seconds(1);
  Duration late_max = seconds(12);
  Duration pause_max = seconds(8);
};

enum class Store { kObjects, kRegistry, kBus, kGraph, kSearch, kCount };

struct FaultCounts {
  std::array<std::uint64_t, static_cast<std::size_t>(FaultKind::kCount)> by_kind{};
  std::map<std::pair<std::string, FaultKind>, std::uint64_t> by_call;
  std::uint64_t calls = 0;
  std::uint64_t under_way = 0;  // late effects that have not landed
  // Of each store. Late effects of an earlier one are gone: everything lost power in between, or a
  // broker that died lost its tail, and what was still in its sockets.
  std::array<std::uint64_t, static_cast<std::size_t>(Store::kCount)> eras{};

  std::uint64_t Of(FaultKind kind) const { return by_kind[static_cast<std::size_t>(kind)]; }
};

// Of a whole store, for all processes alike.
std::string_view StoreName(Store store);
enum class StoreTrouble { kNone, kAway, kFull };
using StoreTroubles = std::array<StoreTrouble, static_cast<std::size_t>(Store::kCount)>;

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
  // How the process is crashed: without it, no call does that. It is called in the process.
  void CrashBy(std::function<void()> crash) { crash_ = std::move(crash); }
  // Outlives the plan.
  void Suffer(const StoreTroubles& troubles) { troubles_ = &troubles; }

  // A call that changes nothing.
  template <class R>
  R Read(std::string_view name, const std::function<R()>& call) {
    const FaultStep step = TakeStep(name);
    if (!Enter(name, step)) return Gone();
    if (Troubled(name, false)) return Failed(name);
    if (Draw(name, step, FaultKind::kFailBefore, rates_.fail_before)) return Failed(name);
    R answer = call();
    if (Draw(name, step, FaultKind::kStale, rates_.stale)) SleepUpTo(rates_.stale_max);
    if (!Leave(name, step)) return Gone();
    if (Draw(name, step, FaultKind::kLostAnswer, rates_.lost_answer)) return Failed(name);
    return answer;
  }

  // A call whose answer cannot get lost apart from the process.
  template <class R>
  R Before(std::string_view name, const std::function<R()>& call) {
    const FaultStep step = TakeStep(name);
    if (!Enter(name, step)) return Gone();
    if (Troubled(name, false)) return Failed(name);
    if (Draw(name, step, FaultKind::kFailBefore, rates_.fail_before)) return Failed(name);
    R answer = call();
    if (!Leave(name, step)) return Gone();
    return answer;
  }

  // A call that changes something within a session: applied now or never. `in_vain` is what it does
  // of its own in an attempt that is rolled back, `in_part` what an attempt does that breaks off,
  // now or later: it must own what it needs.
  template <class R>
  R Change(std::string_view name, const std::function<R()>& call,
           const std::function<void()>& in_vain = nullptr,
           const std::function<void()>& in_part = nullptr) {
    const FaultStep step = TakeStep(name);
    if (!Enter(name, step)) return Gone();
    if (Troubled(name, true)) return Failed(name);
    if (Draw(name, step, FaultKind::kFailBefore, rates_.fail_before)) {
      if (in_vain) in_vain();
      return Failed(name);
    }
    if (Draw(name, step, FaultKind::kNeverApplied, rates_.never_applied)) return Lost(name);
    if (in_vain && Draw(name, step, FaultKind::kRepeated, rates_.repeated)) {
      in_vain();
      process_.SchedulingPoint("again");
      if (process_.crashed()) return Gone();
    }
    if (in_part && Draw(name, step, FaultKind::kLate, rates_.late)) {
      RunLate(name, in_part);
      return Leave(name, step) ? R(Lost(name)) : R(Gone());
    }
    if (in_part && Draw(name, step, FaultKind::kLostAnswer, rates_.lost_answer)) {
      in_part();
      return Leave(name, step) ? R(Lost(name)) : R(Gone());
    }
    R answer = call();
    if (!Leave(name, step)) return Gone();
    if (!in_part && Draw(name, step, FaultKind::kLostAnswer, rates_.lost_answer)) return Lost(name);
    return answer;
  }

  // A request of its own, as over HTTP: may land late, or twice. `call` must own what it needs.
  template <class R>
  R Put(std::string_view name, const std::function<R()>& call) {
    const FaultStep step = TakeStep(name);
    if (!Enter(name, step)) return Gone();
    if (Troubled(name, true)) return Failed(name);
    if (Draw(name, step, FaultKind::kFailBefore, rates_.fail_before)) return Failed(name);
    if (Draw(name, step, FaultKind::kNeverApplied, rates_.never_applied)) return Lost(name);
    if (Draw(name, step, FaultKind::kLate, rates_.late)) {
      RunLate(name, [call] { (void)call(); });
      if (!Leave(name, step)) return Gone();
      return Lost(name);
    }
    R answer = call();
    if (Draw(name, step, FaultKind::kRepeated, rates_.repeated)) answer = call();
    if (!Leave(name, step)) return Gone();
    if (Draw(name, step, FaultKind::kLostAnswer, rates_.lost_answer)) return Lost(name);
    return answer;
  }

  SimProcess& process() { return process_; }

 private:
  // The step for this call; one of no name: there is none.
  FaultStep TakeStep(std::string_view name);
  bool Enter(std::string_view name, const FaultStep& step);
  bool Leave(std::string_view name, const FaultStep& step);
  bool Draw(std::string_view name, const FaultStep& step, FaultKind kind, std::uint32_t per_mille);
  bool Troubled(std::string_view name, bool writes);
  void MayCrashOrPause(std::string_view name, const FaultStep& step, FaultKind crash,
                       FaultKind pause);
  void Count(std::string_view name, FaultKind kind);
  Duration RandomUpTo(Duration most);
  void SleepUpTo(Duration most);
  void RunLate(std::string_view name, std::function<void()> body);
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
  std::function<void()> crash_;
  const StoreTroubles* troubles_ = nullptr;
  std::list<FaultStep> script_;
};

}  // namespace saffron
