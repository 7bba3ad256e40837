#include "testing/contract/message_bus_contract.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "testing/contract/bus_reader.h"

namespace saffron {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

bool LinkMessageBusContract() { return true; }

void MessageBusContract::SetUp() {
  home_ = GetParam()();
  if (home_ == nullptr) SAFFRON_NO_SERVER("of this engine");
  ASSERT_NE(bus_ = home_->Open(), nullptr);
}

void MessageBusContract::Reopen() {
  bus_.reset();
  bus_ = home_->Open();
}

std::string MessageBusContract::NewName(const std::string& what) {
  static std::atomic<int> count{0};
  auto now = std::chrono::system_clock::now().time_since_epoch().count();
  return what + "-" + std::to_string(now) + "-" + std::to_string(++count);
}

std::string MessageBusContract::MakeTopic(std::uint32_t partitions) {
  std::string topic = NewName("contract");
  Status status = bus_->EnsureTopics({{topic, partitions}});
  EXPECT_TRUE(status.ok()) << status.error().ToString();
  return topic;
}

std::unique_ptr<BusConsumer> MessageBusContract::Join(const std::string& group,
                                                      const std::string& topic) {
  auto consumer = bus_->Subscribe(group, {topic});
  EXPECT_TRUE(consumer.ok()) << consumer.error().ToString();
  return std::move(consumer).value();
}

std::vector<Delivery> MessageBusContract::Send(const std::vector<BusMessage>& messages) {
  auto deliveries = bus_->Produce(messages, seconds(30));
  EXPECT_TRUE(deliveries.ok()) << deliveries.error().ToString();
  EXPECT_EQ(deliveries->size(), messages.size());
  return std::move(deliveries).value();
}

std::vector<Delivery> MessageBusContract::SendNumbers(const std::string& topic, int first,
                                                      int count) {
  std::vector<BusMessage> messages;
  for (int i = first; i < first + count; ++i) {
    messages.push_back({topic, "key-" + std::to_string(i), std::to_string(i), {}});
  }
  return Send(messages);
}

TEST_P(MessageBusContract, EnsureCreatesWhatIsMissingAndRefusesFewerPartitions) {
  std::string topic = MakeTopic(3);
  auto state = bus_->Describe(topic);
  ASSERT_TRUE(state.ok());
  EXPECT_THAT(state->end_offsets, ElementsAre(0, 0, 0));
  EXPECT_FALSE(state->topic_id.empty());
  EXPECT_TRUE(bus_->EnsureTopics({{topic, 3}, {topic, 2}}).ok());
  EXPECT_TRUE(bus_->EnsureTopics({{topic, 4}}).Is(Code::kInvalid));
  EXPECT_EQ(bus_->Describe(topic)->topic_id, state->topic_id);
  EXPECT_EQ(bus_->Describe(topic)->end_offsets.size(), 3u);
}

TEST_P(MessageBusContract, DescribeOfAnUnknownTopicIsNotFound) {
  EXPECT_TRUE(bus_->Describe(NewName("nowhere")).Is(Code::kNotFound));
}

TEST_P(MessageBusContract, OffsetsAreDenseAndKeysKeepTheirPartition) {
  std::string topic = MakeTopic(4);
  std::map<std::uint32_t, std::uint64_t> next;
  std::vector<BusMessage> messages;
  for (int i = 0; i < 200; ++i) {
    messages.push_back({topic, "key-" + std::to_string(i % 40), std::to_string(i), {}});
  }
  for (int round = 0; round < 2; ++round) {
    auto deliveries = Send(messages);
    for (std::size_t i = 0; i < messages.size(); ++i) {
      ASSERT_FALSE(deliveries[i].refused.has_value());
      EXPECT_EQ(deliveries[i].partition, PartitionOf(messages[i].key, 4));
      EXPECT_EQ(deliveries[i].offset, next[deliveries[i].partition]++);
    }
  }
  EXPECT_EQ(next.size(), 4u);
  auto state = bus_->Describe(topic);
  for (const auto& [partition, end] : next) EXPECT_EQ(state->end_offsets[partition], end);
}

TEST_P(MessageBusContract, RecordsComeInTheOrderOfTheirPartition) {
  std::string topic = MakeTopic(3);
  SendNumbers(topic, 0, 300);
  SendNumbers(topic, 300, 300);
  BusReader reader{Join(NewName("group"), topic)};
  PollRecords(reader, 600);
  ASSERT_EQ(reader.records.size(), 600u);
  ExpectInOrder(reader.records);
  std::map<std::uint32_t, int> last;
  for (const auto& record : reader.records) {
    int value = std::stoi(record.value);
    auto [at, first] = last.try_emplace(record.from.partition, -1);
    EXPECT_GT(value, at->second);
    at->second = value;
  }
}

TEST_P(MessageBusContract, PollGivesAtMostWhatWasAskedFor) {
  std::string topic = MakeTopic(2);
  SendNumbers(topic, 0, 50);
  auto consumer = Join(NewName("group"), topic);
  std::set<std::string> seen;
  auto deadline = std::chrono::steady_clock::now() + kBusPatience;
  while (seen.size() < 50 && std::chrono::steady_clock::now() < deadline) {
    auto batch = consumer->Poll(7, milliseconds(20));
    ASSERT_TRUE(batch.ok());
    EXPECT_LE(batch->records.size(), 7u);
    for (const auto& record : batch->records) EXPECT_TRUE(seen.insert(record.value).second);
  }
  EXPECT_EQ(seen.size(), 50u);
}

TEST_P(MessageBusContract, CarriesHeadersAndAnyBytes) {
  std::string topic = MakeTopic(1);
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  BusMessage message{topic, bytes, bytes + bytes, {{"b", bytes}, {"a", ""}, {"b", "2"}}};
  Send({message, {topic, "k", "", {}}});
  BusReader reader{Join(NewName("group"), topic)};
  PollRecords(reader, 2);
  ASSERT_EQ(reader.records.size(), 2u);
  EXPECT_EQ(reader.records[0].key, message.key);
  EXPECT_EQ(reader.records[0].value, message.value);
  EXPECT_EQ(reader.records[0].headers, message.headers);
  EXPECT_EQ(reader.records[1].value, "");
  EXPECT_THAT(reader.records[1].headers, IsEmpty());
}

TEST_P(MessageBusContract, TooLargeIsRefusedAloneAndOneMebibytePasses) {
  std::string topic = MakeTopic(1);
  const std::string large(1 << 20, 'x');
  auto deliveries = Send({{topic, "a", "before", {}},
                          {topic, "b", large, {}},
                          {topic, "c", std::string(4 << 20, 'y'), {}},
                          {topic, "d", "after", {}}});
  EXPECT_FALSE(deliveries[0].refused.has_value());
  EXPECT_FALSE(deliveries[1].refused.has_value());
  ASSERT_TRUE(deliveries[2].refused.has_value());
  EXPECT_FALSE(deliveries[3].refused.has_value());
  EXPECT_EQ(deliveries[3].offset, 2u);
  BusReader reader{Join(NewName("group"), topic)};
  PollRecords(reader, 3);
  EXPECT_THAT(reader.Values(), ElementsAre("before", large, "after"));
}

TEST_P(MessageBusContract, AnUnknownTopicIsRefusedAlone) {
  std::string topic = MakeTopic(1);
  auto deliveries = Send({{NewName("nowhere"), "a", "1", {}}, {topic, "a", "2", {}}});
  EXPECT_TRUE(deliveries[0].refused.has_value());
  EXPECT_FALSE(deliveries[1].refused.has_value());
  EXPECT_THAT(bus_->Describe(topic)->end_offsets, ElementsAre(1));
}

TEST_P(MessageBusContract, ANewGroupStartsAtTheEarliest) {
  std::string topic = MakeTopic(1);
  SendNumbers(topic, 0, 3);
  BusReader reader{Join(NewName("group"), topic)};
  PollRecords(reader, 3);
  EXPECT_THAT(reader.Values(), ElementsAre("0", "1", "2"));
  EXPECT_THAT(*reader.consumer->Committed(), IsEmpty());
}

TEST_P(MessageBusContract, CommittedOffsetsAreWhereTheGroupResumes) {
  std::string topic = MakeTopic(1);
  std::string group = NewName("group");
  SendNumbers(topic, 0, 10);
  const TopicPartition only{topic, 0};
  {
    BusReader reader{Join(group, topic)};
    PollRecords(reader, 10);
    ASSERT_TRUE(reader.consumer->Commit({{only, {4, "topic id"}}}).ok());
    auto committed = reader.consumer->Committed();
    ASSERT_TRUE(committed.ok());
    ASSERT_TRUE(committed->contains(only));
    EXPECT_EQ((*committed)[only].next, 4u);
    EXPECT_EQ((*committed)[only].metadata, "topic id");
  }
  auto offsets = bus_->GroupOffsets(group);
  ASSERT_TRUE(offsets.ok());
  EXPECT_EQ((*offsets)[only].next, 4u);
  EXPECT_EQ((*offsets)[only].metadata, "topic id");
  BusReader again{Join(group, topic)};
  PollRecords(again, 6);
  EXPECT_THAT(again.Values(), ElementsAre("4", "5", "6", "7", "8", "9"));
}

TEST_P(MessageBusContract, GroupsAreIndependent) {
  std::string topic = MakeTopic(2);
  SendNumbers(topic, 0, 20);
  std::string first_group = NewName("group");
  std::string second_group = NewName("group");
  BusReader first{Join(first_group, topic)};
  PollRecords(first, 20);
  ASSERT_TRUE(first.CommitAll().ok());
  BusReader second{Join(second_group, topic)};
  PollRecords(second, 20);
  EXPECT_EQ(second.records.size(), 20u);
  EXPECT_THAT(*bus_->GroupOffsets(second_group), IsEmpty());
  EXPECT_EQ(bus_->GroupOffsets(first_group)->size(), 2u);
}

TEST_P(MessageBusContract, PollWaitsForTheFirstRecordAndNoLongerThanAsked) {
  std::string topic = MakeTopic(1);
  BusReader reader{Join(NewName("group"), topic)};
  PollUntil({&reader}, [&] { return reader.mine.size() == 1; });
  auto start = std::chrono::steady_clock::now();
  reader.PollOnce(milliseconds(50));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(45));
  EXPECT_THAT(reader.records, IsEmpty());
  // Sent while it waits: the answer comes at once, not at the end of the time.
  std::thread producer([&] { SendNumbers(topic, 0, 1); });
  start = std::chrono::steady_clock::now();
  while (reader.records.empty()) {
    reader.PollOnce(seconds(20));
    if (std::chrono::steady_clock::now() - start > kBusPatience) break;
  }
  producer.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  EXPECT_THAT(reader.Values(), ElementsAre("0"));
}

