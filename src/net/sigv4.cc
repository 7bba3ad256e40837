#include "net/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "base/sha256.h"
#include "net/url.h"

namespace saffron {
namespace {

constexpr char kAlgorithm[] = "AWS4-HMAC-SHA256";

std::string Hmac(std::string_view key, std::string_view text) {
  std::string digest(32, '\0');
  unsigned int size = 0;
  const bool ok = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                       reinterpret_cast<unsigned char*>(digest.data()), &size) != nullptr;
  SAFFRON_ASSERT(ok && size == digest.size());
  return digest;
}

// 20130524T000000Z
std::string BasicTime(WallTime now) {
  std::string text;
  for (const char c : now.ToRfc3339().substr(0, 19)) {
    if (c != '-' && c != ':') text.push_back(c);
  }
  return text + "Z";
}

struct UrlParts {
  std::string host;  // as in the Host header: without the scheme's own port
  std::string path;
  QueryParams query;
};

Result<UrlParts> Split(std::string_view url) {
  UrlParts parts;
  std::string_view default_port;
  for (const auto& [scheme, port] : {std::pair("http://", ":80"), std::pair("https://", ":443")}) {
    if (!url.starts_with(scheme)) continue;
    url.remove_prefix(std::string_view(scheme).size());
    default_port = port;
    break;
  }
  const std::size_t path_at = std::min(url.find_first_of("/?"), url.size());
  std::string_view host = url.substr(0, path_at);
  if (default_port.empty() || host.empty()) return Invalid("cannot sign: not an http or https URL");
  if (host.ends_with(default_port)) host.remove_suffix(default_port.size());
  parts.host = host;
  url.remove_prefix(path_at);
  const std::size_t query_at = std::min(url.find('?'), url.size());
  auto path = PercentDecode(url.substr(0, query_at));
  auto query = ParseQuery(url.substr(std::min(query_at + 1, url.size())));
  if (!path || !query) return Invalid("cannot sign: a malformed percent escape in the URL");
  parts.path = path->empty() ? "/" : std::move(*path);
  parts.query = std::move(*query);
  return parts;
}

std::string CanonicalQuery(const QueryParams& query) {
  std::vector<std::pair<std::string, std::string>> encoded;
  for (const auto& [name, value] : query) {
    encoded.emplace_back(PercentEncode(name), PercentEncode(value));
  }
  std::sort(encoded.begin(), encoded.end());
  std::string text;
  for (const auto& [name, value] : encoded) {
    if (!text.empty()) text.push_back('&');
    text.append(name).append("=").append(value);
  }
  return text;
}

// Without spaces at the ends, one for each run within.
std::string Trimmed(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c != ' ' && c != '\t') {
      text.push_back(c);
    } else if (!text.empty() && text.back() != ' ') {
      text.push_back(' ');
    }
  }
  if (text.ends_with(' ')) text.pop_back();
  return text;
}

struct CanonicalHeaders {
  std::string lines;         // "host:example.org\nrange:bytes=0-9\n"
  std::string signed_names;  // "host;range"
};

CanonicalHeaders Canonical(const HttpHeaders& headers) {
  std::vector<std::pair<std::string, std::string>> sorted;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto [name, value] = headers.At(i);
    std::string lower(name);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    sorted.emplace_back(std::move(lower), Trimmed(value));
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  CanonicalHeaders canonical;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (i > 0 && sorted[i].first == sorted[i - 1].first) {
      canonical.lines.back() = ',';
      canonical.lines.append(sorted[i].second).append("\n");
      continue;
    }
    canonical.lines.append(sorted[i].first).append(":").append(sorted[i].second).append("\n");
    if (i > 0) canonical.signed_names.push_back(';');
    canonical.signed_names.append(sorted[i].first);
  }
  return canonical;
}

std::string CanonicalRequest(std::string_view method, const UrlParts& url,
                             const CanonicalHeaders& headers, std::string_view payload_hash) {
  std::string text(method);
  text.append("\n").append(PercentEncodePath(url.path));
  text.append("\n").append(CanonicalQuery(url.query));
  text.append("\n").append(headers.lines);
  text.append("\n").append(headers.signed_names);
  text.append("\n").append(payload_hash);
  return text;
}

}  // namespace

