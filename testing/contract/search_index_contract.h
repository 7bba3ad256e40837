// The contract of SearchIndex as tests, run on every index:
//
//   INSTANTIATE_SEARCH_INDEX_CONTRACT(Memory, [] { return std::make_shared<MemoryHome>(); });
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ports/search_index.h"

namespace saffron {

// A place for an index, empty at first, that outlives the indexes opened on it.
class SearchIndexHome {
 public:
  virtual ~SearchIndexHome() = default;
  // Called again only when the index before is gone.
  virtual std::shared_ptr<SearchIndex> Open() = 0;
};

// Null: its server cannot be had: the test is skipped, or fails where servers are required.
using SearchIndexHomeMaker = std::function<std::shared_ptr<SearchIndexHome>()>;

class SearchIndexContract : public ::testing::TestWithParam<SearchIndexHomeMaker> {
 protected:
  void SetUp() override;
  void Reopen();

  // An instance of db:main in the scope (1, 2), which Query() takes for live.
  static SearchDocument Document(std::string_view name, std::string json, std::uint64_t version = 1,
                                 std::string_view class_id = "Order");
  static SearchQuery Query(std::string class_id = "Order");

  void Write(const std::vector<SearchDocument>& documents);  // and makes them readable
  // The instance names found, in order, over all pages of `limit`.
  std::vector<std::string> Names(const SearchQuery& query);
  std::vector<std::string> Filtered(const std::string& field, FilterOp op,
                                    const std::vector<std::string>& values);
  std::vector<std::string> WithText(const std::string& text);
  std::uint64_t Count(SearchQuery query);

  std::shared_ptr<SearchIndexHome> home_;
  std::shared_ptr<SearchIndex> index_;
};

// Referenced by the instantiation, so that the linker keeps the tests.
bool LinkSearchIndexContract();
bool LinkSearchQueryContract();  // the tests of Search itself

}  // namespace saffron

#define INSTANTIATE_SEARCH_INDEX_CONTRACT(name, ...)                      \
  const bool search_index_contract_of_##name = LinkSearchIndexContract(); \
  INSTANTIATE_TEST_SUITE_P(name, SearchIndexContract,                     \
                           ::testing::Values(SearchIndexHomeMaker(__VA_ARGS__)))
