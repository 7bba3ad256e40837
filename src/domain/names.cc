#include "domain/names.h"

#include <array>

namespace saffron {
namespace {

struct NamedType {
  std::string_view name;
  EventType type;
};

constexpr EventType TypeOf(EventKind kind, AggregateType aggregate, Operation operation) {
  return {kind, aggregate, operation, false};
}
constexpr EventType RejectionOf(AggregateType aggregate) {
  return {EventKind::kDomain, aggregate, Operation::kCreate, true};
}

// Every event type there is.
constexpr std::array<NamedType, 19> kEventTypes = {{
    {"CREATE_INSTANCE_REQUESTED",
     TypeOf(EventKind::kCommand, AggregateType::kInstance, Operation::kCreate)},
    {"UPDATE_INSTANCE_REQUESTED",
     TypeOf(EventKind::kCommand, AggregateType::kInstance, Operation::kUpdate)},
    {"DELETE_INSTANCE_REQUESTED",
     TypeOf(EventKind::kCommand, AggregateType::kInstance, Operation::kDelete)},
    {"INSTANCE_CREATED", TypeOf(EventKind::kDomain, AggregateType::kInstance, Operation::kCreate)},
    {"INSTANCE_UPDATED", TypeOf(EventKind::kDomain, AggregateType::kInstance, Operation::kUpdate)},
    {"INSTANCE_DELETED", TypeOf(EventKind::kDomain, AggregateType::kInstance, Operation::kDelete)},
    {"INSTANCE_REJECTED", RejectionOf(AggregateType::kInstance)},
    {"CREATE_ONTOLOGY_CLASS_REQUESTED",
     TypeOf(EventKind::kCommand, AggregateType::kOntologyClass, Operation::kCreate)},
    {"UPDATE_ONTOLOGY_CLASS_REQUESTED",
     TypeOf(EventKind::kCommand, AggregateType::kOntologyClass, Operation::kUpdate)},
    {"DELETE_ONTOLOGY_CLASS_REQUESTED",
     TypeOf(EventKind::kCommand, AggregateType::kOntologyClass, Operation::kDelete)},
    {"ONTOLOGY_CLASS_CREATED",
     TypeOf(EventKind::kDomain, AggregateType::kOntologyClass, Operation::kCreate)},
    {"ONTOLOGY_CLASS_UPDATED",
     TypeOf(EventKind::kDomain, AggregateType::kOntologyClass, Operation::kUpdate)},
    {"ONTOLOGY_CLASS_DELETED",
     TypeOf(EventKind::kDomain, AggregateType::kOntologyClass, Operation::kDelete)},
    {"ONTOLOGY_CLASS_REJECTED", RejectionOf(AggregateType::kOntologyClass)},
    {"CREATE_DATABASE_REQUESTED",
     TypeOf(EventKind::kCommand, AggregateType::kDatabase, Operation::kCreate)},
    {"DELETE_DATABASE_REQUESTED",
     TypeOf(EventKind::kCommand, AggregateType::kDatabase, Operation::kDelete)},
    {"DATABASE_CREATED", TypeOf(EventKind::kDomain, AggregateType::kDatabase, Operation::kCreate)},
    {"DATABASE_DELETED", TypeOf(EventKind::kDomain, AggregateType::kDatabase, Operation::kDelete)},
    {"DATABASE_REJECTED", RejectionOf(AggregateType::kDatabase)},
}};

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsLetter(char c) { return IsLower(c) || (c >= 'A' && c <= 'Z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

template <class Allowed>
bool AllOf(std::string_view text, std::size_t longest, Allowed allowed) {
  if (text.empty() || text.size() > longest) return false;
  for (char c : text) {
    if (!allowed(c)) return false;
  }
  return true;
}

Error BadName(std::string_view field, std::string_view name, std::string_view pattern) {
  std::string message(field);
  message.append(" \"").append(name.substr(0, 300)).append("\" must match ").append(pattern);
  return Invalid(std::move(message));
}

std::string Join(std::string_view a, std::string_view b, std::string_view c = {},
                 std::string_view d = {}) {
  std::string id;
  id.reserve(a.size() + b.size() + c.size() + d.size() + 3);
  id.append(a).append(":").append(b);
  if (!c.empty()) id.append(":").append(c);
  if (!d.empty()) id.append(":").append(d);
  return id;
}

// Cuts off what stands before the next ':'; false when there is none.
bool TakePart(std::string_view& rest, std::string_view& part) {
  std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos) return false;
  part = rest.substr(0, colon);
  rest.remove_prefix(colon + 1);
  return !part.empty();
}

bool Split(AggregateType type, std::string_view rest, AggregateParts& parts) {
  auto last = [&rest](std::string_view& part) {
    part = rest;
    return !rest.empty() && rest.find(':') == std::string_view::npos;
  };
  switch (type) {
    case AggregateType::kDatabase: return last(parts.db);
    case AggregateType::kOntologyHead: return TakePart(rest, parts.db) && last(parts.branch);
    case AggregateType::kOntologyClass:
      return TakePart(rest, parts.db) && TakePart(rest, parts.branch) && last(parts.class_id);
    case AggregateType::kInstance:
      parts.instance = {};
      if (!TakePart(rest, parts.db) || !TakePart(rest, parts.branch)) return false;
      if (!TakePart(rest, parts.class_id)) return false;
      parts.instance = rest;
      return !rest.empty();
  }
  return false;
}

}  // namespace

std::string_view AggregateTypeName(AggregateType type) {
  switch (type) {
    case AggregateType::kDatabase: return "Database";
    case AggregateType::kOntologyClass: return "OntologyClass";
    case AggregateType::kInstance: return "Instance";
    case AggregateType::kOntologyHead: return "OntologyHead";
  }
  return "Unknown";
}

std::optional<AggregateType> ParseAggregateType(std::string_view name) {
  for (auto type : {AggregateType::kInstance, AggregateType::kOntologyClass,
                    AggregateType::kDatabase, AggregateType::kOntologyHead}) {
    if (AggregateTypeName(type) == name) return type;
  }
  return std::nullopt;
}

AggregateKey AggregateKey::Database(std::string_view db) {
  return {AggregateType::kDatabase, std::string(db)};
}
AggregateKey AggregateKey::OntologyClass(std::string_view db, std::string_view branch,
                                         std::string_view class_id) {
  return {AggregateType::kOntologyClass, Join(db, branch, class_id)};
}
AggregateKey AggregateKey::Instance(std::string_view db, std::string_view branch,
                                    std::string_view class_id, std::string_view instance) {
  return {AggregateType::kInstance, Join(db, branch, class_id, instance)};
}
AggregateKey AggregateKey::OntologyHead(std::string_view db, std::string_view branch) {
  return {AggregateType::kOntologyHead, Join(db, branch)};
}

std::string AggregateKey::ToString() const {
  std::string text(AggregateTypeName(type));
  return text.append(" ").append(id);
}

Result<AggregateParts> SplitAggregateId(const AggregateKey& key) {
  AggregateParts parts;
  if (!Split(key.type, key.id, parts)) {
    return Invalid("aggregate id \"" + key.id + "\" has not the shape of its type " +
                   std::string(AggregateTypeName(key.type)));
  }
  return parts;
}

Status CheckDatabaseName(std::string_view name) {
  auto separator = [](char c) { return c == '_' || c == '-'; };
  bool good = name.size() >= 3 && IsLower(name[0]) && !separator(name.back()) &&
              AllOf(name, 50, [&](char c) { return IsLower(c) || IsDigit(c) || separator(c); });
  for (std::size_t i = 1; good && i < name.size(); ++i) {
    good = !(separator(name[i]) && separator(name[i - 1]));
  }
  if (good) return Ok();
  return BadName("db", name, "^[a-z][a-z0-9_-]{2,49}$ without '_' or '-' doubled or at its end");
}

Status CheckBranchName(std::string_view name) {
  auto allowed = [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '_' || c == '/' || c == '-';
  };
  if (AllOf(name, 100, allowed)) return Ok();
  return BadName("branch", name, "^[A-Za-z0-9_/-]{1,100}$");
}

Status CheckClassName(std::string_view name) {
  auto allowed = [](char c) { return IsLetter(c) || IsDigit(c) || c == '_' || c == '-'; };
  if (AllOf(name, 100, allowed) && IsLetter(name[0])) return Ok();
  return BadName("class", name, "^[A-Za-z][A-Za-z0-9_-]{0,99}$");
}

Status CheckInstanceId(std::string_view id) {
  auto allowed = [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '_' || c == ':' || c == '.' || c == '-';
  };
  if (AllOf(id, 255, allowed)) return Ok();
  return BadName("instance", id, "^[A-Za-z0-9_:.-]{1,255}$");
}

Status CheckPropertyName(std::string_view name) {
  auto allowed = [](char c) { return IsLetter(c) || IsDigit(c) || c == '_'; };
  if (AllOf(name, 100, allowed) && !IsDigit(name[0])) return Ok();
  return BadName("property", name, "^[A-Za-z_][A-Za-z0-9_]{0,99}$");
}

EventType EventType::Requested(AggregateType aggregate, Operation operation) {
  return TypeOf(EventKind::kCommand, aggregate, operation);
}
EventType EventType::Done(AggregateType aggregate, Operation operation) {
  return TypeOf(EventKind::kDomain, aggregate, operation);
}
EventType EventType::Rejected(AggregateType aggregate) { return RejectionOf(aggregate); }

std::optional<EventType> EventType::Parse(std::string_view name) {
  for (const NamedType& known : kEventTypes) {
    if (known.name == name) return known.type;
  }
  return std::nullopt;
}

std::string_view EventType::Name() const {
  for (const NamedType& known : kEventTypes) {
    if (known.type == *this) return known.name;
  }
  return "UNKNOWN";
}

std::string_view TopicOf(EventType type) {
  if (type.aggregate == AggregateType::kInstance) {
    return type.kind == EventKind::kCommand ? kInstanceCommandsTopic : kInstanceEventsTopic;
  }
  if (type.kind == EventKind::kDomain) return kOntologyEventsTopic;
  return type.aggregate == AggregateType::kDatabase ? kDatabaseCommandsTopic
                                                    : kOntologyCommandsTopic;
}

std::string_view HandlerOf(AggregateType type) {
  return type == AggregateType::kInstance ? kInstanceWorker : kOntologyWorker;
}

EventId CommandIdFromKey(std::string_view db, std::string_view key) {
  if (auto uuid = Uuid::Parse(key)) return EventId(*uuid);
  std::string name = "saffron:";
  name.append(db).append(":").append(key);
  return EventId(Uuid::FromName(Uuid::NamespaceUrl(), name));
}

EventId ItemCommandId(const EventId& request, std::uint32_t index) {
  return EventId(Uuid::FromName(request.uuid, std::to_string(index)));
}

EventId OutcomeId(const EventId& command, EventType type, const AggregateKey& aggregate) {
  std::string name = "spice:";
  name.append(command.ToString()).append(":").append(type.Name()).append(":").append(aggregate.id);
  return EventId(Uuid::FromName(Uuid::NamespaceUrl(), name));
}

}  // namespace saffron
