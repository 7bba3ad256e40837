#include <gmock/gmock.h>

#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include "testing/contract/search_index_contract.h"

namespace saffron {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

bool LinkSearchQueryContract() { return true; }

namespace {

std::string Numbered(int i) {
  char name[16];
  std::snprintf(name, sizeof name, "i%05d", i);
  return name;
}

}  // namespace

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

// One double, three numbers: compared two by two they had no order, and pages lost documents.
TEST_P(SearchIndexContract, SortsByNumbersThatShareADouble) {
  Write({Document("a", R"({"n":9007199254740993})"), Document("b", R"({"n":9007199254740992.0})"),
         Document("c", R"({"n":9007199254740992})"), Document("d", R"({"n":-9007199254740993})")});
  for (std::uint64_t limit : {1, 2, 50}) {
    SearchQuery query = Query();
    query.limit = limit;
    query.sort = "n";
    EXPECT_THAT(Names(query), ElementsAre("d", "b", "c", "a"));
    query.sort = "-n";
    EXPECT_THAT(Names(query), ElementsAre("a", "c", "b", "d"));
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

}  // namespace saffron
