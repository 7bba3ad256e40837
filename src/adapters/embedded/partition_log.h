// PartitionLog: where an in-process bus keeps topics, records and group offsets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "ports/message_bus.h"

namespace saffron {

struct PartitionBounds {
  std::uint64_t earliest = 0;  // the first offset still there
  std::uint64_t end = 0;       // the next one to be given
};

struct LogTopic {
  std::string topic_id;
  std::vector<PartitionBounds> partitions;
};

// Owned by its InProcessBus. Thread-safe; nothing in it waits for other callers' progress.
class PartitionLog {
 public:
  virtual ~PartitionLog() = default;
  // True: something was created.
  virtual Result<bool> EnsureTopics(const std::vector<TopicSpec>& topics) = 0;
  // kNotFound: no such topic.
  virtual Result<LogTopic> Topic(const std::string& name) = 0;
  // All or nothing but for those refused (unknown topic).
  virtual Result<std::vector<Delivery>> Append(const std::vector<const BusMessage*>& messages) = 0;
  // Adds records of `from` at or above `offset`, in order: at most `max_records`, and no more once
  // `max_bytes` are passed.
  virtual Status Read(const TopicPartition& from, std::uint64_t offset, std::size_t max_records,
                      std::size_t max_bytes, std::vector<BusRecord>& records) = 0;
  virtual Status SaveOffsets(const std::string& group,
                             const std::map<TopicPartition, CommittedOffset>& offsets) = 0;
  virtual Result<std::map<TopicPartition, CommittedOffset>> Offsets(const std::string& group) = 0;
  // Rises with each call, over restarts too (as far as the log itself lasts).
  virtual Result<std::uint64_t> NextGeneration(const std::string& group) = 0;
};

}  // namespace saffron
