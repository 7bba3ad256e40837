// A request to the command workers of every process to look at the work list again: after a fence,
// or when an operator has freed an aggregate. Without it they do so within a minute.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/runtime.h"
#include "ports/claim_registry.h"

namespace saffron {

// A counter in the registry, kept as the epoch of a lease that nobody takes.
Status RequestSweep(ClaimRegistry& claims);

// Follows that counter in a process that has workers: one read a second. One thread.
class SweepWatch {
 public:
  // `sweep` is called whenever a sweep was requested, by whatever process.
  SweepWatch(Runtime& runtime, ClaimRegistry& claims, std::function<void()> sweep)
      : runtime_(runtime), claims_(claims), sweep_(std::move(sweep)) {}

  // Until the runtime stops.
  void Run();
  Status Step();

 private:
  Runtime& runtime_;
  ClaimRegistry& claims_;
  const std::function<void()> sweep_;
  std::optional<std::uint64_t> seen_;
};

}  // namespace saffron
