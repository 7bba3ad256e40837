#include "app/loader/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <sstream>

#include "app/exit_code.h"
#include "app/json_view.h"
#include "app/loader/fake_server_test_support.h"
#include "base/thread_runtime.h"

namespace saffron {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kMapping = R"({"classes":[
  {"class":"Order","file":"orders.csv","key":["order_id"],
   "columns":{"order_id":"string","total":"number",
              "client_id":{"relationship":"placed_by","target":"Client"}}},
  {"class":"Client","file":"clients.csv","key":["client_id"],
   "columns":{"client_id":"string","since":"date"}}]})";

std::string Orders(int count) {
  std::string text = "order_id,client_id,total\n";
  for (int i = 0; i < count; ++i) {
    text += "O-" + std::to_string(i) + ",C-" + std::to_string(i % 3) + "," + std::to_string(i) +
            ".50\n";
  }
  return text;
}

class LoadTest : public ::testing::Test {
 protected:
  LoadTest() {
    options_.api.server_url = server_.url();
    options_.db = "shop";
    options_.plan.mapping_file = folder_.Write("mapping.json", kMapping);
    options_.plan.data_dir = folder_.path();
    options_.give_up = seconds(30);
    options_.json = true;
    folder_.Write("clients.csv", "client_id,since\nC-0,2020-01-01\nC-1,2021-02-03\nC-2,\n");
    folder_.Write("orders.csv", Orders(2000));
  }

