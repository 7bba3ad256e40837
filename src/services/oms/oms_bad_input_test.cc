// Everything a client can get wrong, and what it is told.
#include <gtest/gtest.h>

#include "services/oms/oms_http_test_home.h"

namespace saffron {
namespace {

constexpr char kCreate[] = "/api/v1/instances/logistics/async/Order/create";
constexpr char kUpdate[] = "/api/v1/instances/logistics/async/Order/A/update";

class OmsBadInputTest : public ::testing::Test {
 protected:
  OmsBadInputTest() {
    home_.KeepFollowing();
    home_.MakeOrders();
  }
  int Create(std::string_view body) { return home_.Post(kCreate, body).status; }

  OmsHttpHome home_;
};

TEST_F(OmsBadInputTest, RoutesMethodsAndContentTypes) {
  EXPECT_EQ(home_.Get("/api/v1/nothing").status, 404);
  EXPECT_EQ(home_.Get("/api/v2/database/list").status, 404);
  Reply method = home_.Do("PATCH", kCreate, "{}");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.headers.Find("Allow"), "POST");
  EXPECT_EQ(home_.Get("/api/v1/database/exists/%zz").status, 400);
  const std::string body = R"({"data":{"id":"A"}})";
  EXPECT_EQ(home_.Raw("POST", kCreate, body, {{"Content-Type", "text/plain"}}).status, 415);
  EXPECT_EQ(home_.Raw("POST", kCreate, body, {{"Content-Type", "application/json; charset=latin1"}})
                .status,
            415);
  EXPECT_EQ(
      home_.Raw("POST", kCreate, body, {{"Content-Type", "Application/JSON; charset=\"UTF-8\""}})
          .status,
      202);
}

TEST_F(OmsBadInputTest, BodiesThatAreNotCleanJson) {
  EXPECT_EQ(Create(R"({"data":{"id":"A"})"), 400);
  EXPECT_EQ(Create(R"([1])"), 400);
  EXPECT_EQ(Create("{\"data\":{\"id\":\"\xff\"}}"), 400);
  EXPECT_EQ(Create(R"({"data":{"id":"A","id":"B"}})"), 400);
  EXPECT_EQ(Create(R"({"data":{"id":"A"},"data":{}})"), 400);
  EXPECT_EQ(Create(R"({"data":{"id":"A","weight":1e999}})"), 400);
  EXPECT_EQ(Create(R"({"data":{"id":"A","name":"a\u0000b"}})"), 400);
  EXPECT_EQ(Create(R"({"data":{"id":"A","name":"\ud800"}})"), 400);
  std::string deep = R"({"data":{"id":)" + std::string(40, '[') + std::string(40, ']') + "}}";
  EXPECT_EQ(Create(deep), 400);
  EXPECT_EQ(Create(R"({"data":{"id":"A"}} x)"), 400);
  std::string large = R"({"data":{"id":"A","name":")" + std::string(2 << 20, 'x') + R"("}})";
  Reply refused = home_.Post(kCreate, large);
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(refused.Text("/message"), "request body too large: at most 1048576 bytes");
  std::string event = R"({"data":{"id":"A","name":")" + std::string(950 << 10, 'x') + R"("}})";
  EXPECT_EQ(Create(event), 413);
  EXPECT_EQ(home_.Get("/api/v1/instance/logistics/class/Order/count").Number("/count"), 0u);
}

TEST_F(OmsBadInputTest, FieldsThatAreNotKnownOrMissing) {
  Reply unknown = home_.Post(kCreate, R"({"data":{"id":"A"},"extra":1})");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_EQ(unknown.Text("/errors/0/pointer"), "/extra");
  EXPECT_EQ(Create(R"({})"), 400);
  EXPECT_EQ(Create(R"({"data":[]})"), 400);
  EXPECT_EQ(Create(R"({"data":{"id":"A"},"metadata":"x"})"), 400);
  EXPECT_EQ(home_.Post("/api/v1/database/create", R"({"name":7})").status, 400);
  EXPECT_EQ(home_.Post("/api/v1/database/create", R"({"name":"fine","description":[]})").status,
            400);
  EXPECT_EQ(home_.Post("/api/v1/query/logistics", R"({"filter":[]})").status, 400);
  EXPECT_EQ(home_
                .Post("/api/v1/query/logistics",
                      R"({"filters":[{"field":"weight","op":"like","value":1}]})")
                .status,
            400);
  EXPECT_EQ(home_.Post("/api/v1/query/logistics", R"({"cursor":"from another world"})").status,
            400);
  Reply limit = home_.Post("/api/v1/query/logistics", R"({"limit":0})");
  EXPECT_EQ(limit.status, 400);
  EXPECT_EQ(limit.Text("/errors/0/message"), "a whole number from 1 to 1000");
  Reply page = home_.Get("/api/v1/events?limit=0");
  EXPECT_EQ(page.status, 400);
  EXPECT_EQ(page.Text("/message"), "limit must be a whole number from 1 to 1000");
  Reply bulk = home_.Post("/api/v1/instances/logistics/async/Order/bulk-create",
                          R"({"instances":[{"id":"A"},5]})");
  EXPECT_EQ(bulk.status, 400);
  EXPECT_EQ(bulk.Text("/errors/0/pointer"), "/instances/1");
  EXPECT_EQ(home_.Post("/api/v1/graph-query/logistics", R"({"hops":[{}]})").status, 400);
}

TEST_F(OmsBadInputTest, DocumentsThatAreNotOfTheirClass) {
  auto code_of = [&](std::string_view body) {
    Reply reply = home_.Post(kCreate, body);
    EXPECT_EQ(reply.status, 422) << reply.body;
    return reply.Text("/errors/0/code") + " " + reply.Text("/errors/0/pointer");
  };
  EXPECT_EQ(code_of(R"({"data":{"id":"A","color":"red"}})"), "unknown_property /color");
  EXPECT_EQ(code_of(R"({"data":{"id":"A","weight":"heavy"}})"), "wrong_type /weight");
  EXPECT_EQ(code_of(R"({"data":{"name":"x"}})"), "missing_required /id");
  EXPECT_EQ(code_of(R"({"data":{"id":"a.b"}})"), "key_component ");
  EXPECT_EQ(code_of(R"({"data":{"id":"a b"}})"), "instance_id ");
  EXPECT_EQ(code_of(R"({"data":{"id":"../../etc"}})"), "key_component ");
  EXPECT_EQ(code_of(R"({"data":{"id":"é"}})"), "instance_id ");
  EXPECT_EQ(code_of(R"({"data":{"id":")" + std::string(256, 'a') + R"("}})"), "instance_id ");
  Reply dangling =
      home_.Post("/api/v1/database/logistics/ontology",
                 R"({"id":"Leg","properties":[{"name":"id","type":"string","primary_key":true}],)"
                 R"("relationships":[{"predicate":"of","target":"Truck"}]})");
  EXPECT_EQ(dangling.status, 422);
  EXPECT_EQ(dangling.Text("/errors/0/code"), "unknown_target");
  Reply lint =
      home_.Post("/api/v1/database/logistics/ontology/validate", R"({"id":"Leg","properties":[]})");
  EXPECT_EQ(lint.status, 200);
  EXPECT_EQ(lint.At("/data/valid"), "false");
}

TEST_F(OmsBadInputTest, ClassesAreOfTheirGrammarAndKnownToTheirInstances) {
  const std::string kClasses = "/api/v1/database/logistics/ontology";
  auto status_of = [&](std::string_view body) { return home_.Post(kClasses, body).status; };
  EXPECT_EQ(status_of(R"({"id":"1Leg","properties":[]})"), 400);
  EXPECT_EQ(status_of(R"({"id":"Leg","properties":[{"name":"a b","type":"string"}]})"), 422);
  EXPECT_EQ(status_of(R"({"id":"Leg","properties":[{"name":"id","type":"colour"}]})"), 422);
  EXPECT_EQ(status_of(R"({"id":"Leg","parent_class":"Nobody","properties":[]})"), 422);
  EXPECT_EQ(home_.Get(kClasses + "/Leg").status, 404);
  EXPECT_EQ(home_.Get("/api/v1/instance/logistics/class/Leg/instances").status, 404);
}

TEST_F(OmsBadInputTest, MinSeqNeedsTheClassEvenOfAnIdWithColons) {
  EXPECT_EQ(home_.Get("/api/v1/instance/logistics/instance/A?min_seq=1").status, 400);
  EXPECT_EQ(home_.Get("/api/v1/instance/logistics/instance/Order:A?min_seq=1").status, 400);
}

TEST_F(OmsBadInputTest, ABulkOfWhichNothingIsAcceptedHasFailed) {
  Reply bulk = home_.Post("/api/v1/instances/logistics/async/Order/bulk-create",
                          R"({"instances":[{"id":"A","bad":1},{"id":"a b"}]})");
  EXPECT_EQ(bulk.Text("/status"), "FAILED");
  EXPECT_EQ(bulk.Number("/result/refused"), 2u);
}

// Refused, and nothing of it is in the log: neither an event nor a gap in the numbers.
TEST_F(OmsBadInputTest, WhatIsRefusedLeavesNothingInTheLog) {
  const std::string before = home_.Get("/api/v1/events?limit=1000").body;
  Create("{");
  Create(R"({"data":{"id":"A","color":"red"}})");
  Create(R"({"data":{"id":"a b"}})");
  home_.Do("PUT", kUpdate + std::string("?expected_seq=7"), R"({"data":{"name":"x"}})");
  home_.Post("/api/v1/transactions?db=logistics",
             R"({"commands":[{"op":"create","class":"Order","id":"A","data":{"id":"A"}},)"
             R"({"op":"update","class":"Order","id":"B","expected_seq":1,"data":{}}]})");
  EXPECT_EQ(home_.Get("/api/v1/events?limit=1000").body, before);
  ASSERT_EQ(home_.Post(std::string(kCreate) + "?wait=10", R"({"data":{"id":"A"}})").status, 200);
  EXPECT_EQ(home_.Get("/api/v1/aggregates/Instance/logistics:main:Order:A")
                .Number("/data/sequence_number"),
            1u);
}

TEST_F(OmsBadInputTest, AKeyIsForOneRequestOnly) {
  const HttpHeaders key{{"Idempotency-Key", "once"}};
  Reply first = home_.Do("POST", kCreate, R"({"data":{"id":"K","weight":1}})", key);
  ASSERT_EQ(first.status, 202);
  Reply other = home_.Do("POST", kCreate, R"({"data":{"id":"K","weight":2}})", key);
  EXPECT_EQ(other.status, 422);
  EXPECT_EQ(other.Text("/detail/error"), "idempotency_key_reused");
  Reply again = home_.Do("POST", kCreate, R"({"data":{"id":"K","weight":1}})", key);
  EXPECT_EQ(again.Text("/command_id"), first.Text("/command_id"));
  EXPECT_EQ(home_.Do("POST", kCreate, R"({"data":{"id":"K"}})", {{"Idempotency-Key", ""}}).status,
            400);
}

// A stale number is told the current one; nothing changes.
TEST_F(OmsBadInputTest, AStaleNumberIsTold) {
  ASSERT_EQ(home_.Post(std::string(kCreate) + "?wait=10", R"({"data":{"id":"A"}})").status, 200);
  for (const char* number : {"0", "2", "9223372036854775807"}) {
    Reply stale = home_.Do("PUT", kUpdate + std::string("?expected_seq=") + number,
                           R"({"data":{"name":"x"}})");
    EXPECT_EQ(stale.status, 409) << number << stale.body;
    EXPECT_EQ(stale.Text("/detail/error"), "optimistic_concurrency_conflict");
    EXPECT_EQ(stale.At("/detail/expected_seq"), number);
    EXPECT_EQ(stale.Number("/detail/actual_seq"), 1u);
  }
}

// Above the head, where no follower looks and nothing is remembered: the bytes of slot 1.
TEST_F(OmsBadInputTest, ADamagedSlotIsNamedAndNotServed) {
  const SlotNumber place(1000);
  StoredObject other = home_.write_side.store.Get(SlotKey(0, SlotNumber(1))).value();
  ASSERT_TRUE(home_.write_side.store.PutIfAbsent(SlotKey(0, place), other.bytes).ok());
  Reply damaged = home_.Get("/api/v1/events?from=" + Position{0, place, 0}.ToString());
  EXPECT_EQ(damaged.status, 500) << damaged.body;
  EXPECT_EQ(damaged.Text("/detail/error"), "corrupt");
  EXPECT_EQ(damaged.Text("/message"),
            "stored data is damaged: " + SlotKey(0, place) + ": is another slot's object");
}

TEST_F(OmsBadInputTest, WhatIsStoredIsReadBackExactly) {
  for (const char* id : {"a:b", "A", "a", "_", "--", "0", "x:y:z"}) {
    std::string body = R"({"data":{"id":")" + std::string(id) +
                       R"(","name":"'; DROP TABLE <b>é\n\"","weight":19.9900}})";
    ASSERT_EQ(home_.Post(std::string(kCreate) + "?wait=10", body).status, 200) << id;
    Reply read = home_.Get("/api/v1/instance/logistics/instance/" + std::string(id));
    EXPECT_EQ(read.status, 200) << id;
    EXPECT_EQ(read.Text("/data/instance_id"), id);
    EXPECT_NE(read.body.find(R"("name":"'; DROP TABLE <b>é\n\"","weight":19.9900)"),
              std::string::npos)
        << read.body;
  }
}

