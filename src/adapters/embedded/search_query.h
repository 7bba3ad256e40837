// What a search means, engine aside: filters, order and cursors over JSON documents.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/embedded/words.h"
#include "base/result.h"
#include "domain/json_text.h"
#include "ports/search_index.h"

namespace saffron {

// A JSON scalar that can be compared. Numbers and strings (by bytes) have an order, within their
// kind only; booleans are equal or not.
struct Scalar {
  enum class Kind : std::uint8_t { kBool = 1, kNumber = 2, kString = 3 };
  Kind kind = Kind::kBool;
  bool truth = false;
  bool whole = false;  // a number that `integer` holds exactly
  std::int64_t integer = 0;
  double number = 0;
  std::string text;
};
// Below, equal, above: 0 is equal. Of different kinds: kBool, kNumber, kString.
int Compare(const Scalar& a, const Scalar& b);
// None: null, an object or an array.
std::optional<Scalar> ScalarOf(const json::Value& value);

// Filters on the top-level members of a document. A member that is null counts as missing; of an
// array each element counts, and one that holds is enough. Missing, or of another type: only kNe
// holds (kEq null: missing, kNe null: there). kPrefix: of strings. kMatch: every word occurs in the
// member's strings.
//
// A value; compiled once a query and used by one thread.
class DocumentFilter {
 public:
  // kInvalid names the filter that makes no sense (no value, prefix of a number, ...).
  static Result<DocumentFilter> Compile(const std::vector<FieldFilter>& filters);

  bool empty() const { return conditions_.empty(); }
  bool Matches(std::string_view document) const;
  // Words that a document must hold as a whole to match.
  std::vector<WordPattern> RequiredWords() const;

 private:
  struct Condition {
    std::string field;
    FilterOp op = FilterOp::kEq;
    std::vector<std::optional<Scalar>> values;  // none: null
    std::vector<WordPattern> words;
  };
  static bool Holds(const Condition& condition, std::string_view member);

  std::vector<Condition> conditions_;
};

// The order of a query: by a property (of an array the least element, descending the greatest; in
// both directions documents without it last), ties by id; or by id alone.
class SearchOrder {
 public:
  explicit SearchOrder(std::string_view sort);

  bool by_id() const { return field_.empty(); }
  // The place of a document in the order.
  struct Place {
    std::optional<Scalar> value;
    std::string id;
  };
  Place PlaceOf(const SearchDocument& document) const;
  bool Before(const Place& a, const Place& b) const;

  std::string EncodeCursor(const Place& last) const;
  // kInvalid: not a cursor of this order.
  Result<Place> DecodeCursor(std::string_view cursor) const;

 private:
  std::string sort_;
  std::string field_;
  bool descending_ = false;
};

// Collects the first `limit` matches after the cursor, whatever order they come in.
class PageCollector {
 public:
  static Result<PageCollector> Open(const SearchQuery& query);

  const SearchOrder& order() const { return order_; }
  // Where the page begins: behind this. None: at the start.
  const std::optional<SearchOrder::Place>& after() const { return after_; }
  void Add(SearchDocument document);
  // More than the page has been found: in order of id, later ones cannot matter.
  bool full() const { return found_.size() > limit_; }
  SearchPage Finish();

 private:
  PageCollector(SearchOrder order, std::uint64_t limit) : order_(std::move(order)), limit_(limit) {}
  using Found = std::pair<SearchOrder::Place, SearchDocument>;

  SearchOrder order_;
  std::optional<SearchOrder::Place> after_;
  std::uint64_t limit_;
  std::vector<Found> found_;  // a heap, the last in order on top; at most limit + 1
};

// The id ranges [first, end) of the instances a query looks at, in the order of ids.
struct ClassRange {
  std::string first;
  std::string end;
  Scope scope;
};
std::vector<ClassRange> RangesOf(const SearchQuery& query);

}  // namespace saffron
