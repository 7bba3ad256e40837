// What the publisher reports. Made once by the process; any thread.
#pragma once

#include "base/metrics.h"
#include "base/runtime.h"

namespace saffron {

class PublisherMetrics {
 public:
  explicit PublisherMetrics(Metrics& metrics);
  void RunAcknowledged(std::size_t slots, std::size_t events, Duration produce);
  void Refused(std::size_t messages);
  void CheckpointSwapped();
  void RepublishStarted();
  void Leads(bool leads);
  // `events` is an estimate from the mean of recent slots.
  void Lag(std::uint64_t slots, std::uint64_t events, double seconds);

 private:
  Metrics::Counter &slots_, &events_, &refused_, &swaps_, &republishes_;
  Metrics::Gauge &leads_, &lag_slots_, &lag_events_, &lag_seconds_;
  Metrics::Histogram& produce_;
};

}  // namespace saffron
