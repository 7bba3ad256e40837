#include "adapters/memory/memory_bus.h"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace saffron {

class MemoryPartitionLog final : public PartitionLog {
 public:
  explicit MemoryPartitionLog(Runtime& runtime) : runtime_(runtime) {}

  Result<bool> EnsureTopics(const std::vector<TopicSpec>& specs) override {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const TopicSpec& spec : specs) {
      auto found = topics_.find(spec.name);
      if (spec.partitions == 0 || spec.name.empty()) return Invalid("a topic needs partitions");
      if (found != topics_.end() && found->second.partitions.size() < spec.partitions) {
        return Invalid("topic " + spec.name + " has fewer partitions than asked for");
      }
    }
    bool created = false;
    for (const TopicSpec& spec : specs) {
      if (topics_.contains(spec.name)) continue;
      topics_[spec.name] = {runtime_.NewUuid().ToString(), std::vector<Partition>(spec.partitions)};
      created = true;
    }
    return created;
  }

  Result<LogTopic> Topic(const std::string& name) override {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = topics_.find(name);
    if (found == topics_.end()) return NotFound("no topic " + name);
    LogTopic result{found->second.topic_id, {}};
    for (const Partition& partition : found->second.partitions) {
      result.partitions.push_back({partition.earliest, partition.end()});
    }
    return result;
  }

  Result<std::vector<Delivery>> Append(const std::vector<const BusMessage*>& messages) override {
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<Delivery> deliveries;
    for (const BusMessage* message : messages) {
      Delivery& delivery = deliveries.emplace_back();
      auto topic = topics_.find(message->topic);
      if (topic == topics_.end()) {
        delivery.refused = NotFound("no topic " + message->topic);
        continue;
      }
      std::vector<Partition>& partitions = topic->second.partitions;
      delivery.partition = PartitionOf(message->key, static_cast<std::uint32_t>(partitions.size()));
      Partition& partition = partitions[delivery.partition];
      delivery.offset = partition.end();
      partition.messages.push_back(*message);
    }
    return deliveries;
  }

  Status Read(const TopicPartition& from, std::uint64_t offset, std::size_t max_records,
              std::size_t max_bytes, std::vector<BusRecord>& records) override {
    std::lock_guard<std::mutex> lock(mutex_);
    Partition* partition = Find(from);
    if (partition == nullptr) return Ok();
    std::size_t bytes = 0;
    for (offset = std::max(offset, partition->earliest);
         offset < partition->end() && max_records > 0 && bytes < max_bytes;
         ++offset, --max_records) {
      const BusMessage& message = partition->messages[offset - partition->earliest];
      records.push_back({from, offset, message.key, message.value, message.headers});
      bytes += message.value.size();
    }
    return Ok();
  }

  Status SaveOffsets(const std::string& group,
                     const std::map<TopicPartition, CommittedOffset>& offsets) override {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [partition, offset] : offsets) offsets_[group][partition] = offset;
    return Ok();
  }

  Result<std::map<TopicPartition, CommittedOffset>> Offsets(const std::string& group) override {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = offsets_.find(group);
    if (found == offsets_.end()) return std::map<TopicPartition, CommittedOffset>();
    return found->second;
  }

  Result<std::uint64_t> NextGeneration(const std::string& group) override {
    std::lock_guard<std::mutex> lock(mutex_);
    return ++generations_[group];
  }

  void DeleteTopic(const std::string& name) {
    std::lock_guard<std::mutex> lock(mutex_);
    StoredTopic& topic = topics_.at(name);
    topic.topic_id = runtime_.NewUuid().ToString();
    topic.partitions = std::vector<Partition>(topic.partitions.size());
  }

  void Truncate(const TopicPartition& where, std::uint64_t end) {
    std::lock_guard<std::mutex> lock(mutex_);
    Partition& partition = *Find(where);
    while (!partition.messages.empty() && partition.end() > end) partition.messages.pop_back();
  }

  void MoveOffsetsBack(const std::string& group, std::uint64_t by) {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& [partition, offset] : offsets_[group]) offset.next -= std::min(offset.next, by);
  }

  void DropBelow(const TopicPartition& where, std::uint64_t earliest) {
    std::lock_guard<std::mutex> lock(mutex_);
    Partition& partition = *Find(where);
    for (; !partition.messages.empty() && partition.earliest < earliest; ++partition.earliest) {
      partition.messages.pop_front();
    }
  }

 private:
  struct Partition {
    std::uint64_t earliest = 0;
    std::deque<BusMessage> messages;
    std::uint64_t end() const { return earliest + messages.size(); }
  };
  struct StoredTopic {
    std::string topic_id;
    std::vector<Partition> partitions;
  };

  Partition* Find(const TopicPartition& where) {  // under mutex_
    auto topic = topics_.find(where.topic);
    if (topic == topics_.end() || where.partition >= topic->second.partitions.size()) {
      return nullptr;
    }
    return &topic->second.partitions[where.partition];
  }

  Runtime& runtime_;
  std::mutex mutex_;
  std::map<std::string, StoredTopic> topics_;
  std::map<std::string, std::map<TopicPartition, CommittedOffset>> offsets_;
  std::map<std::string, std::uint64_t> generations_;
};

MemoryBus::MemoryBus(Runtime& runtime, Options options)
    : MemoryBus(runtime, new MemoryPartitionLog(runtime), options) {}

MemoryBus::MemoryBus(Runtime& runtime, MemoryPartitionLog* log, Options options)
    : InProcessBus(runtime, std::unique_ptr<PartitionLog>(log),
                   {.session_timeout = options.session_timeout,
                    .max_message_bytes = options.max_message_bytes}),
      memory_(*log) {}

void MemoryBus::DeleteTopic(const std::string& topic) {
  memory_.DeleteTopic(topic);
  TopicsChanged();
}

void MemoryBus::Truncate(const std::string& topic, std::uint32_t partition, std::uint64_t end) {
  memory_.Truncate({topic, partition}, end);
  TopicsChanged();
}

void MemoryBus::MoveOffsetsBack(const std::string& group, std::uint64_t by) {
  memory_.MoveOffsetsBack(group, by);
}

void MemoryBus::DropBelow(const std::string& topic, std::uint32_t partition,
                          std::uint64_t earliest) {
  memory_.DropBelow({topic, partition}, earliest);
  TopicsChanged();
}

}  // namespace saffron
