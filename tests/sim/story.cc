#include "tests/sim/story.h"

#include <algorithm>
#include <cstdio>

#include "services/publisher/checkpoint.h"

namespace saffron {
namespace {

template <class Id>
std::string Tail(const Id& id) {
  const std::string text = id.ToString();
  return ".." + text.substr(text.size() - 4);
}

std::string Number(SequenceNumber number) { return "#" + std::to_string(number.value); }
std::string NameOf(SlotNumber slot) { return "slot " + std::to_string(slot.value); }

void Append(std::string& list, const std::string& item) {
  list += (list.empty() ? "" : ", ") + item;
}

// "left/2/publisher" as "left/2 publisher".
std::string Speaker(std::string_view who) {
  std::string text(who);
  const std::size_t slash = text.rfind('/');
  if (slash != std::string::npos) text[slash] = ' ';
  return text;
}

std::string_view CodeName(WriteCode code) {
  switch (code) {
    case WriteCode::kAccepted: return "accepted";
    case WriteCode::kUnknownDatabase: return "no such database";
    case WriteCode::kUnknownClass: return "no such class";
    case WriteCode::kNotFound: return "not found";
    case WriteCode::kConflict: return "conflict";
    case WriteCode::kClassInUse: return "class in use";
    case WriteCode::kInvalid: return "invalid";
    case WriteCode::kKeyReused: return "key reused";
    case WriteCode::kTooLarge: return "too large";
    case WriteCode::kBusy: return "busy";
    case WriteCode::kOntologyPending: return "ontology change pending";
    case WriteCode::kUnavailable: return "unavailable";
    case WriteCode::kUnknown: return "no answer";
    case WriteCode::kTransactionFailed: return "its transaction failed";
  }
  return "";
}

std::string_view OperationName(Operation operation) {
  switch (operation) {
    case Operation::kCreate: return "create";
    case Operation::kUpdate: return "update";
    case Operation::kDelete: return "delete";
  }
  return "";
}

std::string TextOf(const Slot& slot, std::set<std::string>& aggregates) {
  if (slot.header.tombstone) {
    return "tombstone of batch " +
           (slot.header.batch.uuid.is_nil() ? "none (a fence)" : Tail(slot.header.batch));
  }
  std::string events;
  for (const LoggedEvent& event : slot.events) {
    const Envelope& envelope = event.envelope;
    aggregates.insert(envelope.aggregate.ToString());
    Append(events, std::string(envelope.type.Name()) + " " + ShortName(envelope.aggregate) + " " +
                       Number(envelope.sequence_number) + " [" +
                       Tail(envelope.metadata.command_id) + "]");
  }
  return "batch " + Tail(slot.header.batch) + ": " + events;
}

// What matters of a row for a story.
std::string TextOf(const AggregateRow& row) {
  std::string text =
      "accepted " + Number(row.accepted.number) + ", decided " + Number(row.decided.number);
  if (row.pending) {
    text +=
        ", pending " + Number(row.pending->state.number) + " of batch " + Tail(row.pending->batch);
  }
  return text;
}

std::string_view StatusName(ClaimStatus status) {
  switch (status) {
    case ClaimStatus::kProcessing: return "processing";
    case ClaimStatus::kDone: return "done";
    case ClaimStatus::kFailed: return "failed";
    default: return "skipped";
  }
}

}  // namespace

std::string ShortName(const AggregateKey& key) {
  if (key.type == AggregateType::kDatabase) return "database " + key.id;
  if (key.type == AggregateType::kOntologyHead) return "head " + key.id;
  Result<AggregateParts> parts = SplitAggregateId(key);
  if (!parts.ok()) return key.id;
  const std::string class_id(parts->class_id);
  return key.type == AggregateType::kInstance ? class_id + ":" + std::string(parts->instance)
                                              : "class " + class_id;
}

std::string TextOf(const WriteRequest& request) {
  std::string text;
  for (const WriteCommand& command : request.commands) {
    std::string item(OperationName(command.operation));
    switch (command.type) {
      case AggregateType::kInstance:
        item += " " + command.class_id + ":" + command.instance_id;
        break;
      case AggregateType::kOntologyClass: item += " class " + command.class_id; break;
      default: item += " database " + request.db; break;
    }
    if (command.expected_seq) item += " if " + Number(*command.expected_seq);
    Append(text, item);
  }
  return text + " [request " + Tail(request.request_id) + (request.keyed ? "]" : ", no key]");
}

std::string TextOf(const WriteAnswer& answer) {
  std::string text(CodeName(answer.code));
  std::string items;
  for (const ItemAnswer& item : answer.items) {
    if (item.code == WriteCode::kAccepted && item.number.value > 0) {
      Append(items, ShortName(item.aggregate) + " " + Number(item.number) + " [" +
                        Tail(item.command_id) + (item.duplicate ? ", as before]" : "]"));
    } else if (item.code == WriteCode::kConflict) {
      Append(items, "is at " + Number(item.actual_seq));
    }
  }
  return items.empty() ? text : text + ": " + items;
}

Story::Story(PipelineWorld& world, Telling telling) : world_(world), telling_(telling) {
  world_.sim().Watch([this](std::string_view who, std::string_view line) { Hear(who, line); });
}

Story::~Story() { world_.sim().Watch(nullptr); }

void Story::Add(std::string_view who, std::string what, std::set<std::string> aggregates) {
  lines_.push_back({world_.sim().Now(), Speaker(who), std::move(what), std::move(aggregates)});
  if (telling_ == Telling::kAtOnce) std::fputs(Printed(lines_.back(), false).c_str(), stdout);
}

std::string Story::Printed(const Line& line, bool marked) {
  char head[80];
  std::snprintf(head, sizeof(head), "%s %9.3f s  %-28.28s ", marked ? ">>" : "  ",
                std::chrono::duration<double>(line.at).count(), line.who.c_str());
  return head + line.what + "\n";
}

// A port call is traced before and after, a fault when it is drawn; all else is said as it is.
void Story::Hear(std::string_view who, std::string_view line) {
  LookAround(who);
  const std::string fiber(who);
  if (line == FaultName(FaultKind::kSlow)) return;
  for (int kind = 0; kind < static_cast<int>(FaultKind::kCount); ++kind) {
    if (line != FaultName(static_cast<FaultKind>(kind))) continue;
    return Add(who, "FAULT at " + call_of_[fiber] + ": " + std::string(line));
  }
  const bool call = line.find('.') != std::string_view::npos && line.find(' ') == line.npos;
  if (call) {
    call_of_[fiber] = line;
    return;
  }
  std::set<std::string> aggregates;
  for (const auto& [key, row] : aggregates_) {
    const std::string name = ShortName(key);
    if (line.find(" " + name + " ") != line.npos) aggregates.insert(key.ToString());
  }
  Add(who, std::string(line), std::move(aggregates));
}

void Story::LookAround(std::string_view who) {
  LookAtObjects(who);
  const MemoryRegistry::Backup rows = world_.registry.Snapshot();
  LookAtReservations(who, *rows);
  LookAtAggregates(who, *rows);
  LookAtClaims(who, *rows);
  LookAtBus(who);
  LookAtSinks(who);
}

void Story::LookAtObjects(std::string_view who) {
  for (const auto& [key, object] : world_.store.Snapshot()) {
    std::string& seen = objects_[key];
    if (seen == object.etag) continue;
    seen = object.etag;
    if (key == kPipelineCheckpoint) LookAtCheckpoint(who, *object.bytes);
    const std::optional<SlotNumber> number = SlotOfKey(0, key);
    if (!number) continue;
    std::set<std::string> aggregates;
    Result<Slot> slot = DecodeSlot(*object.bytes, world_.format.log, 0, *number);
    const std::string text = slot.ok() ? TextOf(*slot, aggregates) : slot.error().ToString();
    Add(who, "PUT " + NameOf(*number) + ": " + text, std::move(aggregates));
  }
}

void Story::LookAtCheckpoint(std::string_view who, const std::string& bytes) {
  Result<PublisherCheckpoint> checkpoint = DecodeCheckpoint(bytes);
  std::string text = "unreadable";
  if (checkpoint.ok()) {
    text = checkpoint->owner.empty() ? "released" : "of " + checkpoint->owner;
    for (const auto& [shard, slot] : checkpoint->shards) text += ", " + NameOf(slot) + " is sent";
    if (checkpoint->republish) {
      text += ", again from " + NameOf(checkpoint->republish->next) + " to " +
              NameOf(checkpoint->republish->to);
    }
  }
  if (std::exchange(checkpoint_, text) != text) Add(who, "checkpoint: " + text);
}

void Story::LookAtReservations(std::string_view who, const MemoryRegistry::Rows& rows) {
  if (control_.fenced_incarnation != rows.control.fenced_incarnation) {
    Add(who, rows.control.fenced_incarnation.empty()
                 ? "registry: not fenced"
                 : "registry: fenced for " + rows.control.fenced_incarnation + ", next is " +
                       NameOf(rows.control.next_slot));
  }
  control_ = rows.control;
  for (const auto& [batch, reservation] : rows.reservations) {
    if (reservations_.contains(batch)) continue;
    std::set<std::string> aggregates;
    for (const AggregateKey& key : reservation.aggregates) aggregates.insert(key.ToString());
    Add(who,
        "RESERVE " + NameOf(reservation.slot) + " for batch " + Tail(batch) + ": " +
            std::to_string(reservation.commands.size()) + " commands, " +
            std::to_string(reservation.outcomes.size()) + " outcomes",
        std::move(aggregates));
  }
  for (const auto& [batch, reservation] : reservations_) {
    if (rows.reservations.contains(batch)) continue;
    Add(who, "settled: " + NameOf(reservation.slot) + ", batch " + Tail(batch));
  }
  reservations_ = rows.reservations;
}

void Story::LookAtAggregates(std::string_view who, const MemoryRegistry::Rows& rows) {
  for (const auto& [key, row] : rows.aggregates) {
    const AggregateRow& seen = aggregates_[key];
    if (TextOf(seen) == TextOf(row)) continue;
    Add(who, "row of " + ShortName(key) + ": " + TextOf(row), {key.ToString()});
  }
  for (const auto& [key, row] : aggregates_) {
    if (rows.aggregates.contains(key) || row == AggregateRow()) continue;
    Add(who, "row of " + ShortName(key) + " is gone", {key.ToString()});
  }
  aggregates_ = rows.aggregates;
}

void Story::LookAtClaims(std::string_view who, const MemoryRegistry::Rows& rows) {
  for (const auto& [key, row] : rows.claims) {
    auto seen = claims_.find(key);
    const bool same = seen != claims_.end() && seen->second.status == row.status &&
                      seen->second.owner == row.owner;
    if (same || key.handler.starts_with("projection")) continue;
    Add(who,
        "claim of " + ShortName(row.aggregate) + " " + Number(row.number) + ": " +
            std::string(StatusName(row.status)) + (row.owner.empty() ? "" : " by " + row.owner),
        {row.aggregate.ToString()});
  }
  claims_ = rows.claims;
  std::set<ParkKey> parked;
  for (const auto& [key, row] : rows.parked) {
    parked.insert(key);
    if (parked_.contains(key)) continue;
    Add(who, "PARKED " + ShortName(key.aggregate) + ": " + row.reason, {key.aggregate.ToString()});
  }
  parked_ = std::move(parked);
  for (const auto& [name, row] : rows.leases) {
    std::string& owner = lease_owners_[name];
    if (std::exchange(owner, row.owner) == row.owner) continue;
    Add(who, "lease of " + name + ": " + row.owner + ", epoch " + std::to_string(row.epoch));
  }
}

void Story::LookAtBus(std::string_view who) {
  for (std::string_view name :
       {kDatabaseCommandsTopic, kOntologyCommandsTopic, kInstanceCommandsTopic,
        kOntologyEventsTopic, kInstanceEventsTopic}) {
    const std::string topic(name);
    Result<TopicState> state = world_.bus.Describe(topic);
    TopicState& seen = topics_[topic];
    if (!state.ok()) {
      if (!seen.end_offsets.empty()) Add(who, "topic " + topic + " is gone");
      seen = TopicState();
      continue;
    }
    if (seen.topic_id == state->topic_id && seen.end_offsets == state->end_offsets) continue;
    std::string ends;
    for (std::uint64_t end : state->end_offsets) Append(ends, std::to_string(end));
    Add(who, "topic " + topic + " ends at " + ends);
    seen = *state;
  }
}

void Story::LookAtSinks(std::string_view who) {
  for (const auto& [key, node] : world_.graph.Snapshot().nodes) {
    SequenceNumber& seen = nodes_[key];
    if (std::exchange(seen, node.version) == node.version) continue;
    Add(who, "graph: " + ShortName(key) + " is at " + Number(node.version), {key.ToString()});
  }
  const Result<std::vector<SearchDocument>> documents = world_.search.Scan(std::nullopt, 1'000'000);
  for (const SearchDocument& document : *documents) {
    SequenceNumber& seen = documents_[document.key];
    if (std::exchange(seen, document.version) == document.version) continue;
    Add(who, "search: " + ShortName(document.key) + " is at " + Number(document.version),
        {document.key.ToString()});
  }
}

std::string Story::Tell(const Violations& violations) {
  std::set<std::string> marked;
  for (const Line& line : lines_) {
    for (const std::string& aggregate : line.aggregates) {
      for (const std::string& violation : violations) {
        if (violation.find(aggregate) != std::string::npos) marked.insert(aggregate);
      }
    }
  }
  std::string text;
  for (const Line& line : lines_) {
    const bool mark =
        std::any_of(line.aggregates.begin(), line.aggregates.end(),
                    [&marked](const std::string& aggregate) { return marked.contains(aggregate); });
    text += Printed(line, mark);
  }
  for (const std::string& violation : violations) text += "!! " + violation + "\n";
  return text;
}

}  // namespace saffron
