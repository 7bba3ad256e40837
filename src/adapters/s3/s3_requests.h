// Signed requests to one bucket, each repeated until it has an answer that settles it.
#pragma once

#include <string>
#include <string_view>

#include "adapters/s3/s3_address.h"
#include "adapters/s3/s3_connections.h"
#include "adapters/s3/s3_pacer.h"
#include "adapters/s3/s3_store.h"
#include "adapters/s3/s3_xml.h"

namespace saffron {

struct S3Request {
  enum class Repeat {
    kAlways,         // carried out twice or late, it does no harm
    kUnlessUnknown,  // only while surely nothing of it was carried out
  };

  std::string method = "GET";
  std::string key;    // empty: the bucket
  std::string query;  // percent-encoded
  HttpHeaders headers;
  std::string body;
  std::size_t expected_bytes = 0;  // of the answer, where it is known
  Repeat repeat = Repeat::kAlways;
};

struct S3Answer {
  HttpResponse response;
  S3ErrorAnswer error;  // of an answer that is no success
  // An earlier attempt of the same call may have been carried out, and this one met what it did.
  bool after_unknown = false;

  bool ok() const { return response.status / 100 == 2; }
  bool Is(int status, std::string_view code) const {
    return response.status == status && error.code == code;
  }
};

// Any thread.
class S3Requests {
 public:
  S3Requests(const S3StoreOptions& options, S3Address address, Runtime& runtime, Log& log);

  // A success, or a refusal that says something about the request. Errors: kUnavailable: not
  // carried out (always so for what only reads); kUnknownOutcome; kCancelled: the runtime stops.
  Result<S3Answer> Call(S3Request request);

  // What a refusal means that its caller did not expect: credentials, permissions, region, clock.
  Error Refusal(const S3Answer& answer, std::string_view what) const;

  const S3Address& address() const { return address_; }
  Log& log() { return log_; }
  Runtime& runtime() { return runtime_; }
  S3Metrics* metrics() { return metrics_; }

 private:
  // What an attempt came to.
  enum class Verdict {
    kSettled,
    kNotApplied,  // nothing happened: repeat it
    kUnknown,     // something may have, or may still
    kGivenUp,     // repeating is useless
  };
  struct Attempt {
    Verdict verdict;
    Result<S3Answer> answer;
  };

  Attempt Try(HttpClientRequest& request, Duration attempt_timeout, Instant deadline);
  Attempt Judge(Result<HttpResponse> response);
  void SlowDown(const HttpResponse& response);
  // False: the next attempt would begin after `last_start`, or the runtime stops.
  bool Backoff(int attempt, Instant last_start);

  const S3Address address_;
  const SigV4Signer signer_;
  const S3Limits limits_;
  const std::string region_;
  Runtime& runtime_;
  Log& log_;
  S3Metrics* const metrics_;
  S3Connections connections_;
  S3Pacer pacer_;
};

}  // namespace saffron
