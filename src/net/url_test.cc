#include "net/url.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace saffron {
namespace {

TEST(Url, EncodesAllButUnreserved) {
  EXPECT_EQ(PercentEncode("aZ9-._~"), "aZ9-._~");
  EXPECT_EQ(PercentEncode("a/b c+%\xC3\xA9"), "a%2Fb%20c%2B%25%C3%A9");
  EXPECT_EQ(PercentEncodePath("events/000/a b"), "events/000/a%20b");
}

TEST(Url, DecodesStrictly) {
  EXPECT_EQ(PercentDecode("a%2fB%2F+"), "a/B/+");
  EXPECT_EQ(PercentDecode("%2541"), "%41") << "decoded once, not twice";
  EXPECT_EQ(PercentDecode("%"), std::nullopt);
  EXPECT_EQ(PercentDecode("%4"), std::nullopt);
  EXPECT_EQ(PercentDecode("%4g"), std::nullopt);
  EXPECT_EQ(PercentDecode("% 4"), std::nullopt);
}

RC_GTEST_PROP(Url, DecodeUndoesEncode, (const std::string& text)) {
  RC_ASSERT(PercentDecode(PercentEncode(text)) == text);
  RC_ASSERT(PercentDecode(PercentEncodePath(text)) == text);
}

TEST(Url, QueryKeepsOrderAndDuplicates) {
  const QueryParams expected = {{"a", "1"}, {"b", ""}, {"a", "x y&="}, {"c", ""}, {"", "z"}};
  EXPECT_EQ(ParseQuery("a=1&b=&&a=x+y%26=&c&=z"), expected);
  EXPECT_EQ(ParseQuery(""), QueryParams());
  EXPECT_EQ(ParseQuery("a=%zz"), std::nullopt);
  EXPECT_EQ(ParseQuery("%=1"), std::nullopt);
}

RC_GTEST_PROP(Url, QueryRoundTrips, (const QueryParams& params)) {
  std::string text;
  for (const auto& [name, value] : params) {
    text += (text.empty() ? "" : "&") + PercentEncode(name) + "=" + PercentEncode(value);
  }
  RC_ASSERT(ParseQuery(text) == params);
}

TEST(Url, HostPort) {
  EXPECT_EQ(*ParseHostPort("127.0.0.1:8000"), (HostPort{"127.0.0.1", 8000}));
  EXPECT_EQ(*ParseHostPort("[::1]:0"), (HostPort{"::1", 0}));
  EXPECT_EQ(ParseHostPort("[::1]:80")->ToString(), "[::1]:80");
  EXPECT_EQ(ParseHostPort("localhost:80")->ToString(), "localhost:80");
  for (const char* bad : {"", ":80", "host", "host:", "host:65536", "host:-1", "host:8x", "::1:80",
                          "[]:80", "[host]:80", "[::1]", "a]:1"}) {
    EXPECT_TRUE(ParseHostPort(bad).Is(Code::kInvalid)) << bad;
  }
}

}  // namespace
}  // namespace saffron
