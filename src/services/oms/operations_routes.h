// Health, metrics, the OpenAPI document, the root page and the admin routes.
#pragma once

#include <functional>
#include <string>

#include "base/metrics.h"
#include "services/oms/admin_operations.h"
#include "services/oms/api_call.h"
#include "services/oms/health.h"

namespace saffron {

class OperationsRoutes {
 public:
  // `admin` may be null: then its routes answer 503. `before_metrics` refreshes gauges.
  OperationsRoutes(Metrics& metrics, HealthMonitor& health, AdminOperations* admin,
                   StepRunner& admin_steps, std::string version,
                   std::function<void()> before_metrics);
  void Register(HandlerMap& handlers);

 private:
  using AdminCall = std::function<Result<std::string>(const ApiCall&)>;

  void AddAdmin(HandlerMap& handlers, std::string_view operation, AdminCall admin_call);
  Result<std::string> ListDlq(const ApiCall& call);
  Result<std::string> ActOnDlq(const ApiCall& call);
  Result<std::string> Rebuild(const ApiCall& call);

  Metrics& metrics_;
  HealthMonitor& health_;
  AdminOperations* const admin_;
  StepRunner& admin_steps_;
  const std::string version_;
  const std::string openapi_;
  const std::function<void()> before_metrics_;
};

}  // namespace saffron