TEST_P(MessageBusContract, MembersShareThePartitionsAndNothingIsSkipped) {
  std::string topic = MakeTopic(4);
  std::string group = NewName("group");
  SendNumbers(topic, 0, 100);
  BusReader first{Join(group, topic)};
  PollUntil({&first}, [&] { return first.mine.size() == 4 && first.records.size() >= 100; });
  ASSERT_TRUE(first.CommitAll().ok());
  const std::uint64_t alone = first.generation;
  EXPECT_GT(alone, 0u);

  BusReader second{Join(group, topic)};
  PollUntil({&first, &second}, [&] { return first.mine.size() == 2 && second.mine.size() == 2; });
  PollUntil({&first, &second}, [&] { return first.generation == second.generation; });
  EXPECT_GT(second.generation, alone);
  for (const auto& partition : second.mine) EXPECT_FALSE(first.mine.contains(partition));

  SendNumbers(topic, 100, 100);
  auto all_seen = [&] {
    std::set<std::string> values;
    for (const auto& value : first.Values()) values.insert(value);
    for (const auto& value : second.Values()) values.insert(value);
    return values.size() == 200;
  };
  PollUntil({&first, &second}, all_seen);
  ASSERT_TRUE(first.CommitAll().ok());
  ASSERT_TRUE(second.CommitAll().ok());
  EXPECT_EQ(first.records.size() + second.records.size(), 200u);  // nothing repeated: all committed

  const std::uint64_t both = second.generation;
  first.consumer.reset();
  PollUntil({&second}, [&] { return second.mine.size() == 4; });
  EXPECT_GT(second.generation, both);
  second.records.clear();
  SendNumbers(topic, 200, 40);
  PollRecords(second, 40);
  EXPECT_EQ(second.records.size(), 40u);
}

