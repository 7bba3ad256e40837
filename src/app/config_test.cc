#include "app/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

namespace saffron {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Config Loaded(const Environment& environment) {
  auto loaded = LoadConfig(environment);
  EXPECT_TRUE(loaded.ok()) << loaded.error().ToString();
  return loaded.ok() ? loaded->config : Config();
}

std::string LoadError(const Environment& environment) {
  auto loaded = LoadConfig(environment);
  EXPECT_TRUE(loaded.Is(Code::kInvalid));
  return loaded.ok() ? "" : loaded.error().message();
}

std::string ServeError(const Environment& environment) {
  Status status = CheckServable(Loaded(environment));
  return status.ok() ? "" : status.error().message();
}

TEST(Config, NothingSetIsTheEmbeddedDefaultOnLoopback) {
  Config config = Loaded({});
  EXPECT_EQ(config.listen.ToString(), "127.0.0.1:8000");
  EXPECT_EQ(config.lease_timeout, seconds(900));
  EXPECT_EQ(config.publisher_batch_size, 200);
  EXPECT_EQ(config.max_event_bytes, 900 * 1024);
  EXPECT_FALSE(config.AuthRequired());
  EXPECT_EQ(ServeError({}), "");
}

TEST(Config, ValuesAreTyped) {
  Config config = Loaded({{"SAFFRON_LISTEN", "[::1]:9"},
                          {"PROCESSED_EVENT_HEARTBEAT_INTERVAL_SECONDS", "0.5"},
                          {"OMS_REQUIRE_AUTH", "false"},
                          {"SAFFRON_LOG_FORMAT", "json"},
                          {"SAFFRON_LOG_LEVEL", "warning"},
                          {"SAFFRON_KAFKA_SECURITY_PROTOCOL", "SSL"}});
  EXPECT_EQ(config.listen.host, "::1");
  EXPECT_EQ(config.heartbeat_interval, milliseconds(500));
  EXPECT_EQ(config.require_auth, std::optional<bool>(false));
  EXPECT_EQ(config.Format(), LogFormat::kJson);
  EXPECT_EQ(config.Level(), LogLevel::kWarning);
  EXPECT_EQ(config.kafka_options.at("security.protocol"), "SSL");
}

TEST(Config, ABadValueIsNamedWithWhatIsAllowed) {
  EXPECT_EQ(LoadError({{"EVENT_PUBLISHER_BATCH_SIZE", "many"}}),
            "EVENT_PUBLISHER_BATCH_SIZE=many is not allowed: an integer from 1 to 100000");
  EXPECT_EQ(LoadError({{"EVENT_PUBLISHER_BATCH_SIZE", "0"}}),
            "EVENT_PUBLISHER_BATCH_SIZE=0 is not allowed: an integer from 1 to 100000");
  EXPECT_EQ(LoadError({{"SAFFRON_LISTEN", "8000"}}),
            "SAFFRON_LISTEN=8000 is not allowed: host:port");
  EXPECT_EQ(LoadError({{"SAFFRON_LOG_FORMAT", "xml"}}),
            "SAFFRON_LOG_FORMAT=xml is not allowed: text or json");
  EXPECT_EQ(LoadError({{"ENABLE_EVENT_SOURCING", "maybe"}}),
            "ENABLE_EVENT_SOURCING=maybe is not allowed: true or false");
  EXPECT_EQ(
      LoadError({{"MINIO_ENDPOINT_URL", "minio:9000"}}),
      "MINIO_ENDPOINT_URL=minio:9000 is not allowed: a URL that begins with http:// or https://");
  EXPECT_EQ(LoadError({{"SAFFRON_RESERVATION_SECONDS", "nan"}}),
            "SAFFRON_RESERVATION_SECONDS=nan is not allowed: seconds from 1 to 120");
}

TEST(Config, EveryBadValueIsReportedAtOnce) {
  std::string error = LoadError({{"SAFFRON_LISTEN", "x"}, {"SAFFRON_LOG_LEVEL", "loud"}});
  EXPECT_THAT(error, HasSubstr("SAFFRON_LISTEN=x"));
  EXPECT_THAT(error, HasSubstr("\nSAFFRON_LOG_LEVEL=loud"));
}

TEST(Config, ASecretIsNeverShown) {
  Environment environment = {{"OMS_ADMIN_TOKEN", "s3cret"},
                             {"POSTGRES_URL", "postgres://u:s3cret@h/db"},
                             {"SAFFRON_KAFKA_SASL_PASSWORD", "s3cret"}};
  auto loaded = LoadConfig(environment);
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->config.admin_token, "s3cret");
  EXPECT_THAT(ConfigAsText(*loaded), Not(HasSubstr("s3cret")));
  EXPECT_THAT(ConfigAsText(*loaded), HasSubstr("OMS_ADMIN_TOKEN = ***"));
  EXPECT_THAT(ConfigAsJson(*loaded), Not(HasSubstr("s3cret")));
  EXPECT_THAT(LoadError({{"POSTGRES_URL", "s3cret"}}), Not(HasSubstr("s3cret")));
  EXPECT_THAT(LoadError({{"OMS_ADMIN_TOKEN", "s3cret\n"}}), Not(HasSubstr("s3cret")));
}

