// Clocks, and what goes over a network in plain text.
#include <time.h>

#include <algorithm>
#include <cstdlib>

#include "app/commands/check_subject.h"

namespace saffron {
namespace {

constexpr Duration kRequestTime = seconds(10);
// Leases and signatures bear much more; what is further off is not synchronised at all.
constexpr std::int64_t kMostSkewMs = 5'000;
constexpr const char* kSynchronise =
    "synchronise the clocks of both machines (NTP): an S3 store refuses requests of a clock that "
    "is "
    "15 minutes off";

// What another machine's clock said between two looks at ours.
struct ClockReading {
  std::int64_t before_ms = 0, after_ms = 0;
  std::int64_t theirs_ms = 0, theirs_within_ms = 0;  // from theirs_ms, so much more at most
};

CheckItem JudgeClock(const ItemOf& item, const ClockReading& reading) {
  const std::int64_t off = (reading.theirs_ms + reading.theirs_within_ms / 2) -
                           (reading.before_ms + (reading.after_ms - reading.before_ms) / 2);
  const std::int64_t unsure =
      (reading.after_ms - reading.before_ms) / 2 + reading.theirs_within_ms / 2;
  const std::string found = std::to_string(off) + " ms from this machine's, give or take " +
                            std::to_string(unsure) + " ms";
  if (std::abs(off) - unsure <= kMostSkewMs) return item.Passed(found);
  return item.Failed(found, kSynchronise);
}

// "Tue, 24 Nov 2026 21:18:14 GMT"
std::optional<std::int64_t> ParseHttpDate(std::string_view text) {
  tm parts{};
  const std::string copy(text);
  const char* end = ::strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return static_cast<std::int64_t>(::timegm(&parts)) * 1000;
}

template <class Ask>
CheckItem HttpClock(CheckSubject& subject, const ItemOf& item, const Ask& ask) {
  ClockReading reading;
  reading.before_ms = subject.runtime.WallNow().unix_ms;
  Result<HttpResponse> response = ask();
  reading.after_ms = subject.runtime.WallNow().unix_ms;
  if (!response.ok()) return item.NotApplicable("no answer: " + response.error().message());
  const auto date = response->headers.Find("Date");
  const auto theirs = date ? ParseHttpDate(*date) : std::nullopt;
  if (!theirs) return item.NotApplicable("the answer has no Date");
  reading.theirs_ms = *theirs;
  reading.theirs_within_ms = 1000;  // a Date has no fractions
  return JudgeClock(item, reading);
}

// The host of "scheme://user:password@host:port/path", or of "host:port".
std::string HostOf(std::string_view text) {
  if (const auto scheme = text.find("://"); scheme != std::string_view::npos) {
    text.remove_prefix(scheme + 3);
  }
  text = text.substr(0, text.find_first_of("?#"));
  if (const auto at = text.rfind('@'); at != std::string_view::npos) text.remove_prefix(at + 1);
  text = text.substr(0, text.find('/'));
  if (text.starts_with('[')) return std::string(text.substr(1, text.find(']') - 1));
  return std::string(text.substr(0, text.find(':')));
}

bool OnLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

// Of a connection that is not encrypted.
CheckItem JudgePlainText(const CheckSubject& subject, const ItemOf& item,
                         const std::vector<std::string>& hosts, const std::string& next_step) {
  auto far = std::find_if_not(hosts.begin(), hosts.end(), OnLoopback);
  if (far == hosts.end()) return item.Passed("plain text, within this machine");
  if (subject.options.allow_plain_text) {
    return item.Passed("plain text to " + *far + ", allowed by --allow-plain-text");
  }
  return item.Failed("plain text to " + *far,
                     next_step + ", or say --allow-plain-text if the network is private");
}

CheckItem JudgeUrl(const CheckSubject& subject, const ItemOf& item, const std::string& url,
                   const std::string& variable) {
  if (url.empty()) return item.NotApplicable("embedded: " + variable + " is not set here");
  if (url.starts_with("https://")) return item.Passed("TLS");
  return JudgePlainText(subject, item, {HostOf(url)}, "use an https:// address in " + variable);
}

ItemOf TlsItem(const char* id, const std::string& what, const std::string& where) {
  return ItemOf(std::string("tls_") + id,
                "Nothing goes to the " + what + " over a network in plain text", where);
}

}  // namespace

CheckItem ServerClock(CheckSubject& subject) {
  const ItemOf item("clock_server", "The server's clock is right",
                    "Date of " + subject.Shown("/health/live"));
  return HttpClock(subject, item, [&] { return subject.api.Get("/health/live"); });
}

// Without a signature: a refusal has a date too.
CheckItem ObjectStoreClock(CheckSubject& subject) {
  const Config& config = subject.config;
  ItemOf item("clock_object_store", "The object store's clock is right");
  if (!subject.store_is_server()) {
    return item.NotApplicable("embedded: MINIO_ENDPOINT_URL is not set here");
  }
  item.LookedAt("Date of " + ShownUrl(config.minio_endpoint_url));
  HttpClientOptions options;
  options.ca_file = config.s3_ca_file;
  using VerifyTls = HttpClientOptions::VerifyTls;
  options.verify_tls = config.ssl_verify ? VerifyTls::kYes : VerifyTls::kNo;
  return HttpClock(subject, item, [&]() -> Result<HttpResponse> {
    SAFFRON_ASSIGN(std::unique_ptr<HttpClient> client, HttpClient::Open(options));
    HttpClientRequest request;
    request.url = config.minio_endpoint_url;
    return client->Do(request, kRequestTime);
  });
}

CheckItem RegistryClock(CheckSubject& subject) {
  ItemOf item("clock_registry", "The registry's clock is right", "now() of PostgreSQL");
  if (!subject.registry_is_server()) {
    return item.NotApplicable("embedded: POSTGRES_URL is not set here");
  }
  if (subject.registry.append == nullptr) {
    return item.NotApplicable("this deployment's registry was not reached");
  }
  ClockReading reading;
  reading.before_ms = subject.runtime.WallNow().unix_ms;
  Result<RegistryRows> rows = subject.registry.append->Read({});
  reading.after_ms = subject.runtime.WallNow().unix_ms;
  if (!rows.ok()) return item.NotApplicable("no answer: " + rows.error().message());
  reading.theirs_ms = rows->now_ms;
  return JudgeClock(item, reading);
}

CheckItem ServerTls(const CheckSubject& subject) {
  const std::string& url = subject.api.options().server_url;
  const ItemOf item = TlsItem("server", "server", ShownUrl(url));
  if (url.starts_with("https://")) return item.Passed("TLS");
  return JudgePlainText(subject, item, {HostOf(url)},
                        "put a proxy that speaks TLS in front of the server");
}

CheckItem ObjectStoreTls(const CheckSubject& subject) {
  const Config& config = subject.config;
  const std::string& url = config.minio_endpoint_url;
  const ItemOf item = TlsItem("object_store", "object store", ShownUrl(url));
  if (!url.starts_with("https://") || config.ssl_verify) {
    return JudgeUrl(subject, item, url, "MINIO_ENDPOINT_URL");
  }
  return item.Failed("TLS, but nobody checks whose certificate it is",
                     "set SAFFRON_S3_CA_FILE instead of EVENT_STORE_SSL_VERIFY=false");
}

CheckItem RegistryTls(const CheckSubject& subject) {
  const std::string& url = subject.config.postgres_url;
  const ItemOf item = TlsItem("registry", "registry", "pg_stat_ssl at " + ShownUrl(url));
  if (!subject.registry_is_server()) {
    return item.NotApplicable("embedded: POSTGRES_URL is not set here");
  }
  if (subject.registry.known_version == 0) {
    return item.NotApplicable("the registry was not reached");
  }
  if (!subject.registry.tls_version.empty()) return item.Passed(subject.registry.tls_version);
  std::vector<std::string> hosts;
  if (std::string host = HostOf(url); !host.empty()) hosts.push_back(std::move(host));
  return JudgePlainText(subject, item, hosts, "add sslmode=verify-full to POSTGRES_URL");
}

CheckItem BusTls(const CheckSubject& subject) {
  const std::string& servers = subject.config.kafka_bootstrap_servers;
  const ItemOf item = TlsItem("bus", "bus", servers);
  if (servers.empty()) {
    return item.NotApplicable("embedded: KAFKA_BOOTSTRAP_SERVERS is not set here");
  }
  const auto& settings = subject.config.kafka_options;
  const auto protocol = settings.find("security.protocol");
  if (protocol != settings.end() && (EqualsIgnoreCase(protocol->second, "ssl") ||
                                     EqualsIgnoreCase(protocol->second, "sasl_ssl"))) {
    return item.Passed("TLS (" + protocol->second + ")");
  }
  std::vector<std::string> hosts;
  for (std::string_view rest = servers; !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    hosts.push_back(HostOf(rest.substr(0, comma)));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return JudgePlainText(subject, item, hosts, "set SAFFRON_KAFKA_SECURITY_PROTOCOL=SASL_SSL");
}

CheckItem GraphTls(const CheckSubject& subject) {
  const std::string& url = subject.config.terminus_server_url;
  return JudgeUrl(subject, TlsItem("graph", "graph", ShownUrl(url)), url, "TERMINUS_SERVER_URL");
}

CheckItem SearchTls(const CheckSubject& subject) {
  const std::string& url = subject.config.elasticsearch_url;
  return JudgeUrl(subject, TlsItem("search", "search index", ShownUrl(url)), url,
                  "ELASTICSEARCH_URL");
}

}  // namespace saffron
