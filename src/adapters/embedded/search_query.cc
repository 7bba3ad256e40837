#include "adapters/embedded/search_query.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <compare>

#include "base/bytes.h"

namespace saffron {

namespace {

int Sign(std::partial_ordering order) { return order < 0 ? -1 : order > 0 ? 1 : 0; }

bool HasOrder(const Scalar& a, const Scalar& b) {
  return a.kind == b.kind && a.kind != Scalar::Kind::kBool;
}

// The raw text of a top-level member; empty: missing or null. The last one of a name counts.
std::string_view MemberOf(std::string_view document, std::string_view field) {
  json::Scanner scanner(document);
  json::Value key, value;
  std::string_view found;
  std::string scratch;
  bool done = false;
  if (!scanner.Enter()) return {};
  while (scanner.NextMember(key, done) && !done) {
    if (!scanner.ReadValue(value)) break;
    const bool same =
        key.has_escapes() ? json::TextOf(key, scratch) == field : key.inner() == field;
    if (same) found = value.kind == json::Kind::kNull ? std::string_view() : value.raw;
  }
  return found;
}

// Calls `visit` with each scalar of a member until it returns true.
template <class Visit>
bool AnyScalar(std::string_view member, const Visit& visit) {
  if (member.empty()) return false;
  json::Scanner scanner(member);
  json::Value value;
  bool done = false;
  if (member.front() != '[') {
    if (!scanner.ReadValue(value)) return false;
    auto scalar = ScalarOf(value);
    return scalar.has_value() && visit(*scalar);
  }
  if (!scanner.Enter()) return false;
  while (scanner.NextElement(done) && !done && scanner.ReadValue(value)) {
    auto scalar = ScalarOf(value);
    if (scalar.has_value() && visit(*scalar)) return true;
  }
  return false;
}

// The order to sort by: that of Compare, made one of all numbers. Of those that are the same double
// the one that is no integer stands first (as the keys of adapters/elasticsearch have it).
int CompareToSort(const Scalar& a, const Scalar& b) {
  constexpr double kLastExact = 9007199254740992.0;  // 2^53: above it integers share doubles
  const bool numbers = a.kind == Scalar::Kind::kNumber && b.kind == Scalar::Kind::kNumber;
  if (!numbers) return Compare(a, b);
  if (const int order = Sign(a.number <=> b.number); order != 0) return order;
  if (std::fabs(a.number) < kLastExact) return 0;
  if (a.whole != b.whole) return a.whole ? 1 : -1;
  return a.whole ? Sign(a.integer <=> b.integer) : 0;
}

bool Equals(std::string_view member, const std::optional<Scalar>& wanted) {
  if (!wanted.has_value()) return member.empty();
  return AnyScalar(
      member, [&](const Scalar& s) { return s.kind == wanted->kind && Compare(s, *wanted) == 0; });
}

Error BadFilter(const FieldFilter& filter, std::string_view reason) {
  return Invalid("filter on " + filter.field + ": " + std::string(reason));
}

constexpr std::uint8_t kNoValue = 0;

}  // namespace

std::optional<Scalar> ScalarOf(const json::Value& value) {
  Scalar scalar;
  switch (value.kind) {
    case json::Kind::kTrue:
    case json::Kind::kFalse:
      scalar.kind = Scalar::Kind::kBool;
      scalar.truth = value.kind == json::Kind::kTrue;
      return scalar;
    case json::Kind::kNumber: {
      scalar.kind = Scalar::Kind::kNumber;
      const char* end = value.raw.data() + value.raw.size();
      auto [at, error] = std::from_chars(value.raw.data(), end, scalar.integer);
      scalar.whole = error == std::errc() && at == end;
      scalar.number =
          scalar.whole ? static_cast<double>(scalar.integer) : json::NumberOf(value.raw);
      return scalar;
    }
    case json::Kind::kString: {
      scalar.kind = Scalar::Kind::kString;
      std::string scratch;
      scalar.text = json::TextOf(value, scratch);
      return scalar;
    }
    default: return std::nullopt;
  }
}

int Compare(const Scalar& a, const Scalar& b) {
  if (a.kind != b.kind) return a.kind < b.kind ? -1 : 1;
  switch (a.kind) {
    case Scalar::Kind::kBool: return static_cast<int>(a.truth) - static_cast<int>(b.truth);
    case Scalar::Kind::kNumber:
      return a.whole && b.whole ? Sign(a.integer <=> b.integer) : Sign(a.number <=> b.number);
    case Scalar::Kind::kString: return Sign(a.text <=> b.text);
  }
  return 0;
}

Result<DocumentFilter> DocumentFilter::Compile(const std::vector<FieldFilter>& filters) {
  DocumentFilter compiled;
  for (const FieldFilter& filter : filters) {
    Condition condition{filter.field, filter.op, {}, {}};
    if (filter.op != FilterOp::kIn && filter.values.size() != 1) {
      return BadFilter(filter, "one value is needed");
    }
    for (const std::string& raw : filter.values) {
      json::Scanner scanner(raw);
      json::Value value;
      if (!scanner.ReadValue(value) || !scanner.AtEnd()) return BadFilter(filter, "not JSON");
      condition.values.push_back(ScalarOf(value));
      const auto& scalar = condition.values.back();
      if (!scalar.has_value() && value.kind != json::Kind::kNull) {
        return BadFilter(filter, "the value must be a scalar");
      }
      const bool is_text = scalar.has_value() && scalar->kind == Scalar::Kind::kString;
      switch (filter.op) {
        case FilterOp::kEq:
        case FilterOp::kNe:
        case FilterOp::kIn: break;
        case FilterOp::kPrefix:
        case FilterOp::kMatch:
          if (!is_text) return BadFilter(filter, "the value must be a string");
          if (filter.op == FilterOp::kMatch) condition.words = ParseWords(scalar->text);
          break;
        default:
          if (!scalar.has_value() || scalar->kind == Scalar::Kind::kBool) {
            return BadFilter(filter, "the value must be a number or a string");
          }
      }
    }
    compiled.conditions_.push_back(std::move(condition));
  }
  return compiled;
}

bool DocumentFilter::Holds(const Condition& condition, std::string_view member) {
  const auto any_ordered = [&](auto test) {
    const Scalar& wanted = *condition.values.front();
    return AnyScalar(
        member, [&](const Scalar& s) { return HasOrder(s, wanted) && test(Compare(s, wanted)); });
  };
  switch (condition.op) {
    case FilterOp::kEq: return Equals(member, condition.values.front());
    case FilterOp::kNe: return !Equals(member, condition.values.front());
    case FilterOp::kGt: return any_ordered([](int order) { return order > 0; });
    case FilterOp::kGte: return any_ordered([](int order) { return order >= 0; });
    case FilterOp::kLt: return any_ordered([](int order) { return order < 0; });
    case FilterOp::kLte: return any_ordered([](int order) { return order <= 0; });
    case FilterOp::kIn:
      return std::any_of(condition.values.begin(), condition.values.end(),
                         [&](const auto& value) { return Equals(member, value); });
    case FilterOp::kPrefix:
      return AnyScalar(member, [&](const Scalar& s) {
        return s.kind == Scalar::Kind::kString &&
               s.text.starts_with(condition.values.front()->text);
      });
    case FilterOp::kMatch: return !member.empty() && HoldsAll(WordsOf(member), condition.words);
  }
  return false;
}

bool DocumentFilter::Matches(std::string_view document) const {
  return std::all_of(conditions_.begin(), conditions_.end(), [&](const Condition& condition) {
    return Holds(condition, MemberOf(document, condition.field));
  });
}

std::vector<WordPattern> DocumentFilter::RequiredWords() const {
  std::vector<WordPattern> required;
  for (const Condition& condition : conditions_) {
    required.insert(required.end(), condition.words.begin(), condition.words.end());
  }
  return required;
}

SearchOrder::SearchOrder(std::string_view sort) : sort_(sort) {
  descending_ = sort.starts_with('-');
  if (descending_) sort.remove_prefix(1);
  field_ = sort;
}

SearchOrder::Place SearchOrder::PlaceOf(const SearchDocument& document) const {
  Place place{std::nullopt, document.key.id};
  if (by_id()) return place;
  AnyScalar(MemberOf(document.document, field_), [&](const Scalar& s) {
    const int order = place.value.has_value() ? CompareToSort(s, *place.value) : 0;
    if (!place.value.has_value() || (descending_ ? order > 0 : order < 0)) place.value = s;
    return false;
  });
  return place;
}

bool SearchOrder::Before(const Place& a, const Place& b) const {
  if (a.value.has_value() != b.value.has_value()) return a.value.has_value();
  if (a.value.has_value()) {
    if (const int order = CompareToSort(*a.value, *b.value); order != 0) {
      return descending_ ? order > 0 : order < 0;
    }
  }
  return a.id < b.id;
}

// Hexadecimal, so that it fits into a URL: sort, kind of the value, value, id.
std::string SearchOrder::EncodeCursor(const Place& last) const {
  std::string bytes;
  PutLengthPrefixed(bytes, sort_);
  PutU8(bytes, last.value.has_value() ? static_cast<std::uint8_t>(last.value->kind) : kNoValue);
  if (last.value.has_value()) {
    PutU8(bytes, static_cast<std::uint8_t>(last.value->truth ? 1 : 0));
    PutU8(bytes, static_cast<std::uint8_t>(last.value->whole ? 1 : 0));
    PutU64BigEndian(bytes, static_cast<std::uint64_t>(last.value->integer));
    PutU64BigEndian(bytes, std::bit_cast<std::uint64_t>(last.value->number));
    PutLengthPrefixed(bytes, last.value->text);
  }
  PutLengthPrefixed(bytes, last.id);
  std::string text;
  for (const char byte : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    text.push_back(kDigits[static_cast<unsigned char>(byte) >> 4]);
    text.push_back(kDigits[static_cast<unsigned char>(byte) & 15]);
  }
  return text;
}

Result<SearchOrder::Place> SearchOrder::DecodeCursor(std::string_view cursor) const {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < cursor.size(); i += 2) {
    std::uint8_t byte = 0;
    auto [at, error] = std::from_chars(&cursor[i], &cursor[i] + 2, byte, 16);
    if (error != std::errc() || at != &cursor[i] + 2) return Invalid("not a cursor");
    bytes.push_back(static_cast<char>(byte));
  }
  ByteReader reader(bytes);
  std::string_view sort, text, id;
  std::uint8_t kind = 0, truth = 0, whole = 0;
  std::uint64_t integer = 0, number = 0;
  bool good = cursor.size() % 2 == 0 && reader.ReadLengthPrefixed(sort) && reader.ReadU8(kind) &&
              kind <= static_cast<std::uint8_t>(Scalar::Kind::kString);
  Place place;
  if (good && kind != kNoValue) {
    good = reader.ReadU8(truth) && reader.ReadU8(whole) && reader.ReadU64BigEndian(integer) &&
           reader.ReadU64BigEndian(number) && reader.ReadLengthPrefixed(text);
    place.value = Scalar{static_cast<Scalar::Kind>(kind),
                         truth != 0,
                         whole != 0,
                         static_cast<std::int64_t>(integer),
                         std::bit_cast<double>(number),
                         std::string(text)};
  }
  good = good && reader.ReadLengthPrefixed(id) && reader.AtEnd();
  if (!good) return Invalid("not a cursor");
  if (sort != sort_) return Invalid("the cursor is of another sort order");
  place.id = id;
  return place;
}

