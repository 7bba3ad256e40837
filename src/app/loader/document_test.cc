#include "app/loader/document.h"

#include <gtest/gtest.h>

namespace saffron {
namespace {

std::string Converted(PropertyType type, std::string_view text) {
  auto value = ConvertCell(type, text);
  return value.ok() ? *value : "! " + value.error().message();
}

TEST(ConvertCell, Integers) {
  EXPECT_EQ(Converted(PropertyType::kInteger, "007"), "7");
  EXPECT_EQ(Converted(PropertyType::kInteger, "-0"), "0");
  EXPECT_EQ(Converted(PropertyType::kInteger, "9223372036854775807"), "9223372036854775807");
  for (const char* wrong : {"1.0", "1e3", " 1", "+1", "x", "9223372036854775808"}) {
    EXPECT_EQ(Converted(PropertyType::kInteger, wrong)[0], '!') << wrong;
  }
}

TEST(ConvertCell, NumbersKeepTheirDigits) {
  EXPECT_EQ(Converted(PropertyType::kNumber, "19.90"), "19.90");
  EXPECT_EQ(Converted(PropertyType::kNumber, "-1e3"), "-1e3");
  for (const char* wrong : {".5", "1.", "1,5", "NaN", "1e999", "01", " 1", "1 "}) {
    EXPECT_EQ(Converted(PropertyType::kNumber, wrong)[0], '!') << wrong;
  }
}

TEST(ConvertCell, BooleansTimesAndJson) {
  EXPECT_EQ(Converted(PropertyType::kBoolean, "Yes"), "true");
  EXPECT_EQ(Converted(PropertyType::kBoolean, "0"), "false");
  EXPECT_EQ(Converted(PropertyType::kBoolean, "2")[0], '!');
  EXPECT_EQ(Converted(PropertyType::kDateTime, "2025-01-02 03:04:05"), "\"2025-01-02T03:04:05\"");
  EXPECT_EQ(Converted(PropertyType::kObject, "{\"a\": 1}"), "{\"a\":1}");
  EXPECT_EQ(Converted(PropertyType::kObject, "[1]")[0], '!');
  EXPECT_EQ(Converted(PropertyType::kArray, "[1, 2]"), "[1,2]");
  EXPECT_EQ(Converted(PropertyType::kArray, "1],\"b\":[2")[0], '!');
}

TEST(ConvertCell, TextIsUtf8WithoutNul) {
  EXPECT_EQ(Converted(PropertyType::kString, "a\"b\n"), "\"a\\\"b\\n\"");
  EXPECT_EQ(Converted(PropertyType::kString, "\xff"), "! not valid UTF-8");
  EXPECT_EQ(Converted(PropertyType::kString, std::string_view("a\0b", 3)), "! holds a NUL");
}

std::string Document(const std::string& mapping_json, const std::string& csv) {
  auto mapping = ParseMapping("{\"classes\":[" + mapping_json + "]}", {});
  EXPECT_TRUE(mapping.ok()) << mapping.error().ToString();
  auto rows = RowSource::Open(csv, false);
  EXPECT_TRUE(rows.ok());
  EXPECT_EQ((*rows)->Next(), RowSource::Step::kRow);
  auto document = BuildDocument(mapping->classes[0], **rows);
  return document.ok() ? *document : "! " + document.error().message();
}

TEST(BuildDocument, CompositeReferencesAndTemplates) {
  const char* mapping = R"({"class":"Note","file":"n.csv",
    "id":{"property":"note","template":"{a}-{b}"},"columns":{"a":"string","b":"integer"},
    "relationships":[{"relationship":"line","target":"Item","columns":["a","b"]},
                     {"relationship":"shelf","target":"Shelf","id":"S{b}"}]})";
  EXPECT_EQ(Document(mapping, "a,b\nx,3\n"),
            R"({"note":"x-3","a":"x","b":3,"line":"Item/x.3","shelf":"Shelf/S3"})");
  EXPECT_EQ(Document(mapping, "a,b\nx,\n"), "! a column of the id is empty");
  EXPECT_EQ(Document(mapping, "a,b\nx,y\n"), "! column b: \"y\" is not an integer");
}

TEST(BuildDocument, EmptyCells) {
  const char* skip = R"({"class":"A","file":"a.csv","key":["id"],
    "columns":{"id":"string","s":"string","n":"number","r":{"relationship":"to","target":"B"}}})";
  EXPECT_EQ(Document(skip, "id,s,n,r\n1,,,\n"), R"({"id":"1"})");
  std::string keep = skip;
  keep.insert(keep.size() - 1, R"(,"skip_empty":false)");
  EXPECT_EQ(Document(keep, "id,s,n,r\n1,,,\n"), R"({"id":"1","s":""})");
}

TEST(BuildDocument, AnIdThatCannotBeOneIsNamed) {
  const char* mapping = R"({"class":"A","file":"a.csv","key":["id"],
    "columns":{"id":"string","r":{"relationship":"to","target":"B"}}})";
  EXPECT_EQ(Document(mapping, "id,r\n1,b b\n"), "! column r: \"b b\" is no id");
}

}  // namespace
}  // namespace saffron
