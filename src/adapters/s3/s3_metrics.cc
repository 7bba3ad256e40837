#include "adapters/s3/s3_metrics.h"

namespace saffron {
namespace {

Metrics::Counter& Requests(Metrics& metrics, const std::string& method) {
  return metrics.NewCounter("saffron_s3_requests_total", "Requests sent to the object store",
                            {{"method", method}});
}

}  // namespace

S3Metrics::S3Metrics(Metrics& metrics)
    : puts_(Requests(metrics, "PUT")),
      gets_(Requests(metrics, "GET")),
      others_(Requests(metrics, "other")),
      repeated_(metrics.NewCounter("saffron_s3_repeated_total",
                                   "Requests that repeated one without a final answer")),
      slow_downs_(metrics.NewCounter("saffron_s3_slow_down_total",
                                     "Answers that asked for fewer requests (503, 429)")),
      corrupt_(metrics.NewCounter("saffron_s3_corrupt_total",
                                  "Objects that arrived with another checksum than was stored")),
      seconds_(metrics.NewHistogram("saffron_s3_request_seconds", "One request, to its last byte",
                                    Metrics::SecondsBuckets())) {}

void S3Metrics::Requested(std::string_view method, Duration took) {
  (method == "PUT" ? puts_ : method == "GET" ? gets_ : others_).Increment();
  seconds_.Observe(std::chrono::duration<double>(took).count());
}
void S3Metrics::Repeated() { repeated_.Increment(); }
void S3Metrics::AskedToSlowDown() { slow_downs_.Increment(); }
void S3Metrics::ReadCorrupt() { corrupt_.Increment(); }

}  // namespace saffron
