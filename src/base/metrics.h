// The metrics of a process, in the Prometheus data model.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <string>
#include <vector>

namespace saffron {

// Owned by main (or a test); outlives everything that keeps a reference from it. Creating a metric
// takes a lock and searches: a service makes its metrics once, in a class of its own with methods
// named by meaning, and keeps the references, whose methods any thread may call. The same name and
// labels give the same metric; a name used for two kinds of metric is a broken invariant.
//
// Names are snake case with the unit last ("saffron_append_commit_seconds"); counters end in
// "_total".
class Metrics {
 public:
  using Counter = prometheus::Counter;
  using Gauge = prometheus::Gauge;
  using Histogram = prometheus::Histogram;
  using Labels = std::map<std::string, std::string>;
  // Ascending upper bounds; +Inf is added.
  using Buckets = std::vector<double>;

  Counter& NewCounter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge& NewGauge(const std::string& name, const std::string& help, const Labels& labels = {});
  Histogram& NewHistogram(const std::string& name, const std::string& help, const Buckets& buckets,
                          const Labels& labels = {});

  // 100 microseconds to 30 seconds.
  static Buckets SecondsBuckets();
  // 1, 2, 4, ... 4096.
  static Buckets CountBuckets();
  // 256 B to 64 MiB by factors of 4.
  static Buckets BytesBuckets();

  // Everything, in text format 0.0.4 (content type "text/plain; version=0.0.4").
  std::string Expose() const;

 private:
  prometheus::Registry registry_;
};

}  // namespace saffron
