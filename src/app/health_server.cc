#include "app/health_server.h"

#include "services/oms/http_answers.h"
#include "services/oms/json_object.h"

namespace saffron {

HealthServer::HealthServer(Options options, Runtime& runtime, const Metrics& metrics,
                           std::vector<HealthCheck> checks)
    : options_(std::move(options)),
      metrics_(metrics),
      monitor_(runtime, std::move(checks), HealthMonitor::Options()) {}

Result<std::unique_ptr<HealthServer>> HealthServer::Open(Options options, Runtime& runtime,
                                                         const Metrics& metrics,
                                                         std::vector<HealthCheck> checks) {
  std::unique_ptr<HealthServer> server(
      new HealthServer(std::move(options), runtime, metrics, std::move(checks)));
  server->monitor_.Start();
  SAFFRON_ASSIGN(server->http_,
                 HttpServer::Open(server->options_.http,
                                  [at = server.get()](HttpRequest&& request, Responder responder) {
                                    responder.Send(at->Answer(request));
                                  }));
  return server;
}

void HealthServer::Stop(Duration drain) {
  http_->StopAccepting();
  http_->Drain(drain);
  monitor_.Stop();
}

HttpResponse HealthServer::Answer(const HttpRequest& request) {
  const bool known = request.path == "/" || request.path == "/metrics" ||
                     request.path == "/health" || request.path == "/health/live" ||
                     request.path == "/health/ready";
  if (!known) return ApiError(404, "there is no such path; the API is served by `saffron oms`");
  if (request.method != "GET" && request.method != "HEAD") {
    HttpResponse refusal = ApiError(405, "this path has other methods");
    refusal.headers.Add("Allow", "GET");
    return refusal;
  }
  if (request.path == "/metrics") {
    HttpResponse response;
    response.content_type = "text/plain; version=0.0.4";
    response.body = metrics_.Expose();
    return response;
  }
  if (request.path == "/health/live") return JsonAnswer(200, R"({"status":"healthy"})");
  if (request.path == "/") {
    std::string body;
    JsonObject(body)
        .Text("name", "saffron")
        .Text("service", options_.service)
        .Text("version", options_.version)
        .Close();
    return JsonAnswer(200, std::move(body));
  }
  HealthMonitor::Report report = monitor_.Now();
  return JsonAnswer(report.healthy ? 200 : 503, std::move(report.json));
}

}  // namespace saffron
