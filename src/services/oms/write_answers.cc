#include "services/oms/write_answers.h"

#include <algorithm>

#include "services/oms/http_answers.h"
#include "services/oms/json_object.h"

namespace saffron {
namespace {

std::string_view InstanceOf(const AggregateKey& key) {
  Result<AggregateParts> parts = SplitAggregateId(key);
  return parts.ok() ? parts->instance : std::string_view();
}

std::string_view ErrorWord(WriteCode code) {
  switch (code) {
    case WriteCode::kAccepted: return "";
    case WriteCode::kUnknownDatabase: return "database_not_found";
    case WriteCode::kUnknownClass: return "class_not_found";
    case WriteCode::kNotFound: return "not_found";
    case WriteCode::kConflict: return "optimistic_concurrency_conflict";
    case WriteCode::kClassInUse: return "class_in_use";
    case WriteCode::kInvalid: return "invalid";
    case WriteCode::kKeyReused: return "idempotency_key_reused";
    case WriteCode::kTooLarge: return "too_large";
    case WriteCode::kBusy: return "busy";
    case WriteCode::kOntologyPending: return "ontology_change_pending";
    case WriteCode::kUnavailable: return "unavailable";
    case WriteCode::kUnknown: return "unknown_outcome";
    case WriteCode::kTransactionFailed: return "transaction_refused";
  }
  return "internal";
}

int StatusOf(WriteCode code) {
  switch (code) {
    case WriteCode::kAccepted: return 202;
    case WriteCode::kUnknownDatabase:
    case WriteCode::kUnknownClass:
    case WriteCode::kNotFound: return 404;
    case WriteCode::kConflict:
    case WriteCode::kClassInUse: return 409;
    case WriteCode::kInvalid:
    case WriteCode::kKeyReused: return 422;
    case WriteCode::kTooLarge: return 413;
    case WriteCode::kBusy: return 429;
    default: return 503;
  }
}

std::string_view MessageOf(WriteCode code) {
  switch (code) {
    case WriteCode::kUnknownDatabase: return "there is no such database";
    case WriteCode::kUnknownClass: return "there is no such class";
    case WriteCode::kNotFound: return "it does not exist";
    case WriteCode::kInvalid: return "not valid against the ontology";
    case WriteCode::kKeyReused: return "the idempotency key was used for another request";
    case WriteCode::kTooLarge: return "the command is larger than an event may be";
    case WriteCode::kBusy: return "too much is waiting";
    case WriteCode::kOntologyPending: return "a change of the ontology is not decided yet";
    case WriteCode::kUnknown: return "it is not known whether the command was written";
    default: return "the service cannot write now";
  }
}

// The members of a 409's detail, and of an item's error.
void AppendErrorMembers(JsonObject& object, const ItemAnswer& item) {
  object.Text("error", ErrorWord(item.code));
  if (item.code == WriteCode::kConflict) {
    object.Text("aggregate_id", item.aggregate.id);
    if (item.expected_seq) {
      object.Number("expected_seq", item.expected_seq->value);
    } else {
      object.Null("expected_seq");
    }
    object.Number("actual_seq", item.actual_seq.value);
  }
  if (item.code == WriteCode::kClassInUse) {
    object.Text("aggregate_id", item.aggregate.id).Number("count", item.count);
    if (!item.message.empty()) object.Text("message", item.message);
  }
}

void AppendViolations(std::string& out, const std::vector<Violation>& violations) {
  AppendArray(out, violations, [](std::string& o, const Violation& violation) {
    JsonObject(o)
        .Text("pointer", violation.pointer)
        .Text("code", violation.code)
        .Text("message", violation.message)
        .Close();
  });
}

void AppendItemError(std::string& out, const ItemAnswer& item) {
  JsonObject error(out);
  AppendErrorMembers(error, item);
  if (item.code != WriteCode::kClassInUse && item.code != WriteCode::kConflict) {
    error.Text("message", item.message.empty() ? MessageOf(item.code) : item.message);
  }
  if (!item.violations.empty()) AppendViolations(error.Key("errors"), item.violations);
  if (item.code == WriteCode::kUnknown) error.Text("outcome", "unknown");
  error.Close();
}

const ItemAnswer& FaultOf(const WriteAnswer& answer) {
  return answer.items[std::min(answer.index, answer.items.size() - 1)];
}

HttpResponse Refusal(const WriteAnswer& answer) {
  const ItemAnswer& item = answer.items.size() == 1 || answer.kind != WriteKind::kBulk
                               ? FaultOf(answer)
                               : answer.items.front();
  const bool transaction = answer.kind == WriteKind::kTransaction;
  std::string detail;
  JsonObject object(detail);
  if (answer.code == WriteCode::kConflict || answer.code == WriteCode::kClassInUse) {
    AppendErrorMembers(object, item);
    if (transaction) object.Number("index", answer.index);
    object.Close();
    std::string body;
    JsonObject(body).Raw("detail", detail).Close();
    return JsonAnswer(409, std::move(body));
  }
  object.Text("error", ErrorWord(answer.code));
  if (transaction) object.Number("index", answer.index);
  if (answer.code == WriteCode::kOntologyPending) {
    object.Text("aggregate_type", AggregateTypeName(answer.blocker.type));
    object.Text("aggregate_id", answer.blocker.id);
    if (answer.blocking_command) object.Text("command_id", answer.blocking_command->ToString());
  }
  object.Close();
  std::vector<Violation> violations = item.violations;
  if (transaction) {
    const std::string prefix = "/commands/" + std::to_string(answer.index) + "/data";
    for (Violation& violation : violations) violation.pointer.insert(0, prefix);
  }
  const int status = StatusOf(answer.code);
  // Only what is said about the client's own request is passed on.
  const bool own = status == 404 || status == 422;
  std::string message(own && !item.message.empty() ? std::string_view(item.message)
                                                   : MessageOf(answer.code));
  if (!answer.failing.empty()) message.append("; failing: ").append(answer.failing);
  HttpResponse response = ApiError(status, message, detail, violations);
  if (status == 503) {
    response.body.pop_back();
    response.body.append(R"(,"command_id":)").append(Quoted(answer.request_id.ToString()));
    if (answer.code == WriteCode::kUnknown) response.body.append(R"(,"outcome":"unknown")");
    response.body.push_back('}');
  }
  return status == 503 || status == 429 ? WithRetryAfter(std::move(response), 1) : response;
}

const CommandStatus* FinalOf(const std::vector<CommandStatus>& finals, const EventId& id) {
  for (const CommandStatus& status : finals) {
    if (status.id == id) return &status;
  }
  return nullptr;
}

// Databases and classes.
std::string AcceptedJson(const WriteShape& shape, const WriteAnswer& answer,
                         const CommandStatus* final_status) {
  const ItemAnswer& item = answer.items.front();
  const bool database = shape.type == AggregateType::kDatabase;
  const bool failed = final_status != nullptr && final_status->kind == CommandStatus::Kind::kFailed;
  std::string_view status = final_status == nullptr ? "accepted" : failed ? "failed" : "completed";
  std::string data;
  JsonObject inner(data);
  inner.Text("command_id", item.command_id.ToString());
  if (database) {
    inner.Text("database_name", shape.db);
  } else {
    inner.Text("ontology_id", shape.class_id).Text("database", shape.db);
    inner.Text("branch", shape.branch);
  }
  inner.Number("sequence_number", item.number.value).Text("position", item.position.ToString());
  if (database) {
    inner.Text("status", final_status == nullptr ? "processing" : status);
    inner.Text("mode", "event_sourcing");
  }
  inner.Close();
  std::string body;
  JsonObject outer(body);
  outer.Text("status", status);
  outer.Text("message",
             failed ? std::string_view(final_status->error) : "command " + std::string(status));
  outer.Text("command_id", item.command_id.ToString());
  outer.Number("sequence_number", item.number.value).Text("position", item.position.ToString());
  if (failed) outer.Text("error", final_status->error);
  outer.Raw("data", data).Close();
  return body;
}

void AppendItem(std::string& out, const WriteAnswer& answer, std::size_t index,
                const std::vector<CommandStatus>& finals) {
  const ItemAnswer& item = answer.items[index];
  JsonObject object(out);
  object.Number("index", index);
  std::string_view instance = InstanceOf(item.aggregate);
  if (instance.empty()) {
    object.Null("instance_id");
  } else {
    object.Text("instance_id", instance);
  }
  object.Text("command_id", item.command_id.ToString());
  if (item.code != WriteCode::kAccepted) {
    AppendItemError(object.Key("error"), item);
    return object.Close();
  }
  object.Number("sequence_number", item.number.value);
  object.Text("position", item.position.ToString());
  if (item.duplicate) object.Flag("duplicate", true);
  if (const CommandStatus* final_status = FinalOf(finals, item.command_id)) {
    object.Text("status", StatusName(final_status->kind));
    if (!final_status->error.empty()) object.Text("error", final_status->error);
  }
  object.Close();
}

// Bulks and transactions.
std::string ManyJson(const WriteShape& shape, const WriteAnswer& answer,
                     const std::vector<CommandStatus>& finals) {
  std::optional<Position> last;
  std::uint64_t accepted = 0;
  for (const ItemAnswer& item : answer.items) {
    if (item.code != WriteCode::kAccepted) continue;
    ++accepted;
    last = std::max(last.value_or(item.position), item.position);
  }
  const bool failed = std::any_of(finals.begin(), finals.end(), [](const CommandStatus& status) {
    return status.kind == CommandStatus::Kind::kFailed;
  });
  std::string result;
  JsonObject inner(result);
  inner.Text("message", std::to_string(accepted) + " of " + std::to_string(answer.items.size()) +
                            " commands accepted");
  inner.Text("db_name", shape.db).Text("branch", shape.branch);
  if (answer.kind == WriteKind::kBulk) inner.Text("class_id", shape.class_id);
  inner.Number("accepted", accepted).Number("refused", answer.items.size() - accepted);
  std::string& items = inner.Key("items");
  items.push_back('[');
  for (std::size_t i = 0; i < answer.items.size(); ++i) {
    if (i > 0) items.push_back(',');
    AppendItem(items, answer, i, finals);
  }
  items.push_back(']');
  inner.Close();
  std::string body;
  JsonObject object(body);
  object.Text("command_id", answer.request_id.ToString());
  object.Text("status", accepted == 0 || failed ? "FAILED"
                        : finals.empty()        ? "PENDING"
                                                : "COMPLETED");
  object.Null("sequence_number");
  if (last) {
    object.Text("position", last->ToString());
  } else {
    object.Null("position");
  }
  object.Raw("result", result).Null("error").Null("completed_at").Number("retry_count", 0).Close();
  return body;
}

}  // namespace

WriteShape WriteShape::Of(const WriteRequest& request) {
  const WriteCommand& first = request.commands.front();
  return {first.type, first.operation, request.kind, request.db, request.branch, first.class_id};
}

std::string CommandResultJson(const CommandStatus& status) {
  std::string result;
  JsonObject inner(result);
  Result<AggregateParts> parts = SplitAggregateId(status.aggregate);
  inner.Text("message", "command " + std::string(StatusName(status.kind)));
  inner.Text("aggregate_type", AggregateTypeName(status.aggregate.type));
  inner.Text("aggregate_id", status.aggregate.id);
  if (parts.ok()) {
    inner.Text("db_name", parts->db);
    if (!parts->instance.empty()) inner.Text("instance_id", parts->instance);
    if (!parts->class_id.empty()) inner.Text("class_id", parts->class_id);
    if (!parts->branch.empty()) inner.Text("branch", parts->branch);
  }
  if (!status.reason_code.empty()) inner.Text("reason", status.reason_code);
  inner.Close();
  std::string body;
  JsonObject object(body);
  object.Text("command_id", status.id.ToString());
  object.Text("command_type", status.type.Name());
  object.Text("status", StatusName(status.kind));
  object.Number("sequence_number", status.number.value);
  object.Text("position", status.position.ToString()).Raw("result", result);
  if (status.error.empty()) {
    object.Null("error");
  } else {
    object.Text("error", status.error);
  }
  if (status.completed_at.empty()) {
    object.Null("completed_at");
  } else {
    object.Text("completed_at", status.completed_at);
  }
  object.Number("retry_count", status.retry_count);
  if (status.parked) object.Flag("parked", true);
  object.Close();
  return body;
}

HttpResponse AnswerOfWrite(const WriteShape& shape, const WriteAnswer& answer,
                           const std::vector<CommandStatus>& finals) {
  if (answer.code != WriteCode::kAccepted) return Refusal(answer);
  const int status = finals.empty() ? 202 : 200;
  if (shape.kind != WriteKind::kSingle) {
    return JsonAnswer(status, ManyJson(shape, answer, finals));
  }
  const ItemAnswer& item = answer.items.front();
  const CommandStatus* final_status = FinalOf(finals, item.command_id);
  if (shape.type != AggregateType::kInstance) {
    return JsonAnswer(status, AcceptedJson(shape, answer, final_status));
  }
  if (final_status != nullptr) return JsonAnswer(status, CommandResultJson(*final_status));
  CommandStatus pending;
  pending.kind = CommandStatus::Kind::kPending;
  pending.id = item.command_id;
  pending.aggregate = item.aggregate;
  pending.type = EventType::Requested(shape.type, shape.operation);
  pending.number = item.number;
  pending.position = item.position;
  return JsonAnswer(status, CommandResultJson(pending));
}

}  // namespace saffron
