#include "app/patient_client.h"

#include <algorithm>
#include <charconv>

namespace saffron {
namespace {

constexpr Duration kFirstPause = milliseconds(50);
constexpr Duration kLongestPause = seconds(5);

Duration RetryAfter(const HttpResponse& response) {
  auto header = response.headers.Find("Retry-After");
  if (!header) return Duration(0);
  int number = 0;
  std::from_chars(header->data(), header->data() + header->size(), number);
  return seconds(std::clamp(number, 0, 5));
}

}  // namespace

Result<std::unique_ptr<PatientClient>> PatientClient::Open(Runtime& runtime, ApiOptions options,
                                                           Duration give_up) {
  SAFFRON_ASSIGN(auto client, ApiClient::Open(std::move(options)));
  return std::unique_ptr<PatientClient>(new PatientClient(runtime, std::move(client), give_up));
}

Duration PatientClient::PauseAfter(int attempt, const Result<HttpResponse>& response) {
  Duration pause = kFirstPause * (1 << std::min(attempt - 1, 6));
  // Half to all of it, so that many clients do not come back together.
  pause = pause / 2 + Duration(static_cast<std::int64_t>(
                          runtime_.RandomBelow(static_cast<std::uint64_t>(pause.count() / 2))));
  if (response.ok()) pause = std::max(pause, RetryAfter(*response));
  return std::min(pause, kLongestPause);
}

Result<PatientClient::Answer> PatientClient::Send(std::string_view method, std::string_view path,
                                                  const std::string& body,
                                                  std::string_view idempotency_key) {
  const Instant deadline = runtime_.Now() + give_up_;
  for (int attempt = 1;; ++attempt) {
    auto response = client_->Send(method, path, body, idempotency_key);
    if (!IsWorthRetrying(response)) {
      if (!response.ok()) return std::move(response).error();
      return Answer{std::move(*response), attempt};
    }
    const std::string why = response.ok() ? ErrorMessage(*response) : response.error().message();
    if (runtime_.Now() >= deadline) {
      const auto tried = std::chrono::duration_cast<seconds>(give_up_).count();
      return Unavailable(client_->options().server_url + " did not answer for " +
                         std::to_string(tried) + " s: " + why);
    }
    if (attempt == 1 && tell_) tell_(why);
    ++retries_;
    if (!runtime_.SleepFor(PauseAfter(attempt, response))) return Cancelled("stopping");
  }
}

}  // namespace saffron
