#include "app/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <sstream>

#include "app/commands/print_json.h"
#include "app/commands/remote.h"
#include "app/commands/verify_text.h"
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
std::string served;

// What the engines' side was asked for, and what it answers.
struct LocalSide {
  std::optional<Error> refusal;
  std::string url;  // of the server that is opened
  std::optional<LocalWork> work;
  std::string data_dir;
};
LocalSide local_side;

class FakeLocalServer final : public LocalServer {
 public:
  std::string url() const override { return local_side.url; }
  std::string token() const override { return "of-this-run"; }
};

Result<std::unique_ptr<LocalServer>> OpenFakeLocal(const Config& config, LocalWork work) {
  local_side.work = work;
  local_side.data_dir = config.data_dir;
  if (local_side.refusal) return *local_side.refusal;
  return std::unique_ptr<LocalServer>(new FakeLocalServer());
}

Result<RegistryRebuilt> RebuildFakeRegistry(const Config& config,
                                            const std::function<void(std::uint64_t)>& at_slot) {
  local_side.data_dir = config.data_dir;
  if (local_side.refusal) return *local_side.refusal;
  at_slot(7);
  return RegistryRebuilt{7, milliseconds(1500)};
}

Outcome Invoke(std::vector<std::string> arguments, Environment environment = {}) {
  std::ostringstream out, err;
  CliFunctions functions{.serve =
                             [](const Config& config, Service service) {
                               served_from = config.data_dir;
                               served = ServiceName(service);
                               return static_cast<int>(kExitOk);
                             },
                         .open_local = OpenFakeLocal,
                         .rebuild_registry = RebuildFakeRegistry};
  Outcome outcome;
  outcome.code = RunCli(std::move(arguments), std::move(environment), functions, {out, err});
  outcome.out = out.str();
  outcome.err = err.str();
  return outcome;
}

