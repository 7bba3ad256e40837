#include "app/loader/csv.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace saffron {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows ReadAll(std::string_view text) {
  CsvReader reader(text);
  Rows rows;
  std::vector<std::string> fields;
  for (;;) {
    auto more = reader.Next(fields);
    EXPECT_TRUE(more.ok()) << more.error().ToString();
    if (!more.ok() || !*more) return rows;
    rows.push_back(fields);
  }
}

struct Failure {
  std::string message;
  std::uint64_t line = 0;
};

Failure FirstFailure(std::string_view text) {
  CsvReader reader(text);
  std::vector<std::string> fields;
  for (;;) {
    auto more = reader.Next(fields);
    if (!more.ok()) {
      Failure failure{more.error().message(), reader.line()};
      auto after = reader.Next(fields);
      EXPECT_TRUE(after.ok() && !*after);
      return failure;
    }
    if (!*more) return {};
  }
}

TEST(Csv, PlainRecords) {
  EXPECT_EQ(ReadAll("a,b\n1,2\n"), (Rows{{"a", "b"}, {"1", "2"}}));
  EXPECT_EQ(ReadAll("a,b\r\n1,2"), (Rows{{"a", "b"}, {"1", "2"}}));
  EXPECT_EQ(ReadAll(",\n"), (Rows{{"", ""}}));
  EXPECT_EQ(ReadAll("a,\n"), (Rows{{"a", ""}}));
  EXPECT_EQ(ReadAll(""), Rows{});
}

TEST(Csv, AByteOrderMarkIsNoPartOfTheFirstName) {
  EXPECT_EQ(ReadAll("\xEF\xBB\xBF\"a\",b\n"), (Rows{{"a", "b"}}));
}

TEST(Csv, QuotedFields) {
  EXPECT_EQ(ReadAll("\"a\"\"b\",\"c,d\"\n"), (Rows{{"a\"b", "c,d"}}));
  EXPECT_EQ(ReadAll("\"\",x\n"), (Rows{{"", "x"}}));
  EXPECT_EQ(ReadAll("\"1\r\n2\n3\",x\n"), (Rows{{"1\r\n2\n3", "x"}}));
  EXPECT_EQ(ReadAll(" a , b\n"), (Rows{{" a ", " b"}}));
}

TEST(Csv, LinesAreThoseOfTheText) {
  CsvReader reader("a\n\"1\n2\"\n\r\n3\n");
  std::vector<std::string> fields;
  for (std::uint64_t line : {1u, 2u, 5u}) {
    ASSERT_TRUE(*reader.Next(fields));
    EXPECT_EQ(reader.line(), line);
  }
  EXPECT_FALSE(*reader.Next(fields));
}

TEST(Csv, WhatIsNotCsvIsRefusedWithItsLine) {
  EXPECT_EQ(FirstFailure("a,b\n1,\"2\n").message, "a quoted field has no end");
  EXPECT_EQ(FirstFailure("a,b\n1,\"2\n").line, 2u);
  EXPECT_EQ(FirstFailure("a\nb\"c\n").message, "a quote inside a field that is not quoted");
  EXPECT_EQ(FirstFailure("a\n\"b\"c\n").message, "text after the quote that ends a field");
  EXPECT_EQ(FirstFailure("a\rb\n").message, "a carriage return that ends no line");
}

TEST(Csv, WhatIsWrittenIsReadBack) {
  EXPECT_TRUE(rc::check([] {
    auto text = rc::gen::container<std::string>(rc::gen::element('a', '"', ',', '\n', '\r', ' '));
    auto rows = *rc::gen::nonEmpty(rc::gen::container<Rows>(
        rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(text))));
    std::string csv;
    for (const auto& row : rows) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        if (i > 0) csv.push_back(',');
        csv.push_back('"');
        for (char c : row[i]) csv.append(c == '"' ? "\"\"" : std::string(1, c));
        csv.push_back('"');
      }
      csv.append(*rc::gen::element<std::string>("\n", "\r\n"));
    }
    RC_ASSERT(ReadAll(csv) == rows);
  }));
}

}  // namespace
}  // namespace saffron
