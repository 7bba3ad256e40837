#include "services/oms/query_parser.h"

#include "domain/names.h"

namespace saffron {
namespace {

constexpr std::size_t kMostFilters = 50;
constexpr std::size_t kMostValues = 1'000;
constexpr std::size_t kMostHops = 10;

std::optional<FilterOp> ParseOp(std::string_view name) {
  static constexpr std::pair<std::string_view, FilterOp> kOps[] = {
      {"eq", FilterOp::kEq},   {"ne", FilterOp::kNe},         {"gt", FilterOp::kGt},
      {"gte", FilterOp::kGte}, {"lt", FilterOp::kLt},         {"lte", FilterOp::kLte},
      {"in", FilterOp::kIn},   {"prefix", FilterOp::kPrefix}, {"match", FilterOp::kMatch},
  };
  for (const auto& [text, op] : kOps) {
    if (text == name) return op;
  }
  return std::nullopt;
}

bool IsScalar(json::Kind kind) {
  return kind != json::Kind::kObject && kind != json::Kind::kArray && kind != json::Kind::kNull;
}

void ReadValues(BodyReader& body, const json::Value& value, FieldFilter& filter) {
  if (filter.op != FilterOp::kIn) {
    const bool text = filter.op == FilterOp::kPrefix || filter.op == FilterOp::kMatch;
    if (!IsScalar(value.kind) || (text && value.kind != json::Kind::kString)) {
      return body.Complain("value", "wrong_type",
                           text ? "a string is expected" : "a scalar is expected");
    }
    filter.values.emplace_back(value.raw);
    return;
  }
  std::optional<std::vector<json::Value>> elements;
  if (value.kind == json::Kind::kArray) elements = json::ElementsOf(value.raw);
  if (!elements || elements->empty() || elements->size() > kMostValues) {
    return body.Complain("value", "wrong_type", "an array of 1 to 1000 scalars is expected");
  }
  for (const json::Value& element : *elements) {
    if (!IsScalar(element.kind)) {
      return body.Complain("value", "wrong_type", "an array of scalars is expected");
    }
    filter.values.emplace_back(element.raw);
  }
}

FieldFilter ReadFilter(std::string_view json, const std::string& at,
                       std::vector<Violation>& violations) {
  BodyReader body(json, at);
  FieldFilter filter;
  filter.field = body.RequiredText("field");
  Status named = CheckPropertyName(filter.field);
  if (!filter.field.empty() && !named.ok()) {
    body.Complain("field", "bad_name", named.error().message());
  }
  const std::string op = body.RequiredText("op");
  std::optional<FilterOp> parsed = ParseOp(op);
  if (!parsed && !op.empty()) {
    body.Complain("op", "unknown_op", "eq ne gt gte lt lte in prefix or match");
  }
  filter.op = parsed.value_or(FilterOp::kEq);
  std::optional<json::Value> value = body.OptionalValue("value");
  if (value && parsed) ReadValues(body, *value, filter);
  if (!value) body.Complain("value", "missing_required", "value is required");
  for (Violation& violation : body.Finish()) violations.push_back(std::move(violation));
  return filter;
}

std::vector<FieldFilter> ReadFilters(BodyReader& body) {
  std::vector<FieldFilter> filters;
  auto elements = body.OptionalArray("filters");
  if (!elements) return filters;
  if (elements->size() > kMostFilters) {
    body.Complain("filters", "out_of_range", "at most 50 filters");
    return filters;
  }
  std::vector<Violation> wrong;
  for (std::size_t i = 0; i < elements->size(); ++i) {
    filters.push_back(ReadFilter((*elements)[i].raw, "/filters/" + std::to_string(i), wrong));
  }
  body.Add(std::move(wrong));
  return filters;
}

void CheckClass(BodyReader& body, std::string_view member, const std::string& name) {
  Status named = CheckClassName(name);
  if (!name.empty() && !named.ok()) body.Complain(member, "bad_name", named.error().message());
}

std::uint64_t ReadLimit(BodyReader& body, std::string_view member, std::uint64_t otherwise,
                        std::uint64_t max) {
  return body.OptionalUnsigned(member, max, 1).value_or(otherwise);
}

GraphHop ReadHop(std::string_view json, const std::string& at, std::vector<Violation>& violations) {
  BodyReader body(json, at);
  GraphHop hop;
  hop.predicate = body.RequiredText("predicate");
  std::string_view plain = hop.predicate;
  if (plain.starts_with('~')) plain.remove_prefix(1);
  Status named = CheckPropertyName(plain);
  if (!hop.predicate.empty() && !named.ok()) {
    body.Complain("predicate", "bad_name", named.error().message());
  }
  hop.target_class = body.OptionalText("target_class").value_or("");
  CheckClass(body, "target_class", hop.target_class);
  for (Violation& violation : body.Finish()) violations.push_back(std::move(violation));
  return hop;
}

}  // namespace

ParsedSearch ParseSearch(std::string_view json) {
  BodyReader body(json);
  ParsedSearch parsed;
  SearchQuery& query = parsed.query;
  query.class_id = body.OptionalText("class").value_or("");
  CheckClass(body, "class", query.class_id);
  query.filters = ReadFilters(body);
  query.text = body.OptionalText("text").value_or("");
  query.sort = body.OptionalText("sort").value_or("");
  std::string_view sort = query.sort;
  if (sort.starts_with('-')) sort.remove_prefix(1);
  Status named = CheckPropertyName(sort);
  if (!query.sort.empty() && !named.ok()) {
    body.Complain("sort", "bad_name", named.error().message());
  }
  query.limit = ReadLimit(body, "limit", 50, kMostPerPage);
  query.cursor = body.OptionalText("cursor").value_or("");
  parsed.violations = body.Finish();
  return parsed;
}

ParsedGraphQuery ParseGraphQuery(std::string_view json) {
  BodyReader body(json);
  ParsedGraphQuery parsed;
  GraphQuery& query = parsed.query;
  query.start_class = body.RequiredText("start_class");
  CheckClass(body, "start_class", query.start_class);
  query.filters = ReadFilters(body);
  if (auto hops = body.OptionalArray("hops")) {
    std::vector<Violation> wrong;
    if (hops->size() > kMostHops) body.Complain("hops", "out_of_range", "at most 10 hops");
    for (std::size_t i = 0; i < hops->size() && i < kMostHops; ++i) {
      query.hops.push_back(ReadHop((*hops)[i].raw, "/hops/" + std::to_string(i), wrong));
    }
    body.Add(std::move(wrong));
  }
  query.limit = ReadLimit(body, "limit", query.limit, kMostPerPage);
  query.offset = body.OptionalUnsigned("offset", 1'000'000).value_or(0);
  query.max_nodes = ReadLimit(body, "max_nodes", query.max_nodes, query.max_nodes);
  query.max_edges = ReadLimit(body, "max_edges", query.max_edges, query.max_edges);
  query.max_paths = ReadLimit(body, "max_paths", query.max_paths, 10'000);
  query.include_paths = body.OptionalFlag("include_paths", query.include_paths);
  query.no_cycles = body.OptionalFlag("no_cycles", query.no_cycles);
  query.include_documents = body.OptionalFlag("include_documents", query.include_documents);
  parsed.violations = body.Finish();
  return parsed;
}

}  // namespace saffron
