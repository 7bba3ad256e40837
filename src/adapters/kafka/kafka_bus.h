// KafkaBus: the message bus on Apache Kafka, through librdkafka.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/runtime.h"
#include "ports/message_bus.h"

namespace saffron {

struct KafkaBusOptions {
  std::string bootstrap_servers;  // "host:port,host:port"
  // librdkafka's own settings by its names: "security.protocol" -> "SASL_SSL". What the guarantees
  // rest on cannot be set; errors name the variable, SAFFRON_KAFKA_SECURITY_PROTOCOL.
  std::map<std::string, std::string> client = {};
  std::string client_id = "saffron";
  // Of topics that EnsureTopics makes.
  std::uint32_t replication_factor = 0;    // 0: the cluster's default
  std::optional<Duration> retention = {};  // none: the cluster's default
  // Key, value and headers together; more is refused. Topics are made to take it.
  std::size_t max_message_bytes = 2 << 20;
  // Of every question to the cluster, and of a commit.
  Duration request_timeout = seconds(5);
  // Open waits so long for an answer of the cluster. Zero: it does not ask.
  Duration connect_timeout = seconds(10);
  // How often the lag of the groups subscribed to is measured.
  Duration lag_interval = seconds(5);
};

// Thread-safe; consumers are destroyed before it. A commit may wait, for request_timeout, until
// every member of the group has joined a new generation. Nothing survives a crash of the process
// but what the cluster has acknowledged. What waits looks at the runtime's stop: a process stops
// within seconds, whether a broker answers or not.
class KafkaBus final : public MessageBus {
 public:
  // kInvalid: a setting is wrong. kUnavailable: the cluster does not answer, or not to us; the text
  // says why. Without `metrics` no lag is measured.
  static Result<std::unique_ptr<KafkaBus>> Open(Runtime& runtime, Log& log, Metrics* metrics,
                                                KafkaBusOptions options);
  ~KafkaBus() override;

  // kInvalid too for a topic whose settings would lose events, with what to change.
  Status EnsureTopics(const std::vector<TopicSpec>& topics) override;
  Result<std::vector<Delivery>> Produce(const std::vector<BusMessage>& messages,
                                        Duration timeout) override;
  Result<TopicState> Describe(const std::string& topic) override;
  Result<std::vector<BusRecord>> RecordsAt(
      const std::map<TopicPartition, std::uint64_t>& offsets) override;
  Result<std::unique_ptr<BusConsumer>> Subscribe(const std::string& group,
                                                 const std::vector<std::string>& topics) override;
  Result<std::map<TopicPartition, CommittedOffset>> GroupOffsets(const std::string& group) override;

 private:
  struct Parts;
  explicit KafkaBus(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace saffron