SigV4Signer::SigV4Signer(AwsCredentials credentials, std::string region, std::string service)
    : credentials_(std::move(credentials)),
      region_(std::move(region)),
      service_(std::move(service)) {}

std::string SigV4Signer::Scope(std::string_view date) const {
  return std::string(date) + "/" + region_ + "/" + service_ + "/aws4_request";
}

std::shared_ptr<const SigV4Signer::DayKey> SigV4Signer::KeyOf(std::string_view date) const {
  std::lock_guard lock(mutex_);
  if (day_key_ == nullptr || day_key_->date != date) {
    std::string key = Hmac("AWS4" + credentials_.secret_key, date);
    for (const std::string_view part : {std::string_view(region_), std::string_view(service_),
                                        std::string_view("aws4_request")}) {
      key = Hmac(key, part);
    }
    day_key_ = std::make_shared<const DayKey>(DayKey{std::string(date), std::move(key)});
  }
  return day_key_;
}

std::string SigV4Signer::Signature(std::string_view timestamp,
                                   std::string_view canonical_request) const {
  const std::string_view date = timestamp.substr(0, 8);
  std::string text(kAlgorithm);
  text.append("\n").append(timestamp);
  text.append("\n").append(Scope(date));
  text.append("\n").append(Sha256Hex(canonical_request));
  return HexOf(Hmac(KeyOf(date)->key, text));
}

Status SigV4Signer::Sign(HttpClientRequest& request, WallTime now) const {
  SAFFRON_ASSIGN(UrlParts url, Split(request.url));
  const std::string timestamp = BasicTime(now);
  HttpHeaders& headers = request.headers;
  if (!headers.Find("Host")) headers.Add("Host", url.host);
  headers.Add("X-Amz-Date", timestamp);
  if (!credentials_.session_token.empty()) {
    headers.Add("X-Amz-Security-Token", credentials_.session_token);
  }
  const auto given_hash = headers.Find("X-Amz-Content-Sha256");
  const std::string payload_hash = given_hash ? std::string(*given_hash) : Sha256Hex(request.body);
  const CanonicalHeaders canonical = Canonical(headers);
  const std::string signature =
      Signature(timestamp, CanonicalRequest(request.method, url, canonical, payload_hash));
  std::string authorization(kAlgorithm);
  authorization.append(" Credential=").append(credentials_.access_key).append("/");
  authorization.append(Scope(std::string_view(timestamp).substr(0, 8)));
  authorization.append(", SignedHeaders=").append(canonical.signed_names);
  authorization.append(", Signature=").append(signature);
  headers.Add("Authorization", authorization);
  return Ok();
}

Result<std::string> SigV4Signer::SignUrl(std::string_view method, std::string_view url,
                                         Duration valid, WallTime now) const {
  SAFFRON_ASSIGN(UrlParts parts, Split(url));
  const std::string timestamp = BasicTime(now);
  const std::string scope = Scope(std::string_view(timestamp).substr(0, 8));
  const auto valid_seconds = std::chrono::duration_cast<seconds>(valid).count();
  QueryParams added = {{"X-Amz-Algorithm", kAlgorithm},
                       {"X-Amz-Credential", credentials_.access_key + "/" + scope},
                       {"X-Amz-Date", timestamp},
                       {"X-Amz-Expires", std::to_string(valid_seconds)},
                       {"X-Amz-SignedHeaders", "host"}};
  if (!credentials_.session_token.empty()) {
    added.emplace_back("X-Amz-Security-Token", credentials_.session_token);
  }
  std::string signed_url(url);
  for (const auto& [name, value] : added) {
    signed_url.push_back(signed_url.find('?') == std::string::npos ? '?' : '&');
    signed_url.append(PercentEncode(name)).append("=").append(PercentEncode(value));
  }
  parts.query.insert(parts.query.end(), added.begin(), added.end());
  const CanonicalHeaders headers = Canonical(HttpHeaders{{"Host", parts.host}});
  const std::string signature =
      Signature(timestamp, CanonicalRequest(method, parts, headers, kUnsignedPayload));
  return signed_url + "&X-Amz-Signature=" + signature;
}

}  // namespace saffron