TEST(Cli, HelpHasExamplesAndExitCodes) {
  for (const char* command :
       {"serve", "load", "query", "status", "verify", "rebuild", "config", "dlq", "oms", "check"}) {
    Outcome help = Invoke({command, "--help"});
    EXPECT_EQ(help.code, kExitOk) << command;
    EXPECT_THAT(help.out, HasSubstr("Examples:\n  ")) << command;
    EXPECT_THAT(help.out, HasSubstr("Exit codes:\n  0  ok\n  1  failed")) << command;
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
  EXPECT_EQ(Invoke({"check", "--timeout", "0"}).code, kExitUsage);
  EXPECT_EQ(Invoke({"check"}, {{"POSTGRES_URL", "nowhere"}}).code, kExitUsage);
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
  EXPECT_THAT(outcome.err, HasSubstr("an engine is a server, and no token is set"));
  EXPECT_EQ(served_from, "");
}

const Environment kServers = {{"MINIO_ENDPOINT_URL", "http://h:1"},
                              {"MINIO_ACCESS_KEY", "a"},
                              {"MINIO_SECRET_KEY", "b"},
                              {"POSTGRES_URL", "postgres://h/d"},
                              {"KAFKA_BOOTSTRAP_SERVERS", "h:1"},
                              {"TERMINUS_SERVER_URL", "http://h:1"},
                              {"TERMINUS_KEY", "k"},
                              {"ELASTICSEARCH_URL", "http://h:1"},
                              {"SAFFRON_LISTEN", "127.0.0.1:8002"}};

TEST(Cli, SingleServicesSayWhatToSet) {
  for (const Service service : kSingleServices) {
    served.clear();
    Outcome outcome = Invoke({std::string(ServiceName(service))});
    EXPECT_EQ(outcome.code, kExitUsage);
    EXPECT_THAT(outcome.err, HasSubstr("set MINIO_ENDPOINT_URL, POSTGRES_URL"));
    EXPECT_EQ(served, "");
  }
}

TEST(Cli, SingleServicesRunOverServers) {
  for (const Service service : kSingleServices) {
    Environment environment = kServers;
    if (service == Service::kOms) environment["OMS_REQUIRE_AUTH"] = "false";
    EXPECT_EQ(Invoke({std::string(ServiceName(service))}, environment).code, kExitOk);
    EXPECT_EQ(served, ServiceName(service));
  }
  EXPECT_THAT(Invoke({"oms"}, kServers).err, HasSubstr("no token is set"));
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
  EXPECT_EQ(Invoke({"query", "shop", "A", "--paths", "--server", server.url()}).code, kExitUsage);
  Invoke({"query", "shop", "A", "--id", "x:y", "--server", server.url()});
  EXPECT_EQ(server.asked(), "GET /api/v1/instance/shop/instance/x%3Ay?class=A ");
}

TEST(Cli, PathsAreOneALine) {
  OneAnswer server(200, R"({"nodes":[],"paths":[["A/1","B/2"],["A/1","B/3"]],"count":1,)"
                        R"("page":{"more":true}})");
  Outcome outcome =
      Invoke({"query", "shop", "A", "--hop", "to:B", "--paths", "--server", server.url()});
  EXPECT_EQ(outcome.out, "A/1 -> B/2\nA/1 -> B/3\n");
  EXPECT_EQ(outcome.err, "2 paths from 1 start nodes; there are more: raise --limit\n");
  EXPECT_THAT(server.asked(), HasSubstr(R"("include_documents":false,"include_paths":true})"));
}

TEST(Cli, ExitCodesTellWhoRefused) {
  EXPECT_EQ(Invoke({"status", "--server", "http://127.0.0.1:1"}).code, kExitUnreachable);
  OneAnswer weak(403, R"({"status":"error","message":"admin only"})");
  Outcome outcome = Invoke({"status", "--server", weak.url()});
  EXPECT_EQ(outcome.code, kExitRefused);
  EXPECT_THAT(outcome.err, HasSubstr("saffron: 403 Forbidden: admin only\nSet OMS_ADMIN_TOKEN"));
  OneAnswer busy(503, "{}");
  outcome = Invoke({"status", "--server", busy.url()});
  EXPECT_EQ(outcome.code, kExitUnreachable);
  EXPECT_THAT(outcome.err, HasSubstr("The log of the server says why."));
  OneAnswer differs(200, R"({"clean":false,"first_difference":"graph: Order/1"})");
  EXPECT_EQ(Invoke({"verify", "--server", differs.url()}).code, kExitFailed);
  OneAnswer clean(200, R"({"clean":true})");
  EXPECT_EQ(Invoke({"verify", "--server", clean.url()}).code, kExitOk);
}

class CliOnData : public ::testing::Test {
 protected:
  void SetUp() override { local_side = LocalSide(); }
  // Nobody listens on port 1.
  const Environment nobody_{{"SAFFRON_LISTEN", "127.0.0.1:1"}, {"SAFFRON_DATA_DIR", "/data"}};
};

TEST_F(CliOnData, WithoutAServerTheDirectoryIsWorkedOn) {
  OneAnswer server(200, R"({"clean":true,"log":{}})");
  local_side.url = server.url();
  Outcome outcome = Invoke({"verify"}, nobody_);
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_EQ(outcome.err,
            "no server answers at http://127.0.0.1:1; working on /data under its lock\n");
  EXPECT_EQ(server.authorization(), "Bearer of-this-run");
  EXPECT_EQ(local_side.data_dir, "/data");
  EXPECT_EQ(local_side.work, LocalWork::kRun);
  for (const std::vector<std::string>& looks :
       {std::vector<std::string>{"status"}, {"dlq", "list"}, {"query", "shop", "Order"}}) {
    EXPECT_EQ(Invoke(looks, nobody_).code, kExitOk) << looks[0];
    EXPECT_EQ(local_side.work, LocalWork::kLook) << looks[0];
  }
  Invoke({"dlq", "replay", "Instance", "a:main:B:c"}, nobody_);
  EXPECT_EQ(local_side.work, LocalWork::kRun);
}

TEST_F(CliOnData, AServerThatAnswersIsAskedWhateverItAnswers) {
  OneAnswer busy(503, "{}");
  const std::string listen = busy.url().substr(std::string("http://").size());
  EXPECT_EQ(Invoke({"status"}, {{"SAFFRON_LISTEN", listen}}).code, kExitUnreachable);
  EXPECT_EQ(Invoke({"rebuild", "registry"}, {{"SAFFRON_LISTEN", listen}}).code, kExitUnreachable);
  EXPECT_EQ(busy.asked(), R"(POST /api/v1/admin/rebuild {"target":"registry"})");
  EXPECT_EQ(local_side.data_dir, "");
}

TEST_F(CliOnData, AnOptionSaysWhomToAskAndNobodyElse) {
  EXPECT_EQ(Invoke({"status", "--server", "http://127.0.0.1:1"}, nobody_).code, kExitUnreachable);
  EXPECT_EQ(local_side.data_dir, "");
  OneAnswer server(200, "{}");
  OneAnswer local(200, "{}");
  local_side.url = local.url();
  const std::string listen = server.url().substr(std::string("http://").size());
  Outcome outcome = Invoke({"status", "--data-dir", "/here"}, {{"SAFFRON_LISTEN", listen}});
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(local_side.data_dir, "/here");
  EXPECT_EQ(server.asked(), "");
  EXPECT_EQ(Invoke({"status", "--data-dir", "/here", "--server", "http://h"}).code, kExitUsage);
}

TEST_F(CliOnData, NobodyToAskIsSaidWithWhatToDo) {
  local_side.refusal = NotFound("there is no log in /data");
  Outcome outcome = Invoke({"status"}, nobody_);
  EXPECT_EQ(outcome.code, kExitUnreachable);
  EXPECT_THAT(outcome.err, HasSubstr("no server answers at http://127.0.0.1:1, and there is no "
                                     "log in /data\nStart one with `saffron serve`"));
  local_side.refusal = Unavailable("/data is in use by process 12");
  outcome = Invoke({"verify", "--data-dir", "/data"});
  EXPECT_EQ(outcome.code, kExitUnreachable);
  EXPECT_THAT(outcome.err, HasSubstr("in use by process 12\nIf that process is a server, name"));
  outcome = Invoke({"rebuild", "registry", "--data-dir", "/data"});
  EXPECT_EQ(outcome.code, kExitUnreachable);
  EXPECT_THAT(outcome.err, HasSubstr("with the server stopped: end it."));
  local_side.refusal = Corrupt("damaged");
  EXPECT_EQ(Invoke({"status"}, nobody_).code, kExitFailed);
}

TEST_F(CliOnData, TheRegistryIsRebuiltUnderTheLock) {
  Outcome outcome = Invoke({"rebuild", "registry"}, nobody_);
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_EQ(outcome.out, "registry in /data rebuilt from 7 slots in 1.5 s\n");
  outcome = Invoke({"rebuild", "registry", "--json", "--data-dir", "/here"});
  EXPECT_EQ(outcome.out, "{\"target\":\"registry\",\"slots\":7,\"took_s\":1.500}\n");
  EXPECT_EQ(local_side.data_dir, "/here");
}

// Nobody can take servers from the processes that use them; the registry alone is made again there.
TEST_F(CliOnData, WhatIsOnServersIsReachedThroughAService) {
  Environment environment = kServers;
  environment["SAFFRON_LISTEN"] = nobody_.at("SAFFRON_LISTEN");
  Outcome outcome = Invoke({"verify"}, environment);
  EXPECT_EQ(outcome.code, kExitUnreachable);
  EXPECT_THAT(outcome.err, HasSubstr("this deployment's data is on servers"));
  EXPECT_EQ(local_side.data_dir, "");
  outcome = Invoke({"rebuild", "registry"}, environment);
  EXPECT_EQ(outcome.code, kExitOk);
  EXPECT_EQ(outcome.out, "registry in schema spice_event_registry rebuilt from 7 slots in 1.5 s\n");
}

// A loader that outlives its server must not take the directory from the next one.
TEST_F(CliOnData, ALoadWaitsForItsServer) {
  Outcome outcome =
      Invoke({"load", "--db", "shop", "--data", ".", "--ontology", "none.json"}, nobody_);
  EXPECT_EQ(outcome.code, kExitRefused);
  EXPECT_EQ(local_side.data_dir, "");
  Invoke({"load", "--db", "shop", "--data", ".", "--ontology", "none.json", "--data-dir", "/here"},
         nobody_);
  EXPECT_EQ(local_side.data_dir, "/here");
}

TEST_F(CliOnData, ABadConfigurationIsSaidBeforeTheDirectoryIsTouched) {
  EXPECT_EQ(Invoke({"status", "--data-dir", "/here"}, {{"SAFFRON_LOG_LEVEL", "loud"}}).code,
            kExitUsage);
  EXPECT_EQ(Invoke({"status", "--data-dir", "/here"}, {{"SAFFRON_KAFKA_ACKS", "1"}}).code,
            kExitUsage);
  EXPECT_EQ(local_side.data_dir, "");
}

TEST(Cli, VerifyIsPrintedForPeople) {
  const std::string text = VerifyAsText(
      R"({"clean":false,"from_slot":1,"head_slot":2000,"differences_total":1,"differences":[)"
      R"({"where":"graph: Order/1","what":"is missing","to_do":"saffron rebuild graph"}],)"
      R"("log":{"commands":12345},"compared":{"refused_documents":3},)"
      R"("classes":[{"name":"shop:main:Order","present":9,"digest":"0123456789abcdef01"}]})");
  EXPECT_THAT(text, HasSubstr("1 differences from the log:\n  graph: Order/1\n    is missing\n"
                              "    saffron rebuild graph\n"));
  EXPECT_THAT(text, HasSubstr("slots 1 to 2,000"));
  EXPECT_THAT(text, HasSubstr("12,345 commands"));
  EXPECT_THAT(text, HasSubstr("3 documents by a sink"));
  EXPECT_THAT(text, HasSubstr("0123456789abcdef\n"));
  EXPECT_THAT(VerifyAsText(R"({"clean":true,"log":{}})"), ::testing::StartsWith("Clean: "));
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
