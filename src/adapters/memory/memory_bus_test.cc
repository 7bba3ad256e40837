#include "adapters/memory/memory_bus.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/thread_runtime.h"

namespace saffron {
namespace {

class MemoryBusTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(bus_.EnsureTopics({{"t", 2}}).ok());
    std::vector<BusMessage> messages;
    for (int i = 0; i < 40; ++i) {
      messages.push_back({"t", "k" + std::to_string(i), std::to_string(i), {}});
    }
    auto deliveries = bus_.Produce(messages, seconds(1));
    ASSERT_TRUE(deliveries.ok());
  }

  std::unique_ptr<BusConsumer> Join() { return bus_.Subscribe("g", {"t"}).value(); }

  ThreadRuntime runtime_;
  MemoryBus bus_{runtime_, {.session_timeout = milliseconds(100)}};
};

TEST_F(MemoryBusTest, AMemberThatStopsPollingIsExpelledAndJoinsAgain) {
  auto silent = Join();
  auto batch = silent->Poll(10, milliseconds(0));
  ASSERT_TRUE(batch.ok());
  ASSERT_EQ(batch->assigned.size(), 2u);
  const std::uint64_t first_generation = batch->generation;
  const TopicPartition taken = batch->records.front().from;

  auto other = Join();
  std::set<TopicPartition> mine;
  std::uint64_t generation = 0;
  while (mine.size() < 2) {  // the silent one never gives its partitions up by itself
    auto news = other->Poll(10, seconds(10));
    ASSERT_TRUE(news.ok());
    mine.insert(news->assigned.begin(), news->assigned.end());
    generation = news->generation;
  }
  EXPECT_GT(generation, first_generation);
  EXPECT_TRUE(silent->Commit({{taken, {1, ""}}}).Is(Code::kConflict));
  EXPECT_TRUE(bus_.GroupOffsets("g")->empty());

  auto back = silent->Poll(10, milliseconds(0));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->revoked.size(), 2u);
  EXPECT_GT(back->generation, generation);
  EXPECT_TRUE(back->records.empty());  // the other has not given anything up yet
}

TEST_F(MemoryBusTest, AMemberWaitingInPollStaysOne) {
  auto waiting = Join();
  ASSERT_EQ(waiting->Poll(100, milliseconds(0))->records.size(), 40u);
  auto nothing = waiting->Poll(100, milliseconds(350));  // several session timeouts
  ASSERT_TRUE(nothing.ok());
  EXPECT_TRUE(nothing->records.empty());
  EXPECT_TRUE(waiting->Commit({{{"t", 0}, {1, ""}}}).ok());
}

TEST_F(MemoryBusTest, ADeletedTopicIsEmptyWithAnotherIdAndKeepsStaleOffsets) {
  auto consumer = Join();
  ASSERT_EQ(consumer->Poll(100, milliseconds(0))->records.size(), 40u);
  ASSERT_TRUE(consumer->Commit({{{"t", 0}, {3, "old"}}}).ok());
  const std::string before = bus_.Describe("t")->topic_id;
  bus_.DeleteTopic("t");
  EXPECT_NE(bus_.Describe("t")->topic_id, before);
  EXPECT_EQ((*bus_.GroupOffsets("g"))[(TopicPartition{"t", 0})].metadata, "old");
  ASSERT_TRUE(bus_.Produce({{"t", "k1", "new", {}}}, seconds(1)).ok());
  auto batch = consumer->Poll(100, milliseconds(0));
  ASSERT_TRUE(batch.ok());
  ASSERT_EQ(batch->records.size(), 1u);
  EXPECT_EQ(batch->records[0].value, "new");
  EXPECT_EQ(batch->records[0].offset, 0u);
}

TEST_F(MemoryBusTest, ATruncatedTailSendsAConsumerBackToTheEarliest) {
  auto consumer = Join();
  ASSERT_EQ(consumer->Poll(100, milliseconds(0))->records.size(), 40u);
  const std::uint64_t end = bus_.Describe("t")->end_offsets[0];
  bus_.Truncate("t", 0, 2);
  EXPECT_EQ(bus_.Describe("t")->end_offsets[0], 2u);
  ASSERT_GT(end, 2u);
  auto batch = consumer->Poll(100, milliseconds(0));
  ASSERT_EQ(batch->records.size(), 2u);
  EXPECT_EQ(batch->records[0].offset, 0u);
}

TEST_F(MemoryBusTest, RecordsAtLeavesOutWhatRetentionHasDropped) {
  const std::vector<std::uint64_t> ends = bus_.Describe("t")->end_offsets;
  bus_.DropBelow("t", 0, ends[0]);
  const auto records = bus_.RecordsAt({{{"t", 0}, ends[0] - 1}, {{"t", 1}, ends[1] - 1}});
  ASSERT_TRUE(records.ok());
  ASSERT_EQ(records->size(), 1u);
  EXPECT_EQ(records->front().from.partition, 1u);
}

TEST_F(MemoryBusTest, RecordsDroppedByRetentionAreJumpedOver) {
  bus_.DropBelow("t", 0, 5);
  auto consumer = Join();
  auto batch = consumer->Poll(100, milliseconds(0));
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->records.size(), 35u);
  for (const auto& record : batch->records) {
    EXPECT_TRUE(record.from.partition == 1 || record.offset >= 5);
  }
}

}  // namespace
}  // namespace saffron
