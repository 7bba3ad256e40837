#include "eventlog/lane.h"

#include <algorithm>

#include "base/step.h"
#include "eventlog/mutation.h"

namespace saffron {
namespace {

std::vector<std::uint64_t> KeysOf(const std::vector<QueuedPtr>& requests) {
  std::vector<std::uint64_t> keys;
  for (const QueuedPtr& request : requests) {
    keys.insert(keys.end(), request->keys.begin(), request->keys.end());
  }
  return keys;
}

std::int64_t Milliseconds(Duration duration) {
  return std::chrono::duration_cast<milliseconds>(duration).count();
}

}  // namespace

void AppendLog::Lane::Run() {
  Work();
  // The process stops without Stop() before it: whoever appends now is answered all the same.
  queue_.RefuseAll();
}

void AppendLog::Lane::Work() {
  Runtime& runtime = context_.runtime;
  while (true) {
    std::vector<std::uint64_t> riding;
    for (const Unsettled& batch : unsettled_) {
      riding.insert(riding.end(), batch.keys.begin(), batch.keys.end());
    }
    // With something to settle the lane takes what is there soon, and else settles alone.
    const bool idle = unsettled_.empty() || Mutated(Mutation::kSettleOnlyWithNews);
    Instant until = idle ? Instant::Max() : runtime.Now() + options_.settle_linger;
    AppendQueue::Batch batch = queue_.Take(options_.limits, riding, until);
    for (QueuedPtr& expired : batch.expired) Expire(std::move(expired));
    if (!batch.requests.empty()) {
      Step(std::move(batch));
    } else if (!unsettled_.empty()) {
      if (!SettleNow() && !Backoff(++settle_failures_, Instant::Max())) return;
    } else if (batch.closed || runtime.StopRequested()) {
      return;
    }
  }
}

void AppendLog::Lane::Step(AppendQueue::Batch batch) {
  std::optional<Reserved> reserved = Reserve(std::move(batch.requests));
  if (!reserved) return;
  Slot slot = Encode(*reserved);
  if (Mutated(Mutation::kAckBeforePut)) Acknowledge(*reserved, slot);
  if (Mutated(Mutation::kFinalizeBeforePut)) {
    unsettled_.push_back({std::make_shared<const Slot>(slot), {}});
    (void)SettleNow();
  }
  if (Mutated(Mutation::kPublishBeforePut)) {
    context_.cache.Put(std::make_shared<const Slot>(slot));
    context_.committed.Raise(slot.number());
  }
  Instant started = context_.runtime.Now();
  CommitResult result = Commit(*reserved, slot);
  if (result != CommitResult::kCommitted) return Abandon(*reserved, result);
  if (metrics_ != nullptr) {
    metrics_->BatchCommitted(slot.events.size(), slot.bytes.size(), reserved->reserve_time,
                             context_.runtime.Now() - started);
  }
  std::vector<std::uint64_t> keys = KeysOf(reserved->admitted);
  auto shared = std::make_shared<const Slot>(std::move(slot));
  context_.cache.Put(shared);
  SAFFRON_STEP("lane.ack.before");
  if (!Mutated(Mutation::kAckBeforePut)) Acknowledge(*reserved, *shared);
  SAFFRON_STEP("lane.ack.after");
  unsettled_.push_back({shared, std::move(keys)});
  context_.committed.Raise(shared->number());
}

std::optional<AppendLog::Lane::Reserved> AppendLog::Lane::Reserve(std::vector<QueuedPtr> requests) {
  Runtime& runtime = context_.runtime;
  const Instant started = runtime.Now();
  AdmissionTerms terms{BatchId(runtime.NewUuid()), context_.writer,
                       Milliseconds(options_.reservation), context_.format.max_outstanding};
  RegistryRead read;
  for (const Unsettled& batch : unsettled_) AddReads(*batch.slot, read);
  read.reservations.push_back(terms.batch);
  std::vector<Candidate> candidates;
  for (const QueuedPtr& request : requests) {
    AddReads(request->request, read);
    // From here on this very attempt may have left rows.
    if (!Mutated(Mutation::kFreshForEver)) request->request.fresh = false;
    candidates.push_back({&request->request, request->deferrals,
                          Milliseconds(started - request->submitted),
                          Milliseconds(request->deadline - started)});
  }
  Admission admission;
  bool lost_tail = false;
  SAFFRON_STEP("lane.reserve.before");
  Status status = context_.registry.Transact(read, [&](const RegistryRows& rows) {
    Draft draft(rows);
    admission = Admission();
    lost_tail = LostTail(rows, SlotNumber(context_.highest_handed.load()));
    admission.fenced = Fenced(rows) && !lost_tail;
    if (!admission.fenced) return RegistryWrite();
    for (const Unsettled& batch : unsettled_) Settle(draft, *batch.slot);
    admission = Admit(draft, terms, candidates);
    return draft.Take();
  });
  SAFFRON_STEP("lane.reserve.after");
  // The last call of the rules is what was written, if anything was.
  bool applied = status.ok() || (status.Is(Code::kUnknownOutcome) && admission.slot.value != 0 &&
                                 ReservationExists(terms.batch));
  if (!applied) {
    RequeueAll(std::move(requests), status.error().message());
    return std::nullopt;
  }
  if (!admission.fenced) {
    if (lost_tail) context_.registry_contradicted.store(true);
    RequestFence("registry_not_fenced", SlotNumber());
    RequeueAll(std::move(requests), "the registry is being recovered");
    return std::nullopt;
  }
  Settled();
  return Sort(admission, std::move(requests), terms.batch, started);
}

std::optional<AppendLog::Lane::Reserved> AppendLog::Lane::Sort(const Admission& admission,
                                                               std::vector<QueuedPtr> requests,
                                                               const BatchId& batch,
                                                               Instant started) {
  Reserved reserved;
  reserved.header.log = context_.format.log;
  reserved.header.shard = context_.shard;
  reserved.header.slot = admission.slot;
  reserved.header.batch = batch;
  reserved.header.writer = context_.writer;
  reserved.header.reserved_at = WallTime{admission.reserved_ms}.ToRfc3339();
  reserved.expires = started + options_.reservation;
  reserved.reserve_time = context_.runtime.Now() - started;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Verdict& verdict = admission.verdicts[i];
    switch (verdict.kind) {
      case Verdict::Kind::kAdmitted:
        reserved.admitted.push_back(std::move(requests[i]));
        reserved.verdicts.push_back(verdict);
        break;
      case Verdict::Kind::kDeferred:
        if (verdict.deferral == Deferral::kPending) ++requests[i]->deferrals;
        Requeue(std::move(requests[i]),
                verdict.deferral == Deferral::kUndecided ? verdict.answer : AppendAnswer());
        break;
      case Verdict::Kind::kAnswered:
        if (verdict.after_commit) {
          reserved.after_commit.emplace_back(std::move(requests[i]), verdict.answer);
        } else {
          queue_.Release(requests[i]->keys);
          requests[i]->done(verdict.answer);
        }
        break;
    }
  }
  if (admission.slot.value == 0) {
    SAFFRON_ASSERT(reserved.after_commit.empty());
    return std::nullopt;
  }
  context_.NoteHanded(admission.slot);
  return reserved;
}

