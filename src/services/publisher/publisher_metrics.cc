#include "services/publisher/publisher_metrics.h"

namespace saffron {

PublisherMetrics::PublisherMetrics(Metrics& metrics)
    : slots_(metrics.NewCounter("saffron_publisher_slots_total", "Slots acknowledged by the bus")),
      events_(metrics.NewCounter("saffron_publisher_events_total", "Events acknowledged")),
      refused_(metrics.NewCounter("saffron_publisher_refused_total",
                                  "Events that the bus refused for good (dead-lettered)")),
      swaps_(metrics.NewCounter("saffron_publisher_checkpoints_total", "Checkpoints written")),
      republishes_(metrics.NewCounter("saffron_publisher_republishes_total",
                                      "Times that the bus was found to have lost events")),
      leads_(metrics.NewGauge("saffron_publisher_active", "1: this one publishes, 0: stands by")),
      lag_slots_(metrics.NewGauge("saffron_publisher_lag_slots", "Slots not yet published")),
      lag_events_(
          metrics.NewGauge("saffron_publisher_lag_events", "Events not yet published (estimated)")),
      lag_seconds_(metrics.NewGauge("saffron_publisher_lag_seconds",
                                    "Age of the last published slot while there are later ones")),
      produce_(metrics.NewHistogram("saffron_publisher_produce_seconds",
                                    "One run of slots, from the first produce to the last answer",
                                    Metrics::SecondsBuckets())) {}

void PublisherMetrics::RunAcknowledged(std::size_t slots, std::size_t events, Duration produce) {
  slots_.Increment(static_cast<double>(slots));
  events_.Increment(static_cast<double>(events));
  produce_.Observe(std::chrono::duration<double>(produce).count());
}

void PublisherMetrics::Refused(std::size_t messages) {
  refused_.Increment(static_cast<double>(messages));
}
void PublisherMetrics::CheckpointSwapped() { swaps_.Increment(); }
void PublisherMetrics::RepublishStarted() { republishes_.Increment(); }
void PublisherMetrics::Leads(bool leads) { leads_.Set(leads ? 1 : 0); }

void PublisherMetrics::Lag(std::uint64_t slots, std::uint64_t events, double seconds) {
  lag_slots_.Set(static_cast<double>(slots));
  lag_events_.Set(static_cast<double>(events));
  lag_seconds_.Set(seconds);
}

}  // namespace saffron
