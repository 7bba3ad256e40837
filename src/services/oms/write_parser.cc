#include "services/oms/write_parser.h"

#include <algorithm>

#include "services/oms/http_answers.h"
#include "services/oms/write_draft.h"

namespace saffron {
namespace {

constexpr std::size_t kMaxBulkItems = 10'000;
constexpr std::size_t kMaxTransactionCommands = 1'000;

bool IsLowerHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// The definition without a `command_id`, which is the request's and not the class's.
std::string WithoutCommandId(std::string_view json) {
  std::string out = "{";
  auto members = json::MembersOf(json);
  if (!members) return std::string(json);
  std::string scratch;
  for (const json::Member& member : *members) {
    if (json::TextOf(member.key, scratch) == "command_id") continue;
    if (out.size() > 1) out.push_back(',');
    out.append(member.key.raw).append(":").append(member.value.raw);
  }
  return out.append("}");
}

std::optional<Operation> ParseOperation(std::string_view text) {
  if (text == "create") return Operation::kCreate;
  if (text == "update") return Operation::kUpdate;
  if (text == "delete") return Operation::kDelete;
  return std::nullopt;
}

void CheckNamed(BodyReader& body, std::string_view member, const Status& status) {
  if (!status.ok()) body.Complain(member, "bad_name", status.error().message());
}

WriteCommand ReadTransactionCommand(std::string_view json, const std::string& at,
                                    std::vector<Violation>& violations) {
  BodyReader body(json, at);
  WriteCommand command;
  const std::string op = body.RequiredText("op");
  std::optional<Operation> operation = ParseOperation(op);
  if (!operation && !op.empty()) body.Complain("op", "unknown_op", "create, update or delete");
  command.operation = operation.value_or(Operation::kCreate);
  command.class_id = body.RequiredText("class");
  if (!command.class_id.empty()) CheckNamed(body, "class", CheckClassName(command.class_id));
  const bool create = command.operation == Operation::kCreate;
  command.instance_id = create ? body.OptionalText("id").value_or("") : body.RequiredText("id");
  if (!command.instance_id.empty()) CheckNamed(body, "id", CheckInstanceId(command.instance_id));
  if (auto expected = body.OptionalUnsigned("expected_seq", kMaxSequence)) {
    command.expected_seq = SequenceNumber(*expected);
  } else if (!create) {
    body.Complain("expected_seq", "missing_required", "expected_seq is required");
  }
  if (command.operation == Operation::kDelete) {
    if (body.OptionalObject("data")) body.Complain("data", "unknown_field", "delete takes no data");
  } else {
    command.body = body.RequiredObject("data");
  }
  if (auto metadata = body.OptionalObject("metadata")) command.metadata = *metadata;
  for (Violation& violation : body.Finish()) violations.push_back(std::move(violation));
  return command;
}

WriteCheck ReadTransactionCheck(std::string_view json, const std::string& at,
                                std::vector<Violation>& violations) {
  BodyReader body(json, at);
  WriteCheck check;
  check.class_id = body.RequiredText("class");
  if (!check.class_id.empty()) CheckNamed(body, "class", CheckClassName(check.class_id));
  check.instance_id = body.RequiredText("id");
  if (!check.instance_id.empty()) CheckNamed(body, "id", CheckInstanceId(check.instance_id));
  auto expected = body.OptionalUnsigned("expected_seq", kMaxSequence);
  if (!expected && !body.Has("expected_seq")) {
    body.Complain("expected_seq", "missing_required", "expected_seq is required");
  }
  check.expected = SequenceNumber(expected.value_or(0));
  for (Violation& violation : body.Finish()) violations.push_back(std::move(violation));
  return check;
}

}  // namespace

std::string TraceparentOf(const HttpRequest& request) {
  std::optional<std::string_view> header = request.headers.Find("traceparent");
  if (!header || header->size() != 55) return {};
  std::string_view text = *header;
  const bool shaped = text[2] == '-' && text[35] == '-' && text[52] == '-' &&
                      IsLowerHex(text.substr(0, 2)) && IsLowerHex(text.substr(3, 32)) &&
                      IsLowerHex(text.substr(36, 16)) && IsLowerHex(text.substr(53, 2));
  return shaped ? std::string(text) : std::string();
}

// Only two members of the body are looked at here; the rest is the definition's own business.
std::string WriteParser::TakeDefinition(Draft& draft, bool needs_id) {
  std::string_view json = draft.RequireBody();
  BodyReader body(json);
  draft.TakeBodyKey(body.OptionalText("command_id"));
  std::string id;
  if (needs_id) id = body.RequiredText("id");
  std::vector<Violation> wrong;
  for (Violation& violation : body.Finish()) {
    if (violation.code != "unknown_field") wrong.push_back(std::move(violation));
  }
  draft.FailBody(wrong);
  draft.command().body = WithoutCommandId(json);
  return id;
}

ParsedWrite WriteParser::CreateDatabase() const {
  Draft draft(call_);
  BodyReader body(draft.RequireBody());
  const std::string name = body.RequiredText("name");
  draft.command().type = AggregateType::kDatabase;
  if (std::optional<std::string> description = body.OptionalText("description")) {
    draft.command().body = Quoted(*description);
  }
  draft.TakeBodyKey(body.OptionalText("command_id"));
  draft.FailBody(body.Finish());
  draft.TakeDatabase(name);
  return draft.Finish(fresh_);
}

ParsedWrite WriteParser::DeleteDatabase() const {
  Draft draft(call_);
  draft.command().type = AggregateType::kDatabase;
  draft.command().operation = Operation::kDelete;
  draft.TakeDatabase(call_.Param("db"));
  draft.TakeExpected();
  draft.AllowBody();
  return draft.Finish(fresh_);
}

ParsedWrite WriteParser::CreateClass() const {
  Draft draft(call_);
  WriteCommand& command = draft.command();
  command.type = AggregateType::kOntologyClass;
  draft.TakeDatabase(call_.Param("db"));
  draft.TakeBranch();
  const std::string id = TakeDefinition(draft, true);
  draft.TakeClass(id);
  return draft.Finish(fresh_);
}

ParsedWrite WriteParser::UpdateClass() const {
  Draft draft(call_);
  WriteCommand& command = draft.command();
  command.type = AggregateType::kOntologyClass;
  command.operation = Operation::kUpdate;
  draft.TakeDatabase(call_.Param("db"));
  draft.TakeBranch();
  draft.TakeClass(call_.Param("class"));
  draft.TakeExpected();
  TakeDefinition(draft, false);
  return draft.Finish(fresh_);
}

ParsedWrite WriteParser::DeleteClass() const {
  Draft draft(call_);
  draft.command().type = AggregateType::kOntologyClass;
  draft.command().operation = Operation::kDelete;
  draft.TakeDatabase(call_.Param("db"));
  draft.TakeBranch();
  draft.TakeClass(call_.Param("class"));
  draft.TakeExpected();
  Result<bool> force = QueryFlag(call_.request, "force");
  if (!force.ok()) draft.Fail(AnswerOf(force.error()));
  draft.command().force = force.ok() && *force;
  draft.AllowBody();
  return draft.Finish(fresh_);
}

ParsedWrite WriteParser::CreateInstance() const {
  Draft draft(call_);
  draft.TakeDatabase(call_.Param("db"));
  draft.TakeBranch();
  draft.TakeClass(call_.Param("class"));
  BodyReader body(draft.RequireBody());
  draft.command().body = body.RequiredObject("data");
  draft.command().metadata = body.OptionalObject("metadata").value_or("");
  draft.TakeBodyKey(body.OptionalText("command_id"));
  draft.FailBody(body.Finish());
  return draft.Finish(fresh_);
}

ParsedWrite WriteParser::UpdateInstance() const {
  Draft draft(call_);
  draft.command().operation = Operation::kUpdate;
  draft.TakeDatabase(call_.Param("db"));
  draft.TakeBranch();
  draft.TakeClass(call_.Param("class"));
  draft.TakeInstance(call_.Param("instance"));
  draft.TakeExpected();
  BodyReader body(draft.RequireBody());
  draft.command().body = body.RequiredObject("data");
  draft.command().metadata = body.OptionalObject("metadata").value_or("");
  draft.TakeBodyKey(body.OptionalText("command_id"));
  draft.FailBody(body.Finish());
  return draft.Finish(fresh_);
}

ParsedWrite WriteParser::DeleteInstance() const {
  Draft draft(call_);
  draft.command().operation = Operation::kDelete;
  draft.TakeDatabase(call_.Param("db"));
  draft.TakeBranch();
  draft.TakeClass(call_.Param("class"));
  draft.TakeInstance(call_.Param("instance"));
  draft.TakeExpected();
  draft.AllowBody();
  return draft.Finish(fresh_);
}

ParsedWrite WriteParser::BulkCreate() const {
  Draft draft(call_);
  draft.request().kind = WriteKind::kBulk;
  draft.TakeDatabase(call_.Param("db"));
  draft.TakeBranch();
  Status named = CheckClassName(call_.Param("class"));
  draft.Check(named);
  BodyReader body(draft.RequireBody());
  auto instances = body.RequiredArray("instances");
  std::string metadata(body.OptionalObject("metadata").value_or(""));
  draft.TakeBodyKey(body.OptionalText("command_id"));
  if (instances && (instances->empty() || instances->size() > kMaxBulkItems)) {
    body.Complain("instances", "out_of_range", "1 to 10000 instances");
    instances.reset();
  }
  for (std::size_t i = 0; instances && i < instances->size(); ++i) {
    const json::Value& value = (*instances)[i];
    if (value.kind != json::Kind::kObject) {
      body.Add({{"/instances/" + std::to_string(i), "wrong_type", "an object is expected"}});
      break;
    }
    WriteCommand command;
    command.class_id = call_.Param("class");
    command.body = value.raw;
    command.metadata = metadata;
    draft.request().commands.push_back(std::move(command));
  }
  draft.FailBody(body.Finish());
  return draft.Finish(fresh_);
}

ParsedWrite WriteParser::Transaction() const {
  Draft draft(call_);
  WriteRequest& request = draft.request();
  request.kind = WriteKind::kTransaction;
  std::optional<std::string_view> db = call_.request.Query("db");
  if (!db) draft.Fail(ApiError(400, "the query parameter db is required"));
  draft.TakeDatabase(db.value_or(""));
  draft.TakeBranch();
  BodyReader body(draft.RequireBody());
  auto commands = body.RequiredArray("commands");
  auto checks = body.OptionalArray("checks");
  draft.TakeBodyKey(body.OptionalText("command_id"));
  if (commands && (commands->empty() || commands->size() > kMaxTransactionCommands)) {
    body.Complain("commands", "out_of_range", "1 to 1000 commands");
    commands.reset();
  }
  if (checks && checks->size() > kMaxTransactionCommands) {
    body.Complain("checks", "out_of_range", "at most 1000 checks");
    checks.reset();
  }
  std::vector<Violation> wrong;
  for (std::size_t i = 0; commands && i < commands->size(); ++i) {
    request.commands.push_back(
        ReadTransactionCommand((*commands)[i].raw, "/commands/" + std::to_string(i), wrong));
  }
  for (std::size_t i = 0; checks && i < checks->size(); ++i) {
    request.checks.push_back(
        ReadTransactionCheck((*checks)[i].raw, "/checks/" + std::to_string(i), wrong));
  }
  body.Add(std::move(wrong));
  draft.FailBody(body.Finish());
  return draft.Finish(fresh_);
}

std::span<const WriteOperation> WriteOperations() {
  static constexpr WriteOperation kOperations[] = {
      {"createDatabase", &WriteParser::CreateDatabase},
      {"deleteDatabase", &WriteParser::DeleteDatabase},
      {"createClass", &WriteParser::CreateClass},
      {"updateClass", &WriteParser::UpdateClass},
      {"deleteClass", &WriteParser::DeleteClass},
      {"createInstance", &WriteParser::CreateInstance},
      {"updateInstance", &WriteParser::UpdateInstance},
      {"deleteInstance", &WriteParser::DeleteInstance},
      {"bulkCreateInstances", &WriteParser::BulkCreate},
      {"appendTransaction", &WriteParser::Transaction},
  };
  return kOperations;
}

}  // namespace saffron
