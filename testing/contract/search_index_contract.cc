#include "testing/contract/search_index_contract.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

namespace saffron {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

bool LinkSearchIndexContract() { return true; }

namespace {

SearchDocument Document(std::string_view name, std::string json, std::uint64_t version = 1,
                        std::string_view class_id = "Order") {
  SearchDocument document;
  document.key = AggregateKey::Instance("db", "main", class_id, name);
  document.version = SequenceNumber(version);
  document.lifecycle = Lifecycle::kPresent;
  document.scope = {SequenceNumber(1), SequenceNumber(2)};
  document.document = std::move(json);
  document.updated_ms = 1'000 + static_cast<std::int64_t>(version);
  return document;
}

SearchDocument Tombstone(std::string_view name, std::uint64_t version) {
  SearchDocument document = Document(name, "", version);
  document.lifecycle = Lifecycle::kAbsent;
  return document;
}

SearchQuery Query(std::string class_id = "Order") {
  SearchQuery query;
  query.scope = {"db", "main", SequenceNumber(1), {{"Order", SequenceNumber(2)}}};
  query.class_id = std::move(class_id);
  return query;
}

std::string Numbered(int i) {
  char name[16];
  std::snprintf(name, sizeof name, "i%05d", i);
  return name;
}

}  // namespace

void SearchIndexContract::SetUp() {
  home_ = GetParam()();
  index_ = home_->Open();
  ASSERT_NE(index_, nullptr);
}

void SearchIndexContract::Reopen() {
  index_.reset();
  index_ = home_->Open();
}

void SearchIndexContract::Write(const std::vector<SearchDocument>& documents) {
  auto refusals = index_->Write(documents);
  ASSERT_TRUE(refusals.ok()) << refusals.error().ToString();
  ASSERT_EQ(refusals->size(), documents.size());
  for (const auto& refusal : *refusals) {
    EXPECT_FALSE(refusal.has_value()) << refusal->ToString();
  }
}

std::vector<std::string> SearchIndexContract::Names(const SearchQuery& query) {
  std::vector<std::string> names;
  SearchQuery page_query = query;
  while (true) {
    auto page = index_->Search(page_query);
    EXPECT_TRUE(page.ok()) << page.error().ToString();
    if (!page.ok()) return names;
    EXPECT_LE(page->documents.size(), query.limit);
    for (const auto& document : page->documents) {
      names.emplace_back(SplitAggregateId(document.key)->instance);
    }
    if (page->next_cursor.empty() || names.size() > 100'000) return names;
    EXPECT_EQ(page->documents.size(), query.limit);
    page_query.cursor = page->next_cursor;
  }
}

std::vector<std::string> SearchIndexContract::Filtered(const std::string& field, FilterOp op,
                                                       const std::vector<std::string>& values) {
  SearchQuery query = Query();
  query.filters = {{field, op, values}};
  auto names = Names(query);
  EXPECT_EQ(Count(query), names.size());
  return names;
}

std::vector<std::string> SearchIndexContract::WithText(const std::string& text) {
  SearchQuery query = Query();
  query.text = text;
  auto names = Names(query);
  EXPECT_EQ(Count(query), names.size());
  return names;
}

std::uint64_t SearchIndexContract::Count(SearchQuery query) {
  query.limit = 0;
  auto page = index_->Search(query);
  EXPECT_TRUE(page.ok()) << page.error().ToString();
  if (!page.ok()) return ~std::uint64_t{0};
  EXPECT_THAT(page->documents, IsEmpty());
  EXPECT_EQ(page->next_cursor, "");
  return page->total;
}

TEST_P(SearchIndexContract, WhatIsWrittenIsReadAtOnceWhole) {
  SearchDocument document = Document("a", R"({"n": 1.50, "s":"x y"})", 7);
  document.key = AggregateKey::Instance("db", "main", "Order", "a:b/c");
  SearchDocument class_document = document;
  class_document.key = AggregateKey::OntologyClass("db", "main", "Order");
  Write({document, class_document});
  auto missing = AggregateKey::Instance("db", "main", "Order", "zzz");
  auto found = index_->Get({document.key, missing, class_document.key});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->size(), 2u);
  EXPECT_EQ(found->at(document.key), document);
  EXPECT_EQ(found->at(class_document.key), class_document);
  EXPECT_THAT(Names(Query()), ElementsAre("a:b/c"));  // searches find instances
  Reopen();
  EXPECT_EQ(index_->Get({document.key})->at(document.key), document);
}

TEST_P(SearchIndexContract, OlderAndEqualVersionsAreIgnored) {
  auto newer = Document("a", R"({"v":"five"})", 5);
  Write({newer});
  Write({Document("a", R"({"v":"four"})", 4), Document("a", R"({"v":"other"})", 5)});
  EXPECT_EQ(index_->Get({newer.key})->at(newer.key), newer);
  EXPECT_THAT(WithText("five"), ElementsAre("a"));
  EXPECT_THAT(WithText("four"), IsEmpty());
  EXPECT_THAT(WithText("other"), IsEmpty());
  // In one call, whatever the order.
  Write({Document("b", R"({"v":"two"})", 2), Document("b", R"({"v":"three"})", 3),
         Document("b", R"({"v":"one"})", 1)});
  EXPECT_THAT(WithText("three"), ElementsAre("b"));
  EXPECT_THAT(WithText("two"), IsEmpty());
}

TEST_P(SearchIndexContract, TombstonesStayAndNothingOlderComesBack) {
  Write({Document("a", R"({"v":"word"})", 3)});
  Write({Tombstone("a", 5)});
  EXPECT_THAT(Names(Query()), IsEmpty());
  EXPECT_THAT(WithText("word"), IsEmpty());
  EXPECT_EQ(Count(Query()), 0u);
  Write({Document("a", R"({"v":"word"})", 4)});
  EXPECT_THAT(WithText("word"), IsEmpty());
  auto key = Tombstone("a", 5).key;
  EXPECT_EQ(index_->Get({key})->at(key), Tombstone("a", 5));
  Write({Tombstone("never", 2), Document("never", R"({"v":"word"})", 1)});
  EXPECT_THAT(Names(Query()), IsEmpty());
  Write({Document("a", R"({"v":"word again"})", 6)});
  EXPECT_THAT(WithText("again"), ElementsAre("a"));
}

TEST_P(SearchIndexContract, TheWordsOfAnOldVersionAreGone) {
  Write({Document("a", R"({"v":"alpha beta"})", 1), Document("b", R"({"v":"alpha"})", 1)});
  Write({Document("a", R"({"v":"beta gamma"})", 2)});
  EXPECT_THAT(WithText("alpha"), ElementsAre("b"));
  EXPECT_THAT(WithText("beta"), ElementsAre("a"));
  EXPECT_THAT(WithText("gamma"), ElementsAre("a"));
}

TEST_P(SearchIndexContract, FiltersOnNumbers) {
  Write({Document("a", R"({"n":1})"), Document("b", R"({"n":2.5})"), Document("c", R"({"n":-3})"),
         Document("d", R"({"n":9007199254740993})"), Document("e", R"({"m":1})"),
         Document("f", R"({"n":null})")});
  EXPECT_THAT(Filtered("n", FilterOp::kEq, {"1"}), ElementsAre("a"));
  EXPECT_THAT(Filtered("n", FilterOp::kEq, {"1.0"}), ElementsAre("a"));
  EXPECT_THAT(Filtered("n", FilterOp::kNe, {"1"}), ElementsAre("b", "c", "d", "e", "f"));
  EXPECT_THAT(Filtered("n", FilterOp::kGt, {"1"}), ElementsAre("b", "d"));
  EXPECT_THAT(Filtered("n", FilterOp::kGte, {"1"}), ElementsAre("a", "b", "d"));
  EXPECT_THAT(Filtered("n", FilterOp::kLt, {"1"}), ElementsAre("c"));
  EXPECT_THAT(Filtered("n", FilterOp::kLte, {"2.5"}), ElementsAre("a", "b", "c"));
  EXPECT_THAT(Filtered("n", FilterOp::kIn, {"-3", "2.5", "7"}), ElementsAre("b", "c"));
}

TEST_P(SearchIndexContract, FiltersOnStrings) {
  Write({Document("a", R"({"s":"Ann"})"), Document("b", R"({"s":"Anna Lee"})"),
         Document("c", R"({"s":"ben"})"), Document("d", R"({"s":""})"),
         Document("e", R"({"s":"100%_'\"\\x"})"), Document("f", R"({"t":"Ann"})")});
  EXPECT_THAT(Filtered("s", FilterOp::kEq, {R"("Ann")"}), ElementsAre("a"));
  EXPECT_THAT(Filtered("s", FilterOp::kEq, {R"("ann")"}), IsEmpty());
  EXPECT_THAT(Filtered("s", FilterOp::kEq, {R"("\u0041nn")"}), ElementsAre("a"));
  EXPECT_THAT(Filtered("s", FilterOp::kEq, {R"("")"}), ElementsAre("d"));
  EXPECT_THAT(Filtered("s", FilterOp::kEq, {R"("100%_'\"\\x")"}), ElementsAre("e"));
  EXPECT_THAT(Filtered("s", FilterOp::kNe, {R"("Ann")"}), ElementsAre("b", "c", "d", "e", "f"));
  EXPECT_THAT(Filtered("s", FilterOp::kGt, {R"("Ann")"}), ElementsAre("b", "c"));
  EXPECT_THAT(Filtered("s", FilterOp::kLte, {R"("Ann")"}), ElementsAre("a", "d", "e"));
  EXPECT_THAT(Filtered("s", FilterOp::kPrefix, {R"("Ann")"}), ElementsAre("a", "b"));
  EXPECT_THAT(Filtered("s", FilterOp::kPrefix, {R"("100%")"}), ElementsAre("e"));
  EXPECT_THAT(Filtered("s", FilterOp::kPrefix, {R"("1*")"}), IsEmpty());
  EXPECT_THAT(Filtered("s", FilterOp::kIn, {R"("Ann")", R"("ben")"}), ElementsAre("a", "c"));
}

TEST_P(SearchIndexContract, FiltersOnBooleansAndNull) {
  Write({Document("a", R"({"f":true})"), Document("b", R"({"f":false})"), Document("c", "{}"),
         Document("d", R"({"f":null})")});
  EXPECT_THAT(Filtered("f", FilterOp::kEq, {"true"}), ElementsAre("a"));
  EXPECT_THAT(Filtered("f", FilterOp::kNe, {"true"}), ElementsAre("b", "c", "d"));
  EXPECT_THAT(Filtered("f", FilterOp::kIn, {"true", "false"}), ElementsAre("a", "b"));
  EXPECT_THAT(Filtered("f", FilterOp::kEq, {"null"}), ElementsAre("c", "d"));
  EXPECT_THAT(Filtered("f", FilterOp::kNe, {"null"}), ElementsAre("a", "b"));
}

TEST_P(SearchIndexContract, AnElementOfAnArrayIsEnough) {
  Write({Document("a", R"({"tags":["red","blue"],"n":[1,5]})"),
         Document("b", R"({"tags":["green"],"n":[3]})"), Document("c", R"({"tags":[],"n":2})")});
  EXPECT_THAT(Filtered("tags", FilterOp::kEq, {R"("blue")"}), ElementsAre("a"));
  EXPECT_THAT(Filtered("tags", FilterOp::kNe, {R"("blue")"}), ElementsAre("b", "c"));
  EXPECT_THAT(Filtered("tags", FilterOp::kPrefix, {R"("gr")"}), ElementsAre("b"));
  EXPECT_THAT(Filtered("n", FilterOp::kGt, {"4"}), ElementsAre("a"));
  EXPECT_THAT(Filtered("n", FilterOp::kLt, {"3"}), ElementsAre("a", "c"));
}

TEST_P(SearchIndexContract, FiltersMustAllHold) {
  Write({Document("a", R"({"n":1,"s":"x"})"), Document("b", R"({"n":1,"s":"y"})"),
         Document("c", R"({"n":2,"s":"x"})")});
  SearchQuery query = Query();
  query.filters = {
      {"n", FilterOp::kGte, {"1"}}, {"n", FilterOp::kLt, {"2"}}, {"s", FilterOp::kEq, {R"("x")"}}};
  EXPECT_THAT(Names(query), ElementsAre("a"));
}

TEST_P(SearchIndexContract, MatchLooksAtOneFieldAndTextAtAll) {
  Write({Document("a", R"({"title":"Quick brown fox","note":"lazy dog"})"),
         Document("b", R"({"title":"Lazy Fox","note":{"deep":["hidden words"]},"n":42})"),
         Document("c", R"({"other":"fox"})")});
  EXPECT_THAT(Filtered("title", FilterOp::kMatch, {R"("fox")"}), ElementsAre("a", "b"));
  EXPECT_THAT(Filtered("title", FilterOp::kMatch, {R"("FOX quick")"}), ElementsAre("a"));
  EXPECT_THAT(Filtered("title", FilterOp::kMatch, {R"("lazy")"}), ElementsAre("b"));
  EXPECT_THAT(WithText("fox"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(WithText("lazy fox"), ElementsAre("a", "b"));
  EXPECT_THAT(WithText("hidden"), ElementsAre("b"));
  EXPECT_THAT(WithText("hid"), IsEmpty());
  EXPECT_THAT(WithText("hid*"), ElementsAre("b"));
  EXPECT_THAT(WithText("title"), IsEmpty());  // names of members are not text
  SearchQuery query = Query();
  query.text = "lazy";
  query.filters = {{"n", FilterOp::kEq, {"42"}}};
  EXPECT_THAT(Names(query), ElementsAre("b"));
}

TEST_P(SearchIndexContract, TextOfOtherScripts) {
  Write({Document("a", R"({"s":"Žluťoučký kůň"})"), Document("b", R"({"s":"Привет, мир"})")});
  EXPECT_THAT(WithText("ŽLUŤOUČKÝ"), ElementsAre("a"));
  EXPECT_THAT(WithText("привет"), ElementsAre("b"));
  EXPECT_THAT(WithText("мир*"), ElementsAre("b"));
}

TEST_P(SearchIndexContract, NoTextIsASyntaxError) {
  Write({Document("a", R"({"s":"near or and not col null"})"), Document("b", R"({"s":"x"})")});
  for (const std::string text : {"\"",       "'",    "''; DROP TABLE documents; --",
                                 "NEAR(",    "col:", "{a b}:",
                                 "^",        "-x",   "+",
                                 "(",        ")",    "a\" OR \"b",
                                 "*",        "**",   "a*b*",
                                 "\\",       "%",    "_",
                                 "\xff\xfe", "AND",  "s : x",
                                 "\n\t"}) {
    SearchQuery query = Query();
    query.text = text;
    auto page = index_->Search(query);
    EXPECT_TRUE(page.ok()) << text;
    query.text.clear();
    query.filters = {{"s", FilterOp::kEq, {R"("'\" OR 1=1 --")"}}};
    EXPECT_TRUE(index_->Search(query).ok());
  }
  EXPECT_THAT(WithText("AND"), ElementsAre("a"));
  EXPECT_THAT(WithText("x OR near"), IsEmpty());  // words, not operators
  EXPECT_THAT(WithText("not NULL"), ElementsAre("a"));
  EXPECT_THAT(Names(Query()), ElementsAre("a", "b"));
}

TEST_P(SearchIndexContract, ASenselessFilterOrCursorIsInvalid) {
  Write({Document("a", R"({"n":1})")});
  const std::vector<FieldFilter> senseless = {{"n", FilterOp::kEq, {}},
                                              {"n", FilterOp::kPrefix, {"1"}},
                                              {"n", FilterOp::kEq, {"{}"}},
                                              {"n", FilterOp::kMatch, {"true"}},
                                              {"n", FilterOp::kGt, {"nonsense"}}};
  for (const auto& filter : senseless) {
    SearchQuery query = Query();
    query.filters = {filter};
    EXPECT_TRUE(index_->Search(query).Is(Code::kInvalid));
  }
  SearchQuery query = Query();
  query.cursor = "no cursor";
  EXPECT_TRUE(index_->Search(query).Is(Code::kInvalid));
}

TEST_P(SearchIndexContract, PagesHaveEveryDocumentOnceWhileOthersAreWritten) {
  std::vector<SearchDocument> documents;
  for (int i = 0; i < 1000; ++i) {
    documents.push_back(Document(Numbered(i * 7919 % 1000), R"({"n":)" + std::to_string(i) + "}"));
  }
  Write(documents);
  for (const std::string sort : {"", "n"}) {
    SearchQuery query = Query();
    query.limit = 37;
    query.sort = sort;
    std::set<std::string> seen;
    int extra = 0;
    do {
      auto page = index_->Search(query);
      ASSERT_TRUE(page.ok());
      for (const auto& document : page->documents) {
        const std::string name(SplitAggregateId(document.key)->instance);
        EXPECT_TRUE(seen.insert(name).second) << name << " came twice";
      }
      query.cursor = page->next_cursor;
      // New ones before, after and amid what has been read; new versions of old ones.
      ++extra;
      Write({Document("a" + sort + std::to_string(extra), R"({"n":-1})"),
             Document("z" + sort + std::to_string(extra), R"({"n":5000})"),
             Document(Numbered(500) + sort + std::to_string(extra), R"({"n":500.5})")});
    } while (!query.cursor.empty());
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.contains(Numbered(i))) << i;
  }
}

TEST_P(SearchIndexContract, SortsByAPropertyWithTiesById) {
  Write({Document("a", R"({"n":2,"s":"b"})"), Document("b", R"({"n":1,"s":"B"})"),
         Document("c", R"({"n":2,"s":"a"})"), Document("d", R"({"s":"c"})"),
         Document("e", R"({"n":10})"), Document("f", R"({"n":2})")});
  for (std::uint64_t limit : {1, 2, 3, 50}) {
    SearchQuery query = Query();
    query.limit = limit;
    query.sort = "n";
    EXPECT_THAT(Names(query), ElementsAre("b", "a", "c", "f", "e", "d"));
    query.sort = "-n";
    EXPECT_THAT(Names(query), ElementsAre("e", "a", "c", "f", "b", "d"));
    query.sort = "s";
    EXPECT_THAT(Names(query), ElementsAre("b", "c", "a", "d", "e", "f"));
    query.sort = "nowhere";
    EXPECT_THAT(Names(query), ElementsAre("a", "b", "c", "d", "e", "f"));
    query.sort = "";
    EXPECT_THAT(Names(query), ElementsAre("a", "b", "c", "d", "e", "f"));
  }
}

TEST_P(SearchIndexContract, OnlyTheLiveScopeIsSeen) {
  auto old_database = Document("a", R"({"s":"word"})");
  old_database.scope.database = SequenceNumber(9);
  auto old_class = Document("b", R"({"s":"word"})");
  old_class.scope.class_ = SequenceNumber(1);
  auto other_class = Document("c", R"({"s":"word"})", 1, "Order2");
  other_class.scope.class_ = SequenceNumber(5);
  auto live = Document("d", R"({"s":"word"})");
  auto other_branch = live;
  other_branch.key = AggregateKey::Instance("db", "dev", "Order", "e");
  auto other_database = live;
  other_database.key = AggregateKey::Instance("db2", "main", "Order", "f");
  Write({old_database, old_class, other_class, live, other_branch, other_database});
  EXPECT_THAT(Names(Query()), ElementsAre("d"));
  EXPECT_THAT(WithText("word"), ElementsAre("d"));
  EXPECT_EQ(Count(Query()), 1u);
  SearchQuery all = Query("");
  EXPECT_THAT(Names(all), ElementsAre("d"));
  all.scope.classes.emplace("Order2", SequenceNumber(5));
  EXPECT_THAT(Names(all), UnorderedElementsAre("c", "d"));
  EXPECT_EQ(Count(all), 2u);
  all.text = "word";
  EXPECT_THAT(Names(all), UnorderedElementsAre("c", "d"));
  EXPECT_THAT(Names(Query("Order2")), IsEmpty());  // not among the live classes
  // It moves into a new incarnation with its next version.
  old_class.scope.class_ = SequenceNumber(2);
  old_class.version = SequenceNumber(2);
  Write({old_class});
  EXPECT_THAT(Names(Query()), ElementsAre("b", "d"));
}

TEST_P(SearchIndexContract, OddIdsDoNotCollide) {
  const std::vector<std::string> names = {"a",   "A",   "a ",     "a:b",    "a:B", ":",
                                          "a/b", "a%b", "a_b",    "a*",     "'a'", "\"a\"",
                                          "ä",   "Ä",   "a\x01x", "日本語", "a;b", "\\"};
  std::vector<SearchDocument> documents;
  std::set<std::string> expected;
  for (const auto& name : names) {
    documents.push_back(Document(name, R"({"s":"word"})"));
    expected.insert(name);
  }
  Write(documents);
  for (const auto& document : documents) {
    EXPECT_EQ(index_->Get({document.key})->at(document.key), document);
  }
  SearchQuery query = Query();
  query.limit = 3;
  auto found = Names(query);
  EXPECT_EQ(std::set<std::string>(found.begin(), found.end()), expected);
  EXPECT_EQ(found.size(), names.size());
  query.text = "word";
  EXPECT_EQ(Names(query).size(), names.size());
}

TEST_P(SearchIndexContract, ScanGivesAllInOrderOfKey) {
  std::vector<SearchDocument> documents;
  for (int i = 0; i < 25; ++i) documents.push_back(Document(Numbered(i), "{}"));
  documents.push_back(Tombstone("gone", 4));
  documents.push_back(Document("x", "{}"));
  documents.back().key = AggregateKey::OntologyClass("db", "main", "Order");
  Write(documents);
  std::sort(documents.begin(), documents.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  std::vector<SearchDocument> scanned;
  std::optional<AggregateKey> after;
  while (true) {
    auto page = index_->Scan(after, 10);
    ASSERT_TRUE(page.ok());
    if (page->empty()) break;
    EXPECT_LE(page->size(), 10u);
    scanned.insert(scanned.end(), page->begin(), page->end());
    after = page->back().key;
  }
  EXPECT_EQ(scanned, documents);
}

TEST_P(SearchIndexContract, TheWatermarkIsKept) {
  EXPECT_EQ(*index_->Watermark(), "");
  const std::string value("a\0b", 3);
  ASSERT_TRUE(index_->SetWatermark("first").ok());
  ASSERT_TRUE(index_->SetWatermark(value).ok());
  EXPECT_EQ(*index_->Watermark(), value);
  Reopen();
  EXPECT_EQ(*index_->Watermark(), value);
}

TEST_P(SearchIndexContract, AGenerationIsApartUntilItIsActivated) {
  Write({Document("old", R"({"s":"word"})")});
  ASSERT_TRUE(index_->SetWatermark("old").ok());
  auto next = index_->NewGeneration();
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(*(*next)->Watermark(), "");
  ASSERT_TRUE((*next)->Write({Document("new", R"({"s":"word"})")}).ok());
  ASSERT_TRUE((*next)->SetWatermark("new").ok());
  EXPECT_THAT(Names(Query()), ElementsAre("old"));
  EXPECT_EQ(*index_->Watermark(), "old");

  ASSERT_TRUE(index_->Activate(**next).ok());
  next->reset();
  EXPECT_THAT(Names(Query()), ElementsAre("new"));
  EXPECT_THAT(WithText("word"), ElementsAre("new"));
  EXPECT_EQ(*index_->Watermark(), "new");
  Write({Document("later", "{}")});
  Reopen();
  EXPECT_THAT(Names(Query()), ElementsAre("later", "new"));
}

TEST_P(SearchIndexContract, ADroppedGenerationLeavesTheLiveOneAlone) {
  Write({Document("old", "{}")});
  {
    auto next = index_->NewGeneration();
    ASSERT_TRUE(next.ok());
    ASSERT_TRUE((*next)->Write({Document("new", "{}")}).ok());
  }
  EXPECT_THAT(Names(Query()), ElementsAre("old"));
  Reopen();
  EXPECT_THAT(Names(Query()), ElementsAre("old"));
  auto again = index_->NewGeneration();
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE((*again)->Scan(std::nullopt, 10)->empty());
}

TEST_P(SearchIndexContract, ReadersGoOnWhileGenerationsSwitch) {
  Write({Document("a", R"({"s":"word"})")});
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      while (!done) EXPECT_THAT(WithText("word"), ElementsAre("a"));
    });
  }
  for (int i = 0; i < 5; ++i) {
    auto next = index_->NewGeneration();
    ASSERT_TRUE(next.ok());
    ASSERT_TRUE((*next)->Write({Document("a", R"({"s":"word"})")}).ok());
    ASSERT_TRUE(index_->Activate(**next).ok());
  }
  done = true;
  for (auto& reader : readers) reader.join();
}

TEST_P(SearchIndexContract, WritersAtTheSameTimeLeaveTheNewest) {
  std::vector<std::thread> writers;
  for (std::uint64_t t = 0; t < 4; ++t) {
    writers.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 25; ++i) {
        const std::uint64_t version = i * 4 + t + 1;
        Write({Document("a", R"({"n":)" + std::to_string(version) + "}", version)});
      }
    });
  }
  for (auto& writer : writers) writer.join();
  EXPECT_THAT(Filtered("n", FilterOp::kEq, {"100"}), ElementsAre("a"));
}

}  // namespace saffron
