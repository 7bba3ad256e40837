#include "app/loader/mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace saffron {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string MappingError(const std::string& one_class) {
  auto mapping = ParseMapping("{\"classes\":[" + one_class + "]}", {});
  EXPECT_TRUE(mapping.Is(Code::kInvalid)) << one_class;
  return mapping.ok() ? "" : mapping.error().message();
}

TEST(Mapping, DescribesAClassByItsColumns) {
  auto mapping = ParseMapping(R"({"classes":[{
    "class":"Item","file":"items.csv","key":["order_id","line_no"],
    "columns":{
      "line_no":"integer",
      "order_id":{"relationship":"item_of","target":"Order","inverse":"items"},
      "note":{"property":"remark"},
      "sku":{"relationship":"of","target":"Sku"}},
    "constants":{"source":"export","fine":true,"weight":1.5},
    "ignore":["x"],"skip_empty":false}]})",
                              {});
  ASSERT_TRUE(mapping.ok()) << mapping.error().ToString();
  EXPECT_EQ(EncodeClassDefinition(mapping->definitions.at(0)),
            EncodeClassDefinition(ParseClassDefinition(R"({"id":"Item","properties":[
      {"name":"order_id","type":"string","required":true,"primary_key":true},
      {"name":"line_no","type":"integer","required":true,"primary_key":true},
      {"name":"remark","type":"string"},
      {"name":"source","type":"string"},
      {"name":"fine","type":"boolean"},
      {"name":"weight","type":"number"}],"relationships":[
      {"predicate":"item_of","target":"Order","inverse_predicate":"items"},
      {"predicate":"of","target":"Sku"}]})",
                                                       "")
                                      .definition));
  const ClassMapping& item = mapping->classes.at(0);
  EXPECT_FALSE(item.skip_empty);
  EXPECT_TRUE(item.Mentions("x"));
  EXPECT_TRUE(item.Mentions("sku"));
  EXPECT_FALSE(item.Mentions("other"));
}

TEST(Mapping, AnIdMadeOfColumnsIsAPropertyOfItsOwn) {
  auto mapping = ParseMapping(R"({"classes":[{
    "class":"Shot","file":"s.csv","id":{"property":"shot","template":"{day}-{no}"},
    "columns":{"day":"date","no":"integer"}}]})",
                              {});
  ASSERT_TRUE(mapping.ok()) << mapping.error().ToString();
  EXPECT_EQ(mapping->definitions[0].properties[0].name, "shot");
  EXPECT_TRUE(mapping->definitions[0].properties[0].primary_key);
  EXPECT_THAT(mapping->classes[0].id->Columns(), ElementsAre("day", "no"));
}

TEST(Mapping, TypesComeFromAKnownClass) {
  std::vector<ClassDefinition> known = {
      ParseClassDefinition(R"({"id":"Base","abstract":true,"properties":[
        {"name":"id","type":"string","primary_key":true}]})",
                           "")
          .definition,
      ParseClassDefinition(R"({"id":"Item","parent_class":"Base","properties":[
        {"name":"qty","type":"integer"}]})",
                           "")
          .definition};
  auto mapping = ParseMapping(R"({"classes":[{"class":"Item","file":"i.csv",
    "columns":{"ID":{"property":"id"},"Quantity":{"property":"qty"}}}]})",
                              known);
  ASSERT_TRUE(mapping.ok()) << mapping.error().ToString();
  EXPECT_TRUE(mapping->definitions.empty());
  EXPECT_EQ(mapping->classes[0].properties[1].type, PropertyType::kInteger);
  auto wrong = ParseMapping(
      R"({"classes":[{"class":"Item","file":"i.csv","columns":{"z":"string"}}]})", known);
  ASSERT_TRUE(wrong.Is(Code::kInvalid));
  EXPECT_EQ(wrong.error().message(), "class Item: the class has no property \"z\"");
}

