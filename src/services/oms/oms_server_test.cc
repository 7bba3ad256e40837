#include "services/oms/oms_server.h"

#include <gtest/gtest.h>

#include "services/oms/oms_http_test_home.h"
#include "services/oms/route_table.h"

namespace saffron {
namespace {

constexpr char kOrders[] = "/api/v1/instances/logistics/async/Order/";

// Answers what it was asked.
class EchoOperations final : public AdminOperations {
 public:
  Result<std::string> Status() override { return std::string(R"({"ok":true})"); }
  Result<std::string> ListDlq(const DlqFilter& filter) override {
    return R"({"limit":)" + std::to_string(filter.limit) + "}";
  }
  Result<std::string> ReplayDlq(std::string_view, const AggregateKey& key) override {
    return NotFound(key.ToString() + " is not parked");
  }
  Result<std::string> DiscardDlq(std::string_view handler, const AggregateKey&,
                                 std::string_view) override {
    return R"({"handler":")" + std::string(handler) + R"("})";
  }
  Result<std::string> Verify(std::string_view options) override { return std::string(options); }
  std::string VerifyProgressNow() override { return R"({"running":false})"; }
  Result<std::string> Rebuild(std::string_view target) override {
    if (target != "graph") return Invalid("the target must be graph or search");
    return std::string("{}");
  }
};

class OmsServerTest : public ::testing::Test {
 protected:
  OmsServerTest() : home_(OmsOptions(), &admin_) {}

