#include "adapters/sqlite/sqlite.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace saffron::sqlite {
namespace {

class SqliteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "saffron-sqlite-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path() const { return folder_ + "/test.db"; }
  std::unique_ptr<Database> OpenDatabase() {
    DatabaseOptions options;
    options.connection.path = Path();
    auto database = Database::Open(
        options, "CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, value ANY)");
    EXPECT_TRUE(database.ok()) << database.error().ToString();
    return database.ok() ? std::move(database).value() : nullptr;
  }
  static Status Insert(Connection& connection, std::int64_t id, std::string_view value) {
    SAFFRON_ASSIGN(Statement insert, connection.Prepare("INSERT INTO rows VALUES (?, ?)"));
    return insert.BindInt(1, id).BindText(2, value).Run();
  }
  static std::int64_t Count(Connection& connection) {
    auto statement = connection.Prepare("SELECT count(*) FROM rows");
    EXPECT_TRUE(statement.ok());
    EXPECT_TRUE(statement->Step().value());
    return statement->Int(0);
  }

  std::string folder_;
};

TEST_F(SqliteTest, KeepsValuesOfEveryTypeOverReopen) {
  const std::string odd("a\0b\xff", 4);
  {
    auto database = OpenDatabase();
    auto writer = database->Writer();
    auto insert = writer->Prepare("INSERT INTO rows VALUES (?, ?)");
    ASSERT_TRUE(insert->BindInt(1, 1).BindBlob(2, odd).Run().ok());
    ASSERT_TRUE(insert->BindInt(1, 2).BindText(2, "").Run().ok());
    ASSERT_TRUE(insert->BindInt(1, 3).BindNull(2).Run().ok());
    ASSERT_TRUE(insert->BindInt(1, 4).BindReal(2, 0.25).Run().ok());
  }
  auto database = OpenDatabase();
  auto reader = database->Reader();
  auto rows = (*reader)->Prepare("SELECT value FROM rows ORDER BY id");
  ASSERT_TRUE(rows->Step().value());
  EXPECT_EQ(rows->Blob(0), odd);
  ASSERT_TRUE(rows->Step().value());
  EXPECT_FALSE(rows->IsNull(0));
  EXPECT_EQ(rows->Text(0), "");
  ASSERT_TRUE(rows->Step().value());
  EXPECT_TRUE(rows->IsNull(0));
  ASSERT_TRUE(rows->Step().value());
  EXPECT_EQ(rows->Real(0), 0.25);
  EXPECT_FALSE(rows->Step().value());
}

TEST_F(SqliteTest, RollsBackWhenTheBodyFails) {
  auto database = OpenDatabase();
  auto writer = database->Writer();
  Status status = writer->InTransaction([&]() -> Status {
    SAFFRON_TRY(Insert(*writer, 1, "x"));
    return Conflict("no");
  });
  EXPECT_TRUE(status.Is(Code::kConflict));
  EXPECT_EQ(Count(*writer), 0);
  ASSERT_TRUE(writer->InTransaction([&] { return Insert(*writer, 1, "x"); }).ok());
  EXPECT_EQ(Count(*writer), 1);
}

TEST_F(SqliteTest, MapsErrorsToWhatTheCallerDoes) {
  auto database = OpenDatabase();
  auto writer = database->Writer();
  ASSERT_TRUE(Insert(*writer, 1, "x").ok());
  EXPECT_TRUE(Insert(*writer, 1, "y").Is(Code::kConflict));
  EXPECT_TRUE(writer->Prepare("SELECT nonsense FROM nowhere").Is(Code::kInternal));

  auto statement = writer->Prepare("SELECT 1");
  EXPECT_TRUE(statement->BindInt(7, 1).Step().Is(Code::kInternal));
}

TEST_F(SqliteTest, FullIsUnavailableAndLeavesTheOldState) {
  auto database = OpenDatabase();
  auto writer = database->Writer();
  ASSERT_TRUE(Insert(*writer, 1, "x").ok());
  ASSERT_TRUE(writer->Execute("PRAGMA max_page_count=4").ok());
  Status status =
      writer->InTransaction([&] { return Insert(*writer, 2, std::string(1 << 20, 'x')); });
  ASSERT_TRUE(status.Is(Code::kUnavailable));
  EXPECT_NE(status.error().message().find("full"), std::string::npos);
  EXPECT_EQ(Count(*writer), 1);
  EXPECT_TRUE(writer->InTransaction([&] { return Insert(*writer, 2, "small"); }).ok());
}

TEST_F(SqliteTest, AnotherFileIsCorrupt) {
  std::ofstream(Path()) << std::string(8192, 'z');
  DatabaseOptions options;
  options.connection.path = Path();
  EXPECT_TRUE(Database::Open(options, "").Is(Code::kCorrupt));
}