TEST_P(MessageBusContract, CommitOfARevokedPartitionIsAConflict) {
  std::string topic = MakeTopic(2);
  std::string group = NewName("group");
  SendNumbers(topic, 0, 20);
  BusReader first{Join(group, topic)};
  PollUntil({&first}, [&] { return first.mine.size() == 2 && first.records.size() == 20; });
  BusReader second{Join(group, topic)};
  PollUntil({&first, &second}, [&] { return first.mine.size() == 1 && second.mine.size() == 1; });
  const TopicPartition lost = *second.mine.begin();
  const TopicPartition kept = *first.mine.begin();
  EXPECT_TRUE(first.consumer->Commit({{lost, {1, ""}}}).Is(Code::kConflict));
  EXPECT_TRUE(first.consumer->Commit({{kept, {1, ""}}, {lost, {1, ""}}}).Is(Code::kConflict));
  EXPECT_THAT(*bus_->GroupOffsets(group), IsEmpty());
  EXPECT_TRUE(first.consumer->Commit({{kept, {1, ""}}}).ok());
}

TEST_P(MessageBusContract, MoreMembersThanPartitionsLeaveSomeIdle) {
  std::string topic = MakeTopic(1);
  std::string group = NewName("group");
  BusReader first{Join(group, topic)};
  BusReader second{Join(group, topic)};
  PollUntil({&first, &second}, [&] { return first.mine.size() + second.mine.size() == 1; });
  SendNumbers(topic, 0, 5);
  PollUntil({&first, &second}, [&] { return first.records.size() + second.records.size() >= 5; });
  EXPECT_TRUE(first.records.empty() || second.records.empty());
}

