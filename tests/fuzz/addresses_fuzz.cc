// The addresses and settings of the engines, as an operator gives them: whatever is wrong with
// them, no error repeats a secret. Input: an address, the name of a setting, its value; "{s}"
// stands for a secret.
#include "adapters/elasticsearch/elastic_client.h"
#include "adapters/kafka/kafka_settings.h"
#include "adapters/postgres/connection.h"
#include "adapters/s3/s3_address.h"
#include "adapters/terminusdb/terminus_client.h"
#include "base/thread_runtime.h"
#include "tests/fuzz/properties.h"

namespace saffron::fuzz {
namespace {

constexpr std::string_view kPlace = "{s}";
constexpr std::string_view kSecret = "q7Zx-secret";

std::string Filled(std::string_view text) {
  std::string filled(text);
  for (std::size_t at = filled.find(kPlace); at != std::string::npos; at = filled.find(kPlace)) {
    filled.replace(at, kPlace.size(), kSecret);
  }
  return filled;
}

template <class T>
void RequireNoSecret(const Result<T>& result) {
  if (result.ok()) return;
  Require(result.Is(Code::kInvalid), "what cannot be used is invalid");
  Require(result.error().message().find(kSecret) == std::string::npos, "no error has a secret");
}

void CheckPostgres(const std::string& url) {
  const auto address = postgres::Address::Parse(url);
  RequireNoSecret(address);
  if (!address.ok()) return;
  std::string password, others;
  for (const auto& [name, value] : address->settings()) {
    (name == "password" ? password : others) += value;
  }
  if (password != kSecret || others.find(kSecret) != std::string::npos) return;
  Require(address->ToString().find(kSecret) == std::string::npos, "an address is for people");
  const std::string said = address->WithoutSecrets("of \"" + password + "\": " + url + password);
  Require(said.find(kSecret) == std::string::npos, "what a server says has no password");
}

void CheckKafka(std::string_view name, const std::string& value) {
  KafkaBusOptions options;
  options.bootstrap_servers = "127.0.0.1:9092";
  // It would be loaded, and run.
  if (name == "plugin.library.paths") return;
  options.client.emplace(name, value);
  const KafkaSettings settings(options);
  const bool secret = name.find("password") != std::string_view::npos;
  for (const auto& conf : {settings.Producer(), settings.Consumer("group")}) {
    if (secret) RequireNoSecret(conf);
  }
  if (!secret || value != kSecret) return;
  Require(settings.Scrub("login with " + value + "!").find(kSecret) == std::string::npos,
          "what a broker says has no password");
}

void CheckHttp(const std::string& url) {
  static ThreadRuntime runtime;
  static Log log = Log::Discard();
  ElasticsearchOptions elastic;
  elastic.url = url;
  RequireNoSecret(ElasticClient::Open(elastic, runtime, log));
  TerminusGraphOptions graph;
  graph.url = url;
  graph.key = kSecret;
  RequireNoSecret(terminus::Client::Open(graph));
  for (const S3Addressing addressing : {S3Addressing::kPath, S3Addressing::kVirtual}) {
    S3StoreOptions store;
    store.endpoint_url = url;
    store.bucket = "events";
    store.addressing = addressing;
    const auto address = S3Address::Of(store);
    // A host may be repeated; a user is not taken.
    if (url.find('@') != std::string::npos) RequireNoSecret(address);
    if (address.ok()) {
      Require(address->Url("a b", "list-type=2").ends_with("/a%20b?list-type=2"), "a key is put");
    }
  }
}

}  // namespace

void FuzzAddresses(std::string_view bytes) {
  if (bytes.find('\0') != std::string_view::npos) return;  // no variable has one
  if (bytes.find(kSecret) != std::string_view::npos) return;
  const auto parts = SplitParts(bytes, 3);
  CheckPostgres(Filled(parts[0]));
  CheckHttp(Filled(parts[0]));
  CheckKafka(parts[1], Filled(parts[2]));
}

}  // namespace saffron::fuzz
