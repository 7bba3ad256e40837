#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "adapters/sqlite/sqlite.h"
#include "adapters/sqlite/sqlite_bus.h"
#include "base/thread_runtime.h"
#include "testing/contract/message_bus_contract.h"

namespace saffron {
namespace {

class SqliteHome final : public MessageBusHome {
 public:
  SqliteHome() {
    std::string pattern = ::testing::TempDir() + "saffron-bus-XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  ~SqliteHome() override { std::filesystem::remove_all(folder_); }

  std::shared_ptr<MessageBus> Open() override {
    SqliteBusOptions options;
    options.path = folder_ + "/bus.db";
    auto bus = OpenSqliteBus(runtime_, options);
    EXPECT_TRUE(bus.ok()) << bus.error().ToString();
    return bus.ok() ? std::move(bus).value() : nullptr;
  }

  // What a power cut does to the newest records.
  bool Truncate(const TopicPartition& partition, std::uint64_t end) override {
    auto connection = Connect();
    auto remove = connection->Prepare(
        "DELETE FROM records WHERE id >= (SELECT number << 44 | ? FROM partitions WHERE topic = ? "
        "AND partition = ?)");
    remove->BindInt(1, static_cast<std::int64_t>(end)).BindText(2, partition.topic);
    return remove->BindInt(3, partition.partition).Run().ok();
  }

  bool Recreate(const TopicSpec& topic) override {
    EXPECT_TRUE(
        Connect()->Execute("DELETE FROM records; DELETE FROM partitions; DELETE FROM topics").ok());
    return Open()->EnsureTopics({topic}).ok();
  }

 private:
  std::unique_ptr<sqlite::Connection> Connect() {
    sqlite::ConnectionOptions options;
    options.path = folder_ + "/bus.db";
    return sqlite::Connection::Open(options).value();
  }

  ThreadRuntime runtime_;
  std::string folder_;
};

INSTANTIATE_MESSAGE_BUS_CONTRACT(Sqlite, [] { return std::make_shared<SqliteHome>(); });

}  // namespace
}  // namespace saffron