  EchoOperations admin_;
  OmsHttpHome home_;
};

TEST_F(OmsServerTest, WritesAnswerInTheShapesOfTheContract) {
  home_.KeepFollowing();
  Reply database = home_.Post("/api/v1/database/create", R"({"name":"logistics"})");
  EXPECT_EQ(database.status, 202);
  EXPECT_EQ(database.Text("/status"), "accepted");
  EXPECT_EQ(database.Text("/data/database_name"), "logistics");
  EXPECT_EQ(database.Text("/data/status"), "processing");
  EXPECT_EQ(database.Text("/data/mode"), "event_sourcing");
  EXPECT_EQ(database.Number("/data/sequence_number"), 1u);
  Reply of_class = home_.Post("/api/v1/database/logistics/ontology?wait=10", kOrderClass);
  EXPECT_EQ(of_class.status, 200) << of_class.body;
  EXPECT_EQ(of_class.Text("/data/ontology_id"), "Order");
  EXPECT_EQ(of_class.Text("/data/branch"), "main");
  Reply instance = home_.Post(std::string(kOrders) + "create", R"({"data":{"id":"A-1"}})");
  EXPECT_EQ(instance.status, 202);
  EXPECT_EQ(instance.Text("/status"), "PENDING");
  EXPECT_EQ(instance.Text("/result/instance_id"), "A-1");
  EXPECT_EQ(instance.Text("/result/class_id"), "Order");
  EXPECT_EQ(instance.Text("/result/db_name"), "logistics");
  EXPECT_EQ(instance.At("/completed_at"), "null");
  EXPECT_TRUE(Position::Parse(instance.Text("/position")).has_value());
  Reply updated = home_.Do("PUT", std::string(kOrders) + "A-1/update?expected_seq=1&wait=10",
                           R"({"data":{"name":"n"}})");
  EXPECT_EQ(updated.status, 200) << updated.body;
  EXPECT_EQ(updated.Text("/status"), "COMPLETED");
  EXPECT_EQ(updated.Number("/sequence_number"), 2u);
  Reply conflict = home_.Do("DELETE", std::string(kOrders) + "A-1/delete?expected_seq=1");
  EXPECT_EQ(conflict.status, 409);
  EXPECT_EQ(conflict.body,
            R"({"detail":{"error":"optimistic_concurrency_conflict",)"
            R"("aggregate_id":"logistics:main:Order:A-1","expected_seq":1,"actual_seq":2}})");
  Reply in_use = home_.Do("DELETE", "/api/v1/database/logistics/ontology/Order?expected_seq=1");
  EXPECT_EQ(in_use.status, 409);
  EXPECT_EQ(in_use.Text("/detail/error"), "class_in_use");
  EXPECT_EQ(in_use.Number("/detail/count"), 1u);
}

TEST_F(OmsServerTest, BulksAndTransactionsListTheirItems) {
  home_.KeepFollowing();
  home_.MakeOrders();
  Reply bulk = home_.Post(std::string(kOrders) + "bulk-create?wait=10",
                          R"({"instances":[{"id":"A"},{"id":"A"},{"bad":1},{"id":"B"}]})");
  EXPECT_EQ(bulk.status, 200) << bulk.body;
  EXPECT_EQ(bulk.Number("/result/accepted"), 2u);
  EXPECT_EQ(bulk.Text("/result/items/0/instance_id"), "A");
  EXPECT_EQ(bulk.Number("/result/items/0/sequence_number"), 1u);
  EXPECT_EQ(bulk.Text("/result/items/1/error/error"), "optimistic_concurrency_conflict");
  EXPECT_EQ(bulk.Text("/result/items/2/error/errors/0/pointer"), "/bad");
  Reply refused = home_.Post("/api/v1/transactions?db=logistics",
                             R"({"commands":[{"op":"create","class":"Order","data":{"id":"C"}},)"
                             R"({"op":"update","class":"Order","id":"A","data":{},)"
                             R"("expected_seq":9}]})");
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.Number("/detail/index"), 1u);
  EXPECT_EQ(refused.Number("/detail/actual_seq"), 1u);
  Reply invalid = home_.Post("/api/v1/transactions?db=logistics",
                             R"({"commands":[{"op":"create","class":"Order","data":{"x":1}}]})");
  EXPECT_EQ(invalid.status, 422);
  EXPECT_EQ(invalid.Text("/errors/0/pointer"), "/commands/0/data/x");
  Reply done = home_.Post("/api/v1/transactions?db=logistics&wait=10",
                          R"({"commands":[{"op":"create","class":"Order","data":{"id":"C"}},)"
                          R"({"op":"delete","class":"Order","id":"A","expected_seq":1}],)"
                          R"("checks":[{"class":"Order","id":"B","expected_seq":1}]})");
  EXPECT_EQ(done.status, 200) << done.body;
  EXPECT_EQ(done.Text("/status"), "COMPLETED");
  EXPECT_EQ(done.Number("/result/items/1/sequence_number"), 2u);
}

TEST_F(OmsServerTest, AKeyMakesARetryTheSameRequest) {
  home_.KeepFollowing();
  home_.MakeOrders();
  const std::string path = std::string(kOrders) + "create";
  HttpHeaders key{{"Idempotency-Key", "order-77"}};
  Reply first = home_.Do("POST", path, R"({"data":{"id":"A"}})", key);
  Reply again = home_.Do("POST", path, R"({ "data" : {"id":"A"} })", key);
  EXPECT_EQ(first.status, 202);
  EXPECT_EQ(again.status, 202);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(first.Text("/command_id"), CommandIdFromKey("logistics", "order-77").ToString());
  Reply other = home_.Do("POST", path, R"({"data":{"id":"B"}})", key);
  EXPECT_EQ(other.status, 422);
  EXPECT_EQ(other.Text("/detail/error"), "idempotency_key_reused");
  EXPECT_EQ(home_.Do("POST", path, R"({"data":{"id":"A"},"command_id":"order-77"})", key).status,
            202);
  EXPECT_EQ(home_.Do("POST", path, R"({"data":{"id":"A"},"command_id":"else"})", key).status, 400);
  EXPECT_EQ(home_.Do("POST", path, R"({"data":{"id":"A"}})", {{"Idempotency-Key", ""}}).status,
            400);
}

TEST_F(OmsServerTest, ATransactionMayBeAsLargeAsABulk) {
  home_.KeepFollowing();
  home_.MakeOrders();
  std::string commands;
  for (const char* id : {"A", "B", "C"}) {
    commands.append(commands.empty() ? "" : ",")
        .append(R"({"op":"create","class":"Order","id":")")
        .append(id)
        .append(R"(","data":{"id":")")
        .append(id)
        .append(R"(","name":")" + std::string(500'000, 'x') + R"("}})");
  }
  Reply many =
      home_.Post("/api/v1/transactions?db=logistics&wait=10", R"({"commands":[)" + commands + "]}");
  EXPECT_EQ(many.status, 200) << many.body.substr(0, 300);
  Reply events = home_.Get(
      "/api/v1/aggregates/Instance/logistics:main:Order:A/events?limit=1"
      "&to_seq=1");
  EXPECT_EQ(events.At("/data/next_seq"), "null");
}

TEST_F(OmsServerTest, APageOfLargeEventsEndsAndNamesTheNext) {
  home_.KeepFollowing();
  home_.MakeOrders();
  const std::string large(900'000, 'x');
  std::uint64_t numbers = 1;
  ASSERT_EQ(home_.Post(std::string(kOrders) + "create?wait=10", R"({"data":{"id":"L"}})").status,
            200);
  for (; numbers < 12; ++numbers) {
    Reply update = home_.Do(
        "PUT", std::string(kOrders) + "L/update?wait=10&expected_seq=" + std::to_string(numbers),
        R"({"data":{"name":")" + large + R"("}})");
    ASSERT_EQ(update.status, 200) << update.body.substr(0, 300);
  }
  const auto page_from = [&](const std::string& path) {
    Reply page = home_.Get(path);
    EXPECT_EQ(page.status, 200);
    EXPECT_LT(page.body.size(), std::size_t{19} << 20);
    return page;
  };
  const std::string history = "/api/v1/aggregates/Instance/logistics:main:Order:L/events?from_seq=";
  Reply page = page_from(history + "1");
  const std::uint64_t next = page.Number("/data/next_seq");
  EXPECT_GT(next, 1u);
  EXPECT_EQ(page_from(history + std::to_string(next)).At("/data/next_seq"), "null");
  std::uint64_t seen = 0;
  std::string from = "0-1-0";
  for (std::uint64_t count = 1; count > 0; seen += count) {
    page = page_from("/api/v1/events?limit=1000&from=" + from);
    from = page.Text("/data/next");
    count = page.Number("/data/count");
  }
  EXPECT_GE(seen, 2 * numbers);
}

// RFC 9110: fields of one name are one list.
TEST_F(OmsServerTest, AWaitMayStandInAnyPreferHeader) {
  home_.KeepFollowing();
  home_.MakeOrders();
  EXPECT_EQ(home_
                .Do("POST", std::string(kOrders) + "create", R"({"data":{"id":"P"}})",
                    {{"Prefer", "return=minimal"}, {"Prefer", "wait=10"}})
                .status,
            200);
}

TEST_F(OmsServerTest, ReadsSeeWhatWasWritten) {
  home_.KeepFollowing();
  home_.MakeOrders();
  Reply written = home_.Post(std::string(kOrders) + "create",
                             R"({"data":{"id":"A","name":"blue box","weight":3}})");
  const std::string wait = "&wait=10&min_position=" + written.Text("/position");
  Reply one = home_.Get("/api/v1/instance/logistics/instance/A?class=Order&min_seq=1&wait=10");
  EXPECT_EQ(one.status, 200) << one.body;
  EXPECT_EQ(one.Text("/data/document/name"), "blue box");
  EXPECT_EQ(one.Number("/data/sequence_number"), 1u);
  EXPECT_EQ(home_.Get("/api/v1/instance/logistics/class/Order/count?x=" + wait).Number("/count"),
            1u);
  Reply list = home_.Get("/api/v1/instance/logistics/class/Order/instances?limit=10" + wait);
  EXPECT_EQ(list.Text("/data/instances/0/instance_id"), "A");
  Reply found =
      home_.Post("/api/v1/query/logistics?x=" + wait,
                 R"({"class":"Order","filters":[{"field":"weight","op":"gte","value":3}],)"
                 R"("text":"blue","sort":"-weight"})");
  EXPECT_EQ(found.status, 200) << found.body;
  EXPECT_EQ(found.Number("/data/count"), 1u);
  Reply graph = home_.Post("/api/v1/graph-query/logistics?x=" + wait,
                           R"({"start_class":"Order","include_paths":true})");
  EXPECT_EQ(graph.status, 200) << graph.body;
  EXPECT_EQ(graph.Text("/nodes/0/id"), "Order/A");
  EXPECT_EQ(home_.Get("/api/v1/instance/logistics/instance/B").status, 404);
  EXPECT_EQ(home_.Get("/api/v1/instance/nowhere/instance/B").status, 404);
  EXPECT_EQ(home_.Get("/api/v1/instance/logistics/class/Truck/count").status, 404);
}

TEST_F(OmsServerTest, AReadThatMustSeeMoreThanThereIsEndsWith503) {
  home_.KeepFollowing();
  home_.MakeOrders();
  Reply late = home_.Get("/api/v1/database/exists/logistics?min_seq=9&wait=0");
  EXPECT_EQ(late.status, 503);
  EXPECT_TRUE(late.headers.Find("Retry-After").has_value());
  EXPECT_EQ(home_.Get("/api/v1/database/exists/logistics?min_position=0-99999-0&wait=0").status,
            503);
  EXPECT_EQ(home_.Get("/api/v1/database/list?min_seq=1").status, 400);
}

TEST_F(OmsServerTest, AParkedCommandIsPassedOverAndNamed) {
  ASSERT_EQ(home_.Post("/api/v1/database/create", R"({"name":"logistics"})").status, 202);
  home_.write_side.DecideAll();
  Reply parked = home_.Post("/api/v1/database/logistics/ontology", kOrderClass);
  ASSERT_EQ(parked.status, 202);
  const AggregateKey key = AggregateKey::OntologyClass("logistics", "main", "Order");
  ClaimRegistry& claims = home_.write_side.registry;
  ASSERT_TRUE(claims
                  .Transact(ClaimRead(),
                            [&](const ClaimRows&) {
                              ClaimWrite write;
                              write.put_parked.push_back({{std::string(kOntologyWorker), key},
                                                          SequenceNumber(1),
                                                          EventId(),
                                                          "poison",
                                                          1});
                              return write;
                            })
                  .ok());
  Reply status = home_.Get("/api/v1/commands/" + parked.Text("/command_id") + "/status");
  EXPECT_EQ(status.Text("/status"), "RETRYING");
  EXPECT_EQ(status.At("/parked"), "true");
  // The sinks follow, the command stays undecided.
  LogContext& context = *home_.write_side.context;
  GraphCommit all;
  all.epoch = 1;
  all.position.slot = context.committed.highest();
  ASSERT_TRUE(home_.graph.Commit(all).ok());
  Reply read = home_.Get("/api/v1/database/exists/logistics?wait=10&min_position=" +
                         parked.Text("/position"));
  EXPECT_EQ(read.status, 200) << read.body;
  EXPECT_EQ(read.Text("/warnings/0"), "parked: OntologyClass logistics:main:Order at 1");
}

TEST_F(OmsServerTest, AnIdInSeveralClassesNeedsTheClass) {
  home_.KeepFollowing();
  home_.MakeOrders();
  std::string truck = R"({"id":"Truck","properties":[{"name":"id","type":"string",)"
                      R"("primary_key":true}]})";
  ASSERT_EQ(home_.Post("/api/v1/database/logistics/ontology?wait=10", truck).status, 200);
  home_.Post(std::string(kOrders) + "create?wait=10", R"({"data":{"id":"X"}})");
  home_.Post("/api/v1/instances/logistics/async/Truck/create?wait=10", R"({"data":{"id":"X"}})");
  Reply refused = home_.Get("/api/v1/instance/logistics/instance/X");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.At("/detail"), R"({"error":"class_required","classes":["Order","Truck"]})");
  EXPECT_EQ(home_.Get("/api/v1/instance/logistics/instance/X?class=Truck").Text("/data/class_id"),
            "Truck");
}

TEST_F(OmsServerTest, ACommandsStatusGoesFromPendingToItsEnd) {
  ASSERT_EQ(home_.Post("/api/v1/database/create", R"({"name":"logistics"})").status, 202);
  home_.write_side.DecideAll();
  Reply written = home_.Post("/api/v1/database/logistics/ontology", kOrderClass);
  const std::string path = "/api/v1/commands/" + written.Text("/command_id") + "/status";
  EXPECT_EQ(home_.Get(path).Text("/status"), "PENDING");
  home_.write_side.DecideAll();
  EXPECT_EQ(home_.Get(path).Text("/status"), "PROCESSING");
  home_.KeepFollowing();
  Reply done = home_.Get(path + "?wait=10");
  EXPECT_EQ(done.Text("/status"), "COMPLETED");
  EXPECT_NE(done.At("/completed_at"), "null");
  EXPECT_EQ(home_
                .Get("/api/v1/instances/logistics/async/command/" + written.Text("/command_id") +
                     "/status")
                .status,
            200);
  EXPECT_EQ(home_
                .Get("/api/v1/instances/elsewhere/async/command/" + written.Text("/command_id") +
                     "/status")
                .status,
            404);
  EXPECT_EQ(
      home_.Get("/api/v1/commands/" + home_.write_side.runtime.NewUuid().ToString() + "/status")
          .status,
      404);
  EXPECT_EQ(home_.Get("/api/v1/commands/seven/status").status, 400);
}

TEST_F(OmsServerTest, ARejectionIsAFailedCommandWithItsReason) {
  home_.KeepFollowing();
  home_.MakeOrders();
  // The patch is valid and fits an event; the outcome, which holds the whole document, does not.
  std::string pair = R"({"id":"Pair","properties":[{"name":"id","type":"string",)"
                     R"("primary_key":true},{"name":"o","type":"object"}]})";
  ASSERT_EQ(home_.Post("/api/v1/database/logistics/ontology?wait=10", pair).status, 200);
  const std::string pairs = "/api/v1/instances/logistics/async/Pair/";
  home_.Post(pairs + "create?wait=10", R"({"data":{"id":"P","o":{"k":1}}})");
  std::string deep = R"({"data":{"o":{"k":")" + std::string(912'000, 'x') + R"("}}})";
  Reply failed = home_.Do("PUT", pairs + "P/update?expected_seq=1&wait=20", deep);
  EXPECT_EQ(failed.status, 200) << failed.body.substr(0, 500);
  EXPECT_EQ(failed.Text("/status"), "FAILED");
  EXPECT_EQ(failed.Text("/result/reason"), "too_large");
  EXPECT_EQ(failed.Number("/sequence_number"), 2u);
}

TEST_F(OmsServerTest, HistoriesComeFromTheLog) {
  home_.KeepFollowing();
  home_.MakeOrders();
  home_.Post(std::string(kOrders) + "create?wait=10", R"({"data":{"id":"a:b","weight":1.50}})");
  Reply state = home_.Get("/api/v1/aggregates/Instance/logistics:main:Order:a:b");
  EXPECT_EQ(state.status, 200) << state.body;
  EXPECT_EQ(state.Number("/data/sequence_number"), 1u);
  EXPECT_EQ(state.Text("/data/last_command/status"), "COMPLETED");
  EXPECT_NE(state.body.find("1.50"), std::string::npos);
  Reply events = home_.Get("/api/v1/aggregates/Instance/logistics:main:Order:a:b/events");
  EXPECT_EQ(events.Text("/data/events/0/event/event_type"), "CREATE_INSTANCE_REQUESTED");
  EXPECT_EQ(events.Text("/data/events/1/event/event_type"), "INSTANCE_CREATED");
  Reply page = home_.Get("/api/v1/events?limit=2");
  EXPECT_EQ(page.Number("/data/count"), 2u);
  Reply next = home_.Get("/api/v1/events?limit=1000&from=" + page.Text("/data/next"));
  EXPECT_EQ(next.Number("/data/count"), 4u);
  Reply commits = home_.Get("/api/v1/version/logistics/history");
  EXPECT_EQ(commits.status, 200);
  EXPECT_EQ(commits.Text("/data/commits/0/message"), "INSTANCE_CREATED");
  EXPECT_EQ(home_.Get("/api/v1/aggregates/Instance/logistics:main:Order:zz").status, 404);
  EXPECT_EQ(home_.Get("/api/v1/aggregates/Thing/logistics").status, 400);
  EXPECT_EQ(home_.Get("/api/v1/aggregates/OntologyHead/logistics:main").status, 400);
  EXPECT_EQ(home_.Get("/api/v1/events?from=yesterday").status, 400);
  EXPECT_EQ(home_.Get("/api/v1/events?limit=0").status, 400);
}

TEST_F(OmsServerTest, EveryRouteOfTheTableIsServed) {
  home_.KeepFollowing();
  home_.MakeOrders();
  Reply made = home_.Post(std::string(kOrders) + "create?wait=10", R"({"data":{"id":"A"}})");
  const std::string id = made.Text("/command_id");
  home_.Post(std::string(kOrders) + "bulk-create?wait=10", R"({"instances":[{"id":"B"}]})");
  home_.Post("/api/v1/transactions?db=logistics&wait=10",
             R"({"commands":[{"op":"delete","class":"Order","id":"B","expected_seq":1}]})");
  home_.Do("PUT", std::string(kOrders) + "A/update?expected_seq=1&wait=10", R"({"data":{}})");
  for (const char* path : {"/api/v1/database/list",
                           "/api/v1/database/exists/logistics",
                           "/api/v1/database/logistics/ontology",
                           "/api/v1/database/logistics/ontology/Order",
                           "/api/v1/branch/logistics/list",
                           "/api/v1/version/logistics/history",
                           "/api/v1/instance/logistics/class/Order/instances",
                           "/api/v1/instance/logistics/class/Order/count",
                           "/api/v1/instance/logistics/instance/A",
                           "/api/v1/aggregates/Database/logistics",
                           "/api/v1/aggregates/Database/logistics/events",
                           "/api/v1/events",
                           "/api/v1/admin/status",
                           "/api/v1/admin/dlq?limit=3",
                           "/api/v1/admin/verify",
                           "/health",
                           "/health/live",
                           "/health/ready",
                           "/metrics",
                           "/openapi.json",
                           "/"}) {
    EXPECT_EQ(home_.Get(path).status, 200) << path;
  }
  home_.Get("/api/v1/commands/" + id + "/status");
  home_.Get("/api/v1/instances/logistics/async/command/" + id + "/status");
  home_.Post("/api/v1/database/logistics/ontology/validate", kOrderClass);
  home_.Post("/api/v1/query/logistics", "{}");
  home_.Post("/api/v1/graph-query/logistics", R"({"start_class":"Order"})");
  home_.Post("/api/v1/admin/verify", "{}");
  home_.Post("/api/v1/admin/rebuild", R"({"target":"graph"})");
  home_.Post("/api/v1/admin/dlq", R"({"action":"discard","aggregate_type":"Database",)"
                                  R"("aggregate_id":"logistics"})");
  home_.Do("DELETE", std::string(kOrders) + "A/delete?expected_seq=2&wait=10");
  std::string wider(kOrderClass);
  wider.replace(wider.find(R"({"name":"name")"), 0, R"({"name":"color","type":"string"},)");
  home_.Do("PUT", "/api/v1/database/logistics/ontology/Order?expected_seq=1&wait=10", wider);
  home_.Do("DELETE", "/api/v1/database/logistics/ontology/Order?expected_seq=2&wait=10");
  home_.Do("DELETE", "/api/v1/database/logistics?expected_seq=1&wait=10");
  for (const RouteSpec& route : RouteTable()) {
    if (route.operation == "streamEvents") continue;  // event_stream_test.cc
    EXPECT_TRUE(home_.served().contains(std::string(route.operation))) << route.operation;
  }
}

TEST_F(OmsServerTest, TheDocumentNamesExactlyTheRoutes) {
  Reply document = home_.Get("/openapi.json");
  EXPECT_EQ(document.Text("/openapi"), "3.1.0");
  std::size_t operations = 0;
  for (std::size_t at = document.body.find("\"operationId\""); at != std::string::npos;
       at = document.body.find("\"operationId\"", at + 1)) {
    ++operations;
  }
  EXPECT_EQ(operations, RouteTable().size());
  std::set<std::string_view> names;
  for (const RouteSpec& route : RouteTable()) {
    EXPECT_TRUE(names.insert(route.operation).second) << route.operation;
    std::string path(route.path), method(route.method);
    for (char& c : method) c = static_cast<char>(c + 32);
    std::string pointer = "/paths/";
    for (char c : path) pointer += c == '/' ? "~1" : std::string(1, c);
    EXPECT_EQ(document.Text(pointer + "/" + method + "/operationId"), route.operation);
    for (std::string_view schema : {route.request, route.response}) {
      if (schema.empty()) continue;
      EXPECT_NE(document.At("/components/schemas/" + std::string(schema)), "missing") << schema;
    }
  }
}

TEST_F(OmsServerTest, HealthNamesWhatFails) {
  EXPECT_EQ(home_.Get("/health").status, 200);
  home_.healthy = false;
  Reply failing;
  for (int i = 0; i < 1000 && failing.status != 503; ++i) {
    home_.write_side.runtime.SleepFor(milliseconds(5));
    failing = home_.Get("/health/ready");
  }
  EXPECT_EQ(failing.status, 503);
  EXPECT_EQ(failing.Text("/components/store/status"), "UNAVAILABLE");
  EXPECT_EQ(failing.body.find("secret"), std::string::npos);
  EXPECT_EQ(home_.Get("/health/live").status, 200);
  EXPECT_NE(home_.Get("/metrics").body.find("saffron_oms_requests_total"), std::string::npos);
}

TEST_F(OmsServerTest, AdminCallsReachTheOperations) {
  EXPECT_EQ(home_.Get("/api/v1/admin/dlq?limit=7").At("/limit"), "7");
  Reply unknown =
      home_.Post("/api/v1/admin/dlq", R"({"action":"replay","aggregate_type":"Instance",)"
                                      R"("aggregate_id":"logistics:main:Order:A"})");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(home_.Post("/api/v1/admin/rebuild", R"({"target":"moon"})").status, 400);
  EXPECT_EQ(home_.Post("/api/v1/admin/rebuild", R"({"target":"graph","x":1})").status, 400);
  EXPECT_EQ(home_
                .Post("/api/v1/admin/dlq", R"({"action":"shred","aggregate_type":"Database",)"
                                           R"("aggregate_id":"logistics"})")
                .status,
            400);
}

}  // namespace
}  // namespace saffron