TEST_F(SqliteTest, AFileOfAnotherLogOrANewerFormatIsRefusedAndNotChanged) {
  DatabaseOptions options;
  options.connection.path = Path();
  options.log_id = "log-a";
  const auto open = [&] { return Database::Open(options, "CREATE TABLE IF NOT EXISTS t(x)"); };
  ASSERT_TRUE(open().ok());
  ASSERT_TRUE(open().ok()) << "a second time";
  options.log_id = "log-b";
  Result<std::unique_ptr<Database>> other = open();
  ASSERT_TRUE(other.Is(Code::kInvalid));
  EXPECT_NE(other.error().message().find(Path() + " follows from log log-a"), std::string::npos);
  EXPECT_NE(other.error().message().find("holds log log-b"), std::string::npos);
  options.log_id = "log-a";
  {
    auto file = open();
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Writer()->Execute("PRAGMA user_version=2; DROP TABLE t").ok());
  }
  Result<std::unique_ptr<Database>> newer = open();
  ASSERT_TRUE(newer.Is(Code::kInvalid));
  EXPECT_NE(newer.error().message().find("has format 2"), std::string::npos);
  auto file = Connection::Open(options.connection);
  EXPECT_FALSE((*file)->Prepare("SELECT x FROM t").ok()) << "the schema was not made again";
}

TEST_F(SqliteTest, ReadersDoNotWaitForTheWriter) {
  auto database = OpenDatabase();
  auto writer = database->Writer();
  Status status = writer->InTransaction([&]() -> Status {
    SAFFRON_TRY(Insert(*writer, 1, "x"));
    std::thread other([&] {
      auto reader = database->Reader();
      ASSERT_TRUE(reader.ok());
      EXPECT_EQ(Count(**reader), 0);
    });
    other.join();
    return Ok();
  });
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(Count(**database->Reader()), 1);
}

TEST_F(SqliteTest, ManyThreadsShareTheReaders) {
  auto database = OpenDatabase();
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) {
        auto reader = database->Reader();
        ASSERT_TRUE(reader.ok());
        EXPECT_EQ(Count(**reader), 0);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_F(SqliteTest, APointReadDoesNotWaitForLongReads) {
  auto database = OpenDatabase();
  std::vector<Database::Lease> long_reads;
  for (std::size_t i = 0; i < DatabaseOptions().max_readers; ++i) {
    long_reads.push_back(std::move(*database->Reader()));
  }
  auto point = database->PointReader();
  ASSERT_TRUE(point.ok());
  EXPECT_EQ(Count(**point), 0);
}

TEST_F(SqliteTest, APointReadSeesWhatWasCommittedBefore) {
  auto database = OpenDatabase();
  for (int rows = 1; rows <= 20; ++rows) {
    {
      auto early = database->PointReader();
      EXPECT_EQ(Count(**early), rows - 1);
      {
        auto writer = database->Writer();
        // Also while the writer is lent.
        EXPECT_EQ(Count(**database->PointReader()), rows - 1);
        ASSERT_TRUE(Insert(*writer, rows, "x").ok());
        EXPECT_EQ(Count(**database->PointReader()), rows);
      }
    }
    // Both connections; one was given back after the commit, with a snapshot from before it.
    auto first = database->PointReader();
    auto second = database->PointReader();
    EXPECT_EQ(Count(**first), rows);
    EXPECT_EQ(Count(**second), rows);
  }
}

TEST_F(SqliteTest, KeptSnapshotsDoNotLetTheLogOfTheFileGrow) {
  DatabaseOptions options;
  options.connection.path = Path();
  options.connection.wal_autocheckpoint_pages = 20;
  auto database = Database::Open(options, "CREATE TABLE rows (id INTEGER PRIMARY KEY, value ANY)");
  ASSERT_TRUE(database.ok());
  const std::string large(10'000, 'x');
  for (int rows = 1; rows <= 200; ++rows) {
    ASSERT_TRUE(Insert(*(*database)->Writer(), rows, large).ok());
    EXPECT_EQ(Count(**(*database)->PointReader()), rows);
  }
  EXPECT_LT(std::filesystem::file_size(Path() + "-wal"), 50u * 4096);
}

TEST_F(SqliteTest, StatementsOfTheSameTextNest) {
  auto database = OpenDatabase();
  auto writer = database->Writer();
  ASSERT_TRUE(Insert(*writer, 1, "x").ok());
  ASSERT_TRUE(Insert(*writer, 2, "y").ok());
  auto outer = writer->Prepare("SELECT id FROM rows ORDER BY id");
  auto inner = writer->Prepare("SELECT id FROM rows ORDER BY id");
  ASSERT_TRUE(outer->Step().value());
  ASSERT_TRUE(inner->Step().value());
  ASSERT_TRUE(inner->Step().value());
  EXPECT_EQ(outer->Int(0), 1);
  EXPECT_EQ(inner->Int(0), 2);
}

}  // namespace
}  // namespace saffron::sqlite