  int Run() {
    out_.str("");
    err_.str("");
    return RunLoad(runtime_, options_, Console{out_, err_});
  }
  std::uint64_t Number(std::string_view name) const {
    std::string text = out_.str();
    return JsonView::Of(text)[name].Unsigned().value_or(999'999);
  }

  ThreadRuntime runtime_;
  FakeServer server_;
  TemporaryFolder folder_;
  LoadOptions options_;
  std::ostringstream out_, err_;
};

TEST_F(LoadTest, EveryRowBecomesAnInstance) {
  options_.wait = true;
  ASSERT_EQ(Run(), kExitOk) << err_.str();
  EXPECT_EQ(server_.instances(), 2003u);
  EXPECT_EQ(server_.Document("shop:main:Order:O-7"),
            R"({"order_id":"O-7","total":7.50,"placed_by":"Client/C-1"})");
  EXPECT_EQ(server_.Document("shop:main:Client:C-2"), R"({"client_id":"C-2"})");
  EXPECT_THAT(server_.classes_in_order(), ElementsAre("Client", "Order"));
  EXPECT_EQ(Number("rows"), 2003u);
  EXPECT_EQ(Number("accepted"), 2003u);
  EXPECT_EQ(Number("completed"), 2003u);
  EXPECT_EQ(Number("rejected"), 0u);
}

TEST_F(LoadTest, TheSameAgainAppendsNothing) {
  ASSERT_EQ(Run(), kExitOk);
  options_.jobs = 1;
  ASSERT_EQ(Run(), kExitOk) << err_.str();
  EXPECT_EQ(server_.appended(), 2003u);
  EXPECT_EQ(Number("duplicates"), 2003u);
  EXPECT_EQ(Number("accepted"), 0u);
}

TEST_F(LoadTest, NewRowsAreAddedAndAChangedRowIsAConflict) {
  ASSERT_EQ(Run(), kExitOk);
  std::string orders = Orders(2010);
  orders.replace(orders.find("\nO-5,C-2,5.50\n"), 14, "\nO-5,C-2,9.99\n");
  folder_.Write("orders.csv", orders);
  options_.report_file = folder_.path() + "/report.csv";
  EXPECT_EQ(Run(), kExitRefused);
  EXPECT_EQ(Number("accepted"), 10u);
  EXPECT_EQ(Number("duplicates"), 2002u);
  EXPECT_EQ(Number("rejected"), 1u);
  EXPECT_EQ(folder_.Read("report.csv"),
            "file,line,instance_id,reason\n"
            "orders.csv,7,O-5,present with other content (optimistic_concurrency_conflict)\n");
  EXPECT_THAT(server_.Document("shop:main:Order:O-5"), HasSubstr("5.50"));
}

// What another batching had created was left out of what --wait counts.
TEST_F(LoadTest, ARowThatAnotherBatchCreatedIsAwaitedToo) {
  ASSERT_EQ(Run(), kExitOk);
  folder_.Write("orders.csv", Orders(1990));
  options_.wait = true;
  ASSERT_EQ(Run(), kExitOk) << err_.str();
  EXPECT_EQ(Number("duplicates"), 1993u);
  EXPECT_EQ(Number("completed"), 1993u);
}

TEST_F(LoadTest, AServerThatIsAwayIsNamedAtOnceAndAtTheEnd) {
  options_.api.server_url = "http://127.0.0.1:1";
  options_.give_up = milliseconds(100);
  EXPECT_EQ(Run(), kExitUnreachable);
  EXPECT_THAT(err_.str(), HasSubstr("No answer from http://127.0.0.1:1"));
  EXPECT_THAT(err_.str(), HasSubstr("load: http://127.0.0.1:1 did not answer for"));
}

TEST_F(LoadTest, AServerThatFailsAndComesBackLosesAndDoublesNothing) {
  // The lock of the server guards the counts.
  int before = 0;
  int after = 0;
  server_.FailBefore([&](const HttpRequest&) -> std::optional<HttpResponse> {
    if (++before % 3 != 0) return std::nullopt;
    return ErrorResponse(before % 2 == 0 ? 503 : 429, "busy");
  });
  server_.FailAfter([&](const HttpRequest& request) -> std::optional<HttpResponse> {
    if (request.path.find("bulk") == std::string::npos || ++after % 2 != 0) return std::nullopt;
    return ErrorResponse(503, "the answer was lost");
  });
  ASSERT_EQ(Run(), kExitOk) << err_.str();
  EXPECT_EQ(server_.instances(), 2003u);
  EXPECT_EQ(server_.appended(), 2003u);
  EXPECT_EQ(Number("accepted"), 2003u);
  EXPECT_GT(Number("retries"), 0u);
}

TEST_F(LoadTest, AServerThatStaysAwayEndsTheLoadAndTheNextOneGoesOn) {
  bool away = false;
  int bulks = 0;
  server_.FailAfter([&](const HttpRequest& request) -> std::optional<HttpResponse> {
    if (request.path.find("bulk") != std::string::npos && ++bulks == 3) away = true;
    return std::nullopt;
  });
  server_.FailBefore([&](const HttpRequest&) -> std::optional<HttpResponse> {
    if (!away) return std::nullopt;
    return ErrorResponse(503, "stopping");
  });
  options_.give_up = milliseconds(200);
  EXPECT_EQ(Run(), kExitUnreachable);
  EXPECT_THAT(err_.str(), HasSubstr("Run the same command again to go on."));
  std::size_t first = server_.appended();
  EXPECT_GT(first, 0u);
  EXPECT_LT(first, 2003u);
  server_.FailBefore(nullptr);
  ASSERT_EQ(Run(), kExitOk) << err_.str();
  EXPECT_EQ(server_.appended(), 2003u);
  EXPECT_EQ(Number("accepted") + Number("duplicates"), 2003u);
}

TEST_F(LoadTest, ADroppedDatabaseIsLoadedAnew) {
  ASSERT_EQ(Run(), kExitOk);
  server_.DropDatabase();
  ASSERT_EQ(Run(), kExitOk) << err_.str();
  EXPECT_EQ(server_.instances(), 2003u);
  EXPECT_EQ(Number("accepted"), 2003u);
}

TEST_F(LoadTest, NothingIsSentWhenARowIsInvalid) {
  folder_.Write("clients.csv",
                "client_id,since\nC-0,yesterday\n,2020-01-01\nC-1,2020-01-01,x\n"
                "C-2,2020-01-01\nC-2,2020-01-02\n");
  options_.report_file = folder_.path() + "/report.csv";
  EXPECT_EQ(Run(), kExitRefused);
  EXPECT_EQ(server_.instances(), 0u);
  EXPECT_TRUE(server_.classes_in_order().empty());
  EXPECT_THAT(err_.str(), HasSubstr("clients.csv:2: /since:"));
  EXPECT_THAT(err_.str(), HasSubstr("clients.csv:3: /client_id: client_id is required"));
  EXPECT_THAT(err_.str(), HasSubstr("clients.csv:4: 3 fields, the header has 2"));
  EXPECT_THAT(err_.str(), HasSubstr("clients.csv:6: the same id as clients.csv:5"));
  EXPECT_EQ(Number("rejected"), 4u);
  EXPECT_THAT(folder_.Read("report.csv"), HasSubstr("clients.csv,6,C-2,"));

  options_.skip_rejected = true;
  EXPECT_EQ(Run(), kExitRefused);
  EXPECT_EQ(server_.instances(), 2001u);
  EXPECT_EQ(Number("accepted"), 2001u);
}

TEST_F(LoadTest, ADryRunSendsNothing) {
  options_.dry_run = true;
  options_.api.server_url = "http://127.0.0.1:1";
  EXPECT_EQ(Run(), kExitOk) << err_.str();
  EXPECT_EQ(Number("rows"), 2003u);
}

TEST_F(LoadTest, AClassThatDiffersIsRefused) {
  ASSERT_EQ(Run(), kExitOk);
  std::string mapping = kMapping;
  mapping.replace(mapping.find("\"since\":\"date\""), 14, "\"since\":\"string\"");
  folder_.Write("mapping.json", mapping);
  EXPECT_EQ(Run(), kExitRefused);
  EXPECT_THAT(err_.str(), HasSubstr("class Client of database shop is not the one to load"));
  EXPECT_EQ(server_.appended(), 2003u);
}

TEST_F(LoadTest, ClassesThatPointAtEachOtherAreMadeInTwoSteps) {
  options_.plan.mapping_file.clear();
  options_.plan.ontology_file = folder_.Write("ontology.json", R"({"classes":[
    {"id":"Egg","properties":[{"name":"id","type":"string","primary_key":true}],
     "relationships":[{"predicate":"laid_by","target":"Hen"}]},
    {"id":"Hen","properties":[{"name":"id","type":"string","primary_key":true}],
     "relationships":[{"predicate":"hatched_from","target":"Egg"},
                      {"predicate":"likes","target":"Hen","cardinality":"n:m"}]}]})");
  folder_.Write("Hen.csv", "id,hatched_from,likes\nH1,E1,H1;H2\nH2,Egg/E2,\n");
  folder_.Write("Egg.jsonl", "{\"id\":\"E1\",\"laid_by\":\"Hen/H2\"}\n\n{ \"id\" : \"E2\" }\n");
  ASSERT_EQ(Run(), kExitOk) << err_.str();
  EXPECT_THAT(server_.classes_in_order(), ElementsAre("Hen", "Egg", "Hen"));
  EXPECT_EQ(server_.Document("shop:main:Hen:H1"),
            R"({"id":"H1","hatched_from":"Egg/E1","likes":["Hen/H1","Hen/H2"]})");
  EXPECT_EQ(server_.Document("shop:main:Hen:H2"), R"({"id":"H2","hatched_from":"Egg/E2"})");
  EXPECT_EQ(server_.Document("shop:main:Egg:E2"), R"({"id":"E2"})");
  EXPECT_THAT(err_.str(), HasSubstr("note: orders.csv belongs to no class"));
  ASSERT_EQ(Run(), kExitOk) << err_.str();
  EXPECT_EQ(Number("duplicates"), 4u);
}

