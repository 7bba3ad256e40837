// One client of librdkafka, and what it last complained of.
#pragma once

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "adapters/kafka/kafka_settings.h"
#include "base/log.h"
#include "base/result.h"
#include "base/runtime.h"
#include "ports/message_bus.h"

namespace saffron {

using KafkaPartitions = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                        decltype(&rd_kafka_topic_partition_list_destroy)>;
using KafkaTopic = std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)>;
using KafkaQueue = std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)>;
using KafkaMessage = std::unique_ptr<rd_kafka_message_t, decltype(&rd_kafka_message_destroy)>;
using KafkaEvent = std::unique_ptr<rd_kafka_event_t, decltype(&rd_kafka_event_destroy)>;
using KafkaResource =
    std::unique_ptr<rd_kafka_ConfigResource_t, decltype(&rd_kafka_ConfigResource_destroy)>;
using KafkaFailure = std::unique_ptr<rd_kafka_error_t, decltype(&rd_kafka_error_destroy)>;

inline KafkaPartitions NewKafkaPartitions(std::size_t size) {
  return {rd_kafka_topic_partition_list_new(static_cast<int>(size)),
          &rd_kafka_topic_partition_list_destroy};
}

BusRecord KafkaRecordOf(const rd_kafka_message_t& message);

// Nothing, when none is committed.
void AddCommitted(const rd_kafka_topic_partition_t& partition,
                  std::map<TopicPartition, CommittedOffset>& offsets);

// In whole milliseconds, as librdkafka takes them.
int KafkaMilliseconds(Duration duration);

// Owns the client. Its callbacks come from librdkafka's threads (log) and from the thread that
// polls it (the others).
class KafkaHandle {
 public:
  using Rebalance = std::function<void(rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t*)>;

  static Result<std::unique_ptr<KafkaHandle>> Producer(const KafkaSettings& settings, Log& log);
  static Result<std::unique_ptr<KafkaHandle>> Consumer(const KafkaSettings& settings, Log& log,
                                                       const std::string& group,
                                                       Rebalance rebalance);
  static Result<std::unique_ptr<KafkaHandle>> Reader(const KafkaSettings& settings, Log& log);
  // Whatever is left is dropped, and nobody is waited for.
  ~KafkaHandle();
  KafkaHandle(const KafkaHandle&) = delete;
  KafkaHandle& operator=(const KafkaHandle&) = delete;

  rd_kafka_t* get() const { return client_; }
  // Forgets the client, which goes on to the end of the process without a word.
  void LetGo();

  // Of a client that nobody polls otherwise.
  void TakeComplaints();
  // Whether the cluster may be out of reach: something was complained of since it last answered.
  bool Suspect() const { return suspect_; }
  void Answered();
  // "doing: why, and what was last complained of". kUnavailable, except kNotFound for what is not
  // there and kInvalid for what is wrong.
  Error ErrorOf(std::string_view doing, rd_kafka_resp_err_t code, std::string_view text = {}) const;

 private:
  KafkaHandle(const KafkaSettings& settings, Log& log, Rebalance rebalance);
  Status Start(rd_kafka_type_t type, KafkaConf conf);
  void Complained(rd_kafka_resp_err_t code, const char* reason);
  void Logged(int level, const char* facility, const char* text);

  const KafkaSettings& settings_;
  Log& log_;
  const Rebalance rebalance_;
  rd_kafka_t* client_ = nullptr;
  std::atomic<bool> suspect_{false};
  mutable std::mutex mutex_;
  std::string complaint_;  // under mutex_: the last of the cluster being out of reach
};

}  // namespace saffron
