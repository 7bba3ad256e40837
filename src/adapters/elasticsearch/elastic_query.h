// A SearchQuery in the engine's words, and the cursor.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ports/search_index.h"

namespace saffron::elastic {

// The values a hit was sorted by, as the engine gave them: those of SortKeys and then the key.
using SortValues = std::vector<std::optional<std::string>>;

// A query, checked and translated once; gives the request of each page. A value.
class QueryPlan {
 public:
  // kInvalid: a filter or a cursor that makes no sense.
  static Result<QueryPlan> Compile(const SearchQuery& query);

  // No class is live: nothing can be found.
  bool empty() const { return empty_; }
  // Where the first page begins. None: at the start.
  const std::optional<SortValues>& start() const { return start_; }
  std::size_t sort_values() const { return sort_values_; }  // of each hit
  std::string CountRequest() const;
  std::string PageRequest(std::size_t size, const std::optional<SortValues>& after) const;
  std::string CursorAfter(const SortValues& last) const;

 private:
  std::string sort_;
  std::string filter_;  // the clause "query"
  std::string order_;   // the array "sort"
  std::size_t sort_values_ = 1;
  bool empty_ = false;
  std::optional<SortValues> start_;
};

// One page of all documents in the order of keys, above `after`.
std::string ScanRequest(std::size_t size, const std::optional<std::string>& after);

// None: not hexadecimal.
std::optional<std::string> DecodeHex(std::string_view text);

}  // namespace saffron::elastic
