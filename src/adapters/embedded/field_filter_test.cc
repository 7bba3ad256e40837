#include "adapters/embedded/field_filter.h"

#include <gtest/gtest.h>

namespace saffron {
namespace {

bool Matches(FilterOp op, std::vector<std::string> values,
             std::string_view document = R"({"n":5,"f":5.5,"s":"Blue Whale","b":true,"z":null,)"
                                         R"("a":[1,"x"],"o":{}})",
             std::string field = "n") {
  auto filters = FieldFilters::Compile({{std::move(field), op, std::move(values)}});
  EXPECT_TRUE(filters.ok());
  return filters.ok() && filters->Match(document);
}

bool MatchesField(std::string field, FilterOp op, std::vector<std::string> values) {
  return Matches(op, std::move(values),
                 R"({"n":5,"f":5.5,"s":"Blue Whale","b":true,"z":null,"a":[1,"x"],"o":{}})",
                 std::move(field));
}

TEST(FieldFilterTest, NumbersCompareByValue) {
  EXPECT_TRUE(Matches(FilterOp::kEq, {"5"}));
  EXPECT_TRUE(Matches(FilterOp::kEq, {"5.0"}));
  EXPECT_FALSE(Matches(FilterOp::kEq, {"\"5\""}));
  EXPECT_TRUE(Matches(FilterOp::kGt, {"4.9"}));
  EXPECT_FALSE(Matches(FilterOp::kGt, {"5"}));
  EXPECT_TRUE(Matches(FilterOp::kGte, {"5"}));
  EXPECT_TRUE(Matches(FilterOp::kLt, {"10"}));
  EXPECT_TRUE(Matches(FilterOp::kLte, {"5"}));
  EXPECT_FALSE(Matches(FilterOp::kLt, {"\"z\""}));
  EXPECT_TRUE(MatchesField("f", FilterOp::kEq, {"5.5"}));
}

TEST(FieldFilterTest, StringsBooleansNullAndMissing) {
  EXPECT_TRUE(MatchesField("s", FilterOp::kEq, {"\"Blue Whale\""}));
  EXPECT_TRUE(MatchesField("s", FilterOp::kGt, {"\"Blue\""}));
  EXPECT_TRUE(MatchesField("s", FilterOp::kPrefix, {"\"Blue W\""}));
  EXPECT_FALSE(MatchesField("s", FilterOp::kPrefix, {"\"blue\""}));
  EXPECT_FALSE(MatchesField("n", FilterOp::kPrefix, {"\"5\""}));
  EXPECT_TRUE(MatchesField("b", FilterOp::kEq, {"true"}));
  EXPECT_TRUE(MatchesField("b", FilterOp::kNe, {"false"}));
  EXPECT_TRUE(MatchesField("z", FilterOp::kEq, {"null"}));
  EXPECT_FALSE(MatchesField("missing", FilterOp::kEq, {"null"}));
  EXPECT_TRUE(MatchesField("missing", FilterOp::kNe, {"1"}));
  EXPECT_FALSE(MatchesField("o", FilterOp::kEq, {"1"}));
  EXPECT_TRUE(MatchesField("n", FilterOp::kIn, {"4", "\"x\"", "5"}));
  EXPECT_FALSE(MatchesField("n", FilterOp::kIn, {"4", "6"}));
}

TEST(FieldFilterTest, AnArrayMatchesByOneElement) {
  EXPECT_TRUE(MatchesField("a", FilterOp::kEq, {"\"x\""}));
  EXPECT_FALSE(MatchesField("a", FilterOp::kNe, {"1"}));
  EXPECT_TRUE(MatchesField("a", FilterOp::kNe, {"2"}));
}

TEST(FieldFilterTest, MatchLooksForEveryWord) {
  EXPECT_TRUE(MatchesField("s", FilterOp::kMatch, {"\"whale\""}));
  EXPECT_TRUE(MatchesField("s", FilterOp::kMatch, {"\"WHALE, blue\""}));
  EXPECT_FALSE(MatchesField("s", FilterOp::kMatch, {"\"whal\""}));
  EXPECT_FALSE(MatchesField("s", FilterOp::kMatch, {"\"blue shark\""}));
}

TEST(FieldFilterTest, BadFiltersAreRefused) {
  auto code = [](FilterOp op, std::vector<std::string> values) {
    return FieldFilters::Compile({{"f", op, std::move(values)}}).Is(Code::kInvalid);
  };
  EXPECT_TRUE(code(FilterOp::kEq, {}));
  EXPECT_TRUE(code(FilterOp::kEq, {"1", "2"}));
  EXPECT_TRUE(code(FilterOp::kEq, {"{}"}));
  EXPECT_TRUE(code(FilterOp::kEq, {"nonsense"}));
  EXPECT_TRUE(code(FilterOp::kIn, {}));
  EXPECT_TRUE(code(FilterOp::kPrefix, {"1"}));
  EXPECT_TRUE(code(FilterOp::kGt, {"true"}));
}

TEST(FieldFilterTest, WhatIsNoObjectMatchesNothing) {
  EXPECT_FALSE(Matches(FilterOp::kNe, {"1"}, "[]"));
  EXPECT_FALSE(Matches(FilterOp::kNe, {"1"}, ""));
  EXPECT_TRUE(FieldFilters::Compile({})->Match(""));
}

}  // namespace
}  // namespace saffron
