// How far groups are behind, as a metric.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "adapters/kafka/kafka_admin.h"
#include "base/metrics.h"
#include "base/runtime.h"

namespace saffron {

// Saffron_bus_lag_records{group, topic}: records that the whole group has not committed, as the
// cluster knows it, whoever its members are and whether they poll. Owns the task that asks; a
// figure that cannot be had stays as it was.
class KafkaLag {
 public:
  KafkaLag(KafkaAdmin& admin, Metrics& metrics, Runtime& runtime, Duration interval);
  ~KafkaLag();

  void Watch(const std::string& group, const std::vector<std::string>& topics);

 private:
  using Key = std::pair<std::string, std::string>;  // group, topic
  void Run();
  void Measure(const std::string& group, const std::map<Key, Metrics::Gauge*>& gauges);
  bool Rest();  // false: it is over

  KafkaAdmin& admin_;
  Metrics& metrics_;
  Runtime& runtime_;
  const Duration interval_;
  const std::unique_ptr<Condition> condition_;
  // Under *condition_:
  std::map<Key, Metrics::Gauge*> gauges_;
  bool over_ = false;
  std::unique_ptr<Task> task_;
};

}  // namespace saffron
