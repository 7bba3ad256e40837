#include "eventlog/resolver.h"

#include "base/step.h"
#include "eventlog/mutation.h"
#include "eventlog/recovery.h"
#include "eventlog/settlement.h"

namespace saffron {
namespace {

constexpr std::int64_t kTakeMs = 2000;
constexpr Duration kPass = milliseconds(200);

}  // namespace

Result<SlotPtr> TombstoneOrSlot(LogContext& context, SlotNumber slot, const BatchId& aborts) {
  SlotHeader header;
  header.log = context.format.log;
  header.shard = context.shard;
  header.slot = slot;
  header.batch = aborts;
  header.writer = context.writer;
  header.reserved_at = context.runtime.WallNow().ToRfc3339();
  auto tombstone = std::make_shared<const Slot>(MakeTombstone(header));
  if (Mutated(Mutation::kUndoWithoutTombstone)) return SlotPtr(tombstone);
  Result<std::string> put =
      context.store.PutIfAbsent(SlotKey(context.shard, slot), tombstone->bytes);
  if (put.ok()) {
    context.cache.Put(tombstone);
    context.committed.Raise(slot);
    return SlotPtr(tombstone);
  }
  // Whatever lies there now decides, whoever wrote it; a put of unknown outcome may be it.
  if (put.Is(Code::kConflict)) return ReadSlot(context, slot);
  return put.error();
}

void Resolver::Run() {
  int failures = 0;
  while (!context_.runtime.StopRequested()) {
    Result<std::size_t> settled = Step();
    if (settled.ok()) {
      failures = 0;
    } else if (++failures == 1) {
      context_.log.Warning("resolver_failed", {{"error", settled.error().ToString()}});
    }
    context_.runtime.SleepFor(kPass);
  }
}

Result<std::size_t> Resolver::Step() {
  const SlotNumber handed(context_.highest_handed.load());
  SAFFRON_ASSIGN(RegistryRows rows, context_.registry.Read({}));
  RequestFenceIfLost(rows, handed);
  if (context_.fence_requested.load()) {
    SAFFRON_TRY(FenceIfNeeded());
    SAFFRON_ASSIGN(rows, context_.registry.Read({}));
  }
  if (rows.outstanding == 0) return std::size_t{0};
  SAFFRON_ASSIGN(std::vector<Reservation> reservations, context_.registry.Reservations());
  std::size_t settled = 0;
  for (const Reservation& reservation : reservations) {
    const bool expired = reservation.expires_ms <= rows.now_ms;
    if (!expired && !Mutated(Mutation::kTombstoneBeforeExpiry)) continue;
    SAFFRON_ASSIGN(bool ours, Take(reservation.batch));
    if (!ours) continue;
    SAFFRON_ASSIGN(bool done, Settle(reservation));
    settled += done;
  }
  if (settled > 0) settled_();
  return settled;
}

void Resolver::RequestFenceIfLost(const RegistryRows& rows, SlotNumber handed) {
  const bool lost_tail = LostTail(rows, handed);
  if ((Fenced(rows) && !lost_tail) || Mutated(Mutation::kResolverTrustsTheRegistry)) return;
  if (lost_tail) context_.registry_contradicted.store(true);
  if (context_.fence_requested.exchange(true)) return;
  context_.log.Warning("fence_requested", {{"why", lost_tail ? "lost_tail" : "registry_not_fenced"},
                                           {"slot", rows.control.next_slot}});
}

Status Resolver::FenceIfNeeded() {
  if (context_.registry_contradicted.load()) {
    SAFFRON_TRY(Recover(context_, Recovery::kInvalidateFirst));
    context_.registry_contradicted.store(false);
  } else {
    SAFFRON_TRY(RecoverUnlessFenced(context_));
  }
  context_.fence_requested.store(false);
  settled_();
  return Ok();
}

Result<bool> Resolver::Take(const BatchId& batch) {
  RegistryRead read;
  read.reservations.push_back(batch);
  bool taken = false;
  SAFFRON_STEP("resolver.take.before");
  Status status = context_.registry.Transact(read, [&](const RegistryRows& rows) {
    Draft draft(rows);
    taken = false;
    auto found = rows.reservations.find(batch);
    if (!Fenced(rows) || found == rows.reservations.end()) return draft.Take();
    Reservation reservation = found->second;
    const bool ours = reservation.resolver == context_.writer;
    // Since the time of whoever has taken it was over; before that, negative. A time beyond what
    // anybody is given is of a clock that was wrong.
    const std::int64_t over_ms = rows.now_ms - reservation.retry_after_ms;
    bool over = over_ms >= 0 || over_ms < -kTakeMs;
    // It is left to the others for as long again: one that cannot reach the store must not keep it
    // from those that can.
    const bool rests = ours && over_ms >= 0 && over_ms < kTakeMs && !context_.exclusive;
    bool free = (ours || over) && !rests;
    if (Mutated(Mutation::kResolverKeepsWhatItTook)) free = ours || reservation.resolver.empty();
    if (ours && Mutated(Mutation::kResolverTakesAgain)) free = over = true;
    const bool expired = reservation.expires_ms <= rows.now_ms;
    if ((!expired && !Mutated(Mutation::kTombstoneBeforeExpiry)) || !free) return draft.Take();
    if (over) {
      reservation.resolver = context_.writer;
      reservation.retry_after_ms = rows.now_ms + kTakeMs;
      draft.PutReservation(std::move(reservation));
    }
    taken = true;
    return draft.Take();
  });
  SAFFRON_STEP("resolver.take.after");
  SAFFRON_TRY(std::move(status));
  return taken;
}

Result<bool> Resolver::Settle(const Reservation& reservation) {
  SAFFRON_STEP("resolver.tombstone.before");
  SAFFRON_ASSIGN(SlotPtr slot, TombstoneOrSlot(context_, reservation.slot, reservation.batch));
  SAFFRON_STEP("resolver.tombstone.after");
  bool committed = !slot->header.tombstone && slot->header.batch == reservation.batch;
  if (Mutated(Mutation::kForeignTombstoneIsCommit)) {
    committed = slot->header.writer != context_.writer;
  }
  if (!slot->header.tombstone && !committed) {
    context_.log.Warning("fence_requested", {{"why", "foreign_batch"}, {"slot", reservation.slot}});
    context_.registry_contradicted.store(true);
    context_.fence_requested.store(true);
    return false;
  }
  if (Mutated(Mutation::kRollBackCommitted)) committed = false;
  RegistryRead read;
  AddReads(reservation, read);
  if (committed) AddReads(*slot, read);
  bool fenced = false;
  if (committed) SAFFRON_STEP("resolver.finalize.before");
  if (!committed) SAFFRON_STEP("resolver.undo.before");
  SAFFRON_TRY(context_.registry.Transact(read, [&](const RegistryRows& rows) {
    Draft draft(rows);
    fenced = Fenced(rows);
    if (fenced && committed) saffron::Settle(draft, *slot);
    if (fenced && !committed) Undo(draft, reservation.batch);
    return draft.Take();
  }));
  if (committed) SAFFRON_STEP("resolver.finalize.after");
  if (!committed) SAFFRON_STEP("resolver.undo.after");
  if (!fenced) return false;
  context_.log.Info("reservation_resolved", {{"slot", reservation.slot},
                                             {"batch_id", reservation.batch},
                                             {"result", committed ? "batch" : "tombstone"}});
  context_.settled.Raise(reservation.slot);
  return true;
}

}  // namespace saffron