TEST_F(OmsBadInputTest, NamesInPaths) {
  const std::string body = R"({"data":{"id":"A"}})";
  EXPECT_EQ(home_.Post("/api/v1/instances/Logistics/async/Order/create", body).status, 400);
  EXPECT_EQ(home_.Post("/api/v1/instances/logistics/async/1Order/create", body).status, 400);
  EXPECT_EQ(home_.Post("/api/v1/instances/nowhere/async/Order/create", body).status, 404);
  EXPECT_EQ(home_.Post("/api/v1/instances/logistics/async/Truck/create", body).status, 404);
  EXPECT_EQ(home_.Post(std::string(kCreate) + "?branch=next", body).status, 404);
  EXPECT_EQ(home_.Post(std::string(kCreate) + "?branch=n%20x", body).status, 400);
  EXPECT_EQ(home_.Get("/api/v1/instance/logistics/instance/a%2Fb").status, 400);
  EXPECT_EQ(home_.Get("/api/v1/database/logistics/ontology?branch=next").status, 404);
  EXPECT_EQ(home_.Post("/api/v1/database/create", R"({"name":"a__b"})").status, 400);
}

TEST_F(OmsBadInputTest, ExpectedNumbers) {
  const std::string body = R"({"data":{}})";
  for (const char* query : {"", "?expected_seq=", "?expected_seq=-1", "?expected_seq=1.0",
                            "?expected_seq=one", "?expected_seq=99999999999999999999",
                            "?expected_seq=18446744073709551615", "?expected_seq=+1"}) {
    EXPECT_EQ(home_.Do("PUT", kUpdate + std::string(query), body).status, 400) << query;
  }
  EXPECT_EQ(home_.Do("PUT", kUpdate + std::string("?expected_seq=0"), body).status, 404);
  Reply transaction =
      home_.Post("/api/v1/transactions?db=logistics",
                 R"({"commands":[{"op":"update","class":"Order","id":"A","data":{}}]})");
  EXPECT_EQ(transaction.status, 400);
  EXPECT_EQ(transaction.Text("/errors/0/pointer"), "/commands/0/expected_seq");
  EXPECT_EQ(home_.Post("/api/v1/transactions?db=logistics", R"({"commands":[]})").status, 400);
  EXPECT_EQ(home_.Post("/api/v1/transactions", R"({"commands":[]})").status, 400);
  EXPECT_EQ(home_.Post(std::string(kCreate) + "?wait=soon", R"({"data":{"id":"Z"}})").status, 400);
}

