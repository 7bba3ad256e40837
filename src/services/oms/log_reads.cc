#include "services/oms/log_reads.h"

#include <algorithm>

#include "services/oms/http_answers.h"
#include "services/oms/json_object.h"
#include "services/oms/write_answers.h"
#include "services/oms/write_draft.h"

namespace saffron {
namespace {

constexpr std::uint64_t kMostEvents = 1'000;
constexpr std::uint64_t kMostCommands = 500;
constexpr std::uint64_t kMostCommits = 200;
// What one request reads of the log at most.
constexpr std::uint64_t kMostSlots = 200;
// A page that is as long ends, and names the next.
constexpr std::size_t kFullPageBytes = 16 << 20;

// The aggregate that a path names by type and id. Hidden rows have no such name.
AggregateKey NamedAggregate(const ApiCall& call) {
  AggregateKey key;
  key.id = call.Param("id");
  key.type = ParseAggregateType(call.Param("type")).value_or(AggregateType::kOntologyHead);
  return key;
}

Status CheckAggregate(const AggregateKey& key) {
  if (key.type == AggregateType::kOntologyHead) {
    return Invalid("the type must be Database, OntologyClass or Instance");
  }
  Result<AggregateParts> parts = SplitAggregateId(key);
  if (!parts.ok()) return parts.error();
  return Ok();
}

void AppendEventAt(std::string& out, const Position& position, std::string_view envelope) {
  JsonObject(out).Text("position", position.ToString()).Raw("event", envelope).Close();
}

}  // namespace

void AppendLoggedEvent(std::string& out, const Slot& slot, const LoggedEvent& event) {
  AppendEventAt(out, event.location.position, slot.LineOf(event));
}

bool BelongsTo(const AggregateKey& aggregate, std::string_view db) {
  std::string_view id = aggregate.id;
  return id.starts_with(db) && (id.size() == db.size() || id[db.size()] == ':');
}

void LogReads::Register(HandlerMap& handlers) {
  auto add = [&](std::string_view operation, ReadService::AggregateOf aggregate, auto method) {
    reads_.Register(handlers, {operation, ReadStore::kRegistry, std::move(aggregate),
                               [this, method](const ApiCall& call, const auto&) {
                                 return (this->*method)(call);
                               }});
  };
  add("getAggregate", NamedAggregate, &LogReads::GetAggregate);
  add("aggregateEvents", NamedAggregate, &LogReads::AggregateEvents);
  add("listEvents", nullptr, &LogReads::Events);
  add("versionHistory", nullptr, &LogReads::History);
  for (std::string_view operation : {"commandStatus", "instanceCommandStatus"}) {
    handlers[operation] = [this](const CallPtr& call) { ServeStatus(call); };
  }
}

void LogReads::ServeStatus(const CallPtr& call) {
  std::optional<Uuid> id = Uuid::Parse(call->Param("id"));
  if (!id) return call->Send(ApiError(400, "a command id is a UUID"));
  Status named = CheckPathNames(*call);
  if (!named.ok()) return call->Send(AnswerOf(named.error()));
  Result<std::optional<Duration>> wait = WaitOf(call->request);
  if (!wait.ok()) return call->Send(AnswerOf(wait.error()));
  struct Watched {
    Instant until;  // for a final status
    std::optional<CommandStatus> last;
  };
  Runtime& runtime = reads_.context().runtime;
  auto watched = std::make_shared<Watched>();
  watched->until = call->arrived + wait->value_or(Duration::zero());
  auto step = [this, call, watched, &runtime, id = EventId(*id)]() -> std::optional<HttpResponse> {
    Result<std::vector<CommandStatus>> statuses = statuses_.Of({id});
    if (!statuses.ok()) return AnswerOf(statuses.error());
    CommandStatus& status = statuses->front();
    std::string_view db = call->Param("db");
    const bool elsewhere =
        !db.empty() && status.number != SequenceNumber() && !BelongsTo(status.aggregate, db);
    if (status.kind == CommandStatus::Kind::kUnknown || elsewhere) {
      return ApiError(404, "there is no such command");
    }
    // In the log or not: that is known soon.
    if (status.kind == CommandStatus::Kind::kUnsettled) return std::nullopt;
    watched->last = std::move(status);
    if (!watched->last->final() && runtime.Now() < watched->until) return std::nullopt;
    return JsonAnswer(200, CommandResultJson(*watched->last));
  };
  const Instant deadline = std::max(watched->until, call->arrived + reads_.request_timeout());
  reads_.steps().Run(call, deadline, std::move(step), [watched] {
    if (watched->last) return JsonAnswer(200, CommandResultJson(*watched->last));
    return WithRetryAfter(ApiError(503, "the command is not settled yet"), 1);
  });
}

Result<AggregateRow> LogReads::RowOf(const AggregateKey& key) {
  SAFFRON_TRY(CheckAggregate(key));
  RegistryRead read;
  read.aggregates = {key};
  SAFFRON_ASSIGN(RegistryRows rows, reads_.context().registry.Read(read));
  auto found = rows.aggregates.find(key);
  if (found == rows.aggregates.end() || found->second.accepted.number == SequenceNumber()) {
    return NotFound(key.ToString() + " has no history");
  }
  return found->second;
}

Result<HttpResponse> LogReads::GetAggregate(const ApiCall& call) {
  const AggregateKey key = NamedAggregate(call);
  SAFFRON_ASSIGN(AggregateRow row, RowOf(key));
  std::string data;
  JsonObject object(data);
  object.Text("aggregate_type", AggregateTypeName(key.type)).Text("aggregate_id", key.id);
  object.Number("sequence_number", row.accepted.number.value);
  object.Number("decided_sequence_number", row.decided.number.value);
  object.Text("lifecycle", row.decided.lifecycle == Lifecycle::kPresent ? "present" : "absent");
  object.Number("incarnation", row.decided.incarnation.value);
  object.Key("state");
  std::string state = "null";
  if (row.decided.number != SequenceNumber()) {
    SAFFRON_ASSIGN(Envelope event, ReadEvent(reads_.context(), row.decided.outcome));
    SAFFRON_ASSIGN(Outcome outcome, DecodeOutcome(event.data));
    if (!outcome.document.empty()) state = std::move(outcome.document);
  }
  data.append(state);
  SAFFRON_ASSIGN(
      std::vector<CommandRow> last,
      reads_.context().registry.CommandsOf(key, row.accepted.number, row.accepted.number, 1));
  if (last.empty()) {
    object.Null("last_command");
  } else {
    SAFFRON_ASSIGN(std::vector<CommandStatus> status, statuses_.Of({last.front().id}));
    object.Raw("last_command", CommandResultJson(status.front()));
  }
  object.Close();
  return DataAnswer(data);
}

Result<HttpResponse> LogReads::AggregateEvents(const ApiCall& call) {
  const AggregateKey key = NamedAggregate(call);
  SAFFRON_ASSIGN(AggregateRow row, RowOf(key));
  SAFFRON_ASSIGN(auto from, QueryUnsigned(call.request, "from_seq", kMaxSequence));
  SAFFRON_ASSIGN(auto to, QueryUnsigned(call.request, "to_seq", kMaxSequence));
  SAFFRON_ASSIGN(std::uint64_t limit, LimitOf(call.request, 100, kMostCommands));
  SAFFRON_ASSIGN(
      std::vector<CommandRow> commands,
      reads_.context().registry.CommandsOf(key, SequenceNumber(from.value_or(1)),
                                           SequenceNumber(to.value_or(kMaxSequence)), limit));
  std::string data;
  JsonObject object(data);
  object.Text("aggregate_type", AggregateTypeName(key.type)).Text("aggregate_id", key.id);
  std::string& events = object.Key("events");
  events.push_back('[');
  bool more = commands.size() == limit;
  SequenceNumber last;
  for (const CommandRow& command : commands) {
    if (events.size() >= kFullPageBytes) {
      more = true;
      break;
    }
    last = command.number;
    for (const std::optional<EventLocation>& at : {command.location, command.outcome}) {
      if (!at) continue;
      SAFFRON_ASSIGN(Envelope event, ReadEvent(reads_.context(), *at));
      if (events.back() != '[') events.push_back(',');
      AppendEventAt(events, at->position, EncodeEnvelope(event));
    }
  }
  events.push_back(']');
  const SequenceNumber end(std::min(row.accepted.number.value, to.value_or(kMaxSequence)));
  if (more && last < end) {
    object.Number("next_seq", last.value + 1);
  } else {
    object.Null("next_seq");
  }
  object.Close();
  return DataAnswer(data);
}

Result<SlotNumber> LogReads::NextSlot() {
  SAFFRON_ASSIGN(RegistryRows rows, reads_.context().registry.Read(RegistryRead()));
  return rows.control.next_slot;
}

Result<HttpResponse> LogReads::Events(const ApiCall& call) {
  SAFFRON_ASSIGN(std::optional<Position> asked, QueryPosition(call.request, "from"));
  SAFFRON_ASSIGN(std::uint64_t limit, LimitOf(call.request, 100, kMostEvents));
  Position from = asked.value_or(Position{reads_.context().shard, SlotNumber(1), 0});
  if (from.slot == SlotNumber()) from.slot = SlotNumber(1);
  std::string data;
  JsonObject object(data);
  std::string& events = object.Key("events");
  events.push_back('[');
  std::uint64_t count = 0;
  const auto full = [&] { return count >= limit || events.size() >= kFullPageBytes; };
  for (std::uint64_t slots = 0; slots < kMostSlots && !full(); ++slots) {
    Result<SlotPtr> slot = ReadSlot(reads_.context(), from.slot);
    // Nobody knows yet what the slot will hold: the feed ends before it.
    if (slot.Is(Code::kNotFound)) break;
    if (!slot.ok()) return slot.error();
    for (; from.ordinal < (*slot)->events.size() && !full(); ++from.ordinal, ++count) {
      if (events.back() != '[') events.push_back(',');
      AppendLoggedEvent(events, **slot, (*slot)->events[from.ordinal]);
    }
    if (from.ordinal >= (*slot)->events.size()) {
      from = Position{from.shard, from.slot.Next(), 0};
    }
  }
  events.push_back(']');
  // To be given as `from` of the next page.
  object.Number("count", count).Text("next", from.ToString()).Close();
  return DataAnswer(data);
}

// Newest first; `before` is the cursor.
Result<HttpResponse> LogReads::History(const ApiCall& call) {
  std::string_view db = call.Param("db");
  SAFFRON_ASSIGN(std::uint64_t limit, LimitOf(call.request, 50, kMostCommits));
  SAFFRON_ASSIGN(std::optional<Position> before, QueryPosition(call.request, "before"));
  SAFFRON_ASSIGN(AggregateRow row, RowOf(AggregateKey::Database(db)));
  SAFFRON_ASSIGN(SlotNumber at, NextSlot());
  if (before) at = std::min(at, before->slot);
  std::string data;
  JsonObject object(data);
  std::string& commits = object.Key("commits");
  commits.push_back('[');
  std::uint64_t count = 0;
  for (std::uint64_t slots = 0; slots < kMostSlots && count < limit && at.value > 1; ++slots) {
    at = SlotNumber(at.value - 1);
    Result<SlotPtr> slot = ReadSlot(reads_.context(), at);
    if (slot.Is(Code::kNotFound)) continue;  // not settled
    if (!slot.ok()) return slot.error();
    std::uint64_t events = 0;
    const LoggedEvent* last = nullptr;
    for (const LoggedEvent& event : (*slot)->events) {
      if (!BelongsTo(event.envelope.aggregate, db)) continue;
      ++events;
      last = &event;
    }
    if (last == nullptr) continue;
    if (count++ > 0) commits.push_back(',');
    JsonObject(commits)
        .Text("commit", Position{reads_.context().shard, at, 0}.ToString())
        .Text("timestamp", (*slot)->header.reserved_at)
        .Text("author", last->envelope.actor)
        .Text("message", last->envelope.type.Name())
        .Number("events", events)
        .Close();
  }
  commits.push_back(']');
  if (at.value > 1) {
    object.Text("next_before", Position{reads_.context().shard, at, 0}.ToString());
  } else {
    object.Null("next_before");
  }
  object.Close();
  return DataAnswer(data);
}

}  // namespace saffron