TEST_P(MessageBusContract, SeekMovesThePosition) {
  std::string topic = MakeTopic(1);
  SendNumbers(topic, 0, 10);
  BusReader reader{Join(NewName("group"), topic)};
  PollRecords(reader, 10);
  reader.records.clear();
  ASSERT_TRUE(reader.consumer->Seek({topic, 0}, 7).ok());
  PollRecords(reader, 3);
  EXPECT_THAT(reader.Values(), ElementsAre("7", "8", "9"));
  ASSERT_TRUE(reader.consumer->Seek({topic, 0}, 0).ok());
  PollRecords(reader, 13);
  EXPECT_EQ(reader.records.size(), 13u);
  EXPECT_FALSE(reader.consumer->Seek({topic, 1}, 0).ok());
}

TEST_P(MessageBusContract, PauseHoldsBackOnePartitionAndResumeGoesOn) {
  std::string topic = MakeTopic(2);
  BusReader reader{Join(NewName("group"), topic)};
  PollUntil({&reader}, [&] { return reader.mine.size() == 2; });
  ASSERT_TRUE(reader.consumer->Pause({{topic, 0}}).ok());
  auto deliveries = SendNumbers(topic, 0, 40);
  auto on_first = static_cast<std::size_t>(std::count_if(
      deliveries.begin(), deliveries.end(), [](const Delivery& d) { return d.partition == 0; }));
  ASSERT_GT(on_first, 0u);
  ASSERT_LT(on_first, 40u);
  PollRecords(reader, 40 - on_first);
  reader.PollOnce(milliseconds(50));
  EXPECT_EQ(reader.records.size(), 40 - on_first);
  EXPECT_EQ(reader.mine.size(), 2u);
  ASSERT_TRUE(reader.consumer->Resume({{topic, 0}}).ok());
  PollRecords(reader, 40);
  EXPECT_EQ(reader.records.size(), 40u);
  ExpectInOrder(reader.records);
}

TEST_P(MessageBusContract, ACommittedOffsetBeyondTheEndStartsAtTheEarliest) {
  std::string topic = MakeTopic(1);
  std::string group = NewName("group");
  SendNumbers(topic, 0, 10);
  {
    BusReader reader{Join(group, topic)};
    PollRecords(reader, 10);
    ASSERT_TRUE(reader.CommitAll().ok());
  }
  bus_.reset();
  if (!home_->Truncate({topic, 0}, 6)) GTEST_SKIP() << "cannot be truncated here";
  bus_ = home_->Open();
  EXPECT_THAT(bus_->Describe(topic)->end_offsets, ElementsAre(6));
  BusReader reader{Join(group, topic)};
  PollRecords(reader, 6);
  EXPECT_THAT(reader.Values(), ElementsAre("0", "1", "2", "3", "4", "5"));
  EXPECT_EQ(SendNumbers(topic, 100, 1)[0].offset, 6u);
  PollRecords(reader, 7);
  EXPECT_EQ(reader.records.back().value, "100");
}

