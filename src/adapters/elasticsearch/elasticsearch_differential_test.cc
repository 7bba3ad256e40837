// The same random documents and queries as the SQLite index: the same answers.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "adapters/elasticsearch/elasticsearch_test_home.h"
#include "adapters/sqlite/sqlite_search.h"
#include "base/random.h"

namespace saffron {
namespace {

constexpr std::uint64_t kSeed = 20261124;
constexpr int kDocuments = 600;
constexpr int kQueries = 250;

const std::vector<std::string> kProperties = {"n",    "s",   "tags",  "flag",
                                              "note", "big", "Mixed", "_x"};
const std::vector<std::string> kClasses = {"Order", "Item"};

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::uint32_t Below(std::uint32_t bound) { return random_.Below(bound); }
  const std::string& OneOf(const std::vector<std::string>& from) {
    return from[Below(static_cast<std::uint32_t>(from.size()))];
  }

  std::string Number() {
    static const std::vector<std::string> kOdd = {"0",    "-0",   "-0.0",  "1.0", "1e3",
                                                  "1000", "-1.5", "0.001", "2.5", "1e-300"};
    return Below(3) == 0 ? OneOf(kOdd) : std::to_string(static_cast<int>(Below(21)) - 10);
  }
  // Where doubles no longer tell integers apart.
  std::string Big() {
    static const std::vector<std::string> kBig = {
        "9007199254740991",    "9007199254740992",     "9007199254740993",
        "9007199254740992.0",  "-9007199254740993",    "1e300",
        "9223372036854775807", "9223372036854775806",  "-1e300",
        "9223372036854775808", "-9223372036854775808", "3"};
    return OneOf(kBig);
  }
  std::string Words() {
    static const std::vector<std::string> kWords = {"alpha",     "Alpha",  "beta", "gamma-delta",
                                                    "Žluťoučký", "привет", "МИР",  "x1",
                                                    "don't",     "a",      "日本", "alphabet"};
    std::string text;
    for (std::uint32_t left = Below(4); left > 0; --left) text += OneOf(kWords) + " ";
    if (!text.empty()) text.pop_back();
    return text;
  }
  std::string Text() {
    // Beyond a term of the engine. Two that share 800 bytes would have no order between them.
    if (Below(60) == 0) {
      return "\"" + std::to_string(Below(1'000'000)) + std::string(9'000 + Below(40'000), 'L') +
             "\"";
    }
    return "\"" + Words() + (Below(8) == 0 ? R"(\n\"=3~\\)" : "") + "\"";
  }
  std::string Scalar(const std::string& property) {
    if (property == "n") return Number();
    if (property == "big") return Big();
    if (property == "flag") return Below(2) == 0 ? "true" : "false";
    if (property == "Mixed") {
      switch (Below(4)) {
        case 0: return Number();
        case 1: return Below(2) == 0 ? "true" : "false";
        default: return Text();
      }
    }
    return Text();
  }
  std::string Value(const std::string& property) {
    switch (Below(12)) {
      case 0: return "null";
      case 1: return R"({"deep":[)" + Text() + R"(,{"er":)" + Text() + "}]}";
      case 2: return "[]";
      case 3:
      case 4: return "[" + Scalar(property) + ", " + Scalar(property) + ",null]";
      default: return Scalar(property);
    }
  }
  SearchDocument Document() {
    SearchDocument document;
    document.key = AggregateKey::Instance("db-1", Below(8) == 0 ? "dev" : "main", OneOf(kClasses),
                                          "i" + std::to_string(Below(kDocuments / 2)));
    document.version = SequenceNumber(1 + Below(20));
    document.scope = {SequenceNumber(1), SequenceNumber(Below(10) == 0 ? 3 : 2)};
    document.updated_ms = static_cast<std::int64_t>(Below(1'000'000));
    if (Below(6) == 0) return document;
    document.lifecycle = Lifecycle::kPresent;
    document.document = "{";
    for (const std::string& property : kProperties) {
      if (Below(3) == 0) continue;
      if (document.document.size() > 1) document.document += ", ";
      document.document += "\"" + property + "\" : " + Value(property);
    }
    document.document += "}";
    return document;
  }
  FieldFilter Filter() {
    FieldFilter filter{OneOf(kProperties), static_cast<FilterOp>(Below(9)), {}};
    const std::string value = Below(10) == 0 ? Scalar(OneOf(kProperties)) : Scalar(filter.field);
    filter.values = {value};
    if (filter.op == FilterOp::kIn) filter.values.push_back(Scalar(filter.field));
    if (filter.op == FilterOp::kPrefix)
      filter.values = {R"("a)" + std::string(Below(2), 'l') + '"'};
    if (filter.op == FilterOp::kMatch) filter.values = {"\"" + Words() + "\""};
    if (filter.op <= FilterOp::kNe && Below(6) == 0) filter.values = {"null"};
    return filter;
  }
  SearchQuery Query() {
    SearchQuery query;
    query.scope = {"db-1",
                   "main",
                   SequenceNumber(1),
                   {{"Order", SequenceNumber(2)}, {"Item", SequenceNumber(2)}}};
    if (Below(2) == 0) query.class_id = OneOf(kClasses);
    for (std::uint32_t left = Below(3); left > 0; --left) query.filters.push_back(Filter());
    if (Below(4) == 0) query.text = Words() + (Below(2) == 0 ? "*" : "");
    // Not by "big": there, equality is not transitive, and the order is anyone's.
    static const std::vector<std::string> kSorts = {
        "", "n", "-n", "s", "-s", "Mixed", "-Mixed", "tags", "-flag", "nowhere", "_x"};
    query.sort = OneOf(kSorts);
    query.limit = 5 + Below(60);
    return query;
  }

