// Resolver: makes every expired reservation a batch or a tombstone, and fences when it, or whoever
// writes, meets a registry that is not of this log's state. Runs in every writer and in the
// publisher; several at once are harmless. One thread.
#pragma once

#include <functional>
#include <string>

#include "eventlog/log_context.h"

namespace saffron {

class Resolver {
 public:
  // `settled` is called after rows became free (wakes the append queue).
  Resolver(LogContext& context, std::function<void()> settled)
      : context_(context), settled_(std::move(settled)) {}

  // Until the runtime stops.
  void Run();
  // One pass. The number settled.
  Result<std::size_t> Step();

 private:
  Status FenceIfNeeded();
  // A registry that lost its state while nobody writes: else the next write would have to notice.
  void RequestFenceIfLost(const RegistryRows& rows, SlotNumber handed);
  // Marks the reservation as ours for a while. False: settled, or another resolver's.
  Result<bool> Take(const BatchId& batch);
  Result<bool> Settle(const Reservation& reservation);

  LogContext& context_;
  const std::function<void()> settled_;
};

// Puts a tombstone into the reservation's slot unless something lies there already, and says what
// lies there. Shared with the fence.
Result<SlotPtr> TombstoneOrSlot(LogContext& context, SlotNumber slot, const BatchId& aborts);

}  // namespace saffron