bool AppendLog::Lane::ReservationExists(const BatchId& batch) {
  for (int attempt = 1; attempt < 20; ++attempt) {
    RegistryRead read;
    read.reservations.push_back(batch);
    Result<RegistryRows> rows = context_.registry.Read(read);
    if (rows.ok()) return rows->reservations.contains(batch);
    if (!Backoff(attempt, Instant::Max())) return false;
  }
  return false;
}

Slot AppendLog::Lane::Encode(Reserved& reserved) {
  std::vector<LoggedEvent> events;
  for (std::size_t r = 0; r < reserved.admitted.size(); ++r) {
    std::vector<AppendItem>& items = reserved.admitted[r]->request.items;
    for (std::size_t i = 0; i < items.size(); ++i) {
      LoggedEvent event;
      AppendItem& item = items[i];
      if (item.outcome) {
        if (item.basis_in_request) {
          item.outcome->basis = Position{reserved.header.shard, reserved.header.slot,
                                         static_cast<std::uint32_t>(events.size() - 1)};
        }
        item.envelope.data = EncodeOutcome(*item.outcome);
        event.outcome = std::move(item.outcome);
      }
      item.envelope.sequence_number = reserved.verdicts[r].numbers[i];
      event.envelope = std::move(item.envelope);
      events.push_back(std::move(event));
    }
  }
  return MakeBatchSlot(reserved.header, std::move(events));
}

