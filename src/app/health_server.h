// HealthServer: what a process without an API answers over HTTP: /health, /health/live,
// /health/ready, /metrics and / (name, service and version). Open to everybody, like the same paths
// of the OMS.
//
// Owned by the command that runs the service. Nothing of it survives a crash.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "net/http_server.h"
#include "services/oms/health.h"

namespace saffron {

class HealthServer {
 public:
  struct Options {
    HttpServerOptions http;
    std::string service, version;
  };
  static Result<std::unique_ptr<HealthServer>> Open(Options options, Runtime& runtime,
                                                    const Metrics& metrics,
                                                    std::vector<HealthCheck> checks);

  std::uint16_t port() const { return http_->port(); }
  void Stop(Duration drain);

 private:
  HealthServer(Options options, Runtime& runtime, const Metrics& metrics,
               std::vector<HealthCheck> checks);
  HttpResponse Answer(const HttpRequest& request);

  const Options options_;
  const Metrics& metrics_;
  HealthMonitor monitor_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace saffron
