#include "services/oms/body_reader.h"

#include <gtest/gtest.h>

#include "services/oms/query_parser.h"

namespace saffron {
namespace {

std::string Codes(const std::vector<Violation>& violations) {
  std::string text;
  for (const Violation& violation : violations)
    text += violation.pointer + " " + violation.code + ";";
  return text;
}

TEST(BodyReaderTest, WhatIsRequiredIsThereAndNotEmpty) {
  BodyReader body(R"({"a":"x","b":"","c":null,"d":1})", "/at");
  EXPECT_EQ(body.RequiredText("a"), "x");
  for (const char* name : {"b", "c", "d", "e"}) EXPECT_EQ(body.RequiredText(name), "");
  EXPECT_EQ(Codes(body.Finish()),
            "/at/b empty;/at/c missing_required;/at/d wrong_type;/at/e missing_required;");
}

// Found by query_fuzz: a filter with an empty op was let through without a value, and the engines
// looked at its first one.
TEST(QueryParserTest, AFilterWithAnEmptyOpIsRefused) {
  const std::string filters = R"("filters":[{"field":"a","op":"","value":[]}])";
  EXPECT_EQ(Codes(ParseSearch("{" + filters + "}").violations), "/filters/0/op empty;");
  EXPECT_EQ(Codes(ParseGraphQuery(R"({"start_class":"A",)" + filters + "}").violations),
            "/filters/0/op empty;");
}

TEST(QueryParserTest, EmptyNamesAreRefused) {
  EXPECT_EQ(Codes(ParseSearch(R"({"filters":[{"field":"","op":"eq","value":1}]})").violations),
            "/filters/0/field empty;");
  EXPECT_EQ(Codes(ParseGraphQuery(R"({"start_class":"","hops":[{"predicate":""}]})").violations),
            "/start_class empty;/hops/0/predicate empty;");
}

}  // namespace
}  // namespace saffron
