// AWS Signature Version 4 with HMAC-SHA256 (AWS documentation, "Authenticating Requests"), as S3
// wants it: the path is signed as it is sent, not normalised.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/runtime.h"
#include "net/http_client.h"

namespace saffron {

struct AwsCredentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;  // empty: long-lived credentials
};

// What stands for a body that is not part of the signature.
inline constexpr char kUnsignedPayload[] = "UNSIGNED-PAYLOAD";

// Any thread. The key derived for a day is kept until the day changes. Neither the secret key nor
// the session token is part of any error.
class SigV4Signer {
 public:
  SigV4Signer(AwsCredentials credentials, std::string region, std::string service);

  // Adds X-Amz-Date, Authorization, and Host and X-Amz-Security-Token where they are needed. Signs
  // every header that is there, so none may be added afterwards. The body's hash is what
  // X-Amz-Content-Sha256 says if it is there (S3 wants it), else it is computed. kInvalid: not an
  // http or https URL, or a malformed percent escape in it.
  Status Sign(HttpClientRequest& request, WallTime now) const;

  // `url` with a signature that makes it valid for whoever has it, for `valid`; no other header
  // than Host is signed, nor a body.
  Result<std::string> SignUrl(std::string_view method, std::string_view url, Duration valid,
                              WallTime now) const;

 private:
  struct DayKey {
    std::string date;  // 20130524
    std::string key;
  };

  std::string Scope(std::string_view date) const;
  std::shared_ptr<const DayKey> KeyOf(std::string_view date) const;
  // Hexadecimal, of the canonical request.
  std::string Signature(std::string_view timestamp, std::string_view canonical_request) const;

  const AwsCredentials credentials_;
  const std::string region_, service_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const DayKey> day_key_;
};

}  // namespace saffron
