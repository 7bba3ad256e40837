// Topics and groups on a real broker, beyond the contract.
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "adapters/kafka/kafka_test_home.h"
#include "base/thread_runtime.h"

namespace saffron {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class KafkaTopicsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SAFFRON_NEED_KAFKA();
    KafkaBusOptions options = KafkaTestOptions(KafkaAddress());
    options.lag_interval = milliseconds(50);
    options.retention = std::chrono::hours(48);
    auto bus = KafkaBus::Open(runtime_, kept_.log, &metrics_, options);
    ASSERT_TRUE(bus.ok()) << bus.error().ToString();
    bus_ = std::move(bus).value();
  }
  std::vector<Delivery> Send(const std::vector<BusMessage>& messages) {
    auto deliveries = bus_->Produce(messages, seconds(20));
    EXPECT_TRUE(deliveries.ok()) << deliveries.error().ToString();
    return deliveries.ok() ? std::move(deliveries).value() : std::vector<Delivery>(messages.size());
  }
  template <class Predicate>
  bool Within20Seconds(Predicate predicate) {
    for (int i = 0; i < 1000; ++i) {
      if (predicate()) return true;
      runtime_.SleepFor(milliseconds(20));
    }
    return false;
  }

  KeptLog kept_;
  Metrics metrics_;
  ThreadRuntime runtime_;
  std::unique_ptr<KafkaBus> bus_;
};

TEST_F(KafkaTopicsTest, ACompactedTopicIsRefusedWithWhatToDo) {
  const std::string topic = NewKafkaName("compacted");
  ASSERT_TRUE(MakeKafkaTopic(KafkaAddress(), {topic, 1}, {{"cleanup.policy", "compact"}}));
  Status status = bus_->EnsureTopics({{topic, 1}});
  ASSERT_TRUE(status.Is(Code::kInvalid));
  EXPECT_THAT(status.error().message(), AllOf(HasSubstr(topic), HasSubstr("cleanup.policy")));
}

TEST_F(KafkaTopicsTest, ReplicasThatTheClusterHasNotAreAnError) {
  KafkaBusOptions options = KafkaTestOptions(KafkaAddress());
  options.replication_factor = 100;
  auto bus = KafkaBus::Open(runtime_, kept_.log, nullptr, options);
  ASSERT_TRUE(bus.ok());
  Status status = (*bus)->EnsureTopics({{NewKafkaName("replicated"), 1}});
  EXPECT_TRUE(status.Is(Code::kInvalid)) << status.error().ToString();
}

