#include "services/oms/route_table.h"

namespace saffron {
namespace {

constexpr ParameterSpec kBranch{"branch", "query", "string", false, "only main"};
constexpr ParameterSpec kExpected{"expected_seq", "query", "integer", true,
                                  "the number the aggregate must be at"};
constexpr ParameterSpec kForce{"force", "query", "boolean", false, "although it has instances"};
constexpr ParameterSpec kKey{"Idempotency-Key", "header", "string", false,
                             "a repetition with the same key gets the first answer"};
constexpr ParameterSpec kWait{"wait", "query", "integer", false, "seconds, at most 30"};
constexpr ParameterSpec kDb{"db", "query", "string", true, "the database"};
constexpr ParameterSpec kMinSeq{"min_seq", "query", "integer", false, "read at least this number"};
constexpr ParameterSpec kMinPosition{"min_position", "query", "string", false,
                                     "read at least up to this position"};
constexpr ParameterSpec kLimit{"limit", "query", "integer", false, "most in one answer"};
constexpr ParameterSpec kCursor{"cursor", "query", "string", false, "from the page before"};
constexpr ParameterSpec kFrom{"from", "query", "string", false, "a position"};

constexpr ParameterSpec kCreate[] = {kKey, kWait};
constexpr ParameterSpec kCreateBelow[] = {kBranch, kKey, kWait};
constexpr ParameterSpec kDeleteDatabase[] = {kExpected, kKey, kWait};
constexpr ParameterSpec kChange[] = {kBranch, kExpected, kKey, kWait};
constexpr ParameterSpec kDeleteClass[] = {kBranch, kExpected, kForce, kKey, kWait};
constexpr ParameterSpec kTransaction[] = {kDb, kBranch, kKey, kWait};
constexpr ParameterSpec kReadOne[] = {kMinSeq, kMinPosition, kWait};
constexpr ParameterSpec kReadBelow[] = {kBranch, kMinPosition, kWait};
constexpr ParameterSpec kReadClass[] = {kBranch, kMinSeq, kMinPosition, kWait};
constexpr ParameterSpec kReadInstance[] = {
    {"class", "query", "string", false, "when several classes have the id"},
    kBranch,
    kMinSeq,
    kMinPosition,
    kWait};
constexpr ParameterSpec kListing[] = {kBranch, kLimit, kCursor, kMinPosition, kWait};
constexpr ParameterSpec kStatus[] = {kWait};
constexpr ParameterSpec kAggregateEvents[] = {
    {"from_seq", "query", "integer", false, "first number"},
    {"to_seq", "query", "integer", false, "last number"},
    kLimit,
    kMinSeq,
    kWait};
constexpr ParameterSpec kEvents[] = {kFrom, kLimit};
constexpr ParameterSpec kStream[] = {
    kFrom,
    {"db", "query", "string", false, "only of this database"},
    {"topic", "query", "string", false, "only of this topic"},
    {"Last-Event-ID", "header", "string", false, "resume after this position"}};
constexpr ParameterSpec kHistory[] = {
    kLimit, {"before", "query", "string", false, "from the page before"}, kMinPosition, kWait};
constexpr ParameterSpec kDlq[] = {{"handler", "query", "string", false, "only of this handler"},
                                  {"aggregate_type", "query", "string", false, "of one aggregate"},
                                  {"aggregate_id", "query", "string", false, "of one aggregate"},
                                  kLimit};

constexpr Role kAnyone = Role::kAnyone, kReader = Role::kReader, kWriter = Role::kWriter,
               kAdmin = Role::kAdmin;

constexpr RouteSpec kRoutes[] = {
    {"POST", "/api/v1/database/create", "createDatabase", "writes", "Create a database", kWriter,
     kCreate, "CreateDatabase", 202, "DatabaseAccepted"},
    {"DELETE", "/api/v1/database/{db}", "deleteDatabase", "writes", "Delete a database", kWriter,
     kDeleteDatabase, "", 202, "DatabaseAccepted"},
    {"POST", "/api/v1/database/{db}/ontology", "createClass", "writes", "Create a class", kWriter,
     kCreateBelow, "ClassDefinition", 202, "ClassAccepted"},
    {"PUT", "/api/v1/database/{db}/ontology/{class}", "updateClass", "writes", "Change a class",
     kWriter, kChange, "ClassDefinition", 202, "ClassAccepted"},
    {"DELETE", "/api/v1/database/{db}/ontology/{class}", "deleteClass", "writes", "Delete a class",
     kWriter, kDeleteClass, "", 202, "ClassAccepted"},
    {"POST", "/api/v1/instances/{db}/async/{class}/create", "createInstance", "writes",
     "Create an instance", kWriter, kCreateBelow, "InstanceWrite", 202, "CommandResult"},
    {"PUT", "/api/v1/instances/{db}/async/{class}/{instance}/update", "updateInstance", "writes",
     "Change an instance by a merge patch", kWriter, kChange, "InstanceWrite", 202,
     "CommandResult"},
    {"DELETE", "/api/v1/instances/{db}/async/{class}/{instance}/delete", "deleteInstance", "writes",
     "Delete an instance", kWriter, kChange, "", 202, "CommandResult"},
    {"POST", "/api/v1/instances/{db}/async/{class}/bulk-create", "bulkCreateInstances", "writes",
     "Create many instances, each on its own", kWriter, kCreateBelow, "BulkCreate", 202,
     "BulkResult"},
    {"POST", "/api/v1/transactions", "appendTransaction", "writes",
     "Append commands, all or nothing", kWriter, kTransaction, "Transaction", 202, "BulkResult"},

    {"GET", "/api/v1/database/list", "listDatabases", "ontology", "All databases", kReader, kStatus,
     "", 200, "DatabaseList"},
    {"GET", "/api/v1/database/exists/{db}", "databaseExists", "ontology", "Is there a database",
     kReader, kReadOne, "", 200, "DatabaseExists"},
    {"GET", "/api/v1/database/{db}/ontology", "listClasses", "ontology", "All classes", kReader,
     kReadBelow, "", 200, "ClassList"},
    {"GET", "/api/v1/database/{db}/ontology/{class}", "getClass", "ontology", "One class", kReader,
     kReadClass, "", 200, "ClassAnswer"},
    {"POST", "/api/v1/database/{db}/ontology/validate", "validateClass", "ontology",
     "Lint a definition; writes nothing", kReader, kReadBelow, "ClassDefinition", 200,
     "LintReport"},
    {"GET", "/api/v1/branch/{db}/list", "listBranches", "ontology", "All branches", kReader,
     kReadOne, "", 200, "BranchList"},
    {"GET", "/api/v1/version/{db}/history", "versionHistory", "history",
     "Slots that touched the database, newest first", kReader, kHistory, "", 200, "History"},

    {"GET", "/api/v1/commands/{id}/status", "commandStatus", "commands", "How far a command is",
     kReader, kStatus, "", 200, "CommandResult"},
    {"GET", "/api/v1/instances/{db}/async/command/{id}/status", "instanceCommandStatus", "commands",
     "How far a command is", kReader, kStatus, "", 200, "CommandResult"},

    {"GET", "/api/v1/instance/{db}/class/{class}/instances", "listInstances", "instances",
     "Instances of a class, by page", kReader, kListing, "", 200, "InstancePage"},
    {"GET", "/api/v1/instance/{db}/class/{class}/count", "countInstances", "instances",
     "How many instances a class has", kReader, kReadBelow, "", 200, "Count"},
    {"GET", "/api/v1/instance/{db}/instance/{instance}", "getInstance", "instances", "One instance",
     kReader, kReadInstance, "", 200, "InstanceAnswer"},
    {"POST", "/api/v1/query/{db}", "searchInstances", "instances", "Search by fields and text",
     kReader, kReadBelow, "SearchRequest", 200, "SearchResult"},
    {"POST", "/api/v1/graph-query/{db}", "queryGraph", "instances", "Follow references", kReader,
     kReadBelow, "GraphRequest", 200, "GraphResult"},

    {"GET", "/api/v1/aggregates/{type}/{id}", "getAggregate", "history",
     "Number, state and last command", kReader, kReadOne, "", 200, "Aggregate"},
    {"GET", "/api/v1/aggregates/{type}/{id}/events", "aggregateEvents", "history",
     "The events of an aggregate", kReader, kAggregateEvents, "", 200, "AggregateEvents"},
    {"GET", "/api/v1/events", "listEvents", "history", "The log in order", kReader, kEvents, "",
     200, "EventPage"},
    {"GET", "/api/v1/events/stream", "streamEvents", "history", "The log as it grows", kReader,
     kStream, "", 200, ""},

    {"GET",
     "/api/v1/admin/status",
     "adminStatus",
     "admin",
     "The state of every part",
     kAdmin,
     {},
     "",
     200,
     "Object"},
    {"GET", "/api/v1/admin/dlq", "adminDlq", "admin", "Parked aggregates", kAdmin, kDlq, "", 200,
     "Object"},
    {"POST",
     "/api/v1/admin/dlq",
     "adminDlqAct",
     "admin",
     "Replay or discard a parked aggregate",
     kAdmin,
     {},
     "DlqAction",
     200,
     "Object"},
    {"POST",
     "/api/v1/admin/verify",
     "adminVerify",
     "admin",
     "Compare log, registry, bus, sinks and index",
     kAdmin,
     {},
     "VerifyRequest",
     200,
     "Object"},
    {"GET",
     "/api/v1/admin/verify",
     "adminVerifyProgress",
     "admin",
     "Where the verification that runs is",
     kAdmin,
     {},
     "",
     200,
     "VerifyProgress"},
    {"POST",
     "/api/v1/admin/rebuild",
     "adminRebuild",
     "admin",
     "Make a derived store again",
     kAdmin,
     {},
     "RebuildRequest",
     200,
     "Object"},

    {"GET",
     "/health",
     "health",
     "operations",
     "Healthy, or which component is not",
     kAnyone,
     {},
     "",
     200,
     "Health"},
    {"GET",
     "/health/live",
     "healthLive",
     "operations",
     "The process runs",
     kAnyone,
     {},
     "",
     200,
     "Health"},
    {"GET",
     "/health/ready",
     "healthReady",
     "operations",
     "It can serve",
     kAnyone,
     {},
     "",
     200,
     "Health"},
    {"GET", "/metrics", "metrics", "operations", "Prometheus text", kAnyone, {}, "", 200, ""},
    {"GET",
     "/openapi.json",
     "openapi",
     "operations",
     "This document",
     kAnyone,
     {},
     "",
     200,
     "Object"},
    {"GET", "/", "root", "operations", "Name, version and links", kAnyone, {}, "", 200, "Root"},
};

}  // namespace

std::span<const RouteSpec> RouteTable() { return kRoutes; }

}  // namespace saffron
