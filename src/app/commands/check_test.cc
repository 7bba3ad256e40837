#include "app/commands/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/commands/check_test_home.h"
#include "app/exit_code.h"

namespace saffron {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

HttpResponse Answer(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

// Breaks the answers of one path.
void Break(CheckedHome& home, std::string path, int status, std::string body = "{}") {
  home.instead = [path = std::move(path), status, body = std::move(body)](
                     const HttpRequest& request) -> std::optional<HttpResponse> {
    if (!request.path.starts_with(path)) return std::nullopt;
    return Answer(status, body);
  };
}

TEST(Check, TicksAllOfADeploymentOnServers) {
  CheckedHome home;
  home.options.processes = {home.url()};
  const CheckOutcome outcome = home.Run();
  EXPECT_EQ(outcome.code, kExitOk) << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr("\"failed\":0,\"not_applicable\":0,"));
  EXPECT_FALSE(home.HasProbe());
}

TEST(Check, TextHasTicksAndTotals) {
  CheckedHome home;
  const CheckOutcome outcome = home.Run(OutputFormat::kText);
  EXPECT_THAT(outcome.out, HasSubstr("✓ The server is healthy\n    GET http://127.0.0.1:"));
  EXPECT_THAT(outcome.out, HasSubstr("26 passed, 0 failed, 0 not applicable\n"));
}

TEST(Check, NothingOfAnEmbeddedEngineIsTickedThatTheApiDoesNotShow) {
  CheckedHome home(CheckedHome::Kind::kEmbedded);
  const CheckOutcome outcome = home.Run();
  EXPECT_EQ(outcome.code, kExitOk) << outcome.out;
  for (const char* id :
       {"registry_schema", "store_conformance", "clock_object_store", "clock_registry",
        "by_date_entry", "consumer_done", "one_deployment", "tls_object_store", "tls_registry",
        "tls_bus", "tls_graph", "tls_search"}) {
    EXPECT_EQ(outcome.VerdictOf(id), "not_applicable") << id;
  }
  for (const char* id : {"object_store", "registry", "bus", "graph", "search", "slot_in_store",
                         "publisher_advances", "probe_completed", "probe_deleted"}) {
    EXPECT_EQ(outcome.VerdictOf(id), "passed") << id;
  }
}

TEST(Check, WaitsForAnEventThatTheRegistryDoesNotKnowYet) {
  CheckedHome home(CheckedHome::Kind::kEmbedded);
  home.instead = [asked = 0](const HttpRequest& request) mutable -> std::optional<HttpResponse> {
    if (!request.path.ends_with("/events") || ++asked > 2) return std::nullopt;
    return Answer(200, R"({"data":{"events":[]}})");
  };
  const CheckOutcome outcome = home.Run();
  EXPECT_EQ(outcome.VerdictOf("slot_in_store"), "passed") << outcome.out;
}

struct Broken {
  const char* what;
  std::function<void(CheckedHome&)> by;
  std::vector<std::string> crosses;
};

// What is broken gets its cross, and nothing else does. The probe is deleted all the same.
TEST(Check, EveryItemHasItsCross) {
  const Error down = Unavailable("connection refused");
  const std::vector<Broken> all = {
      {"store", [&](CheckedHome& home) { home.refusals.emplace("store", down); }, {"object_store"}},
      {"registry", [&](auto& home) { home.refusals.emplace("registry", down); }, {"registry"}},
      {"bus", [&](auto& home) { home.refusals.emplace("bus", down); }, {"bus"}},
      {"topics", [](auto& home) { home.topics_are_missing = true; }, {"bus"}},
      {"graph",
       [](auto& home) { home.refusals.emplace("graph", NotFound("no graph")); },
       {"graph"}},
      {"search", [&](auto& home) { home.refusals.emplace("search", down); }, {"search"}},
      {"schema", [](auto& home) { home.schema_version = 2; }, {"registry_schema"}},
      {"no schema", [](auto& home) { home.schema_version = 0; }, {"registry_schema"}},
      {"conditions",
       [](auto& home) { home.store_ignores_conditions = true; },
       {"store_conformance"}},
      {"another log",
       [](auto& home) { home.log_of_api = LogId(Uuid::NamespaceUrl()); },
       {"one_deployment"}},
      {"clock",
       [](auto& home) { home.runtime.skew_ms = 60'000; },
       {"clock_server", "clock_object_store", "clock_registry"}},
      {"publisher",
       [](auto& home) { home.publisher_runs = false; },
       {"publisher_advances", "by_date_entry"}},
      {"publisher back",
       [](auto& home) { home.publisher_goes_back = true; },
       {"publisher_advances"}},
      {"by date", [](auto& home) { home.by_date_is_written = false; }, {"by_date_entry"}},
      {"slot", [](auto& home) { home.slot_is_written = false; }, {"slot_in_store"}},
      {"worker",
       [](auto& home) { home.worker_runs = false; },
       {"consumer_done", "probe_completed", "probe_deleted"}},
      {"stale write", [](auto& home) { home.stale_write_appends = true; }, {"stale_write_refused"}},
  };
  for (const Broken& broken : all) {
    CheckedHome home;
    broken.by(home);
    const CheckOutcome outcome = home.Run();
    EXPECT_EQ(outcome.Crosses(), broken.crosses) << broken.what << "\n" << outcome.out;
    EXPECT_EQ(outcome.code, kExitFailed) << broken.what;
    EXPECT_FALSE(home.HasProbe()) << broken.what;
  }
}

// Not that it is late: a checkpoint that moved back is told as such.
TEST(Check, ACheckpointThatWentBackIsToldSo) {
  CheckedHome home;
  home.publisher_goes_back = true;
  EXPECT_THAT(home.Run().out, HasSubstr("it went back from slot 7 to slot 3"));
}

TEST(Check, APublisherThatTheApiShowsStandingStillGetsItsCross) {
  CheckedHome home(CheckedHome::Kind::kEmbedded);
  home.publisher_runs = false;
  EXPECT_THAT(home.Run().Crosses(), ElementsAre("publisher_advances"));
}

TEST(Check, AnUnhealthyServerGetsItsCrossWithItsComponents) {
  CheckedHome home;
  Break(home, "/health", 503,
        R"({"components":{"registry":{"status":"UNAVAILABLE","reason":"no space left"}}})");
  const CheckOutcome outcome = home.Run();
  EXPECT_THAT(outcome.Crosses(), Contains("server_health"));
  EXPECT_THAT(outcome.out, HasSubstr("registry UNAVAILABLE (no space left)"));
}

TEST(Check, WhatIsNoSaffronIsToldSo) {
  CheckedHome home;
  Break(home, "/", 200, "<html>");
  EXPECT_THAT(home.Run().out, HasSubstr("what answers is no process of Saffron"));
}

TEST(Check, AProcessThatIsAwayGetsItsCross) {
  CheckedHome home;
  home.options.processes = {"http://127.0.0.1:9"};
  EXPECT_THAT(home.Run().Crosses(), ElementsAre("process_health"));
}

TEST(Check, AServerThatIsAwayIsUnreachableAndNoProbeIsSent) {
  CheckedHome home;
  home.options.remote.api.server_url = "http://127.0.0.1:9";
  const CheckOutcome outcome = home.Run();
  EXPECT_EQ(outcome.code, kExitUnreachable);
  EXPECT_EQ(outcome.VerdictOf("probe_accepted"), "not_applicable");
  EXPECT_EQ(outcome.VerdictOf("object_store"), "passed");
}

TEST(Check, AMissingRightIsRefused) {
  CheckedHome home;
  Break(home, "/api/", 403, R"({"message":"too weak"})");
  const CheckOutcome outcome = home.Run();
  EXPECT_EQ(outcome.code, kExitRefused);
  EXPECT_THAT(outcome.Crosses(), ElementsAre("probe_accepted"));
  EXPECT_EQ(outcome.VerdictOf("probe_deleted"), "not_applicable");
}

// Its answer said nothing of use, so nobody knows its number: it is there, and goes.
TEST(Check, AProbeWhoseAnswerWasLostIsDeleted) {
  CheckedHome home;
  home.answers_of_create_are_lost = true;
  const CheckOutcome outcome = home.Run();
  EXPECT_EQ(outcome.VerdictOf("probe_accepted"), "failed");
  EXPECT_EQ(outcome.VerdictOf("probe_deleted"), "passed") << outcome.out;
  EXPECT_FALSE(home.HasProbe());
}

TEST(Check, NoSecretIsPrinted) {
  for (const OutputFormat output : {OutputFormat::kText, OutputFormat::kJson}) {
    CheckedHome home;
    home.refusals.emplace("bus", Unavailable("away"));
    home.options.remote.api.token = "s3cret";
    home.Run(output);
    EXPECT_THAT(home.printed, Not(HasSubstr("s3cret")));
    EXPECT_THAT(home.printed, HasSubstr("user:***@"));
  }
}

// The posture of connections, without any of them being made.
struct Posture {
  CheckedHome home;
  SkewedRuntime runtime;
  std::ostringstream out, err;
  CheckProgress progress{{out, err}, runtime};
  std::unique_ptr<ApiClient> api;

  explicit Posture(std::string server_url = "http://127.0.0.1:1") {
    auto opened = ApiClient::Open({.server_url = std::move(server_url), .token = ""});
    EXPECT_TRUE(opened.ok());
    api = std::move(*opened);
  }
  CheckSubject Subject() {
    return {.config = home.config,
            .options = home.options,
            .runtime = runtime,
            .api = *api,
            .engines = home,
            .progress = progress};
  }
};

TEST(CheckTls, PlainTextOverANetworkIsACrossUnlessAllowed) {
  Posture posture("http://oms.example:8000");
  posture.home.config.minio_endpoint_url = "http://store.example:9000";
  posture.home.config.postgres_url = "postgresql://u:p@registry.example/db?sslmode=disable";
  posture.home.config.kafka_bootstrap_servers = "127.0.0.1:9092,kafka.example:9092";
  posture.home.config.terminus_server_url = "http://[fd00::1]:6363";
  posture.home.config.elasticsearch_url = "http://u:p@search.example";
  CheckSubject subject = posture.Subject();
  subject.registry.known_version = 1;
  for (auto item : {ServerTls, ObjectStoreTls, RegistryTls, BusTls, GraphTls, SearchTls}) {
    posture.home.options.allow_plain_text = false;
    EXPECT_EQ(item(subject).verdict, Verdict::kFailed) << item(subject).id;
    posture.home.options.allow_plain_text = true;
    EXPECT_EQ(item(subject).verdict, Verdict::kPassed) << item(subject).id;
  }
}

TEST(CheckTls, EncryptedConnectionsPass) {
  Posture posture("https://oms.example");
  posture.home.config.minio_endpoint_url = "https://store.example";
  posture.home.config.postgres_url = "postgresql://u:p@registry.example/db";
  posture.home.config.kafka_bootstrap_servers = "kafka.example:9092";
  posture.home.config.kafka_options["security.protocol"] = "SASL_SSL";
  posture.home.config.terminus_server_url = "https://graph.example";
  posture.home.config.elasticsearch_url = "https://search.example";
  CheckSubject subject = posture.Subject();
  subject.registry.known_version = 1;
  subject.registry.tls_version = "TLSv1.3";
  for (auto item : {ServerTls, ObjectStoreTls, RegistryTls, BusTls, GraphTls, SearchTls}) {
    EXPECT_EQ(item(subject).verdict, Verdict::kPassed) << item(subject).id;
  }
  posture.home.config.ssl_verify = false;
  EXPECT_EQ(ObjectStoreTls(subject).verdict, Verdict::kFailed);
}

}  // namespace
}  // namespace saffron
