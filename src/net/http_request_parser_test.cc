#include "net/http_request_parser.h"

#include <gtest/gtest.h>

namespace saffron {
namespace {

constexpr std::string_view kHead =
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

// The body that a parser has read when it got `chunks` byte by byte; nothing when it is not done.
std::optional<std::string> ByteByByte(std::string_view chunks) {
  HttpRequestParser parser(1024);
  EXPECT_EQ(parser.Feed(kHead), kHead.size());
  parser.CheckHead();
  parser.LimitBody(1024);
  std::string rest;
  for (const char byte : chunks) {
    rest.push_back(byte);
    rest.erase(0, parser.Feed(rest));
    EXPECT_FALSE(parser.problem().has_value());
  }
  EXPECT_EQ(rest, "");
  if (!parser.is_done()) return std::nullopt;
  return parser.request().body;
}

// Found by http_request_fuzz: after "0\r\n" one byte more ended the program.
TEST(HttpRequestParserTest, AnEmptyChunkedBodyMayComeByteByByte) {
  EXPECT_EQ(ByteByByte("0\r\n\r\n"), "");
}

TEST(HttpRequestParserTest, ChunksMayComeByteByByte) {
  EXPECT_EQ(ByteByByte("3;e=1\r\nabc\r\n1\r\nd\r\n0\r\nT: t\r\n\r\n"), "abcd");
}

}  // namespace
}  // namespace saffron
