// The contract of MessageBus as tests, run on every bus:
//
//   INSTANTIATE_MESSAGE_BUS_CONTRACT(Memory, [] { return std::make_shared<MemoryHome>(); });
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ports/message_bus.h"
#include "testing/servers/need_server.h"

namespace saffron {

// A broker that outlives the buses opened on it. Topics and groups of a test have names of their
// own, so that a broker may be shared.
class MessageBusHome {
 public:
  virtual ~MessageBusHome() = default;
  // A value of 1 MiB is accepted, one of 4 MiB refused. Called again only when the bus before and
  // its consumers are gone.
  virtual std::shared_ptr<MessageBus> Open() = 0;
  // Loses the records at and above `end`, or makes the topic anew, while no bus is open. False:
  // cannot be brought about here.
  virtual bool Truncate(const TopicPartition& partition, std::uint64_t end) = 0;
  virtual bool Recreate(const TopicSpec& topic) = 0;
};

// Null: its server cannot be had: the tests are skipped, or fail where servers are required.
using MessageBusHomeMaker = std::function<std::shared_ptr<MessageBusHome>()>;

class MessageBusContract : public ::testing::TestWithParam<MessageBusHomeMaker> {
 protected:
  void SetUp() override;
  void Reopen();

  // `topic` with so many partitions, made, under a name unlike any other.
  std::string MakeTopic(std::uint32_t partitions);
  std::string NewName(const std::string& what);
  std::unique_ptr<BusConsumer> Join(const std::string& group, const std::string& topic);
  std::vector<Delivery> Send(const std::vector<BusMessage>& messages);
  // `count` messages with values "{first}", "{first + 1}" ... and as many keys as there are.
  std::vector<Delivery> SendNumbers(const std::string& topic, int first, int count);

  std::shared_ptr<MessageBusHome> home_;
  std::shared_ptr<MessageBus> bus_;
};

// Referenced by the instantiation, so that the linker keeps the tests.
bool LinkMessageBusContract();

}  // namespace saffron

#define INSTANTIATE_MESSAGE_BUS_CONTRACT(name, ...)                     \
  const bool message_bus_contract_of_##name = LinkMessageBusContract(); \
  INSTANTIATE_TEST_SUITE_P(name, MessageBusContract,                    \
                           ::testing::Values(MessageBusHomeMaker(__VA_ARGS__)))
