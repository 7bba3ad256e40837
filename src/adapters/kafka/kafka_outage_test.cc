// A broker that dies, comes back, or hangs, under those who publish and consume.
#include <gmock/gmock.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "adapters/kafka/kafka_test_home.h"
#include "base/thread_runtime.h"

namespace saffron {
namespace {

using ::testing::HasSubstr;

constexpr int kKeys = 20;

// What one member has read, through whatever happens.
struct Consumed {
  Consumed(MessageBus& bus, const std::string& topic) {
    auto joined = bus.Subscribe(NewKafkaName("group"), {topic});
    EXPECT_TRUE(joined.ok()) << joined.error().ToString();
    consumer = std::move(joined).value();
  }

  bool ReadUntil(const std::function<bool()>& enough) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(40);
    while (!enough() && std::chrono::steady_clock::now() < until) {
      auto batch = consumer->Poll(1000, milliseconds(50));
      if (!batch.ok()) {
        EXPECT_TRUE(batch.Is(Code::kUnavailable)) << batch.error().ToString();
        outage = batch.error().message();
        continue;
      }
      for (const TopicPartition& revoked : batch->revoked) offsets.erase(revoked);
      for (const BusRecord& record : batch->records) {
        seen.insert(record.value);
        offsets[record.from].next = record.offset + 1;
      }
    }
    return enough();
  }
  std::uint64_t Position() const {
    std::uint64_t position = 0;
    for (const auto& [partition, offset] : offsets) position += offset.next;
    return position;
  }

  std::unique_ptr<BusConsumer> consumer;
  std::set<std::string> seen;
  std::map<TopicPartition, CommittedOffset> offsets;
  std::string outage;  // what Poll last said of it
};

class KafkaOutageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SAFFRON_NEED_SERVER(server_, "kafka");
    auto bus = KafkaBus::Open(runtime_, log_, nullptr, KafkaTestOptions(server_->address()));
    ASSERT_TRUE(bus.ok()) << bus.error().ToString();
    bus_ = std::move(bus).value();
    topic_ = NewKafkaName("outage");
    ASSERT_TRUE(bus_->EnsureTopics({{topic_, 3}}).ok());
  }

  void Signal(int signal) {
    std::ifstream file(server_->folder() + "/kafka.pid");
    pid_t broker = 0;
    ASSERT_TRUE(file >> broker);
    ASSERT_EQ(::kill(broker, signal), 0);
  }

  // 50 messages a call; a call that fails is done again. Returns when `until` says so.
  int PublishUntil(const std::function<bool(int)>& until, Duration timeout) {
    int sent = 0;
    while (!until(sent)) {
      std::vector<BusMessage> messages;
      for (int i = sent; i < sent + 50; ++i) {
        messages.push_back({topic_, std::to_string(i % kKeys), std::to_string(i), {}});
      }
      auto deliveries = bus_->Produce(messages, timeout);
      if (!deliveries.ok()) {
        ++failures_;
        unknown_ += deliveries.Is(Code::kUnknownOutcome);
        EXPECT_TRUE(deliveries.Is(Code::kUnknownOutcome) || deliveries.Is(Code::kUnavailable));
        continue;
      }
      for (const Delivery& delivery : *deliveries) {
        EXPECT_FALSE(delivery.refused) << delivery.refused->message();
      }
      sent += 50;
      acknowledged_ = sent;
    }
    return sent;
  }

  // All values up to `count`, from the beginning. First times of a key are in order, and what
  // comes twice is at most what the failed calls held.
  void ExpectOnTopic(int count) {
    auto consumer = bus_->Subscribe(NewKafkaName("group"), {topic_});
    ASSERT_TRUE(consumer.ok());
    std::map<std::string, int> last;
    std::set<int> seen;
    int repeated = 0;
    const std::uint64_t total = Total();
    std::uint64_t read = 0;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (read < total && std::chrono::steady_clock::now() < until) {
      auto batch = (*consumer)->Poll(1000, milliseconds(100));
      ASSERT_TRUE(batch.ok()) << batch.error().ToString();
      for (const BusRecord& record : batch->records) {
        ++read;
        const int value = std::stoi(record.value);
        if (!seen.insert(value).second) {
          ++repeated;
          continue;
        }
        auto [at, first] = last.try_emplace(record.key, -1);
        EXPECT_GT(value, at->second) << "out of order in key " << record.key;
        at->second = value;
      }
    }
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(count));
    EXPECT_LE(repeated, 50 * failures_);
    RecordProperty("repeated", repeated);
  }
  std::uint64_t Total() {
    std::uint64_t total = 0;
    const auto state = bus_->Describe(topic_);
    EXPECT_TRUE(state.ok()) << state.error().ToString();
    if (!state.ok()) return 0;
    for (std::uint64_t end : state->end_offsets) total += end;
    return total;
  }

  ThreadRuntime runtime_;
  Log log_ = Log::Discard();
  RealServer* server_ = nullptr;
  std::unique_ptr<KafkaBus> bus_;
  std::string topic_;
  std::atomic<int> failures_{0}, unknown_{0};  // calls
  std::atomic<int> acknowledged_{0};
  std::atomic<int> back_{-1};  // acknowledged when the broker was back
  std::atomic<int> hangs_{0};
};

