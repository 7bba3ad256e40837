#include "services/projection/progress.h"

namespace saffron {

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

}  // namespace saffron