TEST(Mapping, MistakesAreNamed) {
  EXPECT_THAT(MappingError(R"({"class":"A"})"), HasSubstr("class A: \"file\" is missing"));
  EXPECT_THAT(MappingError(R"({"class":"A","file":"a.csv"})"), HasSubstr("neither \"key\""));
  EXPECT_THAT(MappingError(R"({"class":"A","file":"a.csv","key":["b"]})"),
              HasSubstr("key column \"b\" is not among the columns"));
  EXPECT_THAT(MappingError(R"({"class":"A","file":"a.csv","kee":[]})"),
              HasSubstr("has no member \"kee\""));
  EXPECT_THAT(MappingError(R"({"class":"A","file":"a.csv","key":["b"],"columns":{"b":"words"}})"),
              HasSubstr("\"words\" is no type"));
  EXPECT_THAT(
      MappingError(R"({"class":"A","file":"a.csv","key":["b"],"columns":{"b b":"string"}})"),
      HasSubstr("class A:"));
  EXPECT_THAT(MappingError(
                  R"({"class":"A","file":"a.csv","id":{"template":"x"},"columns":{"b":"string"}})"),
              HasSubstr("the template names no column"));
  EXPECT_TRUE(ParseMapping("[]", {}).Is(Code::kInvalid));
  EXPECT_TRUE(ParseMapping("{", {}).Is(Code::kInvalid));
}

// Found by mapping_fuzz: it ended the program.
TEST(Mapping, AKeyColumnNamedTwiceIsAMistake) {
  EXPECT_THAT(
      MappingError(R"({"class":"A","file":"a.csv","key":["b","b"],"columns":{"b":"string"}})"),
      HasSubstr("\"key\" names column \"b\" twice"));
}

// Found by mapping_fuzz: the search for an inherited property never ended.
TEST(Mapping, AClassThatInheritsInACircleIsAMistake) {
  ClassDefinition a, b;
  a.id = b.parent_class = "A";
  b.id = a.parent_class = "B";
  auto mapping = ParseMapping(
      R"({"classes":[{"class":"A","file":"a.csv","columns":{"x":"string"}}]})", {a, b});
  ASSERT_TRUE(mapping.Is(Code::kInvalid));
  EXPECT_EQ(mapping.error().message(), "class A: the class inherits in a circle");
}

// Found by mapping_fuzz: a bound of infinity is nothing that a definition can be written with, and
// text that is not UTF-8 was left to the server to refuse.
TEST(Mapping, FilesAreTheJsonThatClientsMaySend) {
  auto infinite = ParseOntologyFile(R"({"classes":[{"id":"A","properties":[
      {"name":"a","type":"number","constraints":{"max":1e999}}]}]})");
  ASSERT_TRUE(infinite.Is(Code::kInvalid));
  EXPECT_THAT(infinite.error().message(), HasSubstr("beyond the range of a double"));
  EXPECT_THAT(MappingError(R"({"class":"A","class":"B"})"), HasSubstr("\"class\" twice"));
  EXPECT_THAT(MappingError("\"\xff\""), HasSubstr("not valid UTF-8"));
}

TEST(Mapping, Templates) {
  auto parsed = IdTemplate::Parse("a{b}-{c}d");
  ASSERT_TRUE(parsed.ok());
  EXPECT_THAT(parsed->Columns(), ElementsAre("b", "c"));
  for (const char* wrong : {"{", "}", "{}", "a}b{c", "{a"}) {
    EXPECT_TRUE(IdTemplate::Parse(wrong).Is(Code::kInvalid)) << wrong;
  }
}

TEST(Mapping, OntologyFiles) {
  EXPECT_TRUE(ParseOntologyFile("{}").Is(Code::kInvalid));
  auto twice = ParseOntologyFile(R"({"classes":[{"id":"A","properties":[]},
                                                {"id":"A","properties":[]}]})");
  ASSERT_TRUE(twice.Is(Code::kInvalid));
  EXPECT_EQ(twice.error().message(), "class A: is defined twice");
}

}  // namespace
}  // namespace saffron