TEST_P(MessageBusContract, ATopicMadeAgainHasAnotherId) {
  std::string topic = MakeTopic(2);
  SendNumbers(topic, 0, 10);
  std::string before = bus_->Describe(topic)->topic_id;
  bus_.reset();
  if (!home_->Recreate({topic, 2})) GTEST_SKIP() << "cannot be made again here";
  bus_ = home_->Open();
  auto state = bus_->Describe(topic);
  ASSERT_TRUE(state.ok());
  EXPECT_NE(state->topic_id, before);
  EXPECT_THAT(state->end_offsets, ElementsAre(0, 0));
}

TEST_P(MessageBusContract, RecordsAtGivesOneOfEachPartitionAsked) {
  const std::string topic = MakeTopic(3);
  const std::vector<Delivery> sent = SendNumbers(topic, 0, 40);
  std::map<TopicPartition, std::uint64_t> last, first;
  std::map<TopicPartition, std::string> last_value, first_value;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const TopicPartition key{topic, sent[i].partition};
    first.emplace(key, sent[i].offset);
    first_value.emplace(key, std::to_string(i));
    last[key] = sent[i].offset;
    last_value[key] = std::to_string(i);
  }
  for (const auto& [offsets, values] :
       {std::pair(last, last_value), std::pair(first, first_value)}) {
    const auto records = bus_->RecordsAt(offsets);
    ASSERT_TRUE(records.ok()) << records.error().ToString();
    std::map<TopicPartition, std::string> found;
    for (const BusRecord& record : *records) {
      EXPECT_EQ(record.offset, offsets.at(record.from));
      found[record.from] = record.value;
    }
    EXPECT_EQ(found, values);
  }
  EXPECT_TRUE(bus_->RecordsAt({})->empty());
}

TEST_P(MessageBusContract, RecordsAtTellsWhatTookThePlaceOfALostTail) {
  const std::string topic = MakeTopic(1);
  SendNumbers(topic, 0, 10);
  bus_.reset();
  ASSERT_TRUE(home_->Truncate({topic, 0}, 6));
  bus_ = home_->Open();
  SendNumbers(topic, 100, 10);
  const auto records = bus_->RecordsAt({{{topic, 0}, 9}});
  ASSERT_TRUE(records.ok()) << records.error().ToString();
  ASSERT_EQ(records->size(), 1u);
  EXPECT_EQ(records->front().value, "103");
}

TEST_P(MessageBusContract, ReopenKeepsTopicsRecordsAndOffsets) {
  std::string topic = MakeTopic(2);
  std::string group = NewName("group");
  SendNumbers(topic, 0, 20);
  auto before = bus_->Describe(topic);
  std::uint64_t generation = 0;
  {
    BusReader reader{Join(group, topic)};
    PollRecords(reader, 20);
    ASSERT_TRUE(reader.CommitAll().ok());
    generation = reader.generation;
  }
  Reopen();
  auto after = bus_->Describe(topic);
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->topic_id, before->topic_id);
  EXPECT_EQ(after->end_offsets, before->end_offsets);
  SendNumbers(topic, 20, 5);
  BusReader reader{Join(group, topic)};
  PollRecords(reader, 5);
  EXPECT_THAT(reader.Values(), UnorderedElementsAre("20", "21", "22", "23", "24"));
  EXPECT_GT(reader.generation, generation);
}

TEST_P(MessageBusContract, ATopicMadeAfterSubscribingIsAssignedAndRead) {
  std::string topic = NewName("later");
  BusReader reader{Join(NewName("group"), topic)};
  reader.PollOnce();
  EXPECT_THAT(reader.mine, IsEmpty());
  ASSERT_TRUE(bus_->EnsureTopics({{topic, 1}}).ok());
  SendNumbers(topic, 0, 2);
  PollRecords(reader, 2);
  EXPECT_THAT(reader.Values(), ElementsAre("0", "1"));
}

TEST_P(MessageBusContract, ProducersAtTheSameTimeKeepOffsetsDense) {
  std::string topic = MakeTopic(2);
  BusReader reader{Join(NewName("group"), topic)};
  std::vector<std::thread> producers;
  for (int t = 0; t < 4; ++t) {
    producers.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) SendNumbers(topic, t * 1000 + i * 10, 10);
    });
  }
  PollRecords(reader, 400);
  for (auto& producer : producers) producer.join();
  EXPECT_EQ(reader.records.size(), 400u);
  ExpectInOrder(reader.records);
  std::set<std::string> values;
  for (const auto& value : reader.Values()) values.insert(value);
  EXPECT_EQ(values.size(), 400u);
}

}  // namespace saffron
