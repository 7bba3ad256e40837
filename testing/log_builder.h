// LogBuilder: writes a log slot by slot without the append protocol, for tests of its followers.
// Numbers, incarnations and bases are kept as the protocol would.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "eventlog/log_context.h"
#include "eventlog/slot.h"
#include "ports/object_store.h"

namespace saffron {

// Owned by a test; used by one thread. The slots lie in the store, which outlives it.
class LogBuilder {
 public:
  explicit LogBuilder(ObjectStore& store)
      : store_(store), log_(Uuid::FromName(Uuid::NamespaceUrl(), "log")) {}

  LogId log() const { return log_; }
  EventLogFormat format() const {
    EventLogFormat format;
    format.log = log_;
    return format;
  }
  SlotNumber last() const { return SlotNumber(next_.value - 1); }

  // Both only add to the batch that Commit writes.
  LogBuilder& Command(const AggregateKey& key, Operation operation) {
    State& state = states_[key];
    LoggedEvent event = EventOf(key, EventType::Requested(key.type, operation));
    event.envelope.event_id = EventId(NewId());
    event.envelope.sequence_number = state.accepted = state.accepted.Next();
    event.envelope.data = "{}";
    event.envelope.metadata.command_id = event.envelope.event_id;
    event.envelope.metadata.command_type = event.envelope.type;
    state.command = event.envelope.event_id;
    batch_.push_back(std::move(event));
    return *this;
  }
  // The outcome of the next number. An empty document deletes.
  LogBuilder& Outcome(const AggregateKey& key, std::string document, Scope scope = {}) {
    State& state = states_[key];
    const bool present = !document.empty();
    const bool was = state.outcome.lifecycle == Lifecycle::kPresent;
    Operation operation = !present ? Operation::kDelete
                          : was    ? Operation::kUpdate
                                   : Operation::kCreate;
    if (key.type == AggregateType::kDatabase && present) operation = Operation::kCreate;
    const SequenceNumber number = state.decided.Next();
    state.outcome.lifecycle = present ? Lifecycle::kPresent : Lifecycle::kAbsent;
    if (present && !was) state.outcome.incarnation = number;
    state.outcome.scope = scope;
    state.outcome.document = std::move(document);
    Record(key, EventType::Done(key.type, operation), state);
    return *this;
  }
  LogBuilder& Rejected(const AggregateKey& key) {
    State& state = states_[key];
    saffron::Outcome before = state.outcome;
    state.outcome.reason_code = "invalid";
    state.outcome.reason_message = "refused by a test";
    Record(key, EventType::Rejected(key.type), state);
    state.outcome = before;
    return *this;
  }
  SlotPtr Commit() {
    SlotHeader header = HeaderOf();
    header.batch = BatchId(NewId());
    auto slot = std::make_shared<const Slot>(MakeBatchSlot(header, std::exchange(batch_, {})));
    Put(*slot);
    return slot;
  }
  void Tombstone() { Put(MakeTombstone(HeaderOf(true))); }

  const std::vector<SlotPtr>& slots() const { return slots_; }

 private:
  struct State {
    SequenceNumber accepted, decided;
    EventId command;
    saffron::Outcome outcome;
  };

  Uuid NewId() { return Uuid::FromName(log_.uuid, std::to_string(++ids_)); }
  // One second a slot, from 2026-01-01 on.
  std::string TimeOfSlot() const {
    return WallTime{1'767'225'600'000 + static_cast<std::int64_t>(next_.value) * 1000}.ToRfc3339();
  }
  SlotHeader HeaderOf(bool tombstone = false) const {
    SlotHeader header;
    header.log = log_;
    header.slot = next_;
    header.tombstone = tombstone;
    header.writer = "test";
    header.reserved_at = TimeOfSlot();
    return header;
  }
  LoggedEvent EventOf(const AggregateKey& key, EventType type) const {
    LoggedEvent event;
    event.envelope.type = type;
    event.envelope.aggregate = key;
    event.envelope.occurred_at = TimeOfSlot();
    event.envelope.actor = "tester";
    event.envelope.metadata.service = "test";
    return event;
  }
  void Record(const AggregateKey& key, EventType type, State& state) {
    LoggedEvent event = EventOf(key, type);
    const EventId command = state.command.uuid.is_nil() ? EventId(NewId()) : state.command;
    event.envelope.event_id = EventId(NewId());
    event.envelope.sequence_number = state.decided = state.decided.Next();
    state.accepted = std::max(state.accepted, state.decided);
    event.envelope.metadata.command_id = command;
    event.envelope.metadata.command_type = EventType::Requested(key.type, Operation::kCreate);
    event.envelope.data = EncodeOutcome(state.outcome);
    event.outcome = state.outcome;
    state.outcome.basis = Position{0, next_, static_cast<std::uint32_t>(batch_.size())};
    batch_.push_back(std::move(event));
  }
  void Put(const Slot& slot) {
    SAFFRON_ASSERT(store_.PutIfAbsent(SlotKey(0, next_), slot.bytes).ok());
    slots_.push_back(std::make_shared<const Slot>(slot));
    next_ = next_.Next();
  }

  ObjectStore& store_;
  const LogId log_;
  SlotNumber next_{1};
  std::uint64_t ids_ = 0;
  std::map<AggregateKey, State> states_;
  std::vector<LoggedEvent> batch_;
  std::vector<SlotPtr> slots_;
};

}  // namespace saffron
