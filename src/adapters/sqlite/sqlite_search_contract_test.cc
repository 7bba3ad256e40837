#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "adapters/sqlite/sqlite.h"
#include "adapters/sqlite/sqlite_search.h"
#include "testing/contract/search_index_contract.h"

namespace saffron {
namespace {

class SqliteHome final : public SearchIndexHome {
 public:
  SqliteHome() {
    std::string pattern = ::testing::TempDir() + "saffron-search-XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  ~SqliteHome() override { std::filesystem::remove_all(folder_); }

  std::shared_ptr<SearchIndex> Open() override {
    auto index = OpenSqliteSearch({.folder = folder_});
    EXPECT_TRUE(index.ok()) << index.error().ToString();
    return index.ok() ? std::move(index).value() : nullptr;
  }
  const std::string& folder() const { return folder_; }
  std::size_t Databases() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().extension() == ".db") ++count;
    }
    return count;
  }

 private:
  std::string folder_;
};

INSTANTIATE_SEARCH_INDEX_CONTRACT(Sqlite, [] { return std::make_shared<SqliteHome>(); });

TEST(SqliteSearchTest, OnlyTheFileOfTheLiveGenerationStays) {
  SqliteHome home;
  auto index = home.Open();
  auto dropped = index->NewGeneration();
  ASSERT_TRUE(dropped.ok());
  EXPECT_EQ(home.Databases(), 2u);
  dropped->reset();
  EXPECT_EQ(home.Databases(), 1u);
  for (int i = 0; i < 3; ++i) {
    auto next = index->NewGeneration();
    ASSERT_TRUE(index->Activate(**next).ok());
    next->reset();
    EXPECT_EQ(home.Databases(), 1u);
  }
}

TEST(SqliteSearchTest, FilesLeftByACrashAreRemovedAtOpen) {
  SqliteHome home;
  ASSERT_TRUE(home.Open()->SetWatermark("kept").ok());
  std::ofstream(home.folder() + "/search-7.db") << "half a generation";
  auto index = home.Open();
  EXPECT_EQ(home.Databases(), 1u);
  EXPECT_EQ(*index->Watermark(), "kept");
}

TEST(SqliteSearchTest, ADamagedPointerIsCorrupt) {
  SqliteHome home;
  std::ofstream(home.folder() + "/live") << "../elsewhere.db";
  EXPECT_TRUE(OpenSqliteSearch({.folder = home.folder()}).Is(Code::kCorrupt));
}

TEST(SqliteSearchTest, ADocumentOfNoTypeIsCorrupt) {
  SqliteHome home;
  auto index = home.Open();
  const std::string file = home.folder() + "/search-1.db";
  auto database = sqlite::Connection::Open({.path = file});
  ASSERT_TRUE(database.ok()) << database.error().ToString();
  ASSERT_TRUE((*database)
                  ->Execute("INSERT INTO documents (type, key, version, present, "
                            "scope_database, scope_class, updated_ms, document) "
                            "VALUES (9, 'a', 1, 1, 1, 1, 1, '{}')")
                  .ok());
  EXPECT_TRUE(index->Scan(std::nullopt, 10).Is(Code::kCorrupt));
}

}  // namespace
}  // namespace saffron
