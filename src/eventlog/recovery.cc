#include "eventlog/recovery.h"

#include <algorithm>

#include "base/step.h"
#include "eventlog/mutation.h"
#include "eventlog/resolver.h"
#include "eventlog/settlement.h"

namespace saffron {
namespace {

// Slots are applied in runs of about so many events a transaction.
constexpr std::size_t kApplyEvents = 2000;
// How long a start waits for another process that recovers the registry.
constexpr Duration kOthersFence = seconds(120);

Error Moved() {
  return Unavailable("the registry's engine was restarted during recovery; start again");
}

// Everything below it was handed out: a registry that hands it out again has lost its tail.
void NoteSeen(LogContext& context, SlotNumber next) {
  if (next.value == 0 || Mutated(Mutation::kStartForgetsTheHighest)) return;
  context.NoteHanded(SlotNumber(next.value - 1));
}

class Fence {
 public:
  Fence(LogContext& context, const RecoveryProgress& progress)
      : context_(context), progress_(progress) {}

  // With the lock of all fences held.
  Status Run(Recovery mode);

 private:
  Status Invalidate();
  // Where it ends: in exclusive mode above everything present, reserved or handed out; else open.
  Result<SlotNumber> UpperBound();
  Status Next();
  Status ApplyRun();
  Status Finish();

