// The names of the domain: aggregates, event types, topics, handlers, and the grammar of ids.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"

namespace saffron {

// kOntologyHead is hidden: one row for each (db, branch), advanced by every class command. It has
// no events of its own.
enum class AggregateType : std::uint8_t {
  kDatabase = 1,
  kOntologyClass = 2,
  kInstance = 3,
  kOntologyHead = 4,
};
std::string_view AggregateTypeName(AggregateType type);  // "Database", "OntologyClass", "Instance"
std::optional<AggregateType> ParseAggregateType(std::string_view name);

// One consistency unit. The ids: "{db}", "{db}:{branch}:{class}",
// "{db}:{branch}:{class}:{instance}"; only an instance may contain ':', and it stands last, so ids
// never collide.
struct AggregateKey {
  AggregateType type = AggregateType::kDatabase;
  std::string id;

  static AggregateKey Database(std::string_view db);
  static AggregateKey OntologyClass(std::string_view db, std::string_view branch,
                                    std::string_view class_id);
  static AggregateKey Instance(std::string_view db, std::string_view branch,
                               std::string_view class_id, std::string_view instance);
  static AggregateKey OntologyHead(std::string_view db, std::string_view branch);

  std::string ToString() const;  // "Instance logistics:main:Order:ORD-1"
  friend auto operator<=>(const AggregateKey&, const AggregateKey&) = default;
};

// The parts of an id. Views into the key they were taken from.
struct AggregateParts {
  std::string_view db, branch, class_id, instance;
};
// kInvalid when the id has not the shape of its type.
Result<AggregateParts> SplitAggregateId(const AggregateKey& key);

// Grammar of API.md; the error names the field and the pattern.
Status CheckDatabaseName(std::string_view name);
Status CheckBranchName(std::string_view name);
Status CheckClassName(std::string_view name);
Status CheckInstanceId(std::string_view id);
Status CheckPropertyName(std::string_view name);  // ^[A-Za-z_][A-Za-z0-9_]{0,99}$

enum class Operation : std::uint8_t { kCreate = 1, kUpdate = 2, kDelete = 3 };
enum class EventKind : std::uint8_t { kCommand = 1, kDomain = 2 };

// What happened, or what was asked for. Text: "CREATE_INSTANCE_REQUESTED", "INSTANCE_CREATED",
// "INSTANCE_REJECTED". There is no database update.
struct EventType {
  EventKind kind = EventKind::kCommand;
  AggregateType aggregate = AggregateType::kDatabase;
  Operation operation = Operation::kCreate;  // of a rejection: kCreate, and not looked at
  bool rejected = false;                     // only of kDomain

  static EventType Requested(AggregateType aggregate, Operation operation);
  static EventType Done(AggregateType aggregate, Operation operation);
  static EventType Rejected(AggregateType aggregate);
  static std::optional<EventType> Parse(std::string_view name);
  std::string ToString() const { return std::string(Name()); }
  std::string_view Name() const;  // static storage
  friend bool operator==(const EventType&, const EventType&) = default;
};

// Topics and handlers.
inline constexpr std::string_view kDatabaseCommandsTopic = "database_commands";
inline constexpr std::string_view kOntologyCommandsTopic = "ontology_commands";
inline constexpr std::string_view kInstanceCommandsTopic = "instance_commands";
inline constexpr std::string_view kOntologyEventsTopic = "ontology_events";
inline constexpr std::string_view kInstanceEventsTopic = "instance_events";
inline constexpr std::string_view kCommandFailuresTopic = "command_failures_dlq";
inline constexpr std::string_view kProjectionFailuresTopic = "projection_failures_dlq";
std::string_view TopicOf(EventType type);  // outcomes of databases go to ontology_events

inline constexpr std::string_view kOntologyWorker = "ontology_worker";
inline constexpr std::string_view kInstanceWorker = "instance_worker";
std::string_view HandlerOf(AggregateType type);  // who decides commands on it

// The id of a command from a client's key: the key itself if it is a UUID, else
// uuid5(NAMESPACE_URL, "saffron:{db}:{key}").
EventId CommandIdFromKey(std::string_view db, std::string_view key);
// Item i of a bulk or a transaction: uuid5(request id, decimal i).
EventId ItemCommandId(const EventId& request, std::uint32_t index);
// uuid5(NAMESPACE_URL, "spice:{command_id}:{EVENT_TYPE}:{aggregate_id}").
EventId OutcomeId(const EventId& command, EventType type, const AggregateKey& aggregate);

}  // namespace saffron

template <>
struct std::hash<saffron::AggregateKey> {
  std::size_t operator()(const saffron::AggregateKey& key) const noexcept {
    return std::hash<std::string>()(key.id) ^ (static_cast<std::size_t>(key.type) << 56);
  }
};
