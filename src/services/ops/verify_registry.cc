// The registry against the log.
#include "eventlog/append_request.h"
#include "services/ops/verify.h"

namespace saffron {
namespace {

constexpr std::size_t kPage = 1000;
constexpr char kRebuild[] = "saffron rebuild registry";

std::string At(const std::optional<EventLocation>& location) {
  return location ? location->position.ToString() : "nowhere";
}

bool SameState(const DecidedState& decided, const LoggedEvent& event) {
  const Outcome& outcome = *event.outcome;
  return decided.number == event.envelope.sequence_number &&
         decided.lifecycle == outcome.lifecycle && decided.scope == outcome.scope &&
         decided.incarnation == outcome.incarnation;
}

}  // namespace

Status Verifier::CompareCommands() {
  RegistryRead read;
  for (const SlotPtr& slot : run_) {
    for (const LoggedEvent& event : slot->events) {
      read.commands.push_back(event.envelope.metadata.command_id);
      read.aggregates.push_back(event.envelope.aggregate);
      if (std::optional<AggregateKey> head = HeadOf(event.envelope)) {
        read.aggregates.push_back(std::move(*head));
      }
    }
  }
  if (!first_pass_ || !registry_settled_ || read.commands.empty()) {
    run_.clear();
    run_events_ = 0;
    return Ok();
  }
  SAFFRON_ASSIGN(RegistryRows rows, context_.registry.Read(read));
  for (const SlotPtr& slot : run_) {
    for (const LoggedEvent& event : slot->events) {
      const EventId& id = event.envelope.metadata.command_id;
      const std::string where = "registry: command " + id.ToString();
      auto row = rows.commands.find(id);
      if (row == rows.commands.end()) {
        Differ(where, "no row; the log has it at " + At(event.location), kRebuild);
        continue;
      }
      std::string wrong = WhatOfCommand(event, row->second);
      if (!wrong.empty()) Differ(where, std::move(wrong), kRebuild);
      CompareState(event, rows);
      report_.command_rows += event.outcome ? 0 : 1;
    }
  }
  run_.clear();
  run_events_ = 0;
  return Ok();
}

std::string Verifier::WhatOfCommand(const LoggedEvent& event, const CommandRow& row) {
  const Envelope& envelope = event.envelope;
  const std::string here = " at " + At(event.location);
  // Where the row points: the same id there means that the log has it twice.
  const auto twice = [&](const std::optional<EventLocation>& other) {
    if (!other) return false;
    Result<Envelope> there = ReadEvent(context_, *other);
    return there.ok() && there->metadata.command_id == envelope.metadata.command_id &&
           there->type.kind == envelope.type.kind;
  };
  if (row.aggregate != envelope.aggregate || row.number != envelope.sequence_number) {
    return "the row says number " + std::to_string(row.number.value) + " of " +
           row.aggregate.ToString() + "; the log" + here + " number " +
           std::to_string(envelope.sequence_number.value) + " of " + envelope.aggregate.ToString();
  }
  if (row.request_sha256 != envelope.metadata.request_sha256) {
    return "the request hash differs from the log's" + here;
  }
  const std::optional<EventLocation>& place = event.outcome ? row.outcome : row.location;
  const std::string_view what = event.outcome ? "outcome" : "command";
  if (place != event.location) {
    if (place && place->position == event.location.position) {
      return "offset, length or checksum of the " + std::string(what) + " differ from the log's" +
             here;
    }
    return twice(place)
               ? "the log has its " + std::string(what) + " twice:" + here + " and at " + At(place)
               : "the row places its " + std::string(what) + " " + At(place) + "; it lies" + here;
  }
  if (event.outcome && row.outcome_rejected != envelope.type.rejected) {
    return "the row says it was " + std::string(row.outcome_rejected ? "rejected" : "accepted") +
           "; the log" + here + " that it was not";
  }
  if (!event.outcome && row.type != envelope.type) {
    return "the row says " + row.type.ToString() + "; the log" + here + " " +
           envelope.type.ToString();
  }
  return {};
}

// The state that an event left behind, where it is the last one of its aggregate.
void Verifier::CompareState(const LoggedEvent& event, const RegistryRows& rows) {
  const Envelope& envelope = event.envelope;
  auto found = rows.aggregates.find(envelope.aggregate);
  // A missing row is told by the walk over all of them.
  if (found != rows.aggregates.end()) {
    const AggregateRow& row = found->second;
    const AcceptedEffect effect = EffectOf(envelope);
    const bool accepted_differs =
        !event.outcome && row.accepted.number == envelope.sequence_number &&
        (row.accepted.lifecycle != effect.lifecycle || row.accepted.scope != effect.scope);
    const bool decided_differs = event.outcome && row.decided.number.value > 0 &&
                                 row.decided.outcome == event.location &&
                                 !SameState(row.decided, event);
    if (accepted_differs || decided_differs) {
      Differ("registry: " + envelope.aggregate.ToString(),
             std::string(accepted_differs ? "accepted" : "decided") +
                 " number, lifecycle, scope or incarnation differ from the event at " +
                 At(event.location),
             kRebuild);
    }
  }
  std::optional<AggregateKey> head = HeadOf(envelope);
  if (!head) return;
  auto row = rows.aggregates.find(*head);
  const SequenceNumber stands =
      row == rows.aggregates.end()
          ? SequenceNumber()
          : (event.outcome ? row->second.decided.number : row->second.accepted.number);
  if (stands < envelope.metadata.ontology_head) {
    Differ("registry: " + head->ToString(),
           "it stands at " + std::to_string(stands.value) + "; the event at " + At(event.location) +
               " moved it to " + std::to_string(envelope.metadata.ontology_head.value),
           kRebuild);
  }
}

Status Verifier::CompareAggregates() {
  std::uint64_t rows_seen = 0;
  for (AggregateType type :
       {AggregateType::kDatabase, AggregateType::kOntologyClass, AggregateType::kInstance}) {
    std::string after;
    while (true) {
      if (context_.runtime.StopRequested()) return Cancelled("stopping");
      SAFFRON_ASSIGN(std::vector<AggregateRow> rows,
                     context_.registry.List(type, "", after, kPage));
      for (const AggregateRow& row : rows) {
        if (first_pass_) CountPresent(row);
        if (fold_.InRange(row.key)) SAFFRON_TRY(CompareRow(row));
      }
      rows_seen += rows.size();
      Progress("registry", rows_seen);
      if (rows.size() < kPage) break;
      after = rows.back().key.id;
    }
  }
  std::vector<Position> missing;
  fold_.EachUnseen(ChainFold::kInRegistry, [&](const ChainFold::Entry& entry) {
    if (missing.size() < options_.max_differences) {
      missing.push_back(entry.last);
    } else {
      ++report_.differences_total;
    }
  });
  for (const Position& position : missing) {
    SAFFRON_ASSIGN(AggregateKey key, KeyAt(position));
    Differ("registry: " + key.ToString(), "no row; the log has events of it", kRebuild);
  }
  return Ok();
}

Status Verifier::CompareRow(const AggregateRow& row) {
  ChainFold::Entry* entry = fold_.Find(row.key);
  const bool blank = row.accepted.number.value == 0 && row.decided.number.value == 0;
  if (entry == nullptr && (report_.from.value > 1 || blank)) return Ok();
  ChainFold::Entry none;
  SAFFRON_ASSIGN(std::optional<std::string> wrong,
                 WhatOfRow(row, entry == nullptr ? none : *entry));
  if (entry != nullptr) entry->seen |= ChainFold::kInRegistry;
  ++report_.aggregate_rows;
  if (wrong) Differ("registry: " + row.key.ToString(), std::move(*wrong), kRebuild);
  return Ok();
}

Result<std::optional<std::string>> Verifier::WhatOfRow(const AggregateRow& row,
                                                       const ChainFold::Entry& entry) {
  const auto differs = [](std::string_view what, SequenceNumber is, SequenceNumber log) {
    return std::string(what) + " number " + std::to_string(is.value) + "; the log has " +
           std::to_string(log.value);
  };
  // From a later start on the log may hold no outcome of an aggregate that has one before.
  const bool decided_known = report_.from.value <= 1 || entry.decided.value > 0;
  const bool decided_ahead =
      row.decided.number > entry.decided && row.decided.outcome.position.slot > report_.head;
  if (row.accepted.number < entry.accepted) {
    return std::optional(differs("accepted", row.accepted.number, entry.accepted));
  }
  if (decided_known && row.decided.number != entry.decided && !decided_ahead) {
    return std::optional(differs("decided", row.decided.number, entry.decided));
  }
  if (decided_known && row.decided.number == entry.decided && entry.decided.value > 0 &&
      row.decided.outcome.position != entry.last_outcome) {
    return std::optional("its last outcome is said to lie at " +
                         row.decided.outcome.position.ToString() + "; it lies at " +
                         entry.last_outcome.ToString());
  }
  if (row.accepted.number > entry.accepted) {
    const SequenceNumber next = entry.accepted.Next();
    SAFFRON_ASSIGN(std::vector<CommandRow> commands,
                   context_.registry.CommandsOf(row.key, next, next, 1));
    const bool ahead = !commands.empty() && commands.front().location->position.slot > report_.head;
    if (!ahead) return std::optional(differs("accepted", row.accepted.number, entry.accepted));
  }
  SAFFRON_ASSIGN(bool reserved, PendingIsReserved(row));
  if (!reserved) {
    return std::optional("it waits for batch " + row.pending->batch.ToString() +
                         ", which no reservation names");
  }
  return std::optional<std::string>();
}

// Both in one snapshot: the row may have moved since it was listed.
Result<bool> Verifier::PendingIsReserved(const AggregateRow& row) {
  if (!row.pending) return true;
  RegistryRead read;
  read.aggregates.push_back(row.key);
  read.reservations.push_back(row.pending->batch);
  SAFFRON_ASSIGN(RegistryRows rows, context_.registry.Read(read));
  auto now = rows.aggregates.find(row.key);
  const bool same = now != rows.aggregates.end() && now->second.pending == row.pending;
  return !same || rows.reservations.contains(row.pending->batch);
}

// Databases and classes are walked before instances.
void Verifier::CountPresent(const AggregateRow& row) {
  if (row.decided.lifecycle != Lifecycle::kPresent) return;
  Result<AggregateParts> parts = SplitAggregateId(row.key);
  if (!parts.ok()) return;
  const auto incarnation = [&](const AggregateKey& key) {
    auto found = alive_.find(key);
    return found == alive_.end() ? SequenceNumber() : found->second;
  };
  std::string name(AggregateTypeName(row.key.type));
  if (row.key.type != AggregateType::kDatabase) {
    Scope live;
    live.database = incarnation(AggregateKey::Database(parts->db));
    if (row.key.type == AggregateType::kInstance) {
      AggregateKey of_class =
          AggregateKey::OntologyClass(parts->db, parts->branch, parts->class_id);
      live.class_ = incarnation(of_class);
      name = std::move(of_class.id);
    }
    if (live != row.decided.scope) return;
  }
  if (row.key.type != AggregateType::kInstance) alive_[row.key] = row.decided.incarnation;
  ++report_.classes[name].present;
}

}  // namespace saffron