TEST(Config, AnUnknownNameIsWarnedAboutWithTheNearest) {
  auto loaded = LoadConfig({{"EVENT_PUBLISHER_BATCHSIZE", "3"},
                            {"PROCESSED_EVENT_OWNR", "x"},
                            {"SAFFRON_LISTEN", "127.0.0.1:1"},
                            {"HOME", "/"}});
  ASSERT_TRUE(loaded.ok());
  EXPECT_THAT(loaded->warnings,
              ElementsAre("EVENT_PUBLISHER_BATCHSIZE is not a variable of Saffron; the nearest is "
                          "EVENT_PUBLISHER_BATCH_SIZE",
                          "PROCESSED_EVENT_OWNR is not a variable of Saffron; the nearest is "
                          "PROCESSED_EVENT_OWNER"));
}

TEST(Config, AnEmptyValueIsUnset) {
  EXPECT_EQ(Loaded({{"SAFFRON_LISTEN", ""}}).listen.port, 8000);
  EXPECT_EQ(ServeError({{"MINIO_ENDPOINT_URL", ""}}), "");
}

TEST(Config, ContradictionsAreRefused) {
  EXPECT_THAT(ServeError({{"ENABLE_EVENT_SOURCING", "false"}}), HasSubstr("ENABLE_EVENT_SOURCING"));
  EXPECT_THAT(ServeError({{"ENABLE_PROCESSED_EVENT_REGISTRY", "0"}}),
              HasSubstr("ENABLE_PROCESSED_EVENT_REGISTRY"));
  EXPECT_THAT(ServeError({{"PROCESSED_EVENT_LEASE_TIMEOUT_SECONDS", "30"}}),
              HasSubstr("must be less than PROCESSED_EVENT_LEASE_TIMEOUT_SECONDS"));
  EXPECT_THAT(ServeError({{"SAFFRON_RESERVATION_SECONDS", "10"}}),
              HasSubstr("SAFFRON_REQUEST_TIMEOUT_SECONDS"));
  EXPECT_EQ(ServeError({{"EVENT_STORE_SEQUENCE_ALLOCATOR_MODE", "postgres"}}),
            "EVENT_STORE_SEQUENCE_ALLOCATOR_MODE=postgres: POSTGRES_URL is not set");
  EXPECT_EQ(ServeError({{"EVENT_STORE_SEQUENCE_ALLOCATOR_MODE", "embedded"}}), "");
  EXPECT_THAT(
      ServeError({{"EVENT_STORE_REQUIRE_TLS", "true"}, {"MINIO_ENDPOINT_URL", "http://h:9000"}}),
      HasSubstr("http:// address"));
}

