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

// Found by http_request_fuzz: whole it was served, in pieces it was not.
TEST(HttpRequestParserTest, AHeadIsLimitedToTheByteHoweverItComes) {
  for (const std::size_t excess : {0, 1}) {
    std::string head = "GET / HTTP/1.1\r\nHost: x\r\nX: ";
    head.append(1024 + excess - head.size() - 4, 'y').append("\r\n\r\n");
    for (const std::size_t piece : {std::size_t{1}, head.size()}) {
      HttpRequestParser parser(1024);
      std::string rest;
      for (std::size_t at = 0; at < head.size() && !parser.problem(); at += piece) {
        rest.append(head, at, piece);
        rest.erase(0, parser.Feed(rest));
      }
      EXPECT_EQ(parser.problem() ? parser.problem()->status : 0, excess == 0 ? 0 : 431) << piece;
    }
  }
}

}  // namespace
}  // namespace saffron