 private:
  RandomBits random_;
};

std::string Print(const SearchQuery& query) {
  std::string text = "class " + query.class_id + " text '" + query.text + "' sort " + query.sort;
  for (const FieldFilter& filter : query.filters) {
    text += " [" + filter.field + " " + std::to_string(static_cast<int>(filter.op));
    for (const std::string& value : filter.values) text += " " + value.substr(0, 60);
    text += "]";
  }
  return text;
}

// Whole documents over all pages; or the error's code alone.
struct Answer {
  std::vector<SearchDocument> documents;
  std::vector<std::size_t> pages;
  std::uint64_t total = 0;
  int code = -1;
};

Answer Ask(SearchIndex& index, SearchQuery query) {
  Answer answer;
  do {
    auto page = index.Search(query);
    if (!page.ok()) {
      answer.code = static_cast<int>(page.code());
      return answer;
    }
    answer.pages.push_back(page->documents.size());
    answer.documents.insert(answer.documents.end(), page->documents.begin(), page->documents.end());
    query.cursor = page->next_cursor;
  } while (!query.cursor.empty());
  query.limit = 0;
  auto count = index.Search(query);
  if (count.ok()) answer.total = count->total;
  return answer;
}

std::vector<std::string> NamesOf(const Answer& answer) {
  std::vector<std::string> names;
  for (const SearchDocument& document : answer.documents) names.push_back(document.key.id);
  return names;
}

class ElasticsearchDifferentialTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string address = ElasticsearchAddress();
    if (address.empty()) SAFFRON_NO_SERVER("opensearch");
    home_ = std::make_unique<ElasticsearchHome>(address);
    // Some properties sort by a column, the others by nested documents.
    home_->options().max_columns = 1;
    home_->options().bulk_bytes = 100'000;
    engine_ = home_->Open();
    std::string folder = ::testing::TempDir() + "saffron-differential-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    auto twin = OpenSqliteSearch({.folder = folder_});
    ASSERT_TRUE(twin.ok());
    twin_ = std::move(*twin);
    ASSERT_NE(engine_, nullptr);
  }
  void TearDown() override {
    twin_.reset();
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  std::unique_ptr<ElasticsearchHome> home_;
  std::string folder_;
  std::shared_ptr<SearchIndex> engine_;
  std::unique_ptr<SearchIndex> twin_;
};

TEST_F(ElasticsearchDifferentialTest, AnswersAreTheSame) {
  Generator generator(kSeed);
  for (int written = 0; written < kDocuments; written += 100) {
    std::vector<SearchDocument> documents;
    for (int i = 0; i < 100; ++i) documents.push_back(generator.Document());
    auto refusals = engine_->Write(documents);
    ASSERT_TRUE(refusals.ok()) << refusals.error().ToString();
    for (const auto& refusal : *refusals) EXPECT_FALSE(refusal) << refusal->ToString();
    ASSERT_TRUE(engine_->Refresh().ok() && twin_->Write(documents).ok());
  }
  EXPECT_EQ(*engine_->Scan(std::nullopt, 100'000), *twin_->Scan(std::nullopt, 100'000));
  std::size_t found = 0, empty = 0, refused = 0;
  for (int i = 0; i < kQueries; ++i) {
    const SearchQuery query = generator.Query();
    const Answer ours = Ask(*engine_, query), theirs = Ask(*twin_, query);
    ASSERT_EQ(ours.code, theirs.code) << Print(query);
    ASSERT_EQ(ours.total, theirs.total) << Print(query);
    ASSERT_EQ(ours.pages, theirs.pages) << Print(query);
    ASSERT_EQ(NamesOf(ours), NamesOf(theirs)) << Print(query);
    ASSERT_TRUE(ours.documents == theirs.documents) << Print(query);
    found += ours.documents.size();
    empty += ours.documents.empty() && ours.code < 0 ? 1u : 0u;
    refused += ours.code >= 0 ? 1u : 0u;
  }
  // The comparison is about something.
  EXPECT_GT(found, 2'500u);
  EXPECT_LT(empty, static_cast<std::size_t>(kQueries) * 6 / 10);
  EXPECT_GT(refused, 2u);
}

}  // namespace
}  // namespace saffron
