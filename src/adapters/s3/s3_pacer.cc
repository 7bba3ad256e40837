#include "adapters/s3/s3_pacer.h"

#include <algorithm>

namespace saffron {
namespace {

constexpr Duration kLeastInterval = milliseconds(2);
constexpr Duration kFirstInterval = milliseconds(20);
constexpr Duration kMostInterval = seconds(1);
constexpr Duration kMostRetryAfter = seconds(30);

}  // namespace

std::optional<Instant> S3Pacer::TakeTurn(Instant now, Instant deadline) {
  if (!pacing_) return now;
  std::lock_guard lock(mutex_);
  const Instant turn = std::max(now, next_);
  if (turn >= deadline) return std::nullopt;
  next_ = turn + interval_;
  return turn;
}

bool S3Pacer::SlowDown(Instant now, Duration retry_after) {
  std::lock_guard lock(mutex_);
  const bool began = interval_ == Duration::zero();
  // Requests that were on their way together are refused together: that is one refusal.
  if (began) {
    interval_ = kFirstInterval;
    grown_at_ = now;
  } else if (now - grown_at_ >= interval_) {
    interval_ = std::min(interval_ * 2, kMostInterval);
    grown_at_ = now;
  }
  next_ = std::max(next_, now + std::max(interval_, std::min(retry_after, kMostRetryAfter)));
  pacing_ = true;
  return began;
}

bool S3Pacer::Succeeded() {
  if (!pacing_) return false;
  std::lock_guard lock(mutex_);
  if (interval_ == Duration::zero()) return false;
  interval_ = interval_ * 7 / 8;
  if (interval_ >= kLeastInterval) return false;
  interval_ = Duration::zero();
  pacing_ = false;
  return true;
}

}  // namespace saffron
