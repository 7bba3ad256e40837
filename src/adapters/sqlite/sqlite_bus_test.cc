#include "adapters/sqlite/sqlite_bus.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "adapters/sqlite/sqlite.h"
#include "base/thread_runtime.h"

namespace saffron {
namespace {

class SqliteBusTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "saffron-bus-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    Open();
    ASSERT_TRUE(bus_->EnsureTopics({{"t", 1}}).ok());
  }
  void TearDown() override {
    bus_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Open() {
    bus_.reset();
    auto bus = OpenSqliteBus(
        runtime_, {.path = folder_ + "/bus.db", .keep_for = Duration(0), .keep_records = 100});
    ASSERT_TRUE(bus.ok()) << bus.error().ToString();
    bus_ = std::move(bus).value();
  }
  void Send(int count) {
    std::vector<BusMessage> messages(static_cast<std::size_t>(count), {"t", "k", "v", {}});
    ASSERT_TRUE(bus_->Produce(messages, seconds(1)).ok());
  }
  // The first offset a group without offsets gets.
  std::uint64_t Earliest() {
    auto consumer = bus_->Subscribe("new", {"t"}).value();
    return consumer->Poll(1, seconds(10))->records.at(0).offset;
  }
  void Commit(const std::string& group, std::uint64_t next) {
    auto consumer = bus_->Subscribe(group, {"t"}).value();
    ASSERT_TRUE(consumer->Poll(1, seconds(10)).ok());
    ASSERT_TRUE(consumer->Commit({{{"t", 0}, {next, ""}}}).ok());
  }

  ThreadRuntime runtime_;
  std::string folder_;
  std::unique_ptr<MessageBus> bus_;
};

TEST_F(SqliteBusTest, KeepsWhatNobodyHasConsumed) {
  for (int i = 0; i < 5; ++i) Send(1000);
  EXPECT_EQ(Earliest(), 0u);
}

TEST_F(SqliteBusTest, DeletesWhatEveryGroupHasConsumedAPieceAtATime) {
  Send(5000);
  Commit("a", 5000);
  Commit("b", 2000);
  Send(1);
  EXPECT_EQ(Earliest(), 512u);
  for (int i = 0; i < 20; ++i) Send(1);
  EXPECT_EQ(Earliest(), 2000u);  // the slower group holds it
  Commit("b", 5000);
  for (int i = 0; i < 20; ++i) Send(1);
  const std::uint64_t end = bus_->Describe("t")->end_offsets[0];
  EXPECT_EQ(end, 5041u);
  EXPECT_LT(Earliest(), end - 100 + 1);  // never the newest
  EXPECT_GT(Earliest(), 4000u);
  const std::uint64_t earliest = Earliest();
  Open();
  EXPECT_EQ(Earliest(), earliest);
  EXPECT_EQ(bus_->Describe("t")->end_offsets[0], end);
}

TEST_F(SqliteBusTest, ACommittedOffsetBelowTheEarliestStartsThere) {
  Send(5000);
  Commit("a", 5000);
  for (int i = 0; i < 5; ++i) Send(1);
  const std::uint64_t earliest = Earliest();
  ASSERT_GT(earliest, 0u);
  Commit("late", 1);
  auto consumer = bus_->Subscribe("late", {"t"}).value();
  EXPECT_EQ(consumer->Poll(1, seconds(10))->records.at(0).offset, earliest);
}

// Regression: a record with a flipped bit could still be an event, and was handed out as one.
TEST_F(SqliteBusTest, ADamagedRecordIsNamedAndNotHandedOut) {
  ASSERT_TRUE(bus_->Produce({{"t", "k", "value-to-be-damaged", {}}}, seconds(1)).ok());
  bus_.reset();
  {
    auto file = sqlite::Connection::Open({.path = folder_ + "/bus.db"});
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)
                    ->Execute("UPDATE records SET record = CAST(replace(CAST(record AS TEXT), "
                              "'value', 'valud') AS BLOB)")
                    .ok());
  }
  Open();
  auto consumer = bus_->Subscribe("new", {"t"}).value();
  Result<BusBatch> batch = consumer->Poll(1, seconds(10));
  ASSERT_TRUE(batch.Is(Code::kCorrupt));
  EXPECT_NE(batch.error().message().find("record 0 of t/0 in " + folder_), std::string::npos)
      << batch.error().message();
}

}  // namespace
}  // namespace saffron
