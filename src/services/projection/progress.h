// ProjectionProgress: how far the projection is, for those who wait for a position. Set by the
// projection of the same process, or from the watermark that is stored with the index. Thread-safe;
// nothing of it survives a crash.
#pragma once

#include <mutex>

#include "base/result.h"
#include "base/runtime.h"
#include "ports/claim_registry.h"
#include "ports/search_index.h"
#include "services/projection/watermark.h"

namespace saffron {

class ProjectionProgress {
 public:
  void Set(ProjectionWatermark watermark);
  ProjectionWatermark Get() const;
  // Every outcome up to and with the slot is in the index. Asks the registry where the publisher
  // had got to; false while it has no row for the slot.
  Result<bool> Passed(ClaimRegistry& claims, std::uint32_t shard, SlotNumber slot) const;

 private:
  mutable std::mutex mutex_;
  ProjectionWatermark watermark_;
};

// The same of projections in other processes, from the watermark in the index, which they save
// twice a second. However many ask, it is read once in 20 ms. Thread-safe.
class StoredProgress {
 public:
  StoredProgress(Runtime& runtime, SearchIndex& index, ClaimRegistry& claims)
      : runtime_(runtime), index_(index), claims_(claims) {}

  Result<bool> Passed(std::uint32_t shard, SlotNumber slot);

 private:
  bool TakeTurn();

  Runtime& runtime_;
  SearchIndex& index_;
  ClaimRegistry& claims_;
  ProjectionProgress progress_;
  std::mutex mutex_;
  Instant next_read_;
};

}  // namespace saffron
