#include "eventlog/settlement.h"

#include "eventlog/append_request.h"
#include "eventlog/mutation.h"

namespace saffron {
namespace {

void SettleNumber(Draft& draft, const AggregateKey& key, const BatchId& batch,
                  const AcceptedState& state) {
  AggregateRow& row = draft.Edit(key);
  const bool newer = row.accepted.number < state.number;
  if (newer || Mutated(Mutation::kSettlingLowersNumbers)) row.accepted = state;
  if (row.pending && row.pending->batch == batch) row.pending.reset();
}

void SettleCommand(Draft& draft, const BatchId& batch, const LoggedEvent& event) {
  const Envelope& command = event.envelope;
  AcceptedEffect effect = EffectOf(command);
  SettleNumber(draft, command.aggregate, batch,
               {command.sequence_number, effect.lifecycle, effect.scope});
  if (std::optional<AggregateKey> head = HeadOf(command)) {
    SettleNumber(draft, *head, batch,
                 {command.metadata.ontology_head, Lifecycle::kPresent, Scope()});
  }
  const CommandRow* known = draft.FindCommand(command.event_id);
  if (known != nullptr && known->settled()) return;
  CommandRow& row = draft.EditCommand(command.event_id);
  row.aggregate = command.aggregate;
  row.number = command.sequence_number;
  row.type = command.type;
  row.request_sha256 = command.metadata.request_sha256;
  row.batch = BatchId();
  row.location = event.location;
}

void SettleDecided(Draft& draft, const AggregateKey& key, const DecidedState& state) {
  if (draft.Get(key).decided.number < state.number) draft.Edit(key).decided = state;
}

void SettleOutcome(Draft& draft, const LoggedEvent& event) {
  const Envelope& envelope = event.envelope;
  const Outcome& outcome = *event.outcome;
  const EventId& command = envelope.metadata.command_id;
  const CommandRow* known = draft.FindCommand(command);
  // A registry restored or rebuilt meets a command before its outcome: slots are applied in order.
  if (known == nullptr) return;
  if (known->outcome) return;
  CommandRow& row = draft.EditCommand(command);
  row.outcome_batch = BatchId();
  row.outcome = event.location;
  row.outcome_rejected = envelope.type.rejected;
  SettleDecided(draft, envelope.aggregate,
                {envelope.sequence_number, outcome.lifecycle, outcome.scope, outcome.incarnation,
                 event.location});
  if (std::optional<AggregateKey> head = HeadOf(envelope)) {
    SettleDecided(draft, *head,
                  {envelope.metadata.ontology_head, Lifecycle::kPresent, Scope(),
                   envelope.metadata.ontology_head, event.location});
  }
  draft.AddDone(
      {HandlerOf(envelope.aggregate.type), command, envelope.aggregate, envelope.sequence_number});
}

}  // namespace

bool Fenced(const RegistryRows& rows) {
  if (Mutated(Mutation::kIgnoreIncarnation)) return rows.control.log != LogId();
  return !rows.control.fenced_incarnation.empty() &&
         rows.control.fenced_incarnation == rows.live_incarnation;
}

bool LostTail(const RegistryRows& rows, SlotNumber handed) {
  return Fenced(rows) && rows.control.next_slot <= handed && !Mutated(Mutation::kIgnoreLostTail);
}

void AddReads(const Slot& slot, RegistryRead& read) {
  read.reservations.push_back(slot.header.batch);
  for (const LoggedEvent& event : slot.events) {
    read.aggregates.push_back(event.envelope.aggregate);
    if (std::optional<AggregateKey> head = HeadOf(event.envelope)) {
      read.aggregates.push_back(std::move(*head));
    }
    read.commands.push_back(event.envelope.metadata.command_id);
  }
}

void AddReads(const Reservation& reservation, RegistryRead& read) {
  read.reservations.push_back(reservation.batch);
  read.aggregates.insert(read.aggregates.end(), reservation.aggregates.begin(),
                         reservation.aggregates.end());
  read.commands.insert(read.commands.end(), reservation.commands.begin(),
                       reservation.commands.end());
  read.commands.insert(read.commands.end(), reservation.outcomes.begin(),
                       reservation.outcomes.end());
}

void Settle(Draft& draft, const Slot& slot) {
  const BatchId& batch = slot.header.batch;
  for (const LoggedEvent& event : slot.events) {
    if (event.outcome) {
      SettleOutcome(draft, event);
    } else {
      SettleCommand(draft, batch, event);
    }
  }
  draft.DeleteReservation(batch);
}

void Undo(Draft& draft, const BatchId& batch) {
  const Reservation* found = draft.FindReservation(batch);
  if (found == nullptr) return;
  const Reservation reservation = *found;
  for (const AggregateKey& key : reservation.aggregates) {
    const AggregateRow& row = draft.Get(key);
    if (row.pending && row.pending->batch == batch) draft.Edit(key).pending.reset();
  }
  for (const EventId& id : reservation.commands) {
    const CommandRow* row = draft.FindCommand(id);
    if (row != nullptr && !row->settled() && row->batch == batch) draft.DeleteCommand(id);
  }
  for (const EventId& id : reservation.outcomes) {
    const CommandRow* row = draft.FindCommand(id);
    if (row != nullptr && !row->outcome && row->outcome_batch == batch) {
      draft.EditCommand(id).outcome_batch = BatchId();
    }
  }
  draft.DeleteReservation(batch);
}

}  // namespace saffron
