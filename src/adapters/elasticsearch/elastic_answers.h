// What the engine's answers say. Pure: whatever bytes come, it is an error at most.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/elasticsearch/elastic_query.h"
#include "base/result.h"
#include "net/http.h"
#include "ports/search_index.h"

namespace saffron::elastic {

// "HTTP 400 mapper_parsing_exception: failed to parse ...", cut.
std::string ExplainAnswer(const HttpResponse& response);

// What became of one document of a bulk request.
struct BulkItem {
  enum class Fate {
    kDone,     // it is there, or a later version of it
    kAgain,    // the engine cannot now
    kForget,   // again, after a look at which indexes and columns there are
    kRefused,  // for good
  };
  Fate fate = Fate::kDone;
  std::string why;  // unless it is done
};
// One for each of `items` documents, in their order. kUnknownOutcome: not understood.
Result<std::vector<BulkItem>> ParseBulk(std::string_view body, std::size_t items);

// Of a refresh: kUnavailable, when a copy of a shard has failed it.
Status CheckRefresh(std::string_view body);

// Documents of searches as they come, page after page.
struct FoundDocuments {
  std::vector<SearchDocument> documents;
  std::size_t limit = 0;
  std::size_t sort_values = 1;      // of each hit
  std::optional<SortValues> after;  // where the last of them, or the start, lies
  bool more = false;                // at least one is behind the last, and was not taken

  // An error leaves it in an unspecified state.
  Status Take(std::string_view body);
};
Result<std::uint64_t> ParseTotal(std::string_view body);
// Of a request for documents by id: those that are there.
Result<std::vector<SearchDocument>> ParseDocuments(std::string_view body);
// Empty: never set. kCorrupt: not one of ours.
Result<std::string> ParseWatermark(const HttpResponse& response);

// Of an answer by index: the names of the indexes; their columns, whichever has them.
Result<std::vector<std::string>> ParseIndexNames(std::string_view body);
Result<std::vector<std::string>> ParseColumnNames(std::string_view body);
// Of an answer to a mapping: the name of an index that is not of this format.
Result<std::optional<std::string>> FindOtherFormat(std::string_view body, std::uint64_t format);
// "PREFIX.g7" and "PREFIX.g7.db": 7.
std::optional<std::uint64_t> GenerationOf(std::string_view prefix, std::string_view index);

}  // namespace saffron::elastic
