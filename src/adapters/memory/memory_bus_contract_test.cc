#include <gtest/gtest.h>

#include <memory>

#include "adapters/memory/memory_bus.h"
#include "base/thread_runtime.h"
#include "testing/contract/message_bus_contract.h"

namespace saffron {
namespace {

class MemoryHome final : public MessageBusHome {
 public:
  std::shared_ptr<MessageBus> Open() override { return bus_; }
  bool Truncate(const TopicPartition& partition, std::uint64_t end) override {
    bus_->Truncate(partition.topic, partition.partition, end);
    return true;
  }
  bool Recreate(const TopicSpec& topic) override {
    bus_->DeleteTopic(topic.name);
    return true;
  }

 private:
  ThreadRuntime runtime_;
  std::shared_ptr<MemoryBus> bus_ = std::make_shared<MemoryBus>(runtime_, MemoryBus::Options());
};

INSTANTIATE_MESSAGE_BUS_CONTRACT(Memory, [] { return std::make_shared<MemoryHome>(); });

}  // namespace
}  // namespace saffron