// An operator's topic gets a mark and keeps its settings; made again, it is another topic.
TEST_F(KafkaTopicsTest, ATopicOfAnOperatorIsMarkedOnceAndKnownAgain) {
  const std::string topic = NewKafkaName("operator");
  const std::map<std::string, std::string> settings = {{"max.message.bytes", "100000"},
                                                       {"delete.retention.ms", "86400000"}};
  ASSERT_TRUE(MakeKafkaTopic(KafkaAddress(), {topic, 1}, settings));
  const std::string unmarked = bus_->Describe(topic)->topic_id;
  ASSERT_TRUE(bus_->EnsureTopics({{topic, 1}}).ok());
  const std::string first = bus_->Describe(topic)->topic_id;
  EXPECT_NE(first, unmarked);
  ASSERT_TRUE(bus_->EnsureTopics({{topic, 1}}).ok());
  EXPECT_EQ(bus_->Describe(topic)->topic_id, first);
  // Its own limit still holds.
  EXPECT_TRUE(Send({{topic, "k", std::string(200'000, 'x'), {}}})[0].refused.has_value());
  EXPECT_THAT(kept_.Text(), HasSubstr("kafka.topic_takes_small_messages_only"));

  ASSERT_TRUE(DeleteKafkaTopic(KafkaAddress(), topic));
  ASSERT_TRUE(MakeKafkaTopic(KafkaAddress(), {topic, 1}, settings));
  EXPECT_NE(bus_->Describe(topic)->topic_id, first);
  ASSERT_TRUE(bus_->EnsureTopics({{topic, 1}}).ok());
  EXPECT_NE(bus_->Describe(topic)->topic_id, first);
}

// The broker refuses a batch. Those that are small enough must not go down with it.
TEST_F(KafkaTopicsTest, OnlyTheMessageThatIsTooLargeIsRefused) {
  const std::string topic = NewKafkaName("small");
  ASSERT_TRUE(MakeKafkaTopic(KafkaAddress(), {topic, 1}, {{"max.message.bytes", "100000"}}));
  ASSERT_TRUE(bus_->EnsureTopics({{topic, 1}}).ok());
  std::vector<BusMessage> messages;
  for (int i = 0; i < 20; ++i) {
    messages.push_back({topic, "key", std::string(i == 7 ? 150'000 : 30'000, 'x'), {}});
  }
  std::vector<Delivery> deliveries = Send(messages);
  std::set<std::uint64_t> offsets;
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(deliveries[i].refused.has_value(), i == 7) << i;
    if (i != 7) offsets.insert(deliveries[i].offset);
  }
  EXPECT_EQ(deliveries[7].refused->code(), Code::kInvalid);  // the publisher's dead letter
  EXPECT_EQ(offsets.size(), 19u);
  EXPECT_EQ(bus_->Describe(topic)->end_offsets[0], 19u);
  EXPECT_FALSE(Send({{topic, "key", "and on", {}}})[0].refused.has_value());
}

TEST_F(KafkaTopicsTest, TheLagOfAGroupIsMeasured) {
  const std::string topic = NewKafkaName("lagging");
  const std::string group = NewKafkaName("group");
  ASSERT_TRUE(bus_->EnsureTopics({{topic, 2}}).ok());
  std::vector<BusMessage> messages;
  for (int i = 0; i < 30; ++i) messages.push_back({topic, std::to_string(i), "value", {}});
  Send(messages);
  auto consumer = bus_->Subscribe(group, {topic});
  ASSERT_TRUE(consumer.ok());
  const auto shows = [&](const std::string& lag) {
    return Within20Seconds([&] {
      return metrics_.Expose().find("saffron_bus_lag_records{group=\"" + group + "\",topic=\"" +
                                    topic + "\"} " + lag + "\n") != std::string::npos;
    });
  };
  EXPECT_TRUE(shows("30")) << metrics_.Expose();
  std::map<TopicPartition, CommittedOffset> offsets;
  std::size_t seen = 0;
  ASSERT_TRUE(Within20Seconds([&] {
    auto batch = (*consumer)->Poll(100, milliseconds(100));
    for (const BusRecord& record : batch->records) offsets[record.from].next = record.offset + 1;
    return (seen += batch->records.size()) == 30;
  }));
  ASSERT_TRUE((*consumer)->Commit(offsets).ok());
  EXPECT_TRUE(shows("0")) << metrics_.Expose();
}

TEST_F(KafkaTopicsTest, RecordsThatRetentionHasDeletedAreLeftOut) {
  const std::string topic = NewKafkaName("retained");
  ASSERT_TRUE(bus_->EnsureTopics({{topic, 2}}).ok());
  std::vector<BusMessage> messages;
  for (int i = 0; i < 40; ++i) messages.push_back({topic, std::to_string(i), "value", {}});
  Send(messages);
  const std::vector<std::uint64_t> ends = bus_->Describe(topic)->end_offsets;
  ASSERT_GT(ends[1], 1u);
  // One is empty now, the other has a record left.
  ASSERT_TRUE(DeleteKafkaRecords(KafkaAddress(), {topic, 0}, ends[0]));
  ASSERT_TRUE(DeleteKafkaRecords(KafkaAddress(), {topic, 1}, ends[1] - 1));
  auto records = bus_->RecordsAt({{{topic, 0}, ends[0] - 1}, {{topic, 1}, ends[1] - 1}});
  ASSERT_TRUE(records.ok()) << records.error().ToString();
  ASSERT_EQ(records->size(), 1u);
  EXPECT_EQ(records->front().from, (TopicPartition{topic, 1}));
  records = bus_->RecordsAt({{{topic, 1}, 0}});
  ASSERT_TRUE(records.ok()) << records.error().ToString();
  EXPECT_TRUE(records->empty());
}

// What the publisher and a worker see when an operator deletes a topic.
TEST_F(KafkaTopicsTest, ATopicDeletedUnderWayIsRefusedMadeAgainAndReadFromItsBeginning) {
  const std::string topic = NewKafkaName("deleted");
  ASSERT_TRUE(bus_->EnsureTopics({{topic, 1}}).ok());
  const std::string before = bus_->Describe(topic)->topic_id;
  Send({{topic, "k", "1", {}}, {topic, "k", "2", {}}});
  auto consumer = bus_->Subscribe(NewKafkaName("group"), {topic});
  ASSERT_TRUE(consumer.ok());
  std::vector<std::string> values;
  const auto read = [&](std::size_t count) {
    return Within20Seconds([&] {
      auto batch = (*consumer)->Poll(100, milliseconds(50));
      EXPECT_TRUE(batch.ok()) << batch.error().ToString();
      for (const BusRecord& record : batch->records) values.push_back(record.value);
      return values.size() >= count;
    });
  };
  ASSERT_TRUE(read(2));
  ASSERT_TRUE(DeleteKafkaTopic(KafkaAddress(), topic));
  const auto deliveries = Send({{topic, "k", "3", {}}});
  ASSERT_TRUE(deliveries[0].refused.has_value());
  EXPECT_EQ(deliveries[0].refused->code(), Code::kNotFound);  // not a dead letter: look, then again
  EXPECT_TRUE(bus_->Describe(topic).Is(Code::kNotFound));
  ASSERT_TRUE(bus_->EnsureTopics({{topic, 1}}).ok());
  EXPECT_NE(bus_->Describe(topic)->topic_id, before);
  const auto again = Send({{topic, "k", "3", {}}});
  ASSERT_FALSE(again[0].refused.has_value()) << again[0].refused->message();
  EXPECT_EQ(again[0].offset, 0u);
  ASSERT_TRUE(read(3));
  EXPECT_EQ(values.back(), "3");
}

// The deletion meets messages on their way: on the wire, in the queue of a partition that leaves.
TEST_F(KafkaTopicsTest, ATopicDeletedUnderLoadRefusesWhatItNoLongerTakes) {
  std::vector<std::string> topics;
  for (int i = 0; i < 8; ++i) topics.push_back(NewKafkaName("deleted"));
  for (const std::string& topic : topics) {
    ASSERT_TRUE(bus_->EnsureTopics({{topic, 1}}).ok());
    std::atomic<int> delivered{0};
    std::thread writer([&] {
      for (bool refused = false; !refused && !HasFailure();) {
        for (const Delivery& delivery : Send({{topic, "k", "1", {}}, {topic, "k", "2", {}}})) {
          if (refused = delivery.refused.has_value(); refused) {
            EXPECT_EQ(delivery.refused->code(), Code::kNotFound) << delivery.refused->message();
          } else {
            ++delivered;
          }
        }
      }
    });
    EXPECT_TRUE(Within20Seconds([&] { return delivered >= 20; }));
    EXPECT_TRUE(DeleteKafkaTopic(KafkaAddress(), topic));
    writer.join();
  }
}

// A member leaves while it is written: every value is processed, and committed by who had it. Each
// has its thread: a commit may wait until every member has joined the new generation.
TEST_F(KafkaTopicsTest, AMemberThatLeavesUnderLoadLosesNothing) {
  const std::string topic = NewKafkaName("shared");
  const std::string group = NewKafkaName("group");
  ASSERT_TRUE(bus_->EnsureTopics({{topic, 4}}).ok());
  std::mutex mutex;
  std::set<std::string> committed;  // under mutex
  std::atomic<bool> first_leaves{false}, all_leave{false};
  const auto member = [&](std::atomic<bool>& leaves) {
    auto consumer = bus_->Subscribe(group, {topic});
    ASSERT_TRUE(consumer.ok());
    while (!leaves) {
      auto batch = (*consumer)->Poll(50, milliseconds(20));
      ASSERT_TRUE(batch.ok()) << batch.error().ToString();
      std::map<TopicPartition, CommittedOffset> offsets;
      for (const BusRecord& record : batch->records) offsets[record.from].next = record.offset + 1;
      Status status = (*consumer)->Commit(offsets);
      while (status.Is(Code::kUnknownOutcome)) status = (*consumer)->Commit(offsets);
      ASSERT_TRUE(status.ok() || status.Is(Code::kConflict)) << status.error().ToString();
      if (!status.ok()) continue;  // they come again, here or there
      std::lock_guard<std::mutex> lock(mutex);
      for (const BusRecord& record : batch->records) committed.insert(record.value);
    }
  };
  std::thread first([&] { member(first_leaves); });
  std::thread second([&] { member(all_leave); });
  int sent = 0;
  const bool all = Within20Seconds([&] {
    std::vector<BusMessage> messages;
    for (int i = 0; i < 50 && sent < 2000; ++i, ++sent) {
      messages.push_back({topic, std::to_string(sent % 97), std::to_string(sent), {}});
    }
    Send(messages);
    if (sent >= 1000) first_leaves = true;
    std::lock_guard<std::mutex> lock(mutex);
    return committed.size() == 2000;
  });
  all_leave = true;
  first.join();
  second.join();
  EXPECT_TRUE(all) << committed.size();
  std::uint64_t behind = 0;
  const auto ends = bus_->Describe(topic)->end_offsets;
  const auto offsets = bus_->GroupOffsets(group);
  for (std::uint32_t i = 0; i < 4; ++i) behind += ends[i] - offsets->at({topic, i}).next;
  EXPECT_EQ(behind, 0u);
}

}  // namespace
}  // namespace saffron