TEST(OmsPendingTest, AnUndecidedChangeIs503AndNamed) {
  OmsOptions options;
  options.request_timeout = milliseconds(200);
  OmsHttpHome home(options);
  Reply database = home.Post("/api/v1/database/create", R"({"name":"logistics"})");
  ASSERT_EQ(database.status, 202);
  Reply late = home.Post(kCreate, R"({"data":{"id":"A"}})");
  EXPECT_EQ(late.status, 503);
  EXPECT_TRUE(late.headers.Find("Retry-After").has_value());
  EXPECT_EQ(late.Text("/detail/error"), "ontology_change_pending");
  EXPECT_EQ(late.Text("/detail/command_id"), database.Text("/command_id"));
  EXPECT_EQ(late.At("/outcome"), "missing");
}

TEST(OmsRolesTest, TokensAndRoles) {
  OmsOptions options;
  options.auth.admin_token = "admin-secret";
  options.auth.write_token = "write-secret";
  options.auth.read_token = "read-secret";
  OmsHttpHome home(options);
  auto status = [&](std::string_view method, std::string_view path, HttpHeaders headers) {
    return home.Do(method, path, method == "POST" ? R"({"name":"logistics"})" : "", headers).status;
  };
  const std::string list = "/api/v1/database/list", create = "/api/v1/database/create";
  EXPECT_EQ(status("GET", list, {}), 401);
  EXPECT_EQ(status("GET", list, {{"Authorization", "Basic read-secret"}}), 401);
  EXPECT_EQ(status("GET", list, {{"Authorization", "Bearer read-secre"}}), 403);
  EXPECT_EQ(status("GET", list, {{"Authorization", "bearer read-secret"}}), 200);
  EXPECT_EQ(status("GET", list, {{"X-Admin-Token", "admin-secret"}}), 200);
  EXPECT_EQ(status("POST", create, {{"Authorization", "Bearer read-secret"}}), 403);
  EXPECT_EQ(status("POST", create, {{"Authorization", "Bearer write-secret"}}), 202);
  EXPECT_EQ(status("GET", "/api/v1/admin/status", {{"Authorization", "Bearer write-secret"}}), 403);
  EXPECT_EQ(status("GET", "/health/live", {}), 200);
}

TEST(OmsRolesTest, WhatMayStartWithoutAToken) {
  using Require = AuthOptions::Require;
  AuthOptions none;
  EXPECT_TRUE(CheckAuthOptions(none, true, true).ok());
  EXPECT_FALSE(CheckAuthOptions(none, false, true).ok());
  EXPECT_FALSE(CheckAuthOptions(none, true, false).ok());
  none.require = Require::kYes;
  EXPECT_FALSE(CheckAuthOptions(none, true, true).ok());
  none.require = Require::kNo;
  EXPECT_TRUE(CheckAuthOptions(none, false, false).ok());
  AuthOptions token;
  token.write_token = "x";
  EXPECT_TRUE(CheckAuthOptions(token, false, false).ok());
}

}  // namespace
}  // namespace saffron
