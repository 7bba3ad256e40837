// ClaimPruner: deletes what processed_events says of commands that were done long ago. Nothing
// needs these rows: what is decided is known by the command's outcome, which stays.
//
// One thread runs it. Of all processes one does the work, by a lease; what survives a crash is that
// lease, and the next owner begins a pass anew.
#pragma once

#include <string>

#include "ports/claim_registry.h"
#include "services/worker/lease.h"

namespace saffron {

struct ClaimPrunerOptions {
  std::string owner;  // unique to the run of the process
  Duration retention{0};
  std::size_t rows = 1000;             // looked at in one call, while others wait
  Duration pause = milliseconds(250);  // between two calls
  Duration rest = seconds(60);         // between two passes through all rows
};

class ClaimPruner {
 public:
  ClaimPruner(Runtime& runtime, ClaimRegistry& claims, ClaimPrunerOptions options);

  // Until the runtime stops; then gives the lease back.
  void Run();
  // One call, if this process is the one to do it; how long to wait before the next.
  Result<Duration> Step();

 private:
  Runtime& runtime_;
  ClaimRegistry& claims_;
  const ClaimPrunerOptions options_;
  Lease lease_;
  Instant renew_at_;
};

}  // namespace saffron
