#include "base/metrics.h"

#include <prometheus/text_serializer.h>

#include <stdexcept>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace saffron {
namespace {

// The library throws on a name that is malformed or taken by another kind of metric.
template <class Create>
auto& OrAbort(Create create) {
  try {
    return create();
  } catch (const std::exception& error) {
    AssertionFailed(error.what(), __FILE__, __LINE__);
  }
}

bool EndsInTotal(std::string_view name) { return name.ends_with("_total"); }

}  // namespace

Metrics::Counter& Metrics::NewCounter(const std::string& name, const std::string& help,
                                      const Labels& labels) {
  SAFFRON_ASSERT(EndsInTotal(name));
  return OrAbort([&]() -> Counter& {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry_).Add(labels);
  });
}

Metrics::Gauge& Metrics::NewGauge(const std::string& name, const std::string& help,
                                  const Labels& labels) {
  SAFFRON_ASSERT(!EndsInTotal(name));
  return OrAbort([&]() -> Gauge& {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry_).Add(labels);
  });
}

Metrics::Histogram& Metrics::NewHistogram(const std::string& name, const std::string& help,
                                          const Buckets& buckets, const Labels& labels) {
  SAFFRON_ASSERT(!EndsInTotal(name));
  return OrAbort([&]() -> Histogram& {
    auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(registry_);
    return family.Add(labels, buckets);
  });
}

Metrics::Buckets Metrics::SecondsBuckets() {
  return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
          0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30};
}

Metrics::Buckets Metrics::CountBuckets() {
  Buckets buckets;
  for (double bound = 1; bound <= 4096; bound *= 2) buckets.push_back(bound);
  return buckets;
}

Metrics::Buckets Metrics::BytesBuckets() {
  Buckets buckets;
  for (double bound = 256; bound <= 64.0 * 1024 * 1024; bound *= 4) buckets.push_back(bound);
  return buckets;
}

std::string Metrics::Expose() const {
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

}  // namespace saffron