TEST(Config, AnOpenAddressNeedsATokenOrAClearWord) {
  EXPECT_THAT(ServeError({{"SAFFRON_LISTEN", "0.0.0.0:8000"}}), HasSubstr("no token is set"));
  EXPECT_EQ(ServeError({{"SAFFRON_LISTEN", "0.0.0.0:8000"}, {"OMS_REQUIRE_AUTH", "false"}}), "");
  EXPECT_EQ(ServeError({{"SAFFRON_LISTEN", "0.0.0.0:8000"}, {"OMS_ADMIN_TOKEN", "a"}}), "");
  EXPECT_THAT(ServeError({{"OMS_REQUIRE_AUTH", "true"}}), HasSubstr("OMS_ADMIN_TOKEN"));
  EXPECT_THAT(ServeError({{"OMS_ADMIN_TOKEN", "a"}, {"OMS_WRITE_TOKEN", "a"}}),
              HasSubstr("must differ"));
  EXPECT_TRUE(Loaded({{"SAFFRON_READ_TOKEN", "a"}}).AuthRequired());
}

// Each engine on its own; with a token, as a server that others can reach.
TEST(Config, EveryEngineMayBeAServer) {
  const Environment servers[] = {
      {{"MINIO_ENDPOINT_URL", "http://h:9000"},
       {"MINIO_ACCESS_KEY", "a"},
       {"MINIO_SECRET_KEY", "b"},
       {"POSTGRES_URL", "postgres://h/db"}},
      {{"POSTGRES_URL", "postgres://h/db"}},
      {{"KAFKA_BOOTSTRAP_SERVERS", "h:9092"}, {"SAFFRON_KAFKA_SECURITY_PROTOCOL", "SSL"}},
      {{"TERMINUS_SERVER_URL", "http://h:6363"}, {"TERMINUS_KEY", "k"}},
      {{"ELASTICSEARCH_URL", "http://h:9200"}}};
  for (Environment environment : servers) {
    EXPECT_THAT(ServeError(environment), HasSubstr("an engine is a server, and no token is set"));
    environment["OMS_ADMIN_TOKEN"] = "t";
    EXPECT_EQ(ServeError(environment), "");
    EXPECT_FALSE(Loaded(environment).AllEmbedded());
  }
  EXPECT_TRUE(Loaded({}).AllEmbedded());
  EXPECT_EQ(Loaded({}).TopicPartitions(), 1u);
  EXPECT_EQ(Loaded({{"KAFKA_BOOTSTRAP_SERVERS", "h:9092"}}).TopicPartitions(), 12u);
  EXPECT_EQ(Loaded({{"SAFFRON_TOPIC_PARTITIONS", "3"}}).TopicPartitions(), 3u);
}

TEST(Config, AnEngineThatLacksSomethingIsRefused) {
  EXPECT_THAT(ServeError({{"MINIO_ENDPOINT_URL", "http://h:9000"}, {"MINIO_ACCESS_KEY", "a"}}),
              HasSubstr("set MINIO_ACCESS_KEY and MINIO_SECRET_KEY"));
  EXPECT_THAT(ServeError({{"MINIO_ENDPOINT_URL", "http://h:9000"}}),
              HasSubstr("set POSTGRES_URL too; an embedded registry belongs to one process"));
  EXPECT_THAT(ServeError({{"MINIO_ENDPOINT_URL", "http://h:9000"}, {"SAFFRON_DURABILITY", "none"}}),
              HasSubstr("SAFFRON_DURABILITY=none"));
  EXPECT_THAT(ServeError({{"TERMINUS_SERVER_URL", "http://h:6363"}}), HasSubstr("TERMINUS_KEY"));
  EXPECT_THAT(ServeError({{"SAFFRON_KAFKA_ACKS", "1"}}),
              HasSubstr("KAFKA_BOOTSTRAP_SERVERS is not set"));
  EXPECT_THAT(ServeError({{"SAFFRON_ELASTICSEARCH_USER", "u"}}), HasSubstr("belong together"));
  EXPECT_THAT(ServeError({{"SAFFRON_ELASTICSEARCH_USER", "u"},
                          {"SAFFRON_ELASTICSEARCH_PASSWORD", "p"},
                          {"SAFFRON_ELASTICSEARCH_API_KEY", "k"}}),
              HasSubstr("only one of them"));
  EXPECT_THAT(ServeError({{"EVENT_STORE_SEQUENCE_ALLOCATOR_MODE", "embedded"},
                          {"POSTGRES_URL", "postgres://h/db"}}),
              HasSubstr("would not be used"));
}