Result<PageCollector> PageCollector::Open(const SearchQuery& query) {
  PageCollector collector(SearchOrder(query.sort), query.limit);
  if (!query.cursor.empty()) {
    SAFFRON_ASSIGN(collector.after_, collector.order_.DecodeCursor(query.cursor));
  }
  return collector;
}

void PageCollector::Add(SearchDocument document) {
  SearchOrder::Place place = order_.PlaceOf(document);
  if (after_.has_value() && !order_.Before(*after_, place)) return;
  const auto before = [this](const Found& a, const Found& b) {
    return order_.Before(a.first, b.first);
  };
  if (full()) {
    if (!order_.Before(place, found_.front().first)) return;
    std::pop_heap(found_.begin(), found_.end(), before);
    found_.pop_back();
  }
  found_.emplace_back(std::move(place), std::move(document));
  std::push_heap(found_.begin(), found_.end(), before);
}

SearchPage PageCollector::Finish() {
  std::sort(found_.begin(), found_.end(),
            [this](const Found& a, const Found& b) { return order_.Before(a.first, b.first); });
  SearchPage page;
  if (full()) {
    found_.pop_back();
    page.next_cursor = order_.EncodeCursor(found_.back().first);
  }
  for (Found& found : found_) page.documents.push_back(std::move(found.second));
  return page;
}

std::vector<ClassRange> RangesOf(const SearchQuery& query) {
  const LiveScope& live = query.scope;
  std::vector<ClassRange> ranges;
  for (const auto& [class_id, incarnation] : live.classes) {
    if (!query.class_id.empty() && class_id != query.class_id) continue;
    const std::string stem = live.db + ":" + live.branch + ":" + class_id;
    ranges.push_back({stem + ":", stem + ";", {live.database, incarnation}});  // ';' follows ':'
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const ClassRange& a, const ClassRange& b) { return a.first < b.first; });
  return ranges;
}

}  // namespace saffron
