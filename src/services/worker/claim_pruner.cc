#include "services/worker/claim_pruner.h"

namespace saffron {

ClaimPruner::ClaimPruner(Runtime& runtime, ClaimRegistry& claims, ClaimPrunerOptions options)
    : runtime_(runtime),
      claims_(claims),
      options_(std::move(options)),
      lease_(claims, "claim_pruner", options_.owner, 2 * options_.rest) {}

void ClaimPruner::Run() {
  while (!runtime_.StopRequested()) {
    // During an outage the workers say so; this can wait.
    const Result<Duration> stepped = Step();
    runtime_.SleepFor(stepped.ok() ? *stepped : options_.rest);
  }
  if (lease_.epoch() > 0) lease_.Release();
}

Result<Duration> ClaimPruner::Step() {
  if (runtime_.Now() >= renew_at_) {
    SAFFRON_ASSIGN(const bool ours, lease_.Take(0));
    if (!ours) return options_.rest;
    renew_at_ = runtime_.Now() + options_.rest;
  }
  SAFFRON_ASSIGN(const ClaimRows clock, claims_.Read({}));
  const std::int64_t kept_ms = std::chrono::duration_cast<milliseconds>(options_.retention).count();
  SAFFRON_ASSIGN(const Pruned pruned, claims_.Prune(clock.now_ms - kept_ms, options_.rows));
  return pruned.more ? options_.pause : options_.rest;
}

}  // namespace saffron
