#include "adapters/kafka/kafka_lag.h"

#include <algorithm>
#include <mutex>

namespace saffron {

KafkaLag::KafkaLag(KafkaAdmin& admin, Metrics& metrics, Runtime& runtime, Duration interval)
    : admin_(admin),
      metrics_(metrics),
      runtime_(runtime),
      interval_(interval),
      condition_(runtime.NewCondition()),
      task_(runtime.Spawn("kafka-lag", Urgency::kBackground, [this] { Run(); })) {}

KafkaLag::~KafkaLag() {
  {
    std::lock_guard<Condition> lock(*condition_);
    over_ = true;
    condition_->NotifyAll();
  }
  task_->Join();
}

void KafkaLag::Watch(const std::string& group, const std::vector<std::string>& topics) {
  std::lock_guard<Condition> lock(*condition_);
  for (const std::string& topic : topics) {
    gauges_[{group, topic}] =
        &metrics_.NewGauge("saffron_bus_lag_records", "Records that the group has not committed",
                           {{"group", group}, {"topic", topic}});
  }
}

bool KafkaLag::Rest() {
  const Instant until = runtime_.Now() + interval_;
  std::lock_guard<Condition> lock(*condition_);
  while (!over_ && runtime_.Now() < until && !runtime_.StopRequested()) {
    condition_->WaitUntil(until);
  }
  return !over_ && !runtime_.StopRequested();
}

void KafkaLag::Run() {
  while (Rest()) {
    std::map<Key, Metrics::Gauge*> gauges;
    {
      std::lock_guard<Condition> lock(*condition_);
      gauges = gauges_;
    }
    std::set<std::string> groups;
    for (const auto& [key, gauge] : gauges) groups.insert(key.first);
    for (const std::string& group : groups) Measure(group, gauges);
  }
}

void KafkaLag::Measure(const std::string& group, const std::map<Key, Metrics::Gauge*>& gauges) {
  auto committed = admin_.GroupOffsets(group);
  if (!committed.ok()) return;
  for (const auto& [key, gauge] : gauges) {
    if (key.first != group) continue;
    Result<std::uint64_t> lag = admin_.Lag(key.second, *committed);
    if (lag.ok()) gauge->Set(static_cast<double>(*lag));
  }
}

}  // namespace saffron
