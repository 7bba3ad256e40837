#include "adapters/elasticsearch/elastic_query.h"

#include <charconv>
#include <functional>
#include <utility>

#include "adapters/elasticsearch/elastic_document.h"
#include "adapters/elasticsearch/elastic_terms.h"
#include "base/bytes.h"
#include "base/sha256.h"
#include "domain/json_text.h"
#include "domain/names.h"

namespace saffron::elastic {
namespace {

std::string Quoted(std::string_view text) {
  std::string quoted;
  json::AppendString(quoted, text);
  return quoted;
}

// `kind`: "term", "prefix" or "wildcard".
std::string Clause(std::string_view kind, std::string_view field, const std::string& text) {
  std::string clause = "{\"";
  clause.append(kind).append("\":{\"").append(field).append("\":").append(Quoted(text));
  return clause.append("}}");
}

std::string Exists(const std::string& name) { return Clause("term", "words", "=" + name); }

// Where the values of a property stand: in which field, and what is before them there.
struct Place {
  std::string field, stem;

  std::string Term(const std::string& key) const { return Clause("term", field, stem + key); }
  std::string Prefix(const std::string& key) const { return Clause("prefix", field, stem + key); }
  // `from` and `to`: "gt" or "gte", "lt" or "lte".
  std::string Range(std::string_view from, const std::string& low, std::string_view to,
                    const std::string& high) const {
    std::string clause = "{\"range\":{\"" + field + "\":{\"";
    clause.append(from).append("\":").append(Quoted(stem + low)).append(",\"").append(to);
    return clause.append("\":").append(Quoted(stem + high)).append("}}}");
  }
};

std::string Joined(const std::vector<std::string>& clauses) {
  std::string joined;
  for (const std::string& clause : clauses) {
    if (!joined.empty()) joined += ',';
    joined += clause;
  }
  return joined;
}

std::string Any(const std::vector<std::string>& clauses) {
  if (clauses.size() == 1) return clauses.front();
  if (clauses.empty()) return R"({"match_none":{}})";
  return R"({"bool":{"should":[)" + Joined(clauses) + R"(],"minimum_should_match":1}})";
}

std::string Not(const std::string& clause) { return R"({"bool":{"must_not":[)" + clause + "]}}"; }

// Of the property, or of any: then the name is empty.
std::string WordClause(const std::string& name, const WordPattern& pattern) {
  const std::string begin = BoundedPrefix(pattern.word, kLongestWord);
  const std::string whole = Bounded(pattern.word, kLongestWord) + "~";
  // Neither words nor names have a character that means something in a wildcard.
  if (pattern.prefix) {
    return name.empty() ? Clause("prefix", "words", begin)
                        : Clause("wildcard", "words", begin + "*~" + name);
  }
  return name.empty() ? Clause("prefix", "words", whole) : Clause("term", "words", whole + name);
}

std::string ScalarEquals(const Place& place, const Scalar& wanted) {
  if (wanted.kind != Scalar::Kind::kNumber) return place.Term(ScalarKey(wanted));
  const NumberKey key = KeyOf(wanted);
  if (key.exact) return Any({place.Term("2" + key.key), place.Term("2" + key.low + "f")});
  if (key.key == key.low) return place.Term("2" + key.low);
  return place.Range("gte", "2" + key.low, "lt", "2" + key.high);
}

// Every number lies in ["2", "3").
std::string NumberOrder(FilterOp op, const Place& place, const Scalar& wanted) {
  const NumberKey key = KeyOf(wanted);
  const std::string low = "2" + key.low, high = "2" + key.high, exact = "2" + key.key;
  const std::string inexact = low + "f";  // equal to `exact`, and before it
  switch (op) {
    case FilterOp::kGt: return place.Range("gt", key.exact ? exact : high, "lt", "3");
    case FilterOp::kGte:
      return key.exact ? Any({place.Range("gte", exact, "lt", "3"), place.Term(inexact)})
                       : place.Range("gte", low, "lt", "3");
    case FilterOp::kLt:
      return key.exact ? Any({place.Range("gte", "2", "lt", inexact),
                              place.Range("gt", inexact, "lt", exact)})
                       : place.Range("gte", "2", "lt", low);
    default: return place.Range("gte", "2", "lte", key.exact ? exact : high);
  }
}

// Every string lies in ["3", "4").
std::string TextOrder(FilterOp op, const Place& place, const Scalar& wanted) {
  const std::string key = "3" + Bounded(wanted.text, kLongestText);
  switch (op) {
    case FilterOp::kGt: return place.Range("gt", key, "lt", "4");
    case FilterOp::kGte: return place.Range("gte", key, "lt", "4");
    case FilterOp::kLt: return place.Range("gte", "3", "lt", key);
    default: return place.Range("gte", "3", "lte", key);
  }
}

std::optional<Scalar> ScalarIn(const std::string& raw) {
  json::Scanner scanner(raw);
  json::Value value;
  return scanner.ReadValue(value) ? ScalarOf(value) : std::nullopt;
}

// In whichever place the values stand; a column that does not exist holds nothing.
std::string InItsPlace(const std::string& property,
                       const std::function<std::string(const Place&)>& clause) {
  std::vector<std::string> clauses{clause({"values", TermName(property) + "="})};
  if (CheckPropertyName(property).ok()) clauses.push_back(clause({"property." + property, ""}));
  return Any(clauses);
}

std::string EqualsClause(const std::string& property, const std::string& raw) {
  const std::optional<Scalar> wanted = ScalarIn(raw);
  if (!wanted) return Not(Exists(TermName(property)));
  return InItsPlace(property, [&](const Place& place) { return ScalarEquals(place, *wanted); });
}

std::string MatchClause(const std::string& name, const std::string& text) {
  std::vector<std::string> clauses{Exists(name)};
  for (const WordPattern& word : ParseWords(text)) clauses.push_back(WordClause(name, word));
  return R"({"bool":{"filter":[)" + Joined(clauses) + "]}}";
}

// A filter that DocumentFilter has found to make sense.
std::string FilterClause(const FieldFilter& filter) {
  const std::string& property = filter.field;
  switch (filter.op) {
    case FilterOp::kEq: return EqualsClause(property, filter.values.front());
    case FilterOp::kNe: return Not(EqualsClause(property, filter.values.front()));
    case FilterOp::kIn: {
      std::vector<std::string> clauses;
      for (const std::string& raw : filter.values) clauses.push_back(EqualsClause(property, raw));
      return Any(clauses);
    }
    case FilterOp::kMatch:
      return MatchClause(TermName(property), ScalarIn(filter.values.front())->text);
    default: break;
  }
  const Scalar wanted = *ScalarIn(filter.values.front());
  return InItsPlace(property, [&](const Place& place) {
    if (filter.op == FilterOp::kPrefix) {
      return place.Prefix("3" + BoundedPrefix(wanted.text, kLongestText));
    }
    return wanted.kind == Scalar::Kind::kNumber ? NumberOrder(filter.op, place, wanted)
                                                : TextOrder(filter.op, place, wanted);
  });
}

std::vector<std::string> ScopesOf(const SearchQuery& query) {
  const LiveScope& live = query.scope;
  std::vector<std::string> scopes;
  for (const auto& [class_id, incarnation] : live.classes) {
    if (!query.class_id.empty() && class_id != query.class_id) continue;
    scopes.push_back(Quoted(ScopeText(live.branch, class_id, {live.database, incarnation})));
  }
  return scopes;
}

constexpr std::string_view kByKey = R"({"key":"asc"})";

// Missing ones last in either direction. A property has its values in a column or in `more`, never
// in both: the other is missing everywhere, and decides nothing.
std::string OrderBy(std::string_view property, bool descending) {
  const std::string mode = std::string(R"({"order":")") + (descending ? "desc" : "asc") +
                           R"(","mode":")" + (descending ? "max" : "min") +
                           R"(","missing":"_last")";
  std::string order;
  if (CheckPropertyName(property).ok()) {
    order = "{" + Quoted("property." + std::string(property)) + ":" + mode +
            R"(,"unmapped_type":"keyword"}},)";
  }
  order +=
      R"({"more.value":)" + mode + R"(,"nested":{"path":"more","filter":{"term":{"more.name":)";
  return order + Quoted(TermName(property)) + "}}}}}," + std::string(kByKey);
}

void AppendSearchAfter(std::string& body, const SortValues& after) {
  body += ",\"search_after\":[";
  for (const auto& value : after) {
    if (body.back() != '[') body += ',';
    body += value ? Quoted(*value) : "null";
  }
  body += ']';
}

std::string PageBody(std::size_t size, std::string_view filter, std::string_view order,
                     const std::optional<SortValues>& after) {
  std::string body = R"({"track_total_hits":false,"version":true,"stored_fields":)";
  body.append(kStoredFields).append(",\"size\":" + std::to_string(size));
  body.append(",\"query\":").append(filter).append(",\"sort\":[").append(order).append("]");
  if (after) AppendSearchAfter(body, *after);
  return body += '}';
}

// The sort, then each value: whether there is one, and it.
Result<SortValues> DecodeCursor(std::string_view cursor, std::string_view sort, std::size_t count) {
  const std::optional<std::string> bytes = DecodeHex(cursor);
  if (!bytes) return Invalid("not a cursor");
  ByteReader reader(*bytes);
  std::string_view of, text;
  if (!reader.ReadLengthPrefixed(of)) return Invalid("not a cursor");
  if (of != sort) return Invalid("the cursor is of another sort order");
  SortValues values;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint8_t there = 0;
    if (!reader.ReadU8(there) || !reader.ReadLengthPrefixed(text)) return Invalid("not a cursor");
    values.push_back(there != 0 ? std::optional<std::string>(text) : std::nullopt);
  }
  if (!reader.AtEnd() || !values.back()) return Invalid("not a cursor");
  return values;
}

}  // namespace

