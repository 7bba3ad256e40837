#include "eventlog/admission.h"

#include <algorithm>
#include <tuple>

#include "eventlog/mutation.h"
#include "eventlog/settlement.h"

namespace saffron {
namespace {

constexpr int kDeferralsBeforeMark = 3;

// Of two requests that hold each other up, the older one goes first; the id breaks a tie.
bool Older(const AdmissionMark& mark, std::int64_t since_ms, const EventId& by) {
  return std::tie(mark.since_ms, mark.by) < std::tie(since_ms, by);
}

class Admitter {
 public:
  Admitter(Draft& draft, const AdmissionTerms& terms) : draft_(draft), terms_(terms) {
    reservation_.batch = terms.batch;
    reservation_.writer = terms.writer;
    reservation_.reserved_ms = draft.rows().now_ms;
    reservation_.expires_ms = draft.rows().now_ms + terms.reservation_ms;
  }

  Verdict Consider(const Candidate& candidate);
  // Takes the slot, if anything was admitted.
  SlotNumber Finish();

 private:
  // Nothing: the item may be applied. Else how the whole request ends.
  using Objection = std::optional<Verdict>;

  Objection ObjectTo(const Candidate& candidate);
  Objection ObjectToDuplicates(const AppendRequest& request);
  Objection ObjectToCommand(const Candidate& candidate, std::size_t index);
  Objection ObjectToState(const AppendItem& item, std::size_t index);
  Objection ObjectToStamps(const Envelope& command);
  Objection ObjectToHead(const Envelope& command);
  Objection ObjectToMembers(const AppendItem& item);
  Objection ObjectToOutcome(const AppendRequest& request, std::size_t index);
  Objection ObjectToCheck(const Candidate& candidate, std::size_t check);
  // Another batch has the row, or an older request has marked it.
  bool Held(const AggregateRow& row, const Candidate& candidate) const;

  void Apply(const AppendRequest& request, std::size_t index, std::vector<SequenceNumber>& numbers);
  void Restate(const AppendRequest& request, Verdict& verdict);
  void Mark(const Candidate& candidate);
  void Unmark(const AppendRequest& request);

  bool Ours(const AggregateRow& row) const {
    return row.pending && row.pending->batch == terms_.batch;
  }
  // The accepted state with what this batch has admitted so far.
  const AcceptedState& Working(const AggregateRow& row) const {
    return row.pending ? row.pending->state : row.accepted;
  }
  bool PresentNow(const AggregateRow& row, const Scope& scope) const {
    const AcceptedState& state = Working(row);
    const auto alive = [&scope](Lifecycle lifecycle, const Scope& of) {
      return lifecycle == Lifecycle::kPresent && (of == scope || Mutated(Mutation::kIgnoreScope));
    };
    const bool decided = state.number == row.decided.number;
    if (decided && !Mutated(Mutation::kAcceptedLifecycleCounts)) {
      return alive(row.decided.lifecycle, row.decided.scope);
    }
    return alive(state.lifecycle, state.scope);
  }

  Verdict Defer(Deferral why, const AggregateKey& blocker = {}) const {
    Verdict verdict;
    verdict.kind = Verdict::Kind::kDeferred;
    verdict.deferral = why;
    verdict.answer.code = AppendCode::kOntologyPending;
    verdict.answer.blocker = blocker;
    return verdict;
  }
  Verdict Answer(AppendCode code, std::size_t index, const AggregateRow* row = nullptr) const {
    Verdict verdict;
    verdict.kind = Verdict::Kind::kAnswered;
    verdict.answer.code = code;
    verdict.answer.index = index;
    if (row != nullptr) {
      verdict.answer.actual_seq = Working(*row).number;
      verdict.after_commit = Ours(*row) && !Mutated(Mutation::kRefuseBeforeCommit);
    }
    return verdict;
  }

