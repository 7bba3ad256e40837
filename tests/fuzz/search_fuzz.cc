// A search over documents: pages by cursors are the whole; a cursor is one or is refused, and what
// the engines are asked is JSON. Input: body of the search, documents, a cursor.
#include "adapters/embedded/search_query.h"

#include <algorithm>

#include "adapters/elasticsearch/elastic_document.h"
#include "adapters/elasticsearch/elastic_query.h"
#include "adapters/elasticsearch/elastic_terms.h"
#include "adapters/memory/memory_search.h"
#include "domain/instance.h"
#include "services/oms/query_parser.h"
#include "tests/fuzz/properties.h"
#include "tests/fuzz/reference_json.h"

namespace saffron::fuzz {
namespace {

using elastic::QueryPlan;

constexpr std::uint64_t kDocuments = 4;

LiveScope LiveOrders() {
  LiveScope scope;
  scope.db = "logistics";
  scope.branch = "main";
  scope.database = SequenceNumber(1);
  scope.classes["Order"] = SequenceNumber(1);
  return scope;
}

// The objects of an array, the first of them; one that is no object, or not there, is empty.
std::vector<SearchDocument> Documents(std::string_view text) {
  std::vector<std::string> texts;
  if (CheckClientJson(text).ok()) {
    if (json::MembersOf(text)) texts.push_back(MinifyJson(text));
    const auto elements = json::ElementsOf(text);
    for (const json::Value& element : elements ? *elements : std::vector<json::Value>()) {
      if (element.kind == json::Kind::kObject) texts.push_back(MinifyJson(element.raw));
    }
  }
  texts.resize(kDocuments, "{}");
  std::vector<SearchDocument> documents;
  for (std::size_t i = 0; i < kDocuments; ++i) {
    SearchDocument one;
    one.key = AggregateKey::Instance("logistics", "main", "Order", std::string(1, "abcd"[i]));
    one.version = SequenceNumber(1);
    one.lifecycle = Lifecycle::kPresent;
    one.scope = {SequenceNumber(1), SequenceNumber(1)};
    one.document = texts[i];
    documents.push_back(std::move(one));
  }
  return documents;
}

void CheckPages(const SearchQuery& given, const std::vector<SearchDocument>& documents) {
  MemorySearch index;
  Require(index.Write(documents).ok() && index.Refresh().ok(), "documents are written");
  SearchQuery query = given;
  query.cursor.clear();
  query.limit = kDocuments;
  const auto whole = index.Search(query);
  if (!whole.ok()) return Require(whole.Is(Code::kInvalid), "a search is invalid, or runs");
  query.limit = 1;
  std::vector<SearchDocument> paged;
  do {
    const auto page = index.Search(query);
    Require(page.ok() && page->documents.size() <= 1, "a page is as long as asked for");
    paged.insert(paged.end(), page->documents.begin(), page->documents.end());
    query.cursor = page->next_cursor;
    Require(paged.size() <= kDocuments, "pages end");
  } while (!query.cursor.empty());
  Require(paged == whole->documents, "the pages are the whole");
}

void CheckCursor(const SearchQuery& query, std::string_view cursor) {
  const SearchOrder order(query.sort);
  const auto place = order.DecodeCursor(cursor);
  if (!place.ok()) return Require(place.Is(Code::kInvalid), "what is no cursor is invalid");
  const std::string written = order.EncodeCursor(*place);
  const auto again = order.DecodeCursor(written);
  Require(again.ok() && order.EncodeCursor(*again) == written, "a cursor comes back as it was");
}

void CheckPlan(SearchQuery query, std::string_view cursor) {
  const bool sensible = DocumentFilter::Compile(query.filters).ok();
  query.cursor = cursor;
  const auto plan = QueryPlan::Compile(query);
  if (!plan.ok()) {
    Require(plan.Is(Code::kInvalid), "a search is invalid, or runs");
    Require(!sensible || !cursor.empty(), "engines take the same searches");
    return;
  }
  Require(sensible, "engines refuse the same searches");
  Require(ReadJson(plan->CountRequest()).has_value(), "a count is JSON");
  Require(ReadJson(plan->PageRequest(10, plan->start())).has_value(), "a page is JSON");
  if (!plan->start()) return;
  Require(plan->start()->size() == plan->sort_values(), "a place has a value for each sort");
  query.cursor = plan->CursorAfter(*plan->start());
  const auto again = QueryPlan::Compile(query);
  Require(again.ok() && again->start() == plan->start(), "a cursor comes back as it was");
}

// With columns, and without.
void CheckBulkLines(const SearchDocument& document) {
  PropertyColumns columns;
  std::set<std::string> unknown;
  std::string lines;
  elastic::AppendBulkLines(document, "index", columns, lines, unknown);
  for (const bool column : {true, false}) {
    for (const std::string& name : unknown) columns[name] = column;
    std::set<std::string> none;
    lines.clear();
    elastic::AppendBulkLines(document, "index", columns, lines, none);
    Require(none.empty(), "known properties are known");
    const std::size_t end = lines.find('\n');
    Require(std::count(lines.begin(), lines.end(), '\n') == 2, "a document is two lines");
    Require(ReadJson(lines.substr(0, end)) && ReadJson(lines.substr(end + 1)), "each is JSON");
  }
}

}  // namespace

void FuzzSearch(std::string_view bytes) {
  const auto parts = SplitParts(bytes, 3);
  SearchQuery everything;
  everything.scope = LiveOrders();
  CheckPlan(everything, parts[2]);
  if (!CheckClientJson(parts[0]).ok()) return;
  ParsedSearch parsed = ParseSearch(parts[0]);
  if (!parsed.violations.empty()) return;
  parsed.query.scope = LiveOrders();
  CheckCursor(parsed.query, parts[2]);
  CheckPlan(parsed.query, parts[2]);
  const auto documents = Documents(parts[1]);
  CheckPages(parsed.query, documents);
  CheckBulkLines(documents[0]);
}

}  // namespace saffron::fuzz
