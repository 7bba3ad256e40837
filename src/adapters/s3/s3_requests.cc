#include "adapters/s3/s3_requests.h"

#include <algorithm>

#include "adapters/s3/s3_headers.h"
#include "base/sha256.h"

namespace saffron {
namespace {

constexpr Duration kFirstBackoff = milliseconds(25);
constexpr Duration kMostBackoff = seconds(1);

HttpClientOptions ClientOptions(const S3StoreOptions& options) {
  HttpClientOptions client;
  client.connect_timeout = options.limits.connect_timeout;
  client.ca_file = options.ca_file;
  client.verify_tls =
      options.verify_ssl ? HttpClientOptions::VerifyTls::kYes : HttpClientOptions::VerifyTls::kNo;
  return client;
}

// "503 SlowDown"
std::string NameOf(const S3Answer& answer) {
  std::string name = std::to_string(answer.response.status);
  if (!answer.error.code.empty()) name.append(" ").append(answer.error.code);
  return name;
}

bool IsOneOf(std::string_view code, std::initializer_list<std::string_view> codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

// The body arrived damaged, or too slowly: the server has refused it whole.
bool LostOnTheWay(const S3Answer& answer) {
  return answer.response.status == 400 &&
         IsOneOf(answer.error.code, {"RequestTimeout", "IncompleteBody", "BadDigest",
                                     "InvalidDigest", "XAmzContentSHA256Mismatch"});
}

}  // namespace

S3Requests::S3Requests(const S3StoreOptions& options, S3Address address, Runtime& runtime, Log& log)
    : address_(std::move(address)),
      signer_(options.credentials, options.region, "s3"),
      limits_(options.limits),
      region_(options.region),
      runtime_(runtime),
      log_(log),
      metrics_(options.metrics),
      connections_(runtime, ClientOptions(options), options.limits.max_connections) {}

Result<S3Answer> S3Requests::Call(S3Request request) {
  const bool writes = request.method != "GET";
  const auto mebibytes =
      static_cast<std::int64_t>((request.body.size() + request.expected_bytes) >> 20);
  const Duration more = seconds(1) * mebibytes;
  const Instant deadline = runtime_.Now() + limits_.call_timeout + more;
  // An attempt without time would hide what is wrong, and make a refusal unknown.
  const Duration least = std::min(limits_.attempt_timeout, limits_.call_timeout) / 2;
  HttpClientRequest http{std::move(request.method), address_.Url(request.key, request.query),
                         HttpHeaders(), std::move(request.body)};
  request.headers.Add("X-Amz-Content-Sha256", Sha256Hex(http.body));
  bool unknown = false;
  std::string before;  // what the attempt before came to
  for (int attempt = 1;; ++attempt) {
    http.headers = request.headers;
    // What is read may be large without anyone knowing: a second try has more time.
    const int patience = writes ? 1 : attempt;
    Attempt tried = Try(http, limits_.attempt_timeout * patience + more, deadline);
    if (tried.verdict == Verdict::kSettled) {
      tried.answer->after_unknown = unknown;
      return std::move(tried.answer);
    }
    unknown = unknown || (writes && tried.verdict == Verdict::kUnknown);
    const bool repeat = tried.verdict != Verdict::kGivenUp &&
                        (!unknown || request.repeat == S3Request::Repeat::kAlways);
    if (!repeat || !Backoff(attempt, Instant{deadline.since_start - least})) {
      const Error& error = tried.answer.error();
      std::string message = error.message();
      if (tried.verdict == Verdict::kGivenUp && !before.empty())
        message += " (before: " + before + ")";
      if (unknown) return UnknownOutcome(std::move(message));
      if (error.code() == Code::kUnknownOutcome) return Unavailable(std::move(message));
      return Error(error.code(), std::move(message));
    }
    before = tried.answer.error().message();
    log_.Debug("s3.repeats", {{"attempt", attempt}, {"error", before}});
    if (metrics_ != nullptr) metrics_->Repeated();
  }
}

S3Requests::Attempt S3Requests::Try(HttpClientRequest& request, Duration attempt_timeout,
                                    Instant deadline) {
  const auto turn = pacer_.TakeTurn(runtime_.Now(), deadline);
  if (!turn) {
    return {Verdict::kGivenUp, Unavailable("the object store asks for fewer requests")};
  }
  if (const Duration wait = *turn - runtime_.Now(); wait > Duration::zero()) {
    if (!runtime_.SleepFor(wait)) return {Verdict::kGivenUp, Cancelled("the process stops")};
  }
  Result<S3Connections::Lease> connection = connections_.Take(deadline);
  if (!connection.ok()) return {Verdict::kGivenUp, connection.error()};
  if (Status status = signer_.Sign(request, runtime_.WallNow()); !status.ok()) {
    return {Verdict::kGivenUp, status.error()};
  }
  const Instant begin = runtime_.Now();
  Result<HttpResponse> response =
      (*connection)->Do(request, std::min(attempt_timeout, deadline - begin));
  if (metrics_ != nullptr) metrics_->Requested(request.method, runtime_.Now() - begin);
  return Judge(std::move(response));
}

S3Requests::Attempt S3Requests::Judge(Result<HttpResponse> response) {
  if (!response.ok()) {
    const Error error = response.error().Within("object store at " + address_.endpoint());
    switch (error.code()) {
      case Code::kUnavailable: return {Verdict::kNotApplied, error};
      case Code::kUnknownOutcome: return {Verdict::kUnknown, error};
      default: return {Verdict::kGivenUp, error};
    }
  }
  S3Answer answer{std::move(*response), {}, false};
  const int status = answer.response.status;
  if (answer.ok()) {
    if (pacer_.Succeeded()) log_.Info("s3.at_full_pace_again");
    return {Verdict::kSettled, std::move(answer)};
  }
  answer.error = ParseS3Error(answer.response.body);
  if (answer.error.region.empty()) {
    answer.error.region =
        PlainS3Name(answer.response.headers.Find("x-amz-bucket-region").value_or(""));
  }
  const Error error =
      Unavailable("object store at " + address_.endpoint() + " answers " + NameOf(answer));
  if (status == 503 || status == 429) SlowDown(answer.response);
  if (status == 501) return {Verdict::kSettled, std::move(answer)};
  // A server that fails may have written before; so may the other request of a 409.
  if (status >= 500 || status == 409) {
    const bool bucket = answer.error.code.starts_with("Bucket");
    if (bucket) return {Verdict::kSettled, std::move(answer)};
    return {Verdict::kUnknown, error};
  }
  if (status == 429 || status == 408 || LostOnTheWay(answer)) return {Verdict::kNotApplied, error};
  return {Verdict::kSettled, std::move(answer)};
}

void S3Requests::SlowDown(const HttpResponse& response) {
  if (metrics_ != nullptr) metrics_->AskedToSlowDown();
  if (pacer_.SlowDown(runtime_.Now(), seconds(S3RetryAfterSeconds(response)))) {
    log_.Warning("s3.asked_to_slow_down", {{"endpoint", address_.endpoint()}});
  }
}

// Full jitter: anything up to the bound, so that those who failed together do not come together.
bool S3Requests::Backoff(int attempt, Instant last_start) {
  const Duration bound = std::min(kMostBackoff, kFirstBackoff * (1 << std::min(attempt, 10)));
  const Duration wait(runtime_.RandomBelow(static_cast<std::uint64_t>(bound.count())));
  return runtime_.Now() + wait < last_start && runtime_.SleepFor(wait);
}

Error S3Requests::Refusal(const S3Answer& answer, std::string_view what) const {
  const std::string& code = answer.error.code;
  std::string message = std::string(what) + ": the object store at " + address_.endpoint() +
                        " answers " + NameOf(answer);
  if (answer.Is(404, "NoSuchBucket")) {
    message += ": the bucket does not exist any more";
  } else if (code == "RequestTimeTooSkewed") {
    message +=
        ": the clocks differ: here it is " + runtime_.WallNow().ToRfc3339() + ", there " +
        std::string(answer.response.headers.Find("Date").value_or("(not said)").substr(0, 40));
  } else if (IsOneOf(code, {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSecurity",
                            "InvalidToken", "ExpiredToken", "TokenRefreshRequired"})) {
    message +=
        ": the credentials are wrong or have expired (MINIO_ACCESS_KEY, MINIO_SECRET_KEY, "
        "SAFFRON_S3_SESSION_TOKEN)";
  } else if (answer.response.status / 100 == 3 || code == "AuthorizationHeaderMalformed" ||
             code == "IllegalLocationConstraintException") {
    message += ": the bucket is in another region than " + region_ + ": set SAFFRON_S3_REGION" +
               (answer.error.region.empty() ? "" : "=" + answer.error.region) +
               " and use that region's endpoint";
  } else if (answer.response.status == 403) {
    message += ": the credentials do not permit it";
  } else if (answer.response.status == 501) {
    message += ": it does not implement what the log needs";
  }
  if (answer.after_unknown) return UnknownOutcome(std::move(message));
  return Unavailable(std::move(message));
}

}  // namespace saffron
