// HttpClient: requests over one kept-alive connection a host, with deadlines.
//
// For one thread at a time; a pool of workers has one each. Redirects are not followed, answers are
// not decompressed, loopback is never reached through a proxy. A request with a body is never sent
// twice behind the caller's back.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/runtime.h"
#include "net/http.h"

namespace saffron {

struct HttpClientOptions {
  enum class VerifyTls { kYes, kNo };

  Duration connect_timeout = seconds(5);
  std::size_t max_response_bytes = 64 * 1024 * 1024;
  std::string ca_file;  // empty: the system's
  VerifyTls verify_tls = VerifyTls::kYes;
};

struct HttpClientRequest {
  std::string method = "GET";
  std::string url;  // http or https, percent-encoded
  HttpHeaders headers;
  std::string body;
};

class HttpClient {
 public:
  static Result<std::unique_ptr<HttpClient>> Open(HttpClientOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Any status is a response. Errors: kInvalid: not a URL or method; kUnavailable: nothing was
  // sent; kUnknownOutcome: it broke, or `timeout` passed, after something may have been sent, or
  // the answer is larger than allowed; kCancelled: Cancel was called.
  Result<HttpResponse> Do(const HttpClientRequest& request, Duration timeout);

  // The same for an answer without an end: a 2xx body goes to `on_chunk` as it arrives, until the
  // peer ends it, `on_chunk` returns false (both are success) or Cancel is called. Any other status
  // is returned with its body. There is no overall timeout, but `quiet_timeout` without a byte ends
  // it (whole seconds, at least one).
  using OnChunk = std::function<bool(std::string_view chunk)>;
  Result<HttpResponse> Stream(const HttpClientRequest& request, Duration quiet_timeout,
                              const OnChunk& on_chunk);

  // Any thread: ends what runs, within about a second, and everything after it.
  void Cancel() { cancelled_ = true; }

 private:
  struct Handle;

  explicit HttpClient(HttpClientOptions options);
  Result<HttpResponse> Perform(const HttpClientRequest& request, const OnChunk* on_chunk);

  const HttpClientOptions options_;
  std::unique_ptr<Handle> handle_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace saffron