TEST(Config, ThePasswordOfAUrlIsNotShown) {
  auto loaded = LoadConfig({{"ELASTICSEARCH_URL", "https://me:s3cret@search:9200/path"}});
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->config.elasticsearch_url, "https://me:s3cret@search:9200/path");
  EXPECT_THAT(ConfigAsText(*loaded), HasSubstr("https://me:***@search:9200/path"));
  EXPECT_THAT(ConfigAsText(*loaded), Not(HasSubstr("s3cret")));
  EXPECT_THAT(ConfigAsJson(*loaded), Not(HasSubstr("s3cret")));
  EXPECT_THAT(LoadError({{"ELASTICSEARCH_URL", "ftp://me:s3cret@h"}}), Not(HasSubstr("s3cret")));
}

// What it does not use it need not be told of.
TEST(Config, ASingleServiceSaysWhatItNeeds) {
  const auto missing = [](Service service) {
    Status status = CheckSingleService(Loaded({{"KAFKA_BOOTSTRAP_SERVERS", "h:1"}}), service);
    EXPECT_TRUE(status.Is(Code::kInvalid));
    return status.error().message();
  };
  EXPECT_THAT(missing(Service::kPublisher), HasSubstr("`saffron publisher`"));
  EXPECT_THAT(missing(Service::kPublisher), HasSubstr("set MINIO_ENDPOINT_URL, POSTGRES_URL, or"));
  EXPECT_THAT(missing(Service::kInstanceWorker),
              HasSubstr("POSTGRES_URL, TERMINUS_SERVER_URL, or"));
  EXPECT_THAT(missing(Service::kProjectionWorker),
              HasSubstr("POSTGRES_URL, ELASTICSEARCH_URL, or"));
  EXPECT_THAT(missing(Service::kOms), HasSubstr("TERMINUS_SERVER_URL, ELASTICSEARCH_URL, or"));
}

TEST(Config, OnlyTheApiNeedsTokens) {
  const Config config = Loaded({{"MINIO_ENDPOINT_URL", "http://h:9000"},
                                {"MINIO_ACCESS_KEY", "a"},
                                {"MINIO_SECRET_KEY", "b"},
                                {"POSTGRES_URL", "postgres://h/db"},
                                {"KAFKA_BOOTSTRAP_SERVERS", "h:9092"},
                                {"TERMINUS_SERVER_URL", "http://h:6363"},
                                {"TERMINUS_KEY", "k"},
                                {"ELASTICSEARCH_URL", "http://h:9200"},
                                {"SAFFRON_LISTEN", "0.0.0.0:8000"}});
  EXPECT_TRUE(CheckSingleService(config, Service::kInstanceWorker).ok());
  EXPECT_TRUE(CheckSingleService(config, Service::kOms).Is(Code::kInvalid));
}

TEST(Config, TheTableIsSound) {
  std::set<std::string_view> names;
  for (const Variable& variable : Variables()) {
    EXPECT_TRUE(names.insert(variable.name).second) << variable.name;
    EXPECT_FALSE(variable.meaning.empty()) << variable.name;
    EXPECT_TRUE(variable.meaning.ends_with('.')) << variable.name;
  }
}

// `saffron config --markdown > docs/configuration.md` mends it.
TEST(Config, TheReferencePageIsUpToDate) {
  std::ifstream file(SAFFRON_DOCS_DIR "/configuration.md");
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_EQ(page.str(), ConfigAsMarkdown());
}

}  // namespace
}  // namespace saffron