TEST_F(LoadTest, ARefusalOfTheServerIsSaid) {
  server_.FailBefore([](const HttpRequest& request) -> std::optional<HttpResponse> {
    if (request.path.find("bulk") == std::string::npos) return std::nullopt;
    return ErrorResponse(403, "the token is too weak");
  });
  EXPECT_EQ(Run(), kExitRefused);
  EXPECT_THAT(err_.str(), HasSubstr("403 Forbidden: the token is too weak"));
}

TEST_F(LoadTest, ACommandThatFailsIsReportedWithItsRow) {
  options_.wait = true;
  std::atomic<int> asked{0};
  server_.FailBefore([&](const HttpRequest& request) -> std::optional<HttpResponse> {
    if (!request.path.ends_with("/status")) return std::nullopt;
    // The first three are database and classes.
    if (++asked != 10) return std::nullopt;
    HttpResponse response;
    response.body = R"({"status":"FAILED","error":"already_exists"})";
    return response;
  });
  EXPECT_EQ(Run(), kExitRefused);
  EXPECT_EQ(Number("completed"), 2002u);
  EXPECT_EQ(Number("rejected"), 1u);
  EXPECT_THAT(err_.str(), HasSubstr("FAILED: already_exists"));
}

}  // namespace
}  // namespace saffron
