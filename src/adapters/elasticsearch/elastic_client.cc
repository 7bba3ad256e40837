#include "adapters/elasticsearch/elastic_client.h"

#include <openssl/evp.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "adapters/elasticsearch/elastic_answers.h"
#include "net/url.h"

namespace saffron {
namespace {

constexpr Duration kLongestWait = seconds(5);
constexpr std::size_t kIdleConnections = 8;
constexpr std::size_t kLongestAnswer = std::size_t{512} << 20;  // a page of the largest documents

std::string Base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

struct Address {
  std::string base;
  std::string user, password;
};

// Never names the address in an error: it may hold a password.
Result<Address> ParseAddress(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::string_view name = url.substr(0, std::min(scheme, url.size()));
  if (scheme == std::string_view::npos || (name != "http" && name != "https")) {
    return Invalid("the URL of Elasticsearch must begin with http:// or https://");
  }
  std::string_view rest = url.substr(scheme + 3);
  Address address;
  const std::size_t path = std::min(rest.find('/'), rest.size());
  if (const std::size_t at = rest.substr(0, path).rfind('@'); at != std::string_view::npos) {
    const std::string_view both = rest.substr(0, at);
    const std::size_t colon = std::min(both.find(':'), both.size());
    auto user = PercentDecode(both.substr(0, colon));
    auto password = PercentDecode(both.substr(std::min(colon + 1, both.size())));
    if (!user || !password) return Invalid("the URL of Elasticsearch has malformed credentials");
    address.user = *user;
    address.password = *password;
    rest.remove_prefix(at + 1);
  }
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty() || rest.find_first_of("?# \r\n") != std::string_view::npos) {
    return Invalid("the URL of Elasticsearch is malformed");
  }
  address.base = std::string(name) + "://" + std::string(rest) + "/";
  return address;
}

std::string AuthorizationOf(const ElasticsearchOptions& options, const Address& address) {
  if (!options.api_key.empty()) return "ApiKey " + options.api_key;
  if (!options.user.empty()) return "Basic " + Base64(options.user + ":" + options.password);
  if (!address.user.empty()) return "Basic " + Base64(address.user + ":" + address.password);
  return {};
}

// What the engine cannot do now, and may be able to do later.
std::optional<Error> TroubleOf(const HttpResponse& response) {
  const int status = response.status;
  if (status == 401 || status == 403) {
    return Unavailable("Elasticsearch refuses the credentials (HTTP " + std::to_string(status) +
                       "): check user and password or the API key, and what they may do");
  }
  if (status == 429) return Unavailable("Elasticsearch is overloaded (HTTP 429)");
  if (status >= 500) return UnknownOutcome("Elasticsearch: " + elastic::ExplainAnswer(response));
  if (status / 100 != 2 && status != 400 && status != 404 && status != 409) {
    return Unavailable("Elasticsearch: " + elastic::ExplainAnswer(response));
  }
  return std::nullopt;
}

bool IsWorthRepeating(const Result<HttpResponse>& answer) {
  if (!answer.ok()) {
    return answer.Is(Code::kUnavailable) || answer.Is(Code::kUnknownOutcome);
  }
  return answer->status == 429 || answer->status >= 500;
}

}  // namespace

bool Backoff::Wait() {
  const auto most = static_cast<std::uint64_t>(longest_.count());
  const Duration wait(static_cast<Duration::rep>(runtime_.RandomBelow(most)));
  longest_ = std::min(longest_ * 2, kLongestWait);
  return runtime_.Now() + wait < end_ && runtime_.SleepFor(wait);
}

ElasticClient::ElasticClient(const ElasticsearchOptions& options, Runtime& runtime, Log& log)
    : http_{.connect_timeout = seconds(5),
            .max_response_bytes = kLongestAnswer,
            .ca_file = options.ca_file,
            .verify_tls = options.verify_tls},
      timeout_(options.request_timeout),
      patience_with_reads_(options.retry_reads_for),
      patience_with_writes_(options.retry_writes_for),
      runtime_(runtime),
      log_(log) {}

Result<std::unique_ptr<ElasticClient>> ElasticClient::Open(const ElasticsearchOptions& options,
                                                           Runtime& runtime, Log& log) {
  std::unique_ptr<ElasticClient> client(new ElasticClient(options, runtime, log));
  SAFFRON_ASSIGN(Address address, ParseAddress(options.url));
  client->base_ = std::move(address.base);
  client->authorization_ = AuthorizationOf(options, address);
  if (client->authorization_.find_first_of("\r\n") != std::string::npos) {
    return Invalid("the API key of Elasticsearch has a line break");
  }
  return client;
}

Result<std::unique_ptr<HttpClient>> ElasticClient::Take() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  return HttpClient::Open(http_);
}

void ElasticClient::PutBack(std::unique_ptr<HttpClient> connection) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (idle_.size() < kIdleConnections) idle_.push_back(std::move(connection));
}

Result<HttpResponse> ElasticClient::Attempt(const HttpClientRequest& request) {
  SAFFRON_ASSIGN(auto connection, Take());
  Result<HttpResponse> answer = connection->Do(request, timeout_);
  PutBack(std::move(connection));
  return answer;
}

// Once an attempt may have been applied, no later refusal takes that back.
Error ElasticClient::Judge(Effect effect, Error error, bool& unknown) const {
  unknown = unknown || error.code() == Code::kUnknownOutcome;
  if (error.code() != Code::kUnavailable && error.code() != Code::kUnknownOutcome) return error;
  const bool applied = effect != Effect::kNone && unknown;
  return Error(applied ? Code::kUnknownOutcome : Code::kUnavailable, error.message());
}

Result<HttpResponse> ElasticClient::Send(Effect effect, std::string method, std::string_view path,
                                         std::string body) {
  HttpClientRequest request;
  request.method = std::move(method);
  request.url = base_ + std::string(path);
  request.body = std::move(body);
  if (!request.body.empty()) request.headers.Add("Content-Type", "application/json");
  if (!authorization_.empty()) request.headers.Add("Authorization", authorization_);
  Backoff backoff(runtime_, effect == Effect::kNone ? patience_with_reads_ : patience_with_writes_);
  bool unknown = false;
  while (true) {
    Result<HttpResponse> answer = Attempt(request);
    std::optional<Error> trouble = answer.ok() ? TroubleOf(*answer) : answer.error();
    if (!trouble) return answer;
    Error judged = Judge(effect, std::move(*trouble), unknown);
    if (effect == Effect::kOnce || !IsWorthRepeating(answer) || !backoff.Wait()) return judged;
    log_.Debug("elasticsearch.repeats", {{"error", judged.message()}});
  }
}

Result<HttpResponse> ElasticClient::Demand(Effect effect, std::string method, std::string_view path,
                                           std::string body) {
  SAFFRON_ASSIGN(HttpResponse response, Send(effect, std::move(method), path, std::move(body)));
  if (response.status / 100 == 2) return response;
  return Invalid("Elasticsearch: " + elastic::ExplainAnswer(response));
}

}  // namespace saffron
