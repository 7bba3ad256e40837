// The bodies of /query and /graph-query. Pure.
#pragma once

#include <string_view>

#include "ports/search_index.h"
#include "services/oms/body_reader.h"

namespace saffron {

inline constexpr std::uint64_t kMostPerPage = 1'000;

// Scope is left to the caller. The violations are empty when all is well.
struct ParsedSearch {
  SearchQuery query;
  std::vector<Violation> violations;
};
ParsedSearch ParseSearch(std::string_view body);

struct ParsedGraphQuery {
  GraphQuery query;
  std::vector<Violation> violations;
};
ParsedGraphQuery ParseGraphQuery(std::string_view body);

}  // namespace saffron
