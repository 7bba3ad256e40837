// Filters on the top-level members of a JSON document, as the embedded stores understand them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "ports/graph_store.h"

namespace saffron {

// Filters parsed once and asked often. Immutable; threads may share it.
//
//   - Numbers compare by value, strings by bytes; values of different kinds are unequal and have no
//     order.
//   - An array matches if one of its elements does. kNe is "not kEq": a missing member matches it.
//   - kPrefix: of a string. kMatch: every word of the value occurs in the string, whatever the case
//     of its ASCII letters; words are runs of letters, digits and bytes above 127.
class FieldFilters {
 public:
  // kInvalid: a value that is no JSON scalar, none or too many of them, or not one for the
  // operator.
  static Result<FieldFilters> Compile(const std::vector<FieldFilter>& filters);

  bool empty() const { return filters_.empty(); }
  // All of them match. False for what is no JSON object.
  bool Match(std::string_view document) const;

  // Null, bool, integer, number or string.
  using Scalar = std::variant<std::monostate, bool, std::int64_t, double, std::string>;

 private:
  struct Filter {
    std::string field;
    FilterOp op;
    std::vector<Scalar> values;
    std::vector<std::string> words;  // of kMatch
  };
  static bool MatchOne(const Filter& filter, const Scalar& value);

  std::vector<Filter> filters_;
};

}  // namespace saffron
