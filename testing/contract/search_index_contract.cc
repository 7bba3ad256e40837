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

#include "testing/servers/need_server.h"

namespace saffron {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

bool LinkSearchIndexContract() { return LinkSearchQueryContract(); }

namespace {

SearchDocument AsTombstone(SearchDocument document) {
  document.lifecycle = Lifecycle::kAbsent;
  document.document.clear();
  return document;
}

std::string Numbered(int i) {
  char name[16];
  std::snprintf(name, sizeof name, "i%05d", i);
  return name;
}

}  // namespace

SearchDocument SearchIndexContract::Document(std::string_view name, std::string json,
                                             std::uint64_t version, std::string_view class_id) {
  SearchDocument document;
  document.key = AggregateKey::Instance("db", "main", class_id, name);
  document.version = SequenceNumber(version);
  document.lifecycle = Lifecycle::kPresent;
  document.scope = {SequenceNumber(1), SequenceNumber(2)};
  document.document = std::move(json);
  document.updated_ms = 1'000 + static_cast<std::int64_t>(version);
  return document;
}

SearchQuery SearchIndexContract::Query(std::string class_id) {
  SearchQuery query;
  query.scope = {"db", "main", SequenceNumber(1), {{"Order", SequenceNumber(2)}}};
  query.class_id = std::move(class_id);
  return query;
}

void SearchIndexContract::SetUp() {
  home_ = GetParam()();
  if (home_ == nullptr) SAFFRON_NO_SERVER("of this engine");
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
  ASSERT_TRUE(index_->Refresh().ok());
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
  Write({AsTombstone(Document("a", "", 5))});
  EXPECT_THAT(Names(Query()), IsEmpty());
  EXPECT_THAT(WithText("word"), IsEmpty());
  EXPECT_EQ(Count(Query()), 0u);
  Write({Document("a", R"({"v":"word"})", 4)});
  EXPECT_THAT(WithText("word"), IsEmpty());
  auto key = AsTombstone(Document("a", "", 5)).key;
  EXPECT_EQ(index_->Get({key})->at(key), AsTombstone(Document("a", "", 5)));
  Write({AsTombstone(Document("never", "", 2)), Document("never", R"({"v":"word"})", 1)});
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
  documents.push_back(AsTombstone(Document("gone", "", 4)));
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
  ASSERT_TRUE((*next)->Refresh().ok());
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
    ASSERT_TRUE((*next)->Refresh().ok());
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
