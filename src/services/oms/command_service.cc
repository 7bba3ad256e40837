#include "services/oms/command_service.h"

#include <algorithm>

#include "base/channel.h"
#include "services/oms/pending_write.h"

namespace saffron {
namespace {

// What the caller's thread plans itself; more goes to a request task.
constexpr std::size_t kPlannedAtOnce = 16;

bool OnDatabase(const WriteRequest& request) {
  return request.commands.front().type == AggregateType::kDatabase;
}

}  // namespace

CommandService::CommandService(LogContext& context, AppendLog& log, OntologyCatalog& catalog,
                               RequestTasks& tasks)
    : context_(context), log_(log), catalog_(catalog), tasks_(tasks) {}

void CommandService::Write(WriteRequest request, WriteCompletion done) {
  auto pending = std::make_shared<Pending>(std::move(request), std::move(done));
  if (!pending->request.keyed && pending->items.size() <= kPlannedAtOnce) {
    OntologyViewPtr view = OnDatabase(pending->request)
                               ? std::make_shared<const OntologyView>()
                               : catalog_.CachedView(pending->request.db, pending->request.branch);
    if (view) {
      Planned planned = Plan(*pending, *view, false);
      if (planned == Planned::kReady) return Submit(pending);
      if (planned == Planned::kSettled) return pending->Finish();
    }
  }
  bool taken = tasks_.Add([this, pending](bool stopping) {
    if (!stopping) return Advance(pending);
    GiveUp(*pending, WriteCode::kUnavailable, "the service is stopping");
  });
  if (!taken) GiveUp(*pending, WriteCode::kBusy, "too many requests are waiting");
}

WriteAnswer CommandService::WriteAndWait(WriteRequest request) {
  WriteAnswer unanswered;
  unanswered.code = WriteCode::kUnknown;
  unanswered.request_id = request.request_id;
  unanswered.kind = request.kind;
  unanswered.items.resize(request.commands.size());
  auto promise = std::make_shared<Promise<WriteAnswer>>(context_.runtime);
  Write(std::move(request), [promise](WriteAnswer answer) { promise->Set(std::move(answer)); });
  return promise->Wait(Instant::Max()).value_or(std::move(unanswered));
}

void CommandService::Advance(const PendingPtr& pending) {
  Pending& write = *pending;
  if (context_.runtime.Now() >= write.request.deadline) return Expire(pending);
  if (write.request.keyed && !write.looked_up) {
    Result<bool> looked_up = LookUp(write);
    write.unsettled = looked_up.ok() && !*looked_up;
    if (!looked_up.ok() || !*looked_up) return RetryLater(pending);
    write.looked_up = true;
    if (write.settled()) return write.Finish();
  }
  OntologyViewPtr view;
  bool current = false;
  auto refresh = [&] {
    Result<OntologyViewPtr> fresh = catalog_.Refresh(write.request.db, write.request.branch);
    current = fresh.ok();
    if (fresh.ok()) {
      view = std::move(*fresh);
    } else if (!fresh.Is(Code::kUnavailable)) {
      context_.log.Error("ontology_unreadable",
                         {{"db", write.request.db}, {"error", fresh.error().ToString()}});
    }
    return current;
  };
  if (OnDatabase(write.request)) {
    view = std::make_shared<const OntologyView>();
  } else {
    view = catalog_.CachedView(write.request.db, write.request.branch);
    bool known_stale = view && write.stale && view->ontology == write.stale;
    if ((!view || known_stale) && !refresh()) return RetryLater(pending);
    // Admission sees what this view does not show yet.
    if (write.stale && view->ontology == write.stale) return RetryLater(pending);
  }
  write.blocker = AggregateKey();
  Planned planned = Plan(write, *view, current);
  if (planned == Planned::kUnsure && !current) {
    if (!refresh()) return RetryLater(pending);
    planned = Plan(write, *view, current);
  }
  switch (planned) {
    case Planned::kReady: return Submit(pending);
    case Planned::kSettled: return write.Finish();
    case Planned::kUnsure: return RetryLater(pending);
  }
}

Result<bool> CommandService::LookUp(Pending& pending) {
  RegistryRead read;
  for (const ItemAnswer& item : pending.answer.items) read.commands.push_back(item.command_id);
  SAFFRON_ASSIGN(RegistryRows rows, context_.registry.Read(read));
  for (const auto& [id, row] : rows.commands) {
    if (!row.settled()) return false;
  }
  const bool whole = pending.request.kind == WriteKind::kTransaction;
  std::size_t matching = 0;
  std::optional<std::size_t> reused;
  for (std::size_t i = 0; i < pending.items.size(); ++i) {
    auto found = rows.commands.find(pending.answer.items[i].command_id);
    if (found == rows.commands.end()) continue;
    const CommandRow& row = found->second;
    std::optional<Sha256Digest> hash = HashOnAggregate(pending.request, i, row.aggregate);
    if (hash != row.request_sha256) {
      pending.Refuse(i, WriteCode::kKeyReused, "the id was used for another request");
      if (!reused) reused = i;
      continue;
    }
    ++matching;
    pending.answer.items[i].aggregate = row.aggregate;
    pending.answer.items[i].duplicate = true;
    pending.Accept(i, row.number, row.location->position);
  }
  if (whole && !reused && matching > 0 && matching < pending.items.size()) {
    reused = 0;
    pending.Refuse(0, WriteCode::kKeyReused, "the id was used for another transaction");
  }
  if (whole && reused) pending.FailTransaction(*reused, WriteCode::kKeyReused);
  return true;
}

// `current`: the view was read for this request, so that its refusals can be trusted.
CommandService::Planned CommandService::Plan(Pending& pending, const OntologyView& view,
                                             bool current) {
  PlanContext context{pending.request, view.ontology.get(), context_.runtime.WallNow().ToRfc3339()};
  pending.planned_with = view.ontology;
  std::vector<std::pair<std::size_t, PlanRefusal>> refused;
  for (std::size_t i = 0; i < pending.items.size(); ++i) {
    Pending::Item& item = pending.items[i];
    if (item.state == Pending::State::kAnswered) continue;
    CommandPlan plan = PlanCommand(context, i);
    pending.answer.items[i].aggregate = plan.item.envelope.aggregate;
    item.state = plan.refusal ? Pending::State::kOpen : Pending::State::kReady;
    item.planned = std::move(plan.item);
    if (!plan.refusal) continue;
    const bool by_view = !plan.refusal->depends_on.empty() || plan.refusal->depends_on_head;
    if (by_view && !current) return Planned::kUnsure;
    if (const UndecidedChange* change = BlockerOf(*plan.refusal, view)) {
      pending.blocker = change->aggregate;
      return Planned::kUnsure;
    }
    refused.emplace_back(i, std::move(*plan.refusal));
    if (pending.request.kind == WriteKind::kTransaction) break;
  }
  for (auto& [index, refusal] : refused) {
    const WriteCode code = refusal.code;
    pending.RefuseByPlan(index, std::move(refusal));
    if (pending.request.kind == WriteKind::kTransaction) pending.FailTransaction(index, code);
  }
  return pending.settled() ? Planned::kSettled : Planned::kReady;
}

void CommandService::Submit(const PendingPtr& pending) {
  const bool fresh = !pending->request.keyed && !pending->submitted;
  pending->submitted = true;
  if (pending->request.kind == WriteKind::kTransaction) return SubmitTransaction(pending, fresh);
  std::vector<std::size_t> ready;
  for (std::size_t i = 0; i < pending->items.size(); ++i) {
    if (pending->items[i].state == Pending::State::kReady) ready.push_back(i);
  }
  pending->outstanding = ready.size();
  for (std::size_t i : ready) {
    AppendRequest append;
    append.items.push_back(std::move(pending->items[i].planned));
    append.fresh = fresh;
    log_.Submit(std::move(append), pending->request.deadline,
                [this, pending, i](AppendAnswer answer) {
                  pending->Take(i, std::move(answer));
                  if (pending->outstanding.fetch_sub(1) == 1) OnRound(pending);
                });
  }
}

void CommandService::SubmitTransaction(const PendingPtr& pending, bool fresh) {
  const WriteRequest& request = pending->request;
  AppendRequest append;
  append.fresh = fresh;
  append.items.reserve(pending->items.size());
  for (Pending::Item& item : pending->items) append.items.push_back(std::move(item.planned));
  for (const WriteCheck& check : request.checks) {
    append.checks.push_back(
        {AggregateKey::Instance(request.db, request.branch, check.class_id, check.instance_id),
         check.expected});
  }
  log_.Submit(std::move(append), request.deadline,
              [this, pending](AppendAnswer answer) { OnTransaction(pending, std::move(answer)); });
}

void CommandService::OnTransaction(const PendingPtr& pending, AppendAnswer answer) {
  Pending& write = *pending;
  const WriteCode code = WriteCodeOf(answer, write.request.keyed);
  for (Pending::Item& item : write.items) item.state = Pending::State::kOpen;
  if (code == WriteCode::kOntologyPending) {
    Pending::Item& first = write.items.front();
    first.stale = answer.code == AppendCode::kOntologyStale;
    if (!first.stale) first.blocker = answer.blocker;
    return OnRound(pending);
  }
  if (code == WriteCode::kAccepted) {
    for (std::size_t i = 0; i < write.items.size(); ++i) {
      write.answer.items[i].duplicate = answer.code == AppendCode::kDuplicate;
      write.Accept(i, answer.items[i].number, answer.items[i].location.position);
    }
    return write.Finish();
  }
  // A check that failed stands behind the items; its numbers go where a client finds them.
  const std::size_t at = std::min(answer.index, write.items.size() - 1);
  write.answer.items[at].actual_seq = answer.actual_seq;
  if (answer.index >= write.items.size()) {
    const WriteCheck& check = write.request.checks[answer.index - write.items.size()];
    write.answer.items[at].expected_seq = check.expected;
    write.answer.items[at].aggregate = AggregateKey::Instance(
        write.request.db, write.request.branch, check.class_id, check.instance_id);
  }
  write.Refuse(at, code, answer.message);
  write.FailTransaction(at, code);
  write.answer.index = answer.index;
  write.Finish();
}

void CommandService::OnRound(const PendingPtr& pending) {
  Pending& write = *pending;
  if (write.settled()) return write.Finish();
  for (Pending::Item& item : write.items) {
    if (std::exchange(item.stale, false)) write.stale = write.planned_with;
    if (!item.blocker.id.empty()) write.blocker = std::exchange(item.blocker, AggregateKey());
  }
  Later(pending, Duration::zero());
}

void CommandService::Later(const PendingPtr& pending, Duration delay) {
  bool taken = tasks_.AddFollowUp(
      [this, pending](bool stopping) {
        if (!stopping) return Advance(pending);
        GiveUp(*pending, WriteCode::kUnavailable, "the service is stopping");
      },
      delay);
  if (!taken) GiveUp(*pending, WriteCode::kUnavailable, "too many requests are waiting");
}

void CommandService::RetryLater(const PendingPtr& pending) {
  // 5 to 50 ms, doubling, with jitter.
  const int doublings = std::min(pending->waits++, 4);
  const std::uint64_t ceiling = std::min<std::uint64_t>(45, 5ULL << doublings);
  Duration delay = milliseconds(5 + context_.runtime.RandomBelow(ceiling + 1));
  Duration left = pending->request.deadline - context_.runtime.Now();
  Later(pending, std::max(Duration::zero(), std::min(delay, left)));
}

void CommandService::Expire(const PendingPtr& pending) {
  Pending& write = *pending;
  if (write.unsettled) {
    return GiveUp(write, WriteCode::kUnknown, "an earlier request with this id is not settled");
  }
  if (write.blocker.id.empty()) {
    return GiveUp(write, WriteCode::kUnavailable, "not done in time");
  }
  write.answer.blocker = write.blocker;
  NameBlocker(write);
  GiveUp(write, WriteCode::kOntologyPending,
         write.answer.blocker.ToString() + " has an undecided change");
}

// Which command the request waited for. What cannot be read stays unnamed.
void CommandService::NameBlocker(Pending& pending) {
  Result<OntologyViewPtr> view = catalog_.Refresh(pending.request.db, pending.request.branch);
  if (!view.ok()) return;
  const UndecidedChange* change = (*view)->FindUndecided(pending.blocker);
  if (pending.blocker.type == AggregateType::kOntologyHead) {
    for (const UndecidedChange& candidate : (*view)->undecided) {
      if (candidate.aggregate.type == AggregateType::kOntologyClass) change = &candidate;
    }
  }
  if (change == nullptr) return;
  pending.answer.blocker = change->aggregate;
  if (change->number == SequenceNumber()) return;
  Result<std::vector<CommandRow>> commands =
      context_.registry.CommandsOf(change->aggregate, change->number, change->number, 1);
  if (commands.ok() && !commands->empty()) {
    pending.answer.blocking_command = commands->front().id;
  }
}

void CommandService::GiveUp(Pending& pending, WriteCode code, const std::string& message) {
  for (std::size_t i = 0; i < pending.items.size(); ++i) {
    if (pending.items[i].state != Pending::State::kAnswered) pending.Refuse(i, code, message);
  }
  pending.answer.code = code;
  pending.answer.message = message;
  pending.Finish();
}

}  // namespace saffron