CommitResult AppendLog::Lane::Commit(const Reserved& reserved, const Slot& slot) {
  const std::string key = SlotKey(context_.shard, slot.number());
  for (int attempt = 1;; ++attempt) {
    SAFFRON_STEP("lane.commit.before");
    Result<std::string> put = context_.store.PutIfAbsent(key, slot.bytes);
    SAFFRON_STEP("lane.commit.after");
    if (put.ok()) return CommitResult::kCommitted;
    if (put.Is(Code::kConflict) && Mutated(Mutation::kTakeAny412AsCommitted)) {
      return CommitResult::kCommitted;
    }
    if (put.Is(Code::kConflict)) {
      if (std::optional<CommitResult> found = ReadBack(reserved)) return *found;
    } else {
      context_.log.Warning(
          "slot_put_failed",
          {{"slot", slot.number()}, {"attempt", attempt}, {"error", put.error().ToString()}});
    }
    if (metrics_ != nullptr) metrics_->PutRetried();
    // The reservation bounds how long the same PUT may be repeated.
    if (!Backoff(attempt, reserved.expires)) return CommitResult::kUnknown;
  }
}

// An object lies in our slot: whose? Nothing: it could not be read.
std::optional<CommitResult> AppendLog::Lane::ReadBack(const Reserved& reserved) {
  Result<SlotPtr> found = ReadSlot(context_, reserved.header.slot);
  if (!found.ok()) {
    context_.log.Warning("slot_read_back_failed",
                         {{"slot", reserved.header.slot}, {"error", found.error().ToString()}});
    return std::nullopt;
  }
  const SlotHeader& header = (*found)->header;
  const bool foreign = header.batch.uuid.is_nil() && Mutated(Mutation::kFenceTombstoneIsForeign);
  if (header.tombstone && !foreign) return CommitResult::kAborted;
  if (header.batch == reserved.header.batch) return CommitResult::kCommitted;
  return CommitResult::kForeign;
}

void AppendLog::Lane::Acknowledge(Reserved& reserved, const Slot& slot) {
  std::size_t next = 0;
  for (std::size_t r = 0; r < reserved.admitted.size(); ++r) {
    AppendAnswer answer;
    answer.code = AppendCode::kCommitted;
    for (SequenceNumber number : reserved.verdicts[r].numbers) {
      answer.items.push_back({number, slot.events[next++].location});
    }
    reserved.admitted[r]->done(std::move(answer));
  }
  for (auto& [request, answer] : reserved.after_commit) {
    queue_.Release(request->keys);
    request->done(std::move(answer));
  }
}

void AppendLog::Lane::Abandon(Reserved& reserved, CommitResult why) {
  context_.log.Warning("batch_abandoned", {{"slot", reserved.header.slot},
                                           {"batch_id", reserved.header.batch},
                                           {"why", why == CommitResult::kAborted   ? "tombstone"
                                                   : why == CommitResult::kForeign ? "foreign_batch"
                                                                                   : "unknown"}});
  if (metrics_ != nullptr) metrics_->Aborted();
  if (Mutated(Mutation::kAckBeforePut)) return queue_.Release(KeysOf(reserved.admitted));
  if (why == CommitResult::kAborted) UndoNow(reserved.header.batch);
  if (why == CommitResult::kForeign) {
    context_.registry_contradicted.store(true);
    RequestFence("foreign_batch", reserved.header.slot);
  }
  queue_.Release(KeysOf(reserved.admitted));
  for (QueuedPtr& request : reserved.admitted) {
    AppendAnswer answer;
    answer.code = AppendCode::kUnknown;
    answer.message = "the write was not confirmed in time";
    request->done(std::move(answer));
  }
  // What showed this batch's rows is asked again: those rows may never be.
  for (auto& [request, answer] : reserved.after_commit) Requeue(std::move(request), AppendAnswer());
}

