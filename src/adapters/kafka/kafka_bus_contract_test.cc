#include <gtest/gtest.h>

#include <memory>

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

  // Kafka drops records at the beginning only; kafka_bus_test.cc has an offset beyond the end.
  bool Truncate(const TopicPartition&, std::uint64_t) override { return false; }

  bool Recreate(const TopicSpec& topic) override {
    return DeleteKafkaTopic(KafkaAddress(), topic.name) && Open()->EnsureTopics({topic}).ok();
  }

 private:
  ThreadRuntime runtime_;
  Log log_ = Log::Discard();
};

std::shared_ptr<MessageBusHome> MakeHome() {
  return KafkaAddress().empty() ? nullptr : std::make_shared<KafkaHome>();
}

INSTANTIATE_MESSAGE_BUS_CONTRACT(Kafka, MakeHome);

}  // namespace
}  // namespace saffron
