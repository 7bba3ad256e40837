// MessageBus: topics with partitions, consumer groups with offsets (Kafka's model). A hint to
// consumers, never the truth: nothing it acknowledged is trusted to stay.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/runtime.h"

namespace saffron {

struct TopicPartition {
  std::string topic;
  std::uint32_t partition = 0;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

using BusHeaders = std::vector<std::pair<std::string, std::string>>;

struct BusMessage {
  std::string topic;
  std::string key;  // partition = murmur2(key), like the Java client
  std::string value;
  BusHeaders headers;
};

struct BusRecord {
  TopicPartition from;
  std::uint64_t offset = 0;
  std::string key;
  std::string value;
  BusHeaders headers;
};

// One for each message, in order.
struct Delivery {
  std::uint32_t partition = 0;
  std::uint64_t offset = 0;
  // Set: refused for good (too large, ...); nothing was stored. Other messages are not affected.
  std::optional<Error> refused;
};

struct TopicSpec {
  std::string name;
  std::uint32_t partitions = 1;
};

struct TopicState {
  std::string topic_id;                    // changes when the topic is made again
  std::vector<std::uint64_t> end_offsets;  // next offset of each partition
};

struct CommittedOffset {
  std::uint64_t next = 0;  // the first offset not yet processed
  std::string metadata;    // the consumer's own; here: the topic id
};

// What changed since the last poll, and the records. Records of one partition are in offset order.
struct BusBatch {
  std::vector<TopicPartition> assigned;
  std::vector<TopicPartition> revoked;
  std::uint64_t generation = 0;
  std::vector<BusRecord> records;
};

// One member of a group. Used by one thread.
class BusConsumer {
 public:
  virtual ~BusConsumer() = default;
  // Waits up to `timeout` for the first record; at most `max_records`. A partition starts at its
  // committed offset, without one (or with one out of range) at the earliest.
  virtual Result<BusBatch> Poll(std::size_t max_records, Duration timeout) = 0;
  // kConflict: the partition is no longer ours; nothing was committed.
  virtual Status Commit(const std::map<TopicPartition, CommittedOffset>& offsets) = 0;
  virtual Result<std::map<TopicPartition, CommittedOffset>> Committed() = 0;  // of the assignment
  virtual Status Seek(const TopicPartition& partition, std::uint64_t offset) = 0;
  // Stops and starts delivery of partitions, without leaving the group.
  virtual Status Pause(const std::vector<TopicPartition>& partitions) = 0;
  virtual Status Resume(const std::vector<TopicPartition>& partitions) = 0;
};

// Thread-safe.
class MessageBus {
 public:
  virtual ~MessageBus() = default;
  // Creates what is missing; kInvalid when a topic exists with fewer partitions.
  virtual Status EnsureTopics(const std::vector<TopicSpec>& topics) = 0;
  // Returns when every message is acknowledged or refused. Order is kept within a partition.
  // kUnavailable and kUnknownOutcome are of the whole call: any part may be stored; do it again.
  virtual Result<std::vector<Delivery>> Produce(const std::vector<BusMessage>& messages,
                                                Duration timeout) = 0;
  // kNotFound: no such topic.
  virtual Result<TopicState> Describe(const std::string& topic) = 0;
  // One record of each partition, in no order. Left out: what is no longer there or cannot be read.
  // Offsets at or above the end are an error, or left out.
  virtual Result<std::vector<BusRecord>> RecordsAt(
      const std::map<TopicPartition, std::uint64_t>& offsets) = 0;
  virtual Result<std::unique_ptr<BusConsumer>> Subscribe(
      const std::string& group, const std::vector<std::string>& topics) = 0;
  // Offsets of a group, whoever its members are.
  virtual Result<std::map<TopicPartition, CommittedOffset>> GroupOffsets(
      const std::string& group) = 0;
};

std::optional<std::string> HeaderOf(const BusRecord& record, std::string_view name);
// The log's position, which every record of an event carries.
std::optional<Position> PositionOf(const BusRecord& record);

// murmur2 as in the Java client: toPositive(murmur2(key)) % partitions.
std::uint32_t PartitionOf(std::string_view key, std::uint32_t partitions);

}  // namespace saffron
