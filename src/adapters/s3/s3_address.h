// Where a bucket is: the URLs of it and of its objects.
#pragma once

#include <string>
#include <string_view>

#include "adapters/s3/s3_store.h"
#include "base/result.h"

namespace saffron {

class S3Address {
 public:
  // kInvalid: not an http or https URL without user, path and query; not a bucket name; a bucket
  // that cannot be part of the host's name. A user or a password in the URL is not repeated.
  static Result<S3Address> Of(const S3StoreOptions& options);

  // The bucket itself for an empty key. `query` is sent as it is.
  std::string Url(std::string_view key, std::string_view query) const;
  const std::string& endpoint() const { return endpoint_; }

 private:
  S3Address(std::string endpoint, std::string base)
      : endpoint_(std::move(endpoint)), base_(std::move(base)) {}

  std::string endpoint_;  // "http://127.0.0.1:9000"
  std::string base_;      // of its objects, with the '/' before the key
};

}  // namespace saffron
