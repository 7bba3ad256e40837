#include "services/oms/oms_metrics.h"

#include <algorithm>

#include "services/oms/route_table.h"

namespace saffron {

OmsMetrics::OmsMetrics(Metrics& metrics)
    : unrouted_(metrics.NewCounter("saffron_oms_unrouted_total", "Requests without a route")),
      append_queue_(
          metrics.NewGauge("saffron_oms_append_queue_events", "Events waiting to be appended")),
      request_tasks_(metrics.NewGauge("saffron_oms_waiting_requests",
                                      "Requests at or before a request task")) {
  static constexpr const char* kClasses[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
  for (const RouteSpec& route : RouteTable()) {
    const std::string operation(route.operation);
    PerRoute per_route;
    for (std::size_t i = 0; i < per_route.by_class.size(); ++i) {
      per_route.by_class[i] = &metrics.NewCounter("saffron_oms_requests_total", "Requests answered",
                                                  {{"route", operation}, {"status", kClasses[i]}});
    }
    per_route.seconds =
        &metrics.NewHistogram("saffron_oms_request_seconds", "Time from request to answer",
                              Metrics::SecondsBuckets(), {{"route", operation}});
    routes_.push_back(per_route);
  }
}

void OmsMetrics::Answered(std::size_t route, int status, Duration took) {
  PerRoute& per_route = routes_[route];
  per_route.by_class[static_cast<std::size_t>(std::clamp(status / 100, 1, 5) - 1)]->Increment();
  per_route.seconds->Observe(std::chrono::duration<double>(took).count());
}

void OmsMetrics::Unrouted() { unrouted_.Increment(); }

void OmsMetrics::Waiting(std::size_t append_queue, std::size_t request_tasks) {
  append_queue_.Set(static_cast<double>(append_queue));
  request_tasks_.Set(static_cast<double>(request_tasks));
}

}  // namespace saffron
