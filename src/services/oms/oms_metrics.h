// What the OMS counts.
#pragma once

#include <array>
#include <vector>

#include "base/metrics.h"
#include "base/runtime.h"

namespace saffron {

// One for the process. Any thread.
class OmsMetrics {
 public:
  explicit OmsMetrics(Metrics& metrics);

  // `route`: an index into RouteTable().
  void Answered(std::size_t route, int status, Duration took);
  // No route, or not its method.
  void Unrouted();
  void Waiting(std::size_t append_queue, std::size_t request_tasks);

 private:
  struct PerRoute {
    std::array<Metrics::Counter*, 5> by_class{};  // 1xx to 5xx
    Metrics::Histogram* seconds = nullptr;
  };
  std::vector<PerRoute> routes_;
  Metrics::Counter& unrouted_;
  Metrics::Gauge &append_queue_, &request_tasks_;
};

}  // namespace saffron
