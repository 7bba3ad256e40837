// The processes themselves: what each says of its own parts.
#include "app/commands/check_subject.h"
#include "app/json_view.h"

namespace saffron {
namespace {

constexpr const char* kSeeSymptoms = "its log says why; docs/operating.md, By symptom";

std::map<std::string, std::string> ComponentsOf(const HttpResponse& response) {
  std::map<std::string, std::string> components;
  for (const auto& [name, component] : JsonView::Of(response.body)["components"].Members()) {
    std::string status = component["status"].TextOr("?");
    const std::string reason = component["reason"].TextOr("");
    if (!reason.empty()) status.append(" (").append(reason).append(")");
    components.emplace(name, std::move(status));
  }
  return components;
}

// "registry UNAVAILABLE, publisher STALE", or of the healthy ones their names alone.
std::string Listed(const std::map<std::string, std::string>& components, bool healthy) {
  std::string text;
  for (const auto& [name, status] : components) {
    if ((status == "ok") != healthy) continue;
    text.append(text.empty() ? "" : ", ").append(name);
    if (!healthy) text.append(" ").append(status);
  }
  return text;
}

CheckItem Judge(const ItemOf& item, const HttpResponse& response,
                const std::map<std::string, std::string>& components) {
  if (components.empty()) {
    return item.Failed(
        "what answers is no process of Saffron (status " + std::to_string(response.status) + ")",
        "give the URL of one: http://host:port, as in its SAFFRON_LISTEN");
  }
  if (response.status == 200) return item.Passed("healthy: " + Listed(components, true));
  return item.Failed("unhealthy: " + Listed(components, false), kSeeSymptoms);
}

}  // namespace

CheckItem ServerHealth(CheckSubject& subject) {
  const ItemOf item("server_health", "The server is healthy", "GET " + subject.Shown("/health"));
  Result<HttpResponse> response = subject.api.Get("/health");
  if (!response.ok()) {
    return item.Failed(response.error().message(),
                       "start `saffron oms` or `saffron serve`, or name it with --server");
  }
  subject.server_answered = true;
  subject.components = ComponentsOf(*response);
  return Judge(item, *response, subject.components);
}

CheckItem ProcessHealth(CheckSubject& subject, const std::string& url) {
  const ItemOf item("process_health", "The process at " + ShownUrl(url) + " is healthy",
                    "GET " + ShownUrl(url) + "/health");
  ApiOptions options = subject.api.options();
  options.server_url = url;
  options.token.clear();  // everybody may ask
  Result<std::unique_ptr<ApiClient>> client = ApiClient::Open(std::move(options));
  Result<HttpResponse> response =
      client.ok() ? (*client)->Get("/health") : Result<HttpResponse>(client.error());
  if (!response.ok()) {
    return item.Failed(response.error().message(), "start that process, or correct --process");
  }
  return Judge(item, *response, ComponentsOf(*response));
}

}  // namespace saffron
