#include <gtest/gtest.h>

#include <memory>

#include "adapters/memory/memory_search.h"
#include "testing/contract/search_index_contract.h"

namespace saffron {
namespace {

class MemoryHome final : public SearchIndexHome {
 public:
  std::shared_ptr<SearchIndex> Open() override { return index_; }

 private:
  std::shared_ptr<MemorySearch> index_ = std::make_shared<MemorySearch>();
};

INSTANTIATE_SEARCH_INDEX_CONTRACT(Memory, [] { return std::make_shared<MemoryHome>(); });

TEST(MemorySearchTest, RestoreBringsBackASnapshot) {
  MemorySearch index;
  SearchDocument document;
  document.key = AggregateKey::Instance("db", "main", "C", "a");
  document.version = SequenceNumber(1);
  ASSERT_TRUE(index.Write({document}).ok() && index.Refresh().ok());
  auto backup = index.Snapshot();
  document.version = SequenceNumber(2);
  ASSERT_TRUE(index.Write({document}).ok() && index.Refresh().ok());
  ASSERT_TRUE(index.SetWatermark("w").ok());
  index.Restore(backup);
  EXPECT_EQ(index.Get({document.key})->at(document.key).version, SequenceNumber(1));
  EXPECT_EQ(*index.Watermark(), "");
}

TEST(MemorySearchTest, WhatIsNotRefreshedIsNotReadAndStillRefusesOlderVersions) {
  MemorySearch index;
  SearchDocument document;
  document.key = AggregateKey::Instance("db", "main", "C", "a");
  document.version = SequenceNumber(2);
  ASSERT_TRUE(index.Write({document}).ok());
  EXPECT_TRUE(index.Get({document.key})->empty());
  document.version = SequenceNumber(1);
  ASSERT_TRUE(index.Write({document}).ok());
  ASSERT_TRUE(index.Refresh().ok());
  EXPECT_EQ(index.Get({document.key})->at(document.key).version, SequenceNumber(2));
  ASSERT_TRUE(index.Write({document}).ok() && index.Refresh().ok());
  EXPECT_EQ(index.Get({document.key})->at(document.key).version, SequenceNumber(2));
}

}  // namespace
}  // namespace saffron
