// What this engine needs beyond the contract: that it refuses nothing, forgets no delete, switches
// generations for every process at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adapters/elasticsearch/elasticsearch_test_home.h"

namespace saffron {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ElasticsearchIndexTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string address = ElasticsearchAddress();
    if (address.empty()) SAFFRON_NO_SERVER("opensearch");
    home_ = std::make_unique<ElasticsearchHome>(address);
  }
  std::string Prefixed(const std::string& rest) const { return home_->options().prefix + rest; }

  static void Write(SearchIndex& index, const std::vector<SearchDocument>& documents) {
    auto refusals = index.Write(documents);
    ASSERT_TRUE(refusals.ok()) << refusals.error().ToString();
    for (const auto& refusal : *refusals) EXPECT_FALSE(refusal) << refusal->ToString();
    ASSERT_TRUE(index.Refresh().ok());
  }
  static SearchQuery Query() {
    SearchQuery query;
    query.scope = {"db-1", "main", SequenceNumber(1), {{"Order", SequenceNumber(2)}}};
    return query;
  }
  static std::vector<std::string> Found(SearchIndex& index, const SearchQuery& query) {
    std::vector<std::string> names;
    auto page = index.Search(query);
    EXPECT_TRUE(page.ok()) << page.error().ToString();
    if (!page.ok()) return names;
    for (const auto& document : page->documents) {
      names.emplace_back(SplitAggregateId(document.key)->instance);
    }
    return names;
  }

  std::unique_ptr<ElasticsearchHome> home_;
};

