#include "adapters/kafka/kafka_bus.h"

#include <utility>

#include "adapters/kafka/kafka_admin.h"
#include "adapters/kafka/kafka_consumer.h"
#include "adapters/kafka/kafka_lag.h"
#include "adapters/kafka/kafka_producer.h"
#include "adapters/kafka/kafka_settings.h"

namespace saffron {

struct KafkaBus::Parts {
  Parts(Runtime& the_runtime, Log& the_log, KafkaBusOptions the_options)
      : runtime(the_runtime), log(the_log), options(std::move(the_options)) {}

  Runtime& runtime;
  Log& log;
  const KafkaBusOptions options;
  const KafkaSettings settings{options};
  KafkaProducer producer{settings, options.max_message_bytes, runtime, log};
  KafkaAdmin admin{options, settings, producer, runtime, log};
  std::unique_ptr<KafkaLag> lag;  // null: not measured
};

KafkaBus::KafkaBus(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
KafkaBus::~KafkaBus() = default;

Result<std::unique_ptr<KafkaBus>> KafkaBus::Open(Runtime& runtime, Log& log, Metrics* metrics,
                                                 KafkaBusOptions options) {
  if (options.bootstrap_servers.empty()) return Invalid("KAFKA_BOOTSTRAP_SERVERS is empty");
  auto parts = std::make_unique<Parts>(runtime, log, std::move(options));
  SAFFRON_TRY(parts->producer.Client());
  SAFFRON_TRY(parts->settings.Consumer("checked-here"));
  if (parts->options.connect_timeout > Duration::zero()) {
    SAFFRON_TRY(parts->admin.Ping(parts->options.connect_timeout));
  }
  if (metrics != nullptr) {
    parts->lag =
        std::make_unique<KafkaLag>(parts->admin, *metrics, runtime, parts->options.lag_interval);
  }
  return std::unique_ptr<KafkaBus>(new KafkaBus(std::move(parts)));
}

Status KafkaBus::EnsureTopics(const std::vector<TopicSpec>& topics) {
  return parts_->admin.EnsureTopics(topics);
}

Result<std::vector<Delivery>> KafkaBus::Produce(const std::vector<BusMessage>& messages,
                                                Duration timeout) {
  return parts_->producer.Produce(messages, timeout);
}

Result<TopicState> KafkaBus::Describe(const std::string& topic) {
  return parts_->admin.Describe(topic);
}

Result<std::vector<BusRecord>> KafkaBus::RecordsAt(
    const std::map<TopicPartition, std::uint64_t>& offsets) {
  return parts_->admin.RecordsAt(offsets);
}

Result<std::unique_ptr<BusConsumer>> KafkaBus::Subscribe(const std::string& group,
                                                         const std::vector<std::string>& topics) {
  if (group.empty() || topics.empty()) return Invalid("a subscription needs a group and topics");
  SAFFRON_ASSIGN(std::unique_ptr<BusConsumer> consumer,
                 KafkaConsumer::Join(parts_->settings, parts_->options.request_timeout,
                                     parts_->runtime, parts_->log, group, topics));
  if (parts_->lag != nullptr) parts_->lag->Watch(group, topics);
  return consumer;
}

Result<std::map<TopicPartition, CommittedOffset>> KafkaBus::GroupOffsets(const std::string& group) {
  return parts_->admin.GroupOffsets(group);
}

}  // namespace saffron
