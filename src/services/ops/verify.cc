#include "services/ops/verify.h"

#include <algorithm>

namespace saffron {
namespace {

constexpr std::size_t kRunEvents = 1000;
constexpr Duration kPoll = milliseconds(20);
constexpr char kRestoreObject[] =
    "restore this object from a copy of the store; nothing else has these events";
constexpr char kReport[] = "the log breaks its own rules: keep a copy of it and report a defect";

std::string ClassOf(const AggregateKey& key) {
  if (key.type != AggregateType::kInstance) return std::string(AggregateTypeName(key.type));
  Result<AggregateParts> parts = SplitAggregateId(key);
  if (!parts.ok()) return "unreadable";
  return AggregateKey::OntologyClass(parts->db, parts->branch, parts->class_id).id;
}

}  // namespace

Verifier::Verifier(LogContext& context, VerifySubjects subjects, VerifyOptions options,
                   OnProgress progress)
    : context_(context),
      subjects_(std::move(subjects)),
      options_(options),
      progress_(std::move(progress)),
      fold_(subjects_.entry_digest,
            options.from.value <= 1 && options.sample == 0 ? ChainFold::Start::kBeginning
                                                           : ChainFold::Start::kLater,
            options.max_aggregates) {
  report_.from = std::max(SlotNumber(1), options.from);
}

Result<VerifyReport> Verifier::Run() {
  const Instant started = context_.runtime.Now();
  SAFFRON_TRY(FindHead());
  SAFFRON_TRY(WaitForRegistry());
  SAFFRON_TRY(WaitForOthers());
  SAFFRON_TRY(BeginBus());
  SAFFRON_TRY(options_.sample > 0 ? CheckSample() : CheckAll());
  report_.took = context_.runtime.Now() - started;
  return std::move(report_);
}

Status Verifier::CheckAll() {
  SAFFRON_TRY(BeginIndex());
  do {
    SAFFRON_TRY(ReadLog());
    if (first_pass_) SAFFRON_TRY(EndDerived());
    // With a hole in it the log says nothing certain about what comes after.
    if (!log_whole_) break;
    letters_read_ = false;
    if (registry_settled_) SAFFRON_TRY(CompareAggregates());
    if (graph_passed_) SAFFRON_TRY(CompareGraph());
    if (search_passed_) SAFFRON_TRY(CompareSearch());
    first_pass_ = false;
  } while (fold_.NextRange());
  return Ok();
}

// The highest slot that is present, or that must be: below the lowest unsettled one all are.
Status Verifier::FindHead() {
  SAFFRON_ASSIGN(RegistryRows rows, context_.registry.Read({}));
  SAFFRON_ASSIGN(std::vector<Reservation> reservations, context_.registry.Reservations());
  SlotNumber unsettled = rows.control.next_slot;
  for (const Reservation& reservation : reservations) {
    unsettled = std::min(unsettled, reservation.slot);
  }
  const SlotNumber settled(unsettled.value - std::min<std::uint64_t>(1, unsettled.value));
  SAFFRON_ASSIGN(report_.head, HighestSlot(context_, settled));
  if (report_.head < settled) report_.head = settled;
  if (rows.control.log != context_.format.log) {
    registry_settled_ = false;
    Differ("registry",
           "it belongs to log " + rows.control.log.ToString() + ", the store holds log " +
               context_.format.log.ToString(),
           "saffron rebuild registry");
  }
  return Ok();
}

Result<Verifier::Wait> Verifier::WaitFor(const std::function<Result<bool>()>& passed) {
  const Instant deadline = context_.runtime.Now() + options_.patience;
  while (true) {
    SAFFRON_ASSIGN(bool done, passed());
    if (done) return Wait::kPassed;
    if (context_.runtime.Now() >= deadline) return Wait::kTimedOut;
    if (!context_.runtime.SleepFor(kPoll)) return Cancelled("stopping");
  }
}

Status Verifier::WaitForRegistry() {
  if (!registry_settled_) return Ok();
  std::optional<Reservation> open;
  SlotNumber next;
  SAFFRON_ASSIGN(Wait wait, WaitFor([&]() -> Result<bool> {
                   SAFFRON_ASSIGN(RegistryRows rows, context_.registry.Read({}));
                   next = rows.control.next_slot;
                   SAFFRON_ASSIGN(std::vector<Reservation> all, context_.registry.Reservations());
                   open.reset();
                   if (!all.empty() && all.front().slot <= report_.head) open = all.front();
                   return !open && report_.head < next;
                 }));
  if (wait == Wait::kPassed) return Ok();
  registry_settled_ = false;
  if (open) {
    Differ("registry: slot " + std::to_string(open->slot.value),
           "the reservation of batch " + open->batch.ToString() + " by " + open->writer +
               " expired at " + WallTime{open->expires_ms}.ToRfc3339() + " and is not settled",
           "start a server: its resolver settles it; if one runs, look for resolver_failed in its "
           "log");
  } else {
    Differ("registry: next slot",
           "it is " + std::to_string(next.value) + ", the log goes on to slot " +
               std::to_string(report_.head.value),
           "saffron rebuild registry");
  }
  return Ok();
}

Status Verifier::WaitForOthers() {
  const std::string head = std::to_string(report_.head.value);
  SlotNumber graph_at;
  SAFFRON_ASSIGN(Wait graph, WaitFor([&]() -> Result<bool> {
                   SAFFRON_ASSIGN(GraphState state, subjects_.graph.State());
                   graph_at = state.position.slot;
                   return report_.head <= graph_at;
                 }));
  if (graph == Wait::kTimedOut) {
    graph_passed_ = false;
    Differ("graph: position",
           "it is at slot " + std::to_string(graph_at.value) + ", the log at " + head,
           "see that a worker runs and that `saffron status` shows the graph moving");
  }
  SAFFRON_ASSIGN(Wait search, WaitFor([&] { return subjects_.search_passed(report_.head); }));
  if (search == Wait::kTimedOut) {
    search_passed_ = false;
    Differ("search: watermark", "the projection has not passed slot " + head,
           "see that publisher and projection run and that `saffron status` shows them moving");
  }
  return Ok();
}

Status Verifier::ReadLog() {
  for (SlotNumber at = report_.from; at <= report_.head; at = at.Next()) {
    if (context_.runtime.StopRequested()) return Cancelled("stopping");
    Progress("log", at.value, report_.head.value);
    SAFFRON_ASSIGN(SlotPtr slot, ReadStoredSlot(at));
    if (slot == nullptr) {
      log_whole_ = false;
      continue;
    }
    if (first_pass_) Count(*slot);
    if (!log_whole_) continue;
    if (first_pass_) SAFFRON_TRY(index_->Add(*slot));
    for (const LoggedEvent& event : slot->events) {
      if (first_pass_ && bus_ != nullptr) bus_->AddFromLog(*slot, event);
      std::optional<std::string> wrong = fold_.Add(event);
      if (wrong) {
        Differ(SlotKey(context_.shard, at) + ", event " +
                   std::to_string(event.location.position.ordinal),
               *wrong, kReport);
      }
    }
    run_events_ += slot->events.size();
    run_.push_back(std::move(slot));
    if (run_events_ >= kRunEvents || run_.size() >= kRunEvents) SAFFRON_TRY(CompareCommands());
  }
  return CompareCommands();
}

// Straight from the store: what the process remembers of it proves nothing.
Result<SlotPtr> Verifier::ReadStoredSlot(SlotNumber number) {
  const std::string key = SlotKey(context_.shard, number);
  Result<StoredObject> object = context_.store.Get(key);
  if (object.Is(Code::kNotFound)) {
    Differ(key, "the slot is absent", kRestoreObject);
    return SlotPtr();
  }
  if (object.Is(Code::kCorrupt)) {
    Differ(key, object.error().message(), kRestoreObject);
    return SlotPtr();
  }
  if (!object.ok()) return object.error();
  report_.bytes += first_pass_ ? object->bytes.size() : 0;
  Result<Slot> slot =
      DecodeSlot(std::move(object->bytes), context_.format.log, context_.shard, number);
  if (!slot.ok()) {
    Differ(key, slot.error().message(), kRestoreObject);
    return SlotPtr();
  }
  return SlotPtr(std::make_shared<const Slot>(std::move(slot).value()));
}

void Verifier::Count(const Slot& slot) {
  ++report_.slots;
  report_.tombstones += slot.header.tombstone ? 1 : 0;
  for (const LoggedEvent& event : slot.events) {
    ClassReport& of_class = report_.classes[ClassOf(event.envelope.aggregate)];
    report_.digest.Add(event);
    of_class.digest.Add(event);
    if (!event.outcome) {
      ++report_.commands;
      ++of_class.commands;
      continue;
    }
    ++report_.outcomes;
    ++of_class.outcomes;
    report_.rejected += event.envelope.type.rejected ? 1 : 0;
    of_class.rejected += event.envelope.type.rejected ? 1 : 0;
  }
}

void Verifier::Differ(std::string where, std::string what, std::string to_do) {
  ++report_.differences_total;
  if (report_.differences.size() >= options_.max_differences) return;
  report_.differences.push_back({std::move(where), std::move(what), std::move(to_do)});
}

void Verifier::Progress(std::string_view phase, std::uint64_t done, std::uint64_t of) {
  if (progress_) progress_({phase, done, of});
}

}  // namespace saffron
