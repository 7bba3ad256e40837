#include "services/worker/lease.h"

#include <algorithm>
#include <mutex>

#include "eventlog/mutation.h"

namespace saffron {

Lease::Lease(ClaimRegistry& claims, std::string name, std::string owner, Duration ttl)
    : claims_(claims), name_(std::move(name)), owner_(std::move(owner)), ttl_(ttl) {
  SAFFRON_ASSERT(!owner_.empty());
}

Result<bool> Lease::Write(Claim claim, std::uint64_t floor) {
  ClaimRead read;
  read.leases = {name_};
  const std::int64_t ttl_ms = std::chrono::duration_cast<milliseconds>(ttl_).count();
  bool taken = false;
  std::uint64_t epoch = 0;
  SAFFRON_TRY(claims_.Transact(read, [&](const ClaimRows& rows) {
    ClaimWrite write;
    LeaseRow row;
    if (auto found = rows.leases.find(name_); found != rows.leases.end()) row = found->second;
    const bool mine = row.owner == owner_;
    taken = mine || row.owner.empty() || row.expires_ms <= rows.now_ms ||
            claim == Claim::kByForce || Mutated(Mutation::kLeaseTakenEarly);
    if (!taken) return write;
    // A taken lease whose answer was lost is kept as it is, unless it is below the floor.
    if (!mine || row.epoch <= floor) row.epoch = std::max(row.epoch, floor) + 1;
    row.name = name_;
    row.owner = owner_;
    row.expires_ms = rows.now_ms + ttl_ms;
    epoch = row.epoch;
    write.put_leases = {row};
    return write;
  }));
  if (taken) epoch_ = epoch;
  return taken;
}

Result<bool> Lease::Take(std::uint64_t floor) { return Write(Claim::kIfFree, floor); }

Status Lease::TakeByForce(std::uint64_t floor) {
  SAFFRON_ASSIGN(bool taken, Write(Claim::kByForce, floor));
  SAFFRON_ASSERT(taken);
  return Ok();
}

Result<bool> Lease::Extend(Duration by) {
  ClaimRead read;
  read.leases = {name_};
  const std::int64_t by_ms = std::chrono::duration_cast<milliseconds>(by).count();
  bool ours = false;
  SAFFRON_TRY(claims_.Transact(read, [&](const ClaimRows& rows) {
    ClaimWrite write;
    auto found = rows.leases.find(name_);
    ours = found != rows.leases.end() && found->second.owner == owner_ &&
           found->second.epoch == epoch_;
    if (!ours) return write;
    LeaseRow row = found->second;
    row.expires_ms = rows.now_ms + by_ms;
    write.put_leases = {row};
    return write;
  }));
  return ours;
}

Result<bool> Lease::Renew() { return Extend(ttl_); }

void Lease::Release() {
  auto released = Extend(Duration(0));
  (void)released;  // if it failed, the lease runs out
}

HeldLease::HeldLease(Runtime& runtime, ClaimRegistry& claims, std::string name, std::string owner,
                     Duration ttl)
    : runtime_(runtime),
      ttl_(ttl),
      lease_(claims, std::move(name), std::move(owner), ttl),
      condition_(runtime.NewCondition()),
      tasks_(runtime) {}

HeldLease::~HeldLease() {
  {
    std::lock_guard<Condition> held(*condition_);
    done_ = true;
    condition_->NotifyAll();
  }
  tasks_.JoinAll();
  if (lease_.epoch() > 0) lease_.Release();
}

Result<bool> HeldLease::Take() {
  SAFFRON_ASSIGN(bool taken, lease_.Take(0));
  if (taken) tasks_.Spawn("lease", [this] { RenewUntilDone(); });
  return taken;
}

void HeldLease::RenewUntilDone() {
  while (true) {
    {
      std::lock_guard<Condition> held(*condition_);
      const Instant next = runtime_.Now() + ttl_ / 4;
      while (!done_ && runtime_.Now() < next) condition_->WaitUntil(next);
      if (done_) return;
    }
    (void)lease_.Renew().ok();  // tried again before it runs out
  }
}

}  // namespace saffron
