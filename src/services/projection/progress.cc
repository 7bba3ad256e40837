#include "services/projection/progress.h"

namespace saffron {
namespace {

constexpr Duration kReadInterval = milliseconds(20);

}  // namespace

void ProjectionProgress::Set(ProjectionWatermark watermark) {
  std::lock_guard<std::mutex> held(mutex_);
  watermark_ = std::move(watermark);
}

ProjectionWatermark ProjectionProgress::Get() const {
  std::lock_guard<std::mutex> held(mutex_);
  return watermark_;
}

Result<bool> ProjectionProgress::Passed(ClaimRegistry& claims, std::uint32_t shard,
                                        SlotNumber slot) const {
  if (slot <= Get().slot) return true;
  SAFFRON_ASSIGN(std::optional<PublishedRow> row, claims.PublishedAt(shard, slot));
  return row.has_value() && HasPassed(Get(), *row);
}

// One of those who ask reads, the others take what was read last: it says less, never too much.
bool StoredProgress::TakeTurn() {
  const Instant now = runtime_.Now();
  std::lock_guard<std::mutex> held(mutex_);
  if (now < next_read_) return false;
  next_read_ = now + kReadInterval;
  return true;
}

Result<bool> StoredProgress::Passed(std::uint32_t shard, SlotNumber slot) {
  if (TakeTurn()) {
    SAFFRON_ASSIGN(std::string stored, index_.Watermark());
    SAFFRON_ASSIGN(ProjectionWatermark watermark, DecodeWatermark(stored));
    progress_.Set(std::move(watermark));
  }
  return progress_.Passed(claims_, shard, slot);
}

}  // namespace saffron
