#include "adapters/s3/s3_address.h"

#include <algorithm>

#include "net/url.h"

namespace saffron {
namespace {

bool IsBucketName(std::string_view name) {
  return name.size() >= 3 && name.size() <= 63 && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
         });
}

// A host with an address instead of a name has no subdomains.
bool IsAddress(std::string_view host) {
  return host.starts_with("[") ||
         host.substr(0, host.find(':')).find_first_not_of("0123456789.") == std::string_view::npos;
}

bool IsAmazon(std::string_view host) {
  host = host.substr(0, host.find(':'));
  return host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
}

}  // namespace

Result<S3Address> S3Address::Of(const S3StoreOptions& options) {
  std::string_view host = options.endpoint_url;
  const bool tls = host.starts_with("https://");
  if (!tls && !host.starts_with("http://")) {
    return Invalid("the object store's endpoint is not an http or https URL");
  }
  const std::string_view scheme = host.substr(0, tls ? 8 : 7);
  host.remove_prefix(scheme.size());
  if (host.ends_with('/')) host.remove_suffix(1);
  if (host.find('@') != std::string_view::npos) {
    return Invalid(
        "the object store's endpoint has a user in it; credentials are given apart from the URL");
  }
  if (host.empty() || host.find_first_of("/?#% ") != std::string_view::npos) {
    return Invalid("the object store's endpoint is not scheme://host:port alone");
  }
  const std::string endpoint = std::string(scheme).append(host);
  if (options.require_tls && !tls) {
    return Invalid("the object store's endpoint " + endpoint +
                   " is not encrypted, and TLS is required (EVENT_STORE_REQUIRE_TLS): "
                   "use an https URL");
  }
  const std::string& bucket = options.bucket;
  if (!IsBucketName(bucket)) {
    return Invalid("not a bucket name (3 to 63 of a-z, 0-9, '-' and '.'): " + bucket);
  }
  // A certificate for *.host covers one label.
  const bool hostable = !IsAddress(host) && !(tls && bucket.find('.') != std::string::npos);
  if (options.addressing == S3Addressing::kVirtual && !hostable) {
    return Invalid("the bucket " + bucket + " cannot be addressed as a host below " + endpoint +
                   "; use path addressing (EVENT_STORE_S3_ADDRESSING_STYLE=path)");
  }
  const bool in_host = options.addressing == S3Addressing::kVirtual ||
                       (options.addressing == S3Addressing::kAuto && hostable && IsAmazon(host));
  std::string base = in_host ? std::string(scheme) + bucket + "." + std::string(host) + "/"
                             : endpoint + "/" + bucket + "/";
  return S3Address(endpoint, std::move(base));
}

std::string S3Address::Url(std::string_view key, std::string_view query) const {
  std::string url = base_ + PercentEncodePath(key);
  if (!query.empty()) url.append("?").append(query);
  return url;
}

}  // namespace saffron
