// The HTTP API of a running server, as the commands use it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/runtime.h"
#include "net/http_client.h"

namespace saffron {

struct ApiOptions {
  std::string server_url;  // "http://127.0.0.1:8000"
  std::string token;       // may be empty
  Duration timeout = seconds(60);
};

// One kept-alive connection; for one thread. A call is sent once: whoever gives a key may send it
// again.
class ApiClient {
 public:
  static Result<std::unique_ptr<ApiClient>> Open(ApiOptions options);

  // `path` begins with a slash and is percent-encoded. Any status is a response.
  Result<HttpResponse> Get(std::string_view path);
  Result<HttpResponse> Send(std::string_view method, std::string_view path, std::string body,
                            std::string_view idempotency_key);
  const ApiOptions& options() const { return options_; }

 private:
  ApiClient(ApiOptions options, std::unique_ptr<HttpClient> http)
      : options_(std::move(options)), http_(std::move(http)) {}

  ApiOptions options_;
  std::unique_ptr<HttpClient> http_;
};

// What the server says is wrong, on one line: its message, and the first of its errors. A second
// line says what to do about a missing right.
std::string ErrorMessage(const HttpResponse& response);
// kExitOk for 2xx, kExitUnreachable for 429 and 5xx, else kExitRefused.
int ExitCodeOf(const HttpResponse& response);
// Whether the same request may succeed later.
bool IsWorthRetrying(const Result<HttpResponse>& response);

}  // namespace saffron