std::optional<std::string> DecodeHex(std::string_view text) {
  std::string bytes;
  if (text.size() % 2 != 0) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    std::uint8_t byte = 0;
    auto [at, error] = std::from_chars(text.data() + i, text.data() + i + 2, byte, 16);
    if (error != std::errc() || at != text.data() + i + 2) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

Result<QueryPlan> QueryPlan::Compile(const SearchQuery& query) {
  SAFFRON_ASSIGN(DocumentFilter checked, DocumentFilter::Compile(query.filters));
  (void)checked;  // the same rules of sense as every engine
  QueryPlan plan;
  plan.sort_ = query.sort;
  std::string_view property = query.sort;
  const bool descending = property.starts_with('-');
  if (descending) property.remove_prefix(1);
  plan.order_ = property.empty() ? std::string(kByKey) : OrderBy(property, descending);
  if (!property.empty()) plan.sort_values_ = CheckPropertyName(property).ok() ? 3 : 2;
  if (!query.cursor.empty()) {
    SAFFRON_ASSIGN(plan.start_, DecodeCursor(query.cursor, query.sort, plan.sort_values_));
  }
  const std::vector<std::string> scopes = ScopesOf(query);
  plan.empty_ = scopes.empty();
  std::vector<std::string> clauses{R"({"terms":{"scope":[)" + Joined(scopes) + "]}}"};
  for (const WordPattern& word : ParseWords(query.text)) clauses.push_back(WordClause("", word));
  for (const FieldFilter& filter : query.filters) clauses.push_back(FilterClause(filter));
  plan.filter_ = R"({"bool":{"filter":[)" + Joined(clauses) + "]}}";
  return plan;
}

std::string QueryPlan::CountRequest() const {
  return R"({"size":0,"track_total_hits":true,"query":)" + filter_ + "}";
}

std::string QueryPlan::PageRequest(std::size_t size, const std::optional<SortValues>& after) const {
  return PageBody(size, filter_, order_, after);
}

std::string QueryPlan::CursorAfter(const SortValues& last) const {
  std::string bytes;
  PutLengthPrefixed(bytes, sort_);
  for (const auto& value : last) {
    PutU8(bytes, value ? 1 : 0);
    PutLengthPrefixed(bytes, value.value_or(""));
  }
  return HexOf(bytes);
}

std::string ScanRequest(std::size_t size, const std::optional<std::string>& after) {
  std::optional<SortValues> values;
  if (after) values = SortValues{*after};
  return PageBody(size, R"({"match_all":{}})", kByKey, values);
}

}  // namespace saffron::elastic