TEST_F(KafkaOutageTest, KilledAndStartedUnderLoadNothingIsLostOrReordered) {
  std::atomic<int> sent{-1};
  std::thread publisher([&] {
    sent = PublishUntil([&](int n) { return back_ >= 0 && n >= back_ + 2000; }, milliseconds(700));
  });
  Consumed consumed(*bus_, topic_);
  EXPECT_TRUE(consumed.ReadUntil([&] { return consumed.seen.size() >= 2000; }));
  server_->Kill();
  EXPECT_TRUE(consumed.ReadUntil([&] { return !consumed.outage.empty() && failures_ > 0; }));
  EXPECT_THAT(consumed.outage, HasSubstr("refused"));
  Status committed = consumed.consumer->Commit(consumed.offsets);
  EXPECT_FALSE(committed.ok());
  EXPECT_FALSE(committed.Is(Code::kConflict)) << "it is still ours";
  EXPECT_TRUE(server_->Up().ok());
  back_ = acknowledged_.load();
  EXPECT_TRUE(consumed.ReadUntil([&] { return sent > 0; }));
  publisher.join();
  EXPECT_TRUE(consumed.ReadUntil([&] { return Total() == consumed.Position(); }));
  EXPECT_EQ(consumed.seen.size(), static_cast<std::size_t>(sent));
  EXPECT_TRUE(consumed.consumer->Commit(consumed.offsets).ok());
  ExpectOnTopic(sent);
}

// Its answers come too late: what the calls held may be stored.
TEST_F(KafkaOutageTest, AHangIsAnUnknownOutcomeAndDoneAgainKeepsTheOrder) {
  std::thread operator_of_it([&] {
    while (acknowledged_ < 1000) runtime_.SleepFor(milliseconds(1));
    Signal(SIGSTOP);
    while (hangs_ == 0) runtime_.SleepFor(milliseconds(1));
    Signal(SIGCONT);
    back_ = acknowledged_.load();
  });
  const int sent = PublishUntil(
      [&](int n) {
        if (failures_ >= 2) hangs_ = 1;
        return back_ >= 0 && n >= back_ + 1000;
      },
      milliseconds(700));
  operator_of_it.join();
  EXPECT_GT(unknown_, 0);
  ExpectOnTopic(sent);
}

// Librdkafka's own request for them ended the process when the coordinator went away under it.
TEST_F(KafkaOutageTest, AGroupsOffsetsAreAskedForWhileItsCoordinatorHangsAndDies) {
  const std::string group = NewKafkaName("group");
  std::atomic<bool> over{false};
  std::atomic<int> answered{0}, refused{0};
  ASSERT_TRUE(bus_->GroupOffsets(group).ok());
  std::thread asking([&] {
    while (!over) {
      auto offsets = bus_->GroupOffsets(group);
      EXPECT_TRUE(offsets.ok() || offsets.Is(Code::kUnavailable)) << offsets.error().ToString();
      ++(offsets.ok() ? answered : refused);
    }
  });
  const auto await = [&](std::atomic<int>& count) {
    const int enough = count + 3;
    while (count < enough) runtime_.SleepFor(milliseconds(1));
  };
  await(answered);
  Signal(SIGSTOP);
  await(refused);
  Signal(SIGCONT);
  await(answered);
  server_->Kill();
  await(refused);
  EXPECT_TRUE(server_->Up().ok());
  await(answered);
  over = true;
  asking.join();
}

}  // namespace
}  // namespace saffron
