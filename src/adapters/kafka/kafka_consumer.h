// A member of a consumer group.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/kafka/kafka_generation.h"
#include "adapters/kafka/kafka_handle.h"
#include "base/log.h"
#include "base/result.h"
#include "base/runtime.h"
#include "ports/message_bus.h"

namespace saffron {

// Partitions move in two steps (cooperative-sticky): this member gives one up inside its Poll, and
// only then another is assigned it. Librdkafka heartbeats from threads of its own; a member that
// has not polled for max.poll.interval.ms is expelled, and joins again with its next Poll.
//
// The broker takes a commit of any partition from any member of the current generation, so what is
// ours is looked up here first.
class KafkaConsumer final : public BusConsumer {
 public:
  static Result<std::unique_ptr<BusConsumer>> Join(const KafkaSettings& settings,
                                                   Duration request_timeout, Runtime& runtime,
                                                   Log& log, const std::string& group,
                                                   const std::vector<std::string>& topics);
  // Leaves the group, so that others need not wait for its session to end; within seconds.
  ~KafkaConsumer() override;

  Result<BusBatch> Poll(std::size_t max_records, Duration timeout) override;
  Status Commit(const std::map<TopicPartition, CommittedOffset>& offsets) override;
  Result<std::map<TopicPartition, CommittedOffset>> Committed() override;
  Status Seek(const TopicPartition& partition, std::uint64_t offset) override;
  Status Pause(const std::vector<TopicPartition>& partitions) override;
  Status Resume(const std::vector<TopicPartition>& partitions) override;

 private:
  struct Owned {
    std::optional<std::uint64_t> seek;  // where to go to; until then nothing of it is delivered
  };

  KafkaConsumer(Duration request_timeout, Runtime& runtime, std::string group)
      : request_timeout_(request_timeout), runtime_(runtime), group_(std::move(group)) {}

  void AwaitAssignment();
  void Leave();
  void Rebalanced(rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* partitions);
  void Assigned(const TopicPartition& partition);
  void Revoked(const TopicPartition& partition);
  Status Fetch(std::size_t max_records, Duration wait);
  void Take(const rd_kafka_message_t& message);
  void SeekAsAsked();
  Status AskIfSuspect();
  rd_kafka_resp_err_t CommitOnce(const rd_kafka_topic_partition_list_t* list);
  Status StatusOfCommit(rd_kafka_resp_err_t code) const;
  Result<KafkaPartitions> Mine(const std::vector<TopicPartition>& partitions) const;
  bool News() const;

  const Duration request_timeout_;
  Runtime& runtime_;
  const std::string group_;
  std::unique_ptr<KafkaHandle> handle_;
  std::optional<KafkaGeneration> generation_;
  std::map<TopicPartition, Owned> owned_;
  std::size_t seeking_ = 0;  // of owned_
  std::size_t batch_bytes_ = 0;
  Instant generation_at_{};  // when it was last asked for
  bool ever_assigned_ = false;
  bool rebalanced_ = false;  // since then
  BusBatch batch_;
  std::optional<Error> failure_;  // of the next Poll
};

}  // namespace saffron
