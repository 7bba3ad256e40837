// The bodies of /query and /graph-query: a query that was read, written out, is read again the
// same; and it keeps its bounds.
#include "services/oms/query_parser.h"

#include "domain/instance.h"
#include "domain/names.h"
#include "services/oms/json_object.h"
#include "tests/fuzz/properties.h"

namespace saffron::fuzz {
namespace {

constexpr std::string_view kOps[] = {"eq", "ne", "gt", "gte", "lt", "lte", "in", "prefix", "match"};

void AppendFilters(JsonObject& object, const std::vector<FieldFilter>& filters) {
  AppendArray(object.Key("filters"), filters, [](std::string& out, const FieldFilter& filter) {
    JsonObject one(out);
    one.Text("field", filter.field).Text("op", kOps[static_cast<std::size_t>(filter.op)]);
    std::string& value = one.Key("value");
    if (filter.op == FilterOp::kIn) {
      AppendArray(value, filter.values,
                  [](std::string& to, const std::string& raw) { to.append(raw); });
    } else {
      value.append(filter.values.at(0));
    }
    one.Close();
  });
}

std::string Written(const SearchQuery& query) {
  std::string out;
  JsonObject object(out);
  object.Text("class", query.class_id).Text("text", query.text).Text("sort", query.sort);
  object.Number("limit", query.limit).Text("cursor", query.cursor);
  AppendFilters(object, query.filters);
  object.Close();
  return out;
}

std::string Written(const GraphQuery& query) {
  std::string out;
  JsonObject object(out);
  object.Text("start_class", query.start_class);
  AppendFilters(object, query.filters);
  AppendArray(object.Key("hops"), query.hops, [](std::string& to, const GraphHop& hop) {
    JsonObject one(to);
    one.Text("predicate", hop.predicate).Text("target_class", hop.target_class);
    one.Close();
  });
  object.Number("limit", query.limit).Number("offset", query.offset);
  object.Number("max_nodes", query.max_nodes).Number("max_edges", query.max_edges);
  object.Number("max_paths", query.max_paths).Flag("include_paths", query.include_paths);
  object.Flag("no_cycles", query.no_cycles).Flag("include_documents", query.include_documents);
  object.Close();
  return out;
}

void CheckFilters(const std::vector<FieldFilter>& filters) {
  Require(filters.size() <= 50, "filters are bounded");
  for (const FieldFilter& filter : filters) {
    Require(CheckPropertyName(filter.field).ok(), "a filter names a property");
    Require(!filter.values.empty() && filter.values.size() <= 1000, "a filter has values");
    Require(filter.op == FilterOp::kIn || filter.values.size() == 1, "only `in` has several");
  }
}

void CheckSearch(std::string_view body) {
  const ParsedSearch parsed = ParseSearch(body);
  if (!parsed.violations.empty()) return;
  CheckFilters(parsed.query.filters);
  Require(parsed.query.limit >= 1 && parsed.query.limit <= kMostPerPage, "a page is bounded");
  const std::string written = Written(parsed.query);
  const ParsedSearch again = ParseSearch(written);
  Require(again.violations.empty() && Written(again.query) == written, "a search comes back");
}

void CheckGraphQuery(std::string_view body) {
  const ParsedGraphQuery parsed = ParseGraphQuery(body);
  if (!parsed.violations.empty()) return;
  const GraphQuery& query = parsed.query;
  CheckFilters(query.filters);
  Require(CheckClassName(query.start_class).ok(), "a graph query has a start");
  Require(query.hops.size() <= 10, "hops are bounded");
  Require(query.limit >= 1 && query.limit <= kMostPerPage, "a page is bounded");
  const GraphQuery most;
  Require(query.max_nodes >= 1 && query.max_nodes <= most.max_nodes, "nodes are bounded");
  Require(query.max_edges >= 1 && query.max_edges <= most.max_edges, "edges are bounded");
  const std::string written = Written(query);
  const ParsedGraphQuery again = ParseGraphQuery(written);
  Require(again.violations.empty() && Written(again.query) == written, "a graph query comes back");
}

}  // namespace

void FuzzQuery(std::string_view bytes) {
  if (!CheckClientJson(bytes).ok()) return;  // as every body of a request
  CheckSearch(bytes);
  CheckGraphQuery(bytes);
}

}  // namespace saffron::fuzz
