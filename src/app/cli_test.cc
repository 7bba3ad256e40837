#include "app/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <sstream>

#include "app/commands/print_json.h"
#include "app/commands/remote.h"
#include "app/exit_code.h"
#include "net/http_server.h"

namespace saffron {
namespace {

using ::testing::HasSubstr;

struct Outcome {
  int code = 0;
  std::string out, err;
};

std::string served_from;

Outcome Invoke(std::vector<std::string> arguments, Environment environment = {}) {
  std::ostringstream out, err;
  CliFunctions functions{.serve = [](const Config& config) {
    served_from = config.data_dir;
    return static_cast<int>(kExitOk);
  }};
  Outcome outcome;
  outcome.code = RunCli(std::move(arguments), std::move(environment), functions, {out, err});
  outcome.out = out.str();
  outcome.err = err.str();
  return outcome;
}

TEST(Cli, HelpHasExamplesAndExitCodes) {
  for (const char* command :
       {"serve", "load", "query", "status", "verify", "rebuild", "config", "dlq", "oms"}) {
    Outcome help = Invoke({command, "--help"});
    EXPECT_EQ(help.code, kExitOk) << command;
    EXPECT_THAT(help.out, HasSubstr("Examples:\n  ")) << command;
    EXPECT_THAT(help.out, HasSubstr("Exit codes: 0 ok; 1 failed")) << command;
  }
  EXPECT_THAT(Invoke({"--help"}).out, HasSubstr("projection-worker"));
}

TEST(Cli, MistakesAreUsage) {
  EXPECT_EQ(Invoke({}).code, kExitUsage);
  EXPECT_EQ(Invoke({"sevre"}).code, kExitUsage);
  EXPECT_EQ(Invoke({"load", "--db", "x1y"}).code, kExitUsage);
  EXPECT_EQ(Invoke({"rebuild", "everything"}).code, kExitUsage);
  EXPECT_EQ(Invoke({"dlq", "replay", "Thing", "x"}).code, kExitUsage);
  EXPECT_EQ(Invoke({"query", "shop", "A", "--where", "nonsense"}).code, kExitUsage);
  EXPECT_EQ(Invoke({"load", "--db", "shop", "--data", "."}).code, kExitUsage);
}

TEST(Cli, Version) {
  EXPECT_EQ(Invoke({"version"}).out.substr(0, 8), "saffron ");
  EXPECT_THAT(Invoke({"version", "--json"}).out, HasSubstr("{\"name\":\"saffron\""));
}

TEST(Cli, ServeTakesOptionsBeforeTheEnvironment) {
  EXPECT_EQ(Invoke({"serve", "--data-dir", "/here"}, {{"SAFFRON_DATA_DIR", "/there"}}).code,
            kExitOk);
  EXPECT_EQ(served_from, "/here");
}

TEST(Cli, ServeRefusesABadConfigurationWithoutStarting) {
  served_from.clear();
  Outcome outcome = Invoke({"serve", "--listen", "nowhere"});
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_THAT(outcome.err, HasSubstr("SAFFRON_LISTEN=nowhere is not allowed: host:port"));
  outcome = Invoke({"serve"}, {{"POSTGRES_URL", "postgres://h/d"}});
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_THAT(outcome.err, HasSubstr("POSTGRES_URL is set, but this version"));
  EXPECT_EQ(served_from, "");
}

TEST(Cli, SingleServicesSayWhatToSet) {
  Outcome outcome = Invoke({"publisher"});
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_THAT(outcome.err, HasSubstr("set MINIO_ENDPOINT_URL, POSTGRES_URL"));
  outcome = Invoke({"oms"}, {{"MINIO_ENDPOINT_URL", "http://h:1"},
                             {"POSTGRES_URL", "postgres://h/d"},
                             {"KAFKA_BOOTSTRAP_SERVERS", "h:1"},
                             {"TERMINUS_SERVER_URL", "http://h:1"},
                             {"ELASTICSEARCH_URL", "http://h:1"}});
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_THAT(outcome.err, HasSubstr("this version has only the embedded engines"));
}

TEST(Cli, ConfigShowsOriginAndDefault) {
  Outcome outcome = Invoke({"config"}, {{"EVENT_PUBLISHER_BATCH_SIZE", "7"}});
  EXPECT_THAT(outcome.out,
              HasSubstr("EVENT_PUBLISHER_BATCH_SIZE = 7   (environment; default 200)"));
  EXPECT_EQ(Invoke({"config"}, {{"EVENT_PUBLISHER_BATCH_SIZE", "x"}}).code, kExitUsage);
  EXPECT_EQ(Invoke({"config", "--markdown"}).out, ConfigAsMarkdown());
}

// A server that answers everything with one response, and remembers what it was asked.
class OneAnswer {
 public:
  OneAnswer(int status, std::string body) {
    response_.status = status;
    response_.body = std::move(body);
    auto server = HttpServer::Open({}, [this](HttpRequest&& request, Responder responder) {
      std::lock_guard<std::mutex> held(mutex_);
      asked_ = request.method + " " + request.target + " " + request.body;
      authorization_ = std::string(request.headers.Find("Authorization").value_or(""));
      responder.Send(response_);
    });
    EXPECT_TRUE(server.ok());
    server_ = std::move(*server);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
  std::string asked() {
    std::lock_guard<std::mutex> held(mutex_);
    return asked_;
  }
  std::string authorization() {
    std::lock_guard<std::mutex> held(mutex_);
    return authorization_;
  }

 private:
  std::mutex mutex_;
  HttpResponse response_;
  std::string asked_, authorization_;
  std::unique_ptr<HttpServer> server_;
};

TEST(Cli, CommandsAskTheServer) {
  OneAnswer server(200, R"({"log":{"slots":3},"lags":[]})");
  Outcome outcome = Invoke({"status", "--server", server.url()}, {{"OMS_ADMIN_TOKEN", "t"}});
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_EQ(outcome.out, "log:\n  slots: 3\nlags: none\n");
  EXPECT_EQ(server.authorization(), "Bearer t");
  EXPECT_EQ(server.asked(), "GET /api/v1/admin/status ");
  Invoke({"dlq", "discard", "Instance", "a:main:B:c", "--reason", "no", "--server", server.url()});
  EXPECT_EQ(server.asked(),
            R"(POST /api/v1/admin/dlq {"action":"discard","aggregate_type":"Instance",)"
            R"("aggregate_id":"a:main:B:c","reason":"no"})");
  Invoke({"dlq", "show", "Instance", "a:main:B:c", "--server", server.url()});
  EXPECT_EQ(server.asked(),
            "GET /api/v1/admin/dlq?aggregate_type=Instance&aggregate_id=a%3Amain%3AB%3Ac ");
  Invoke({"rebuild", "graph", "--server", server.url()});
  EXPECT_EQ(server.asked(), R"(POST /api/v1/admin/rebuild {"target":"graph"})");
}

TEST(Cli, QueriesBecomeBodies) {
  OneAnswer server(200, R"({"data":{"instances":[{"id":1},{"id":2}],"next_cursor":"c"}})");
  Outcome outcome =
      Invoke({"query", "shop", "Order", "--where", "total >= 3", "--where", "state=PAID", "--text",
              "red", "--sort", "-total", "--limit", "5", "--server", server.url()});
  EXPECT_EQ(outcome.out, "{\"id\":1}\n{\"id\":2}\n");
  EXPECT_THAT(outcome.err, HasSubstr("2 shown; more: --cursor 'c'"));
  EXPECT_EQ(server.asked(),
            R"(POST /api/v1/query/shop {"class":"Order","filters":[)"
            R"({"field":"total","op":"gte","value":3},{"field":"state","op":"eq","value":"PAID"}],)"
            R"("text":"red","sort":"-total","limit":5})");
  Invoke({"query", "shop", "A", "--hop", "to:B", "--hop", "at:C", "--server", server.url()});
  EXPECT_EQ(server.asked(),
            R"(POST /api/v1/graph-query/shop {"start_class":"A","hops":[)"
            R"({"predicate":"to","target_class":"B"},{"predicate":"at","target_class":"C"}],)"
            R"("limit":20,"include_documents":true})");
  Invoke({"query", "shop", "A", "--id", "x:y", "--server", server.url()});
  EXPECT_EQ(server.asked(), "GET /api/v1/instance/shop/instance/x%3Ay?class=A ");
}

TEST(Cli, ExitCodesTellWhoRefused) {
  EXPECT_EQ(Invoke({"status", "--server", "http://127.0.0.1:1"}).code, kExitUnreachable);
  OneAnswer weak(403, R"({"status":"error","message":"admin only"})");
  Outcome outcome = Invoke({"status", "--server", weak.url()});
  EXPECT_EQ(outcome.code, kExitRefused);
  EXPECT_EQ(outcome.err, "saffron: 403 Forbidden: admin only\n");
  OneAnswer busy(503, "{}");
  EXPECT_EQ(Invoke({"status", "--server", busy.url()}).code, kExitUnreachable);
  OneAnswer differs(200, R"({"clean":false,"first_difference":"graph: Order/1"})");
  EXPECT_EQ(Invoke({"verify", "--server", differs.url()}).code, kExitFailed);
  OneAnswer clean(200, R"({"clean":true})");
  EXPECT_EQ(Invoke({"verify", "--server", clean.url()}).code, kExitOk);
}

TEST(Cli, Filters) {
  EXPECT_EQ(*FilterJson("name prefix Ab"), R"({"field":"name","op":"prefix","value":"Ab"})");
  EXPECT_EQ(*FilterJson("a != \"3\""), R"({"field":"a","op":"ne","value":"3"})");
  EXPECT_EQ(*FilterJson("a<=2.50"), R"({"field":"a","op":"lte","value":2.50})");
  EXPECT_TRUE(FilterJson("= 3").Is(Code::kInvalid));
}

TEST(Cli, AnswersAsText) {
  EXPECT_EQ(JsonAsText(R"({"a":[{"b":1,"c":"x"},{"b":2}],"d":{},"e":["f"]})"),
            "a:\n  - b: 1\n    c: x\n  - b: 2\nd: none\ne:\n  - f\n");
  EXPECT_EQ(JsonAsText("not json"), "not json");
}

}  // namespace
}  // namespace saffron
