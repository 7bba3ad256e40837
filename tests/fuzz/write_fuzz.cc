// Every writing request. What was read, written as a request, is read again the same.
#include "services/oms/write_parser.h"

#include "domain/instance.h"
#include "domain/names.h"
#include "services/oms/json_object.h"
#include "services/oms/route_table.h"
#include "tests/fuzz/properties.h"
#include "tests/fuzz/reference_json.h"
#include "tests/fuzz/requests.h"

namespace saffron::fuzz {
namespace {

class NoSink final : public ResponseSink {
 public:
  void Send(HttpResponse&&) override {}
  std::shared_ptr<HttpStream> StartStream(HttpResponse&&) override { return nullptr; }
};

const EventId& Fresh() {
  static const EventId fresh(*Uuid::Parse("0192f0c1-2a3b-7c4d-8e5f-a6b7c8d9e0f1"));
  return fresh;
}

// Null for a route that writes nothing.
const WriteOperation* OperationOf(std::string_view name) {
  for (const WriteOperation& operation : WriteOperations()) {
    if (operation.name == name) return &operation;
  }
  return nullptr;
}

// Nothing when the request goes to no route that writes.
std::optional<ParsedWrite> ParseRequest(HttpRequest request) {
  RouteMatch match = ApiRoutes().Match(request.method, request.path);
  if (match.outcome != RouteMatch::Outcome::kFound) return std::nullopt;
  const WriteOperation* operation = OperationOf(RouteTable()[match.route].operation);
  if (operation == nullptr) return std::nullopt;
  const ApiCall call{std::move(request), std::move(match), Responder(std::make_shared<NoSink>()),
                     Role::kWriter,      Instant(),        {}};
  return (WriteParser(call, Fresh()).*operation->parse)();
}

void CheckRefusal(const HttpResponse& refusal) {
  Require(refusal.status == 400 || refusal.status == 404 || refusal.status == 415,
          "a refusal has one of its statuses");
  const auto body = ReadJson(refusal.body);
  Require(body && body->Find("message") != nullptr, "a refusal says why, in JSON");
}

void CheckCommand(const WriteCommand& command) {
  const bool named = command.type != AggregateType::kDatabase;
  if (named) Require(CheckClassName(command.class_id).ok(), "the class has a name");
  if (!command.instance_id.empty()) {
    Require(CheckInstanceId(command.instance_id).ok(), "the instance has a good id");
  }
  Require(command.operation == Operation::kCreate || command.expected_seq.has_value(),
          "a change says what it expects");
  if (!command.body.empty()) Require(ReadJson(command.body).has_value(), "a body is JSON");
  if (!command.metadata.empty()) Require(ReadJson(command.metadata).has_value(), "so is metadata");
}

void AppendCommand(std::string& out, const WriteCommand& command) {
  static constexpr std::string_view kOps[] = {"", "create", "update", "delete"};
  JsonObject object(out);
  object.Text("op", kOps[static_cast<std::size_t>(command.operation)]);
  object.Text("class", command.class_id);
  if (!command.instance_id.empty()) object.Text("id", command.instance_id);
  if (command.expected_seq) object.Number("expected_seq", command.expected_seq->value);
  if (command.operation != Operation::kDelete) object.Raw("data", command.body);
  if (!command.metadata.empty()) object.Raw("metadata", command.metadata);
  object.Close();
}

std::string WrittenBody(const WriteRequest& request) {
  std::string out;
  const WriteCommand& first = request.commands.front();
  if (request.kind == WriteKind::kSingle && first.type == AggregateType::kOntologyClass) {
    return first.body;
  }
  if (first.operation == Operation::kDelete && request.kind == WriteKind::kSingle) return out;
  JsonObject object(out);
  if (request.kind == WriteKind::kTransaction) {
    AppendArray(object.Key("commands"), request.commands, AppendCommand);
    AppendArray(object.Key("checks"), request.checks, [](std::string& to, const WriteCheck& check) {
      JsonObject one(to);
      one.Text("class", check.class_id).Text("id", check.instance_id);
      one.Number("expected_seq", check.expected.value);
      one.Close();
    });
  } else if (first.type == AggregateType::kDatabase) {
    object.Text("name", request.db);
    if (!first.body.empty()) object.Raw("description", first.body);
  } else if (request.kind == WriteKind::kBulk) {
    AppendArray(object.Key("instances"), request.commands,
                [](std::string& to, const WriteCommand& command) { to.append(command.body); });
  } else {
    object.Raw("data", first.body);
  }
  if (request.kind != WriteKind::kTransaction && !first.metadata.empty()) {
    object.Raw("metadata", first.metadata);
  }
  object.Close();
  return out;
}

HttpRequest Written(const HttpRequest& original, const WriteRequest& request) {
  HttpRequest out;
  out.method = original.method;
  out.path = original.path;
  const WriteCommand& first = request.commands.front();
  if (request.kind == WriteKind::kTransaction) {
    out.query.emplace_back("db", request.db);
  } else if (first.expected_seq) {
    out.query.emplace_back("expected_seq", std::to_string(first.expected_seq->value));
  }
  if (first.force) out.query.emplace_back("force", "true");
  out.headers.Add("content-type", "application/json; charset=UTF-8");
  if (request.keyed) out.headers.Add("idempotency-key", request.request_id.ToString());
  if (!request.traceparent.empty()) out.headers.Add("traceparent", request.traceparent);
  out.body = WrittenBody(request);
  return out;
}

bool Same(const WriteCommand& a, const WriteCommand& b) {
  return a.type == b.type && a.operation == b.operation && a.class_id == b.class_id &&
         a.instance_id == b.instance_id && a.body == b.body && a.metadata == b.metadata &&
         a.expected_seq == b.expected_seq && a.force == b.force;
}

bool Same(const WriteCheck& a, const WriteCheck& b) {
  return a.class_id == b.class_id && a.instance_id == b.instance_id && a.expected == b.expected;
}

template <class T>
bool Same(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const T& x, const T& y) { return Same(x, y); });
}

bool Same(const WriteRequest& a, const WriteRequest& b) {
  return a.request_id == b.request_id && a.keyed == b.keyed && a.kind == b.kind && a.db == b.db &&
         a.branch == b.branch && a.actor == b.actor && a.traceparent == b.traceparent &&
         Same(a.commands, b.commands) && Same(a.checks, b.checks);
}

}  // namespace

void FuzzWrite(std::string_view bytes) {
  const auto request = ReadRequest(bytes);
  if (!request) return;
  const auto parsed = ParseRequest(*request);
  if (!parsed) return;
  if (const auto* refusal = std::get_if<HttpResponse>(&*parsed)) return CheckRefusal(*refusal);
  const auto& write = std::get<WriteRequest>(*parsed);
  Require(!write.commands.empty(), "a write has a command");
  Require(write.kind == WriteKind::kSingle || write.commands.size() <= 10'000, "not too many");
  Require(CheckDatabaseName(write.db).ok() && write.branch == "main", "its place has a name");
  for (const WriteCommand& command : write.commands) CheckCommand(command);
  const auto again = ParseRequest(Written(*request, write));
  Require(again.has_value(), "a written request finds its route");
  const auto* same = std::get_if<WriteRequest>(&*again);
  Require(same != nullptr && Same(*same, write), "a write comes back as it was");
}

}  // namespace saffron::fuzz
