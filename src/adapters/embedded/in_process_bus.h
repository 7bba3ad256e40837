// InProcessBus: a message bus whose producers and consumers live in one process, over any
// PartitionLog: consumer groups, rebalancing and waiting.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "adapters/embedded/partition_log.h"
#include "base/runtime.h"
#include "ports/message_bus.h"

namespace saffron {

// A partition is handed over in two steps, like Kafka's cooperative protocol: its owner gives it up
// in its own Poll (or is expelled), only then its next owner is assigned it. So a consumer may
// commit until the Poll that tells it of the revocation. A member that has not been in Poll for
// the session timeout is expelled; its next Poll joins again.
//
// Thread-safe; each consumer is used by one thread and destroyed before the bus. Waits only on a
// Condition of the runtime. What survives a crash is what the log keeps: members never do.
class InProcessBus : public MessageBus {
 public:
  struct Options {
    Duration session_timeout = seconds(300);
    // Key, value and headers together; more is refused.
    std::size_t max_message_bytes = 2 << 20;
    // A Poll returns once it has this much.
    std::size_t max_poll_bytes = 8 << 20;
  };
  InProcessBus(Runtime& runtime, std::unique_ptr<PartitionLog> log, Options options);
  ~InProcessBus() override;

  Status EnsureTopics(const std::vector<TopicSpec>& topics) override;
  Result<std::vector<Delivery>> Produce(const std::vector<BusMessage>& messages,
                                        Duration timeout) override;
  Result<TopicState> Describe(const std::string& topic) override;
  Result<std::vector<BusRecord>> RecordsAt(
      const std::map<TopicPartition, std::uint64_t>& offsets) override;
  Result<std::unique_ptr<BusConsumer>> Subscribe(const std::string& group,
                                                 const std::vector<std::string>& topics) override;
  Result<std::map<TopicPartition, CommittedOffset>> GroupOffsets(const std::string& group) override;

 protected:
  // After a change of topics behind the bus's back (the hooks of tests).
  void TopicsChanged();

 private:
  class Consumer;
  using MemberId = std::uint64_t;
  struct Member {
    std::set<std::string> topics;
    Instant seen;  // when it was last in Poll
  };
  struct Group {
    std::map<MemberId, Member> members;
    std::map<TopicPartition, MemberId> targets;  // who shall have it
    std::map<TopicPartition, MemberId> owners;   // who has it now
    std::uint64_t generation = 0;
    bool changed = true;  // targets are out of date
  };

  // All of these under *condition_.
  MemberId Join(const std::string& group, const std::vector<std::string>& topics);
  void Leave(Group& group, MemberId member);
  void ExpelSilent(Group& group);
  Status Rebalance(const std::string& name, Group& group);
  void Wake();

  Runtime& runtime_;
  const Options options_;
  const std::unique_ptr<PartitionLog> log_;
  const std::unique_ptr<Condition> condition_;
  std::map<std::string, Group> groups_;
  MemberId last_member_ = 0;
  std::uint64_t changes_ = 0;  // counts what a waiting Poll may be interested in
};

}  // namespace saffron
