// The `data` of commands and of outcomes.
#include <charconv>

#include "domain/envelope.h"
#include "domain/json_text.h"

namespace saffron {
namespace {

using json::AppendNumber;
using json::AppendString;
using json::Kind;
using json::Member;
using json::Value;

Error Bad(std::string_view what, std::string_view field, std::string_view problem) {
  std::string message(what);
  message.append(": ").append(field).append(": ").append(problem);
  return Corrupt(std::move(message));
}

const Value* Find(const std::vector<Member>& members, std::string_view name) {
  for (const Member& member : members) {
    if (member.key.inner() == name) return &member.value;
  }
  return nullptr;
}

Result<std::uint64_t> ReadUnsigned(const std::vector<Member>& members, std::string_view name) {
  const Value* value = Find(members, name);
  if (value == nullptr) return Bad("outcome", name, "missing");
  std::uint64_t number = 0;
  const char* end = value->raw.data() + value->raw.size();
  auto [stop, error] = std::from_chars(value->raw.data(), end, number);
  if (error != std::errc() || stop != end) return Bad("outcome", name, "not an unsigned integer");
  return number;
}

Result<std::string> ReadText(const std::vector<Member>& members, std::string_view name) {
  const Value* value = Find(members, name);
  if (value == nullptr) return Bad("outcome", name, "missing");
  if (value->kind != Kind::kString) return Bad("outcome", name, "not a string");
  std::string scratch;
  return std::string(json::TextOf(*value, scratch));
}

Status ReadScope(const Value* value, Scope& scope) {
  if (value == nullptr) return Bad("outcome", "scope", "missing");
  auto members = json::MembersOf(value->raw);
  if (!members) return Bad("outcome", "scope", "not an object");
  SAFFRON_ASSIGN(scope.database.value, ReadUnsigned(*members, "database"));
  SAFFRON_ASSIGN(scope.class_.value, ReadUnsigned(*members, "class"));
  return Ok();
}

Status ReadReason(const Value* value, Outcome& outcome) {
  if (value == nullptr) return Ok();
  auto members = json::MembersOf(value->raw);
  if (!members) return Bad("outcome", "reason", "not an object");
  SAFFRON_ASSIGN(outcome.reason_code, ReadText(*members, "code"));
  SAFFRON_ASSIGN(outcome.reason_message, ReadText(*members, "message"));
  return Ok();
}

// The member that holds a command's body; empty: it has none.
std::string_view BodyName(EventType type) {
  if (type.operation == Operation::kDelete) return {};
  switch (type.aggregate) {
    case AggregateType::kDatabase: return "description";
    case AggregateType::kInstance:
      return type.operation == Operation::kCreate ? "document" : "patch";
    default: return "definition";
  }
}

bool HasForce(EventType type) {
  return type.aggregate == AggregateType::kOntologyClass && type.operation == Operation::kDelete;
}

}  // namespace

std::string EncodeOutcome(const Outcome& outcome) {
  std::string out;
  out.reserve(outcome.document.size() + outcome.reason_message.size() + 200);
  out.append(outcome.lifecycle == Lifecycle::kPresent ? R"({"lifecycle":"present","incarnation":)"
                                                      : R"({"lifecycle":"absent","incarnation":)");
  AppendNumber(out, outcome.incarnation.value);
  out.append(R"(,"scope":{"database":)");
  AppendNumber(out, outcome.scope.database.value);
  out.append(R"(,"class":)");
  AppendNumber(out, outcome.scope.class_.value);
  out.push_back('}');
  if (!outcome.document.empty()) out.append(R"(,"document":)").append(outcome.document);
  if (outcome.basis) {
    out.append(R"(,"basis":")").append(outcome.basis->ToString()).push_back('"');
  }
  if (!outcome.reason_code.empty() || !outcome.reason_message.empty()) {
    out.append(R"(,"reason":{"code":)");
    AppendString(out, outcome.reason_code);
    out.append(R"(,"message":)");
    AppendString(out, outcome.reason_message);
    out.push_back('}');
  }
  out.push_back('}');
  return out;
}

Result<Outcome> DecodeOutcome(std::string_view data) {
  auto members = json::MembersOf(data);
  if (!members) return Bad("outcome", "data", "not a JSON object");
  Outcome outcome;
  SAFFRON_ASSIGN(std::string lifecycle, ReadText(*members, "lifecycle"));
  if (lifecycle != "present" && lifecycle != "absent")
    return Bad("outcome", "lifecycle", "unknown");
  outcome.lifecycle = lifecycle == "present" ? Lifecycle::kPresent : Lifecycle::kAbsent;
  SAFFRON_ASSIGN(outcome.incarnation.value, ReadUnsigned(*members, "incarnation"));
  SAFFRON_TRY(ReadScope(Find(*members, "scope"), outcome.scope));
  if (const Value* document = Find(*members, "document")) {
    if (document->kind != Kind::kObject) return Bad("outcome", "document", "not an object");
    outcome.document = document->raw;
  }
  if (outcome.document.empty() == (outcome.lifecycle == Lifecycle::kPresent)) {
    return Bad("outcome", "document", "contradicts lifecycle");
  }
  if (Find(*members, "basis") != nullptr) {
    SAFFRON_ASSIGN(std::string basis, ReadText(*members, "basis"));
    outcome.basis = Position::Parse(basis);
    if (!outcome.basis) return Bad("outcome", "basis", "not a position");
  }
  SAFFRON_TRY(ReadReason(Find(*members, "reason"), outcome));
  return outcome;
}

std::string EncodeCommandData(EventType type, const CommandData& data) {
  std::string out = "{";
  auto member = [&out](std::string_view name, std::string_view raw) {
    if (out.size() > 1) out.push_back(',');
    out.append("\"").append(name).append("\":").append(raw);
  };
  out.reserve(data.body.size() + data.metadata.size() + 40);
  std::string_view body = BodyName(type);
  if (!body.empty() && !data.body.empty()) member(body, data.body);
  if (HasForce(type)) member("force", data.force ? "true" : "false");
  if (!data.metadata.empty()) member("metadata", data.metadata);
  out.push_back('}');
  return out;
}

Result<CommandData> DecodeCommandData(EventType type, std::string_view data) {
  auto members = json::MembersOf(data);
  if (!members) return Bad("command", "data", "not a JSON object");
  CommandData command;
  std::string_view name = BodyName(type);
  bool free_form = type.aggregate == AggregateType::kDatabase;
  if (!name.empty()) {
    const Value* body = Find(*members, name);
    if (body == nullptr && !free_form) return Bad("command", name, "missing");
    if (body != nullptr && body->kind != Kind::kObject && !free_form) {
      return Bad("command", name, "not an object");
    }
    if (body != nullptr) command.body = body->raw;
  }
  if (HasForce(type)) {
    const Value* force = Find(*members, "force");
    if (force == nullptr || (force->kind != Kind::kTrue && force->kind != Kind::kFalse)) {
      return Bad("command", "force", "missing or not a boolean");
    }
    command.force = force->kind == Kind::kTrue;
  }
  if (const Value* metadata = Find(*members, "metadata")) {
    if (metadata->kind != Kind::kObject) return Bad("command", "metadata", "not an object");
    command.metadata = metadata->raw;
  }
  return command;
}

}  // namespace saffron
