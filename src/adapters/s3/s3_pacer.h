// One pace for all threads of a store, after its server asked for fewer requests (503, 429):
// requests start an interval apart, which grows with each refusal and shrinks with each success.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>

#include "base/runtime.h"

namespace saffron {

// Any thread. Without an interval a turn costs one load.
class S3Pacer {
 public:
  // When the caller's request may start: now, or later in turn; nothing when that is after
  // `deadline`.
  std::optional<Instant> TakeTurn(Instant now, Instant deadline);
  // `retry_after` is zero when the server named none. True: the pace began with this.
  bool SlowDown(Instant now, Duration retry_after);
  // True: the pace ended with this.
  bool Succeeded();

 private:
  std::atomic<bool> pacing_{false};
  std::mutex mutex_;
  Duration interval_{0};
  Instant next_, grown_at_;
};

}  // namespace saffron
