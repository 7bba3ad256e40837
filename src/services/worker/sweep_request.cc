#include "services/worker/sweep_request.h"

namespace saffron {
namespace {

constexpr char kRequests[] = "sweep_requests";
constexpr Duration kLook = seconds(1);

}  // namespace

Status RequestSweep(ClaimRegistry& claims) {
  ClaimRead read;
  read.leases = {kRequests};
  return claims.Transact(read, [](const ClaimRows& rows) {
    LeaseRow row;
    if (auto found = rows.leases.find(kRequests); found != rows.leases.end()) row = found->second;
    row.name = kRequests;
    ++row.epoch;
    ClaimWrite write;
    write.put_leases = {row};
    return write;
  });
}

void SweepWatch::Run() {
  while (!runtime_.StopRequested()) {
    // During an outage the workers say so themselves, and sweep after it.
    (void)Step().ok();
    runtime_.SleepFor(kLook);
  }
}

Status SweepWatch::Step() {
  ClaimRead read;
  read.leases = {kRequests};
  SAFFRON_ASSIGN(ClaimRows rows, claims_.Read(read));
  auto found = rows.leases.find(kRequests);
  const std::uint64_t now = found == rows.leases.end() ? 0 : found->second.epoch;
  // Any other number: a restored registry counts from an older one.
  if (seen_ && *seen_ != now) sweep_();
  seen_ = now;
  return Ok();
}

}  // namespace saffron