  LogContext& context_;
  const RecoveryProgress& progress_;
  std::string live_;
  SlotNumber position_;
  SlotNumber floor_;  // the registry's next slot when it was invalidated: the end is not below it
  std::vector<Reservation> reservations_;
  std::vector<SlotPtr> run_;
  std::size_t run_events_ = 0;
  std::uint64_t own_tombstones_ = 0;
};

Status Fence::Run(Recovery mode) {
  SAFFRON_ASSIGN(RegistryRows rows, context_.registry.Read({}));
  live_ = rows.live_incarnation;
  SAFFRON_STEP("fence.invalidate.before");
  if (mode != Recovery::kAsItIs) SAFFRON_TRY(Invalidate());
  SAFFRON_STEP("fence.invalidate.after");
  SAFFRON_ASSIGN(rows, context_.registry.Read({}));
  floor_ = rows.control.next_slot;
  if (mode == Recovery::kFromEmpty) {
    // Only now: nothing is reserved any more, and what was is below the floor.
    SAFFRON_TRY(context_.registry.Clear());
    SAFFRON_ASSIGN(rows, context_.registry.Read({}));
  }
  SAFFRON_ASSIGN(reservations_, context_.registry.Reservations());
  position_ = rows.control.next_slot;
  for (const Reservation& reservation : reservations_) {
    if (Mutated(Mutation::kFenceFromNextSlot)) break;
    position_ = std::min(position_, reservation.slot);
  }
  context_.log.Info(
      "fence_started",
      {{"slot", position_}, {"reservations", reservations_.size()}, {"incarnation", live_}});
  if (context_.exclusive) {
    SAFFRON_ASSIGN(SlotNumber end, UpperBound());
    while (position_ <= end) SAFFRON_TRY(Next());
  } else {
    const std::uint64_t enough =
        Mutated(Mutation::kFenceTooShort) ? 1 : context_.format.max_outstanding;
    while (own_tombstones_ < enough || position_ < floor_) {
      SAFFRON_TRY(Next());
    }
  }
  if (Mutated(Mutation::kRecoverySkipsLastSlot)) {
    const auto last = std::find_if(run_.rbegin(), run_.rend(),
                                   [](const SlotPtr& slot) { return !slot->header.tombstone; });
    if (last != run_.rend()) run_.erase(std::next(last).base());
  }
  SAFFRON_TRY(ApplyRun());
  return Finish();
}

Status Fence::Invalidate() {
  return context_.registry.Transact({}, [&](const RegistryRows& rows) {
    Draft draft(rows);
    draft.control().fenced_incarnation.clear();
    return draft.Take();
  });
}

Result<SlotNumber> Fence::UpperBound() {
  SAFFRON_ASSIGN(SlotNumber end,
                 HighestSlot(context_, SlotNumber(position_.value == 0 ? 0 : position_.value - 1)));
  end = std::max(end, SlotNumber(floor_.value - 1));
  return std::max(end, SlotNumber(context_.highest_handed.load()));
}

// What lies in the next slot, or a tombstone of ours.
Status Fence::Next() {
  if (context_.runtime.StopRequested()) return Cancelled("stopping");
  Result<SlotPtr> slot = ReadSlot(context_, position_);
  if (slot.Is(Code::kNotFound)) {
    SAFFRON_STEP("fence.tombstone.before");
    slot = TombstoneOrSlot(context_, position_, BatchId());
    SAFFRON_STEP("fence.tombstone.after");
    bool own = slot.ok() && (*slot)->header.tombstone && (*slot)->header.batch.uuid.is_nil() &&
               (*slot)->header.writer == context_.writer;
    if (own) ++own_tombstones_;
  }
  if (!slot.ok()) return slot.error();
  run_events_ += (*slot)->events.size();
  run_.push_back(std::move(slot).value());
  position_ = position_.Next();
  if (run_events_ >= kApplyEvents || run_.size() >= kApplyEvents) return ApplyRun();
  return Ok();
}

// In slot order: whatever reserved a slot and is not what lies there is undone, then the slot is
// applied. Idempotent; numbers never go down.
Status Fence::ApplyRun() {
  if (run_.empty()) return Ok();
  RegistryRead read;
  for (const SlotPtr& slot : run_) AddReads(*slot, read);
  for (const Reservation& reservation : reservations_) {
    if (reservation.slot >= run_.front()->number() && reservation.slot <= run_.back()->number()) {
      AddReads(reservation, read);
    }
  }
  bool moved = false;
  SAFFRON_STEP("fence.apply.before");
  SAFFRON_TRY(context_.registry.Transact(read, [&](const RegistryRows& rows) {
    Draft draft(rows);
    moved = rows.live_incarnation != live_;
    if (moved) return draft.Take();
    for (const SlotPtr& slot : run_) {
      for (const Reservation& reservation : reservations_) {
        if (Mutated(Mutation::kFenceLeavesReservations)) break;
        if (reservation.slot == slot->number() && reservation.batch != slot->header.batch) {
          Undo(draft, reservation.batch);
        } else if (reservation.slot == slot->number() && slot->header.tombstone) {
          Undo(draft, reservation.batch);
        }
      }
      if (!slot->header.tombstone) Settle(draft, *slot);
    }
    draft.control().log = context_.format.log;
    draft.control().next_slot = std::max(draft.control().next_slot, position_);
    return draft.Take();
  }));
  SAFFRON_STEP("fence.apply.after");
  if (moved) return Moved();
  if (progress_) progress_(run_.back()->number());
  run_.clear();
  run_events_ = 0;
  return Ok();
}

Status Fence::Finish() {
  bool moved = false;
  SAFFRON_STEP("fence.finish.before");
  SAFFRON_TRY(context_.registry.Transact({}, [&](const RegistryRows& rows) {
    Draft draft(rows);
    moved = rows.live_incarnation != live_ && !Mutated(Mutation::kFenceIgnoresOvertaking);
    if (moved) return draft.Take();
    draft.control().log = context_.format.log;
    draft.control().next_slot = std::max(draft.control().next_slot, position_);
    draft.control().fenced_incarnation = rows.live_incarnation;
    return draft.Take();
  }));
  SAFFRON_STEP("fence.finish.after");
  if (moved) return Moved();
  context_.log.Info("fence_finished", {{"next_slot", position_}, {"tombstones", own_tombstones_}});
  NoteSeen(context_, position_);
  context_.settled.Raise(SlotNumber(position_.value - 1));
  return Ok();
}

Error AnotherState(const std::string& what) {
  return Invalid(what + "; if the log is the one you mean, run `saffron rebuild registry`");
}

// A registry whose last settled slot is not in the log belongs to another history.
Status CheckNotAhead(LogContext& context, const RegistryControl& control,
                     const std::vector<Reservation>& reservations) {
  SlotNumber lowest = control.next_slot;
  for (const Reservation& reservation : reservations) {
    lowest = std::min(lowest, reservation.slot);
  }
  if (lowest.value <= 1 || Mutated(Mutation::kIgnoreRegistryAhead)) return Ok();
  Result<SlotPtr> last = ReadSlot(context, SlotNumber(lowest.value - 1));
  if (last.Is(Code::kNotFound)) {
    return AnotherState("the registry is ahead of the log: slot " +
                        std::to_string(lowest.value - 1) + " is not there");
  }
  if (!last.ok()) return last.error();
  return Ok();
}

// Slots that the registry does not know of. Listed before the registry is read again: under steady
// writes of others slots appear above any number that was read earlier.
Result<bool> LagsTheLog(LogContext& context, SlotNumber next_slot) {
  if (Mutated(Mutation::kNoListAtStart)) return false;
  SAFFRON_ASSIGN(SlotNumber highest, HighestSlot(context, SlotNumber(next_slot.value - 1)));
  if (highest == SlotNumber() || Mutated(Mutation::kStartListsAfterReading)) {
    return highest != SlotNumber();
  }
  SAFFRON_ASSIGN(RegistryRows now, context.registry.Read({}));
  return now.control.next_slot <= highest;
}

// The fence that a start needs; nothing: an ordinary start, which leaves what has expired to the
// resolver's first pass. With the log to itself every reservation is as good as expired.
Result<std::optional<Recovery>> NeededRecovery(LogContext& context) {
  SAFFRON_ASSIGN(RegistryRows rows, context.registry.Read({}));
  if (rows.control.log == LogId()) return std::optional(Recovery::kInvalidateFirst);
  if (rows.control.log != context.format.log && !Mutated(Mutation::kIgnoreLogId)) {
    return AnotherState("the registry belongs to log " + rows.control.log.ToString() +
                        ", the object store holds log " + context.format.log.ToString());
  }
  SAFFRON_ASSIGN(std::vector<Reservation> reservations, context.registry.Reservations());
  SAFFRON_TRY(CheckNotAhead(context, rows.control, reservations));
  if (!Fenced(rows)) return std::optional(Recovery::kAsItIs);
  SAFFRON_ASSIGN(bool lags, LagsTheLog(context, rows.control.next_slot));
  const bool leftover = context.exclusive && !reservations.empty();
  if (lags || leftover || Mutated(Mutation::kStartFences)) {
    return std::optional(Recovery::kInvalidateFirst);
  }
  NoteSeen(context, rows.control.next_slot);
  return std::optional<Recovery>();
}

}  // namespace

Status Recover(LogContext& context, Recovery mode, const RecoveryProgress& progress) {
  SAFFRON_ASSIGN(std::unique_ptr<FenceLock> lock, context.registry.LockFence());
  return Fence(context, progress).Run(mode);
}

Status RecoverUnlessFenced(LogContext& context) {
  SAFFRON_ASSIGN(std::unique_ptr<FenceLock> lock, context.registry.LockFence());
  SAFFRON_ASSIGN(RegistryRows rows, context.registry.Read({}));
  const bool serves = Fenced(rows) &&
                      rows.control.next_slot.value > context.highest_handed.load() &&
                      !Mutated(Mutation::kEveryoneFences);
  return serves ? Ok() : Fence(context, {}).Run(Recovery::kInvalidateFirst);
}

// Of processes that start together one fences, and the others find that it is done: what they saw
// before they had the lock counts for nothing.
Status OpenRegistry(LogContext& context) {
  const Instant give_up = context.runtime.Now() + kOthersFence;
  while (true) {
    SAFFRON_ASSIGN(std::optional<Recovery> needed, NeededRecovery(context));
    if (!needed) return Ok();
    Result<std::unique_ptr<FenceLock>> lock = context.registry.LockFence();
    if (lock.ok()) {
      if (!Mutated(Mutation::kStartFencesUnasked)) {
        SAFFRON_ASSIGN(needed, NeededRecovery(context));
      }
      return needed ? Fence(context, {}).Run(*needed) : Ok();
    }
    if (!lock.Is(Code::kUnavailable) || context.runtime.Now() >= give_up) return lock.error();
    if (!context.runtime.SleepFor(milliseconds(100))) return Cancelled("stopping");
  }
}

Status RebuildRegistry(LogContext& context, const RecoveryProgress& progress) {
  return Recover(context, Recovery::kFromEmpty, progress);
}

bool CanRead(LogContext& context) {
  const Result<StoredObject> format = context.store.Get(kFormatKey);
  return (format.ok() || format.Is(Code::kNotFound)) && context.registry.Read({}).ok();
}

bool CanAppend(LogContext& context) {
  const std::string key = std::string(kProbeFolder) + context.runtime.NewUuid().ToString();
  if (!CanRead(context)) return false;
  const Result<std::string> put = context.store.PutIfAbsent(key, "probe");
  const bool may_be_there = put.ok() || put.Is(Code::kUnknownOutcome);
  if (may_be_there) (void)context.store.Delete(key);  // one that stays does no harm
  return put.ok();
}

}  // namespace saffron