  Draft& draft_;
  const AdmissionTerms& terms_;
  Reservation reservation_;
  bool has_outcome_ = false;
  std::size_t members_seen_ = 0;  // position in rows().members, which are in request order
};

bool Admitter::Held(const AggregateRow& row, const Candidate& candidate) const {
  if (row.pending && row.pending->batch != terms_.batch && !Mutated(Mutation::kIgnorePending)) {
    return true;
  }
  if (Mutated(Mutation::kNoMarks)) return false;
  if (!row.mark || row.mark->expires_ms <= draft_.rows().now_ms) return false;
  const EventId& own = candidate.request->items.front().envelope.event_id;
  if (row.mark->by == own) return false;
  return Older(*row.mark, draft_.rows().now_ms - candidate.age_ms, own);
}

Admitter::Objection Admitter::ObjectToDuplicates(const AppendRequest& request) {
  if (Mutated(Mutation::kNoDedupe)) return std::nullopt;
  std::size_t settled = 0, commands = 0;
  Verdict duplicate = Answer(AppendCode::kDuplicate, 0);
  for (std::size_t i = 0; i < request.items.size(); ++i) {
    const AppendItem& item = request.items[i];
    if (item.outcome) continue;
    ++commands;
    const CommandRow* row = draft_.FindCommand(item.envelope.event_id);
    if (row == nullptr) continue;
    // Reserved and not settled, by whomever: nobody knows yet whether it is committed.
    if (!row->settled() && Mutated(Mutation::kAnswerPendingDuplicate)) {
      duplicate.answer.items.push_back({row->number, EventLocation()});
      ++settled;
      continue;
    }
    if (!row->settled()) return Defer(Deferral::kPending);
    if (row->request_sha256 != item.envelope.metadata.request_sha256) {
      return Answer(AppendCode::kDuplicateMismatch, i);
    }
    ++settled;
    duplicate.answer.items.push_back({row->number, *row->location});
  }
  if (settled == 0) return std::nullopt;
  // A request with outcomes is decided by them: its commands are their consequences.
  if (commands < request.items.size()) return std::nullopt;
  if (settled != commands) return Answer(AppendCode::kDuplicateMismatch, 0);
  return duplicate;
}

Admitter::Objection Admitter::ObjectToStamps(const Envelope& command) {
  for (const OntologyStamp& stamp : command.metadata.ontology) {
    const AggregateRow& row = draft_.Get(stamp.aggregate);
    if (row.pending && !Ours(row)) return Defer(Deferral::kPending, stamp.aggregate);
    const bool undecided = Working(row).number != row.decided.number;
    if (undecided && !Mutated(Mutation::kIgnoreUndecidedStamps)) {
      return Defer(Deferral::kUndecided, stamp.aggregate);
    }
    bool current = row.decided.number == stamp.number &&
                   row.decided.incarnation == stamp.incarnation &&
                   row.decided.lifecycle == Lifecycle::kPresent;
    if (!current) {
      Verdict stale = Answer(AppendCode::kOntologyStale, 0);
      stale.answer.blocker = stamp.aggregate;
      return stale;
    }
  }
  return std::nullopt;
}

Admitter::Objection Admitter::ObjectToHead(const Envelope& command) {
  std::optional<AggregateKey> head = HeadOf(command);
  if (!head || Mutated(Mutation::kIgnoreOntologyHead)) return std::nullopt;
  const AggregateRow& row = draft_.Get(*head);
  if (row.pending && !Ours(row)) return Defer(Deferral::kPending, *head);
  if (Working(row).number != row.decided.number) return Defer(Deferral::kUndecided, *head);
  if (Working(row).number.Next() != command.metadata.ontology_head) {
    Verdict stale = Answer(AppendCode::kOntologyStale, 0);
    stale.answer.blocker = *head;
    return stale;
  }
  return std::nullopt;
}

// A class is not deleted under its instances. Instances admitted earlier in this batch are not in
// the count that was read: the deletion waits for them to settle.
Admitter::Objection Admitter::ObjectToMembers(const AppendItem& item) {
  if (item.envelope.type.aggregate != AggregateType::kOntologyClass ||
      item.envelope.type.operation != Operation::kDelete) {
    return std::nullopt;
  }
  SAFFRON_ASSERT(members_seen_ < draft_.rows().members.size());
  const MemberCount& members = draft_.rows().members[members_seen_];
  if (item.force || Mutated(Mutation::kIgnoreMembers)) return std::nullopt;
  const std::string prefix = item.envelope.aggregate.id + ":";
  for (const auto& [key, row] : draft_.edited()) {
    bool below = key.type == AggregateType::kInstance && key.id.starts_with(prefix);
    if (below && Ours(row)) return Defer(Deferral::kPending);
  }
  if (members.pending > 0) return Defer(Deferral::kPending);
  if (members.present == 0) return std::nullopt;
  Verdict in_use = Answer(AppendCode::kClassInUse, 0);
  in_use.answer.count = members.present;
  return in_use;
}

Admitter::Objection Admitter::ObjectToState(const AppendItem& item, std::size_t index) {
  const AggregateRow& row = draft_.Get(item.envelope.aggregate);
  const SequenceNumber current = Working(row).number;
  const bool present = PresentNow(row, ScopeOf(item.envelope));
  if (item.envelope.type.operation == Operation::kCreate) {
    if (item.expected_seq && *item.expected_seq != current) {
      return Answer(AppendCode::kConflict, index, &row);
    }
    if (present) return Answer(AppendCode::kConflict, index, &row);
    return std::nullopt;
  }
  if (current == SequenceNumber()) return Answer(AppendCode::kNotFound, index, &row);
  if (item.expected_seq && *item.expected_seq != current &&
      !Mutated(Mutation::kIgnoreExpectedSeq)) {
    return Answer(AppendCode::kConflict, index, &row);
  }
  if (!present) return Answer(AppendCode::kNotFound, index, &row);
  return std::nullopt;
}

Admitter::Objection Admitter::ObjectToCommand(const Candidate& candidate, std::size_t index) {
  const AppendItem& item = candidate.request->items[index];
  const AggregateRow& row = draft_.Get(item.envelope.aggregate);
  if (Held(row, candidate)) return Defer(Deferral::kPending);
  if (Objection stamps = ObjectToStamps(item.envelope)) return stamps;
  if (Objection state = ObjectToState(item, index)) return state;
  if (Objection head = ObjectToHead(item.envelope)) return head;
  return ObjectToMembers(item);
}

// One outcome per command id, of any type, and only on its basis.
Admitter::Objection Admitter::ObjectToOutcome(const AppendRequest& request, std::size_t index) {
  const AppendItem& item = request.items[index];
  const CommandRow* command = draft_.FindCommand(item.envelope.metadata.command_id);
  if (command == nullptr || !command->settled()) return Defer(Deferral::kPending);
  if (Mutated(Mutation::kSecondOutcome)) return std::nullopt;
  if (command->outcome) {
    Verdict exists = Answer(AppendCode::kOutcomeExists, index);
    exists.answer.items.push_back({command->number, *command->outcome});
    return exists;
  }
  if (!command->outcome_batch.uuid.is_nil()) {
    if (Mutated(Mutation::kAnswerPendingOutcome)) return Answer(AppendCode::kOutcomeExists, index);
    return Defer(Deferral::kPending);
  }
  if (Mutated(Mutation::kIgnoreBasis)) return std::nullopt;
  if (item.basis_in_request) {
    SAFFRON_ASSERT(index > 0);
    return std::nullopt;  // the item before it was admitted just now, on the same aggregate
  }
  const AggregateRow& row = draft_.Get(item.envelope.aggregate);
  bool on_basis = row.decided.number.Next() == item.envelope.sequence_number;
  if (on_basis && row.decided.number != SequenceNumber()) {
    on_basis = item.outcome->basis && *item.outcome->basis == row.decided.outcome.position;
  } else if (on_basis) {
    on_basis = !item.outcome->basis;
  }
  if (on_basis) return std::nullopt;
  return Answer(AppendCode::kBasisChanged, index);
}

Admitter::Objection Admitter::ObjectToCheck(const Candidate& candidate, std::size_t check) {
  const SequenceCheck& precondition = candidate.request->checks[check];
  const AggregateRow& row = draft_.Get(precondition.aggregate);
  if (Held(row, candidate)) return Defer(Deferral::kPending);
  if (Working(row).number == precondition.expected) return std::nullopt;
  return Answer(AppendCode::kConflict, candidate.request->items.size() + check, &row);
}

// Applies the items one by one as they pass; the caller rolls back on an objection.
Admitter::Objection Admitter::ObjectTo(const Candidate& candidate) {
  const AppendRequest& request = *candidate.request;
  if (Objection duplicates = ObjectToDuplicates(request)) return duplicates;
  for (std::size_t check = 0; check < request.checks.size(); ++check) {
    if (Objection objection = ObjectToCheck(candidate, check)) return objection;
  }
  bool outcomes = std::any_of(request.items.begin(), request.items.end(),
                              [](const AppendItem& item) { return item.outcome.has_value(); });
  std::uint64_t room =
      outcomes || has_outcome_ ? terms_.max_outstanding : CommandRoom(terms_.max_outstanding);
  if (draft_.outstanding() >= room) return Defer(Deferral::kNoRoom);
  return std::nullopt;
}

void Admitter::Apply(const AppendRequest& request, std::size_t index,
                     std::vector<SequenceNumber>& numbers) {
  const AppendItem& item = request.items[index];
  const Envelope& envelope = item.envelope;
  if (item.outcome) {
    draft_.EditCommand(envelope.metadata.command_id).outcome_batch = terms_.batch;
    if (Mutated(Mutation::kDoneBeforeSettling)) {
      draft_.AddDone({HandlerOf(envelope.aggregate.type), envelope.metadata.command_id,
                      envelope.aggregate, envelope.sequence_number});
    }
    numbers.push_back(envelope.sequence_number);
    return;
  }
  AggregateRow& row = draft_.Edit(envelope.aggregate);
  AcceptedEffect effect = EffectOf(envelope);
  SequenceNumber number = Working(row).number.Next();
  row.pending = PendingState{terms_.batch, {number, effect.lifecycle, effect.scope}};
  numbers.push_back(number);
  CommandRow& command = draft_.EditCommand(envelope.event_id);
  command.aggregate = envelope.aggregate;
  command.number = number;
  command.type = envelope.type;
  command.request_sha256 = envelope.metadata.request_sha256;
  command.batch = terms_.batch;
  if (std::optional<AggregateKey> head = HeadOf(envelope)) {
    draft_.Edit(*head).pending =
        PendingState{terms_.batch, {envelope.metadata.ontology_head, Lifecycle::kPresent, Scope()}};
  }
}

void Admitter::Mark(const Candidate& candidate) {
  AdmissionMark mark{candidate.request->items.front().envelope.event_id,
                     draft_.rows().now_ms - candidate.age_ms,
                     draft_.rows().now_ms + candidate.remaining_ms};
  const auto place = [&](const AggregateKey& key) {
    const AggregateRow& row = draft_.Get(key);
    bool older = row.mark && row.mark->expires_ms > draft_.rows().now_ms &&
                 Older(*row.mark, mark.since_ms, mark.by);
    if (!older) draft_.Edit(key).mark = mark;
  };
  for (const AppendItem& item : candidate.request->items) {
    if (!item.outcome) place(item.envelope.aggregate);
  }
  for (const SequenceCheck& check : candidate.request->checks) place(check.aggregate);
}

void Admitter::Unmark(const AppendRequest& request) {
  const auto clear = [&](const AggregateKey& key) {
    const AggregateRow& row = draft_.Get(key);
    if (row.mark && row.mark->by == request.items.front().envelope.event_id) {
      draft_.Edit(key).mark.reset();
    }
  };
  for (const AppendItem& item : request.items) clear(item.envelope.aggregate);
  for (const SequenceCheck& check : request.checks) clear(check.aggregate);
}

// An answer shows rows as they were before the request: what its own items made of them is gone.
void Admitter::Restate(const AppendRequest& request, Verdict& verdict) {
  if (verdict.kind != Verdict::Kind::kAnswered) return;
  const std::size_t index = verdict.answer.index, items = request.items.size();
  if (index >= items + request.checks.size()) return;
  const AggregateRow& row = draft_.Get(index < items ? request.items[index].envelope.aggregate
                                                     : request.checks[index - items].aggregate);
  verdict.answer.actual_seq = Working(row).number;
  verdict.after_commit = Ours(row);
}

Verdict Admitter::Consider(const Candidate& candidate) {
  const AppendRequest& request = *candidate.request;
  Verdict admitted;
  admitted.kind = Verdict::Kind::kAdmitted;
  const bool several = request.items.size() > 1;
  if (several) draft_.Savepoint();
  Objection objection = ObjectTo(candidate);
  for (std::size_t i = 0; i < request.items.size() && !objection; ++i) {
    const AppendItem& item = request.items[i];
    objection = item.outcome ? ObjectToOutcome(request, i) : ObjectToCommand(candidate, i);
    if (!objection) Apply(request, i, admitted.numbers);
  }
  for (const AppendItem& item : request.items) {
    members_seen_ += item.envelope.type.kind == EventKind::kCommand &&
                     item.envelope.type.aggregate == AggregateType::kOntologyClass &&
                     item.envelope.type.operation == Operation::kDelete;
  }
  if (objection) {
    if (several && !Mutated(Mutation::kSplitRequest)) {
      draft_.Rollback();
      Restate(request, *objection);
    }
    bool held =
        objection->kind == Verdict::Kind::kDeferred && objection->deferral == Deferral::kPending;
    if (held && candidate.deferrals + 1 >= kDeferralsBeforeMark) Mark(candidate);
    if (objection->kind == Verdict::Kind::kAnswered) Unmark(request);
    return std::move(*objection);
  }
  Unmark(request);
  for (const AppendItem& item : request.items) {
    if (item.outcome) {
      has_outcome_ = true;
      reservation_.outcomes.push_back(item.envelope.metadata.command_id);
      continue;
    }
    reservation_.commands.push_back(item.envelope.event_id);
    reservation_.aggregates.push_back(item.envelope.aggregate);
    if (std::optional<AggregateKey> head = HeadOf(item.envelope)) {
      reservation_.aggregates.push_back(std::move(*head));
    }
  }
  return admitted;
}

SlotNumber Admitter::Finish() {
  if (reservation_.commands.empty() && reservation_.outcomes.empty()) {
    if (Mutated(Mutation::kSlotWithoutReservation)) {
      draft_.control().next_slot = draft_.control().next_slot.Next();
    }
    return SlotNumber();
  }
  reservation_.slot = draft_.control().next_slot;
  draft_.control().next_slot = reservation_.slot.Next();
  SlotNumber slot = reservation_.slot;
  draft_.PutReservation(std::move(reservation_));
  return slot;
}

// Where the instances of a class live: a command that deletes a class is stamped with it.
Scope MemberScope(const Envelope& command) {
  Scope scope{ScopeOf(command).database, {}};
  for (const OntologyStamp& stamp : command.metadata.ontology) {
    if (stamp.aggregate == command.aggregate) scope.class_ = stamp.incarnation;
  }
  return scope;
}

}  // namespace

void AddReads(const AppendRequest& request, RegistryRead& read) {
  for (const AppendItem& item : request.items) {
    const Envelope& envelope = item.envelope;
    read.aggregates.push_back(envelope.aggregate);
    if (item.outcome) {
      read.commands.push_back(envelope.metadata.command_id);
      continue;
    }
    (request.fresh ? read.fresh_commands : read.commands).push_back(envelope.event_id);
    for (const OntologyStamp& stamp : envelope.metadata.ontology) {
      read.aggregates.push_back(stamp.aggregate);
    }
    if (std::optional<AggregateKey> head = HeadOf(envelope)) read.aggregates.push_back(*head);
    if (envelope.type.aggregate == AggregateType::kOntologyClass &&
        envelope.type.operation == Operation::kDelete) {
      read.members.push_back({envelope.aggregate, MemberScope(envelope)});
    }
  }
  for (const SequenceCheck& check : request.checks) read.aggregates.push_back(check.aggregate);
}

Admission Admit(Draft& draft, const AdmissionTerms& terms,
                const std::vector<Candidate>& candidates) {
  Admission admission;
  admission.reserved_ms = draft.rows().now_ms;
  admission.verdicts.resize(candidates.size());
  if (!Fenced(draft.rows())) {
    admission.fenced = false;
    return admission;
  }
  Admitter admitter(draft, terms);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    admission.verdicts[i] = admitter.Consider(candidates[i]);
  }
  admission.slot = admitter.Finish();
  return admission;
}

}  // namespace saffron