void AppendLog::Lane::UndoNow(const BatchId& batch) {
  RegistryRead find;
  find.reservations.push_back(batch);
  Result<RegistryRows> rows = context_.registry.Read(find);
  if (!rows.ok() || !rows->reservations.contains(batch)) return;  // the resolver sees to it
  RegistryRead read;
  AddReads(rows->reservations.at(batch), read);
  SAFFRON_STEP("lane.undo.before");
  Status undone = context_.registry.Transact(read, [&](const RegistryRows& current) {
    Draft draft(current);
    if (Fenced(current)) Undo(draft, batch);
    return draft.Take();
  });
  SAFFRON_STEP("lane.undo.after");
  if (undone.ok()) context_.settled.Raise(rows->reservations.at(batch).slot);
}

bool AppendLog::Lane::SettleNow() {
  RegistryRead read;
  for (const Unsettled& batch : unsettled_) AddReads(*batch.slot, read);
  bool fenced = false;
  SAFFRON_STEP("lane.finalize.before");
  Status status = context_.registry.Transact(read, [&](const RegistryRows& rows) {
    Draft draft(rows);
    fenced = Fenced(rows);
    if (fenced) {
      for (const Unsettled& batch : unsettled_) Settle(draft, *batch.slot);
    }
    return draft.Take();
  });
  SAFFRON_STEP("lane.finalize.after");
  if (!status.ok()) return false;
  if (!fenced) {
    RequestFence("registry_not_fenced", SlotNumber());
    return false;
  }
  Settled();
  return true;
}

void AppendLog::Lane::Settled() {
  settle_failures_ = 0;
  for (Unsettled& batch : unsettled_) {
    queue_.Release(batch.keys);
    context_.settled.Raise(batch.slot->number());
  }
  unsettled_.clear();
}

void AppendLog::Lane::RequeueAll(std::vector<QueuedPtr> requests, const std::string& why) {
  for (QueuedPtr& request : requests) {
    AppendAnswer last;
    last.message = why;
    Requeue(std::move(request), std::move(last));
  }
}

void AppendLog::Lane::Requeue(QueuedPtr request, AppendAnswer last) {
  if (metrics_ != nullptr) metrics_->Deferred(1);
  request->last = std::move(last);
  // 5 to 50 ms, doubling, with jitter: settled rows wake the queue earlier.
  std::int64_t ceiling = std::min<std::int64_t>(50, 5LL << std::min(request->waits, 4));
  Duration delay = milliseconds(5 + static_cast<std::int64_t>(context_.runtime.RandomBelow(
                                        static_cast<std::uint64_t>(ceiling))));
  queue_.Requeue(std::move(request), delay);
}

void AppendLog::Lane::Expire(QueuedPtr request) {
  AppendAnswer answer = std::move(request->last);
  if (answer.code != AppendCode::kOntologyPending) answer.code = AppendCode::kTimedOut;
  request->done(std::move(answer));
}

bool AppendLog::Lane::Backoff(int attempt, Instant until) {
  Runtime& runtime = context_.runtime;
  std::uint64_t ceiling_ms = std::min<std::uint64_t>(1000, 10ULL << std::min(attempt, 7));
  Duration delay = milliseconds(1 + runtime.RandomBelow(ceiling_ms));
  if (until != Instant::Max() && runtime.Now() + delay >= until) return false;
  return runtime.SleepFor(delay);
}

void AppendLog::Lane::RequestFence(std::string_view why, SlotNumber slot) {
  if (context_.fence_requested.exchange(true)) return;
  context_.log.Warning("fence_requested", {{"why", why}, {"slot", slot}});
  context_.committed.Nudge();
}

}  // namespace saffron