// Whatever the types, lengths, names and numbers: none of it is a mapping of the engine.
TEST_F(ElasticsearchIndexTest, NothingThatTheDomainAcceptsIsRefused) {
  home_->options().max_columns = 50;
  auto index = home_->Open();
  std::vector<SearchDocument> documents;
  const std::string huge(700'000, 'w');
  const std::vector<std::string> values = {"1",
                                           "-1.5e300",
                                           "9223372036854775808",
                                           "1e-320",
                                           "true",
                                           "null",
                                           "\"2026-02-30\"",
                                           "\"2026-11-24T10:00:00Z\"",
                                           "\"12\"",
                                           "[1,\"a\",true,null,{\"b\":[]}]",
                                           "{\"x\":{\"y\":1}}",
                                           "{\"x\":2}",
                                           "[]",
                                           "{}",
                                           "\"\"",
                                           "\"" + std::string(40'000, 'k') + "\"",
                                           "\"" + huge + "\"",
                                           "\"\\u0000\\u0001\"",
                                           std::string(60, '[') + std::string(60, ']')};
  for (std::size_t i = 0; i < values.size(); ++i) {
    documents.push_back(OrderDocument("v" + std::to_string(i), 1, "{\"p\":" + values[i] + "}"));
  }
  std::string many = "{";  // more properties than the engine has fields
  for (int i = 0; i < 3'000; ++i) {
    many += (i == 0 ? "\"q" : ",\"q") + std::to_string(i) + "\":" + std::to_string(i);
  }
  documents.push_back(OrderDocument("many", 1, many + "}"));
  documents.push_back(OrderDocument("names", 1, R"({"a.b":1,"a":{"b":2},"_id":"x","":3,"~":"t"})"));
  Write(*index, documents);
  for (const SearchDocument& document : documents) {
    auto found = index->Get({document.key});
    ASSERT_TRUE(found.ok()) << found.error().ToString();
    EXPECT_TRUE(found->at(document.key) == document) << document.key.id;
  }
  SearchQuery query = Query();
  query.filters = {{"q2999", FilterOp::kEq, {"2999"}}};
  query.sort = "-q2999";
  EXPECT_THAT(Found(*index, query), ElementsAre("many"));
  query = Query();
  query.text = huge;
  EXPECT_THAT(Found(*index, query), ElementsAre("v16"));
  query.text = std::string(40'001, 'k');
  EXPECT_THAT(Found(*index, query), IsEmpty());
}

// The engine forgets the version of a delete; of a tombstone document it cannot.
TEST_F(ElasticsearchIndexTest, AWriteOlderThanATombstoneIsRefusedForEver) {
  auto index = home_->Open();
  Write(*index, {OrderDocument("kept", 3)});
  const std::string name = Prefixed(".g1.db-1");
  home_->Ask("PUT", name + "/_settings", R"({"index":{"gc_deletes":"1ms"}})");
  SearchDocument tombstone = OrderDocument("gone", 5, "");
  tombstone.lifecycle = Lifecycle::kAbsent;
  Write(*index, {tombstone});
  // A plain delete beside it, to see when the engine has forgotten.
  home_->Ask("DELETE", name + "/_doc/plain?version=5&version_type=external");
  const auto older_is_taken = [&] {
    home_->Ask("POST", name + "/_refresh");
    return home_
               ->Ask("PUT", name + "/_doc/plain?version=4&version_type=external",
                     R"({"key":"0plain"})")
               .find("\"created\"") != std::string::npos;
  };
  bool forgotten = false;
  for (int i = 0; i < 300 && !forgotten; ++i) {
    forgotten = older_is_taken();
    if (!forgotten) home_->runtime().SleepFor(milliseconds(100));
  }
  ASSERT_TRUE(forgotten);
  Write(*index, {OrderDocument("gone", 4), OrderDocument("kept", 2)});
  EXPECT_EQ(index->Get({tombstone.key})->at(tombstone.key), tombstone);
  EXPECT_THAT(Found(*index, Query()), ElementsAre("kept"));
}

TEST_F(ElasticsearchIndexTest, EveryRequestIsBounded) {
  home_->options().bulk_bytes = 10'000;
  auto index = home_->Open();
  std::vector<SearchDocument> documents;
  for (int i = 0; i < 100; ++i) {
    documents.push_back(OrderDocument("d" + std::to_string(100 + i), 1,
                                      R"({"s":")" + std::string(900, 'x') + "\"}"));
  }
  documents.push_back(OrderDocument("large", 1, R"({"s":")" + std::string(90'000, 'x') + "\"}"));
  Write(*index, documents);
  EXPECT_THAT(*index->Scan(std::nullopt, 1'000), SizeIs(101));
}

TEST_F(ElasticsearchIndexTest, AnotherProcessSeesASwitch) {
  auto ours = home_->Open(), theirs = home_->Open();
  Write(*theirs, {OrderDocument("old", 1, R"({"n":1})")});
  EXPECT_THAT(Found(*ours, Query()), ElementsAre("old"));
  auto next = ours->NewGeneration();
  ASSERT_TRUE(next.ok()) << next.error().ToString();
  Write(**next, {OrderDocument("new", 1)});
  EXPECT_THAT(Found(*theirs, Query()), ElementsAre("old"));
  ASSERT_TRUE(ours->Activate(**next).ok());
  EXPECT_THAT(Found(*theirs, Query()), ElementsAre("new"));
  EXPECT_THAT(home_->Indexes(), ElementsAre(Prefixed(".g2"), Prefixed(".g2.db-1")));
  // What it knew of columns and indexes was of the old generation.
  SearchDocument other = OrderDocument("x", 1, R"({"n":2})");
  other.key = AggregateKey::Instance("db-2", "main", "Order", "x");
  Write(*theirs, {OrderDocument("sorted", 1, R"({"n":3})"), other});
  SearchQuery query = Query();
  query.sort = "-n";
  EXPECT_THAT(Found(*ours, query), ElementsAre("sorted", "new"));
}

TEST_F(ElasticsearchIndexTest, AGenerationThatLacksADatabaseGetsIt) {
  auto ours = home_->Open(), theirs = home_->Open();
  Write(*theirs, {OrderDocument("old", 1)});
  auto next = ours->NewGeneration();
  ASSERT_TRUE(next.ok());
  ASSERT_TRUE(ours->Activate(**next).ok());
  EXPECT_THAT(Found(*theirs, Query()), IsEmpty());
  Write(*theirs, {OrderDocument("late", 1)});
  EXPECT_THAT(Found(*ours, Query()), ElementsAre("late"));
}

TEST_F(ElasticsearchIndexTest, WhatACrashedRebuildLeftIsDroppedByTheNext) {
  auto index = home_->Open();
  Write(*index, {OrderDocument("live", 1)});
  home_->Ask("PUT", Prefixed(".g7"), "{}");
  home_->Ask("PUT", Prefixed(".g7.db-1"), "{}");
  index = home_->Open();
  EXPECT_THAT(Found(*index, Query()), ElementsAre("live"));
  EXPECT_THAT(*index->Scan(std::nullopt, 10), SizeIs(1));
  {
    auto next = index->NewGeneration();
    ASSERT_TRUE(next.ok()) << next.error().ToString();
    EXPECT_THAT(home_->Indexes(),
                ElementsAre(Prefixed(".g1"), Prefixed(".g1.db-1"), Prefixed(".g8")));
  }
  EXPECT_THAT(home_->Indexes(), ElementsAre(Prefixed(".g1"), Prefixed(".g1.db-1")));
}

TEST_F(ElasticsearchIndexTest, AGenerationOfItsOwnMakersOnly) {
  auto index = home_->Open();
  ElasticsearchHome elsewhere(home_->options().url);
  auto other = elsewhere.Open();
  auto next = other->NewGeneration();
  ASSERT_TRUE(next.ok());
  EXPECT_TRUE(index->Activate(**next).Is(Code::kInvalid));
}

TEST_F(ElasticsearchIndexTest, TheEngineSyncsBeforeItAnswers) {
  auto index = home_->Open();
  Write(*index, {OrderDocument("a", 1)});
  EXPECT_THAT(home_->Ask("GET", Prefixed(".g1.db-1/_settings?flat_settings=true")),
              HasSubstr(R"("index.translog.durability":"request")"));
}

TEST_F(ElasticsearchIndexTest, AnIndexOfAnotherFormatIsRefused) {
  home_->Open();
  home_->Ask("PUT", Prefixed(".g1/_mapping"), R"({"_meta":{"saffron_format":99}})");
  auto again = ElasticsearchIndex::Open(home_->options(), home_->runtime(), home_->log());
  ASSERT_TRUE(again.Is(Code::kInvalid));
  EXPECT_THAT(again.error().message(), HasSubstr("not of this version"));
}

TEST_F(ElasticsearchIndexTest, APrefixThatIsNoNameIsRefused) {
  for (const std::string prefix : {"", "Upper", "_x", "-x", "a.b", "a*", "a/b"}) {
    home_->options().prefix = prefix;
    auto opened = ElasticsearchIndex::Open(home_->options(), home_->runtime(), home_->log());
    EXPECT_TRUE(opened.Is(Code::kInvalid)) << prefix;
  }
  home_->options().prefix = "unused-by-anyone";  // what the home removes at its end
}

}  // namespace
}  // namespace saffron
