// Requests that are sent again until they are answered: only for those that are safe to repeat,
// that is reads and writes with a key.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "app/api_client.h"
#include "base/runtime.h"

namespace saffron {

// For one thread, like its connection.
class PatientClient {
 public:
  // Gives up when nothing but failures came for `give_up`.
  static Result<std::unique_ptr<PatientClient>> Open(Runtime& runtime, ApiOptions options,
                                                     Duration give_up);

  struct Answer {
    HttpResponse response;
    int attempts = 1;
  };
  // Backs off with jitter on 429, 5xx and broken connections, as long as Retry-After says but at
  // most 5 s. An answer that is not worth retrying is returned, whatever its status. kUnavailable:
  // gave up, with the last reason; kCancelled: the runtime is stopping.
  Result<Answer> Send(std::string_view method, std::string_view path, const std::string& body,
                      std::string_view idempotency_key);
  // Told, by the thread that sends, why a request is about to be sent again: once a request.
  void OnTrouble(std::function<void(const std::string& why)> tell) { tell_ = std::move(tell); }
  Result<Answer> Get(std::string_view path) { return Send("GET", path, "", ""); }
  // Requests that were sent again, over all.
  std::uint64_t retries() const { return retries_; }

 private:
  PatientClient(Runtime& runtime, std::unique_ptr<ApiClient> client, Duration give_up)
      : runtime_(runtime), client_(std::move(client)), give_up_(give_up) {}
  Duration PauseAfter(int attempt, const Result<HttpResponse>& response);

  Runtime& runtime_;
  const std::unique_ptr<ApiClient> client_;
  const Duration give_up_;
  std::function<void(const std::string&)> tell_;
  std::atomic<std::uint64_t> retries_{0};
};

}  // namespace saffron
