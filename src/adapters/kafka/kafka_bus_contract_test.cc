#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adapters/kafka/kafka_test_home.h"
#include "base/thread_runtime.h"
#include "testing/contract/message_bus_contract.h"

namespace saffron {
namespace {

class KafkaHome final : public MessageBusHome {
 public:
  std::shared_ptr<MessageBus> Open() override {
    auto bus = KafkaBus::Open(runtime_, log_, nullptr, KafkaTestOptions(KafkaAddress()));
    EXPECT_TRUE(bus.ok()) << bus.error().ToString();
    return bus.ok() ? std::move(bus).value() : nullptr;
  }

  // Kafka drops records at the beginning only: the topic is made again with those that stay, and
  // the offsets of its groups are put back.
  bool Truncate(const TopicPartition& partition, std::uint64_t end) override {
    const std::string address = KafkaAddress();
    std::shared_ptr<MessageBus> bus = Open();
    std::map<std::string, std::uint64_t> offsets;
    for (const std::string& group : KafkaGroups(address)) {
      auto committed = bus->GroupOffsets(group);
      if (committed.ok() && committed->contains(partition)) {
        offsets[group] = committed->at(partition).next;
      }
    }
    const std::vector<BusMessage> kept = Read(*bus, partition.topic, end);
    if (!Recreate({partition.topic, 1}) || !bus->Produce(kept, seconds(10)).ok()) return false;
    for (const auto& [group, offset] : offsets) {
      if (!SetGroupOffset(address, group, partition, static_cast<std::int64_t>(offset))) {
        return false;
      }
    }
    return true;
  }

  bool Recreate(const TopicSpec& topic) override {
    return DeleteKafkaTopic(KafkaAddress(), topic.name) && Open()->EnsureTopics({topic}).ok();
  }

 private:
  static std::vector<BusMessage> Read(MessageBus& bus, const std::string& topic,
                                      std::uint64_t count) {
    std::vector<BusMessage> messages;
    auto consumer = bus.Subscribe(NewKafkaName("truncate"), {topic});
    for (int i = 0; i < 100 && consumer.ok() && messages.size() < count; ++i) {
      auto batch = (*consumer)->Poll(count - messages.size(), milliseconds(200));
      if (!batch.ok()) break;
      for (const BusRecord& record : batch->records) {
        messages.push_back({topic, record.key, record.value, record.headers});
      }
    }
    return messages;
  }

  ThreadRuntime runtime_;
  Log log_ = Log::Discard();
};

std::shared_ptr<MessageBusHome> MakeHome() {
  return KafkaAddress().empty() ? nullptr : std::make_shared<KafkaHome>();
}

INSTANTIATE_MESSAGE_BUS_CONTRACT(Kafka, MakeHome);

}  // namespace
}  // namespace saffron
