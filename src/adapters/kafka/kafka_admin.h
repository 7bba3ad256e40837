// Questions to the cluster, and topics.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/kafka/kafka_producer.h"
#include "base/log.h"
#include "base/result.h"
#include "base/runtime.h"
#include "ports/message_bus.h"

namespace saffron {

// A topic's id: librdkafka does not tell Kafka's own, so each topic carries a mark that goes with
// it, in a setting that means nothing to a topic that is not compacted (docs/adr/0012).
// EnsureTopics marks what it makes, and what others made.
//
// Thread-safe.
class KafkaAdmin {
 public:
  KafkaAdmin(const KafkaBusOptions& options, const KafkaSettings& settings, KafkaProducer& producer,
             Runtime& runtime, Log& log)
      : options_(options), settings_(settings), producer_(producer), runtime_(runtime), log_(log) {}

  // Waits for any answer of the cluster.
  Status Ping(Duration timeout);
  Status EnsureTopics(const std::vector<TopicSpec>& topics);
  Result<TopicState> Describe(const std::string& topic);
  Result<std::vector<BusRecord>> RecordsAt(const std::map<TopicPartition, std::uint64_t>& offsets);
  Result<std::map<TopicPartition, CommittedOffset>> GroupOffsets(const std::string& group);
  // Of records that the group has not committed, over all partitions of the topic; kNotFound.
  Result<std::uint64_t> Lag(const std::string& topic,
                            const std::map<TopicPartition, CommittedOffset>& committed);

 private:
  struct Shape {
    std::uint32_t partitions = 0;
    std::uint32_t replicas = 0;  // of the partition with the fewest
    bool led = true;             // every partition has a leader
  };
  struct Setting {
    std::string value;
    bool of_topic = false;  // not inherited
  };
  using Settings = std::map<std::string, Setting>;
  using Send = std::function<void(rd_kafka_t*, rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>;

  Result<std::shared_ptr<KafkaHandle>> GroupClient(const std::string& group);
  Result<KafkaPartitions> AllPartitions();
  Result<KafkaEvent> Ask(KafkaHandle& client, std::string_view doing, rd_kafka_admin_op_t operation,
                         const Send& send);
  Result<Shape> ShapeOf(const std::string& topic);  // kNotFound
  Result<std::map<std::string, Settings>> SettingsOf(const std::vector<std::string>& topics);
  Result<std::vector<std::uint64_t>> Offsets(const std::string& topic, std::uint32_t partitions,
                                             std::int64_t which);
  Status Create(const std::vector<TopicSpec>& topics);
  Status AwaitLeaders(const std::vector<TopicSpec>& topics);
  Status CheckShape(const TopicSpec& wanted, const Shape& shape);
  Status CheckSettings(const std::string& topic, const Settings& settings);
  Status Mark(const std::string& topic, const Settings& settings);
  Status AwaitMark(const std::string& topic);
  std::string NewMark();
  static std::optional<std::string> MarkOf(const Settings& settings);
  bool FirstTime(const std::string& warning);

  const KafkaBusOptions& options_;
  const KafkaSettings& settings_;
  KafkaProducer& producer_;
  Runtime& runtime_;
  Log& log_;
  std::mutex mutex_;
  std::set<std::string> warned_;                                       // under mutex_
  std::map<std::string, std::shared_ptr<KafkaHandle>> group_clients_;  // by group; under mutex_
};

}  // namespace saffron
