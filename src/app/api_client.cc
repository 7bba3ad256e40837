#include "app/api_client.h"

#include "app/exit_code.h"
#include "app/json_view.h"

namespace saffron {

Result<std::unique_ptr<ApiClient>> ApiClient::Open(ApiOptions options) {
  while (options.server_url.ends_with('/')) options.server_url.pop_back();
  SAFFRON_ASSIGN(auto http, HttpClient::Open({}));
  return std::unique_ptr<ApiClient>(new ApiClient(std::move(options), std::move(http)));
}

Result<HttpResponse> ApiClient::Get(std::string_view path) { return Send("GET", path, "", ""); }

Result<HttpResponse> ApiClient::Send(std::string_view method, std::string_view path,
                                     std::string body, std::string_view idempotency_key) {
  HttpClientRequest request;
  request.method = std::string(method);
  request.url = options_.server_url + std::string(path);
  if (!body.empty()) request.headers.Add("Content-Type", "application/json");
  if (!idempotency_key.empty()) request.headers.Add("Idempotency-Key", idempotency_key);
  if (!options_.token.empty()) request.headers.Add("Authorization", "Bearer " + options_.token);
  request.body = std::move(body);
  return http_->Do(request, options_.timeout);
}

std::string ErrorMessage(const HttpResponse& response) {
  JsonView body = JsonView::Of(response.body);
  std::string text =
      std::to_string(response.status) + " " + std::string(ReasonPhrase(response.status));
  auto add = [&](const std::string& part) {
    if (!part.empty()) text.append(": ").append(part);
  };
  const std::string message = body["message"].TextOr("");
  JsonView detail = body["detail"];
  add(message.empty() ? detail.TextOr(detail["error"].TextOr("")) : message);
  auto errors = body["errors"].Elements();
  if (!errors.empty()) {
    add(errors.front()["pointer"].TextOr("") + " " + errors.front()["message"].TextOr(""));
  }
  if (response.status == 401 || response.status == 403) {
    text.append(
        "\nSet OMS_ADMIN_TOKEN, OMS_WRITE_TOKEN or SAFFRON_READ_TOKEN to a token of that server; "
        "the first that is set is sent.");
  }
  return text;
}

int ExitCodeOf(const HttpResponse& response) {
  if (response.status / 100 == 2) return kExitOk;
  if (response.status == 429 || response.status >= 500) return kExitUnreachable;
  return kExitRefused;
}

bool IsWorthRetrying(const Result<HttpResponse>& response) {
  if (!response.ok()) {
    return response.Is(Code::kUnavailable) || response.Is(Code::kUnknownOutcome);
  }
  return response->status == 429 || response->status >= 500;
}

}  // namespace saffron
