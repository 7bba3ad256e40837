#include "adapters/s3/s3_headers.h"

#include <gtest/gtest.h>

namespace saffron {
namespace {

HttpResponse Answer(int status, std::string_view range, std::string_view body) {
  HttpResponse response;
  response.status = status;
  if (!range.empty()) response.headers.Add("Content-Range", range);
  response.body = body;
  return response;
}

TEST(S3HeadersTest, ARangeIsExactlyWhatWasAskedFor) {
  EXPECT_EQ(*S3RangeOf(Answer(206, "bytes 2-4/10", "cde"), 2, 3), "cde");
  EXPECT_EQ(*S3RangeOf(Answer(200, "", "abcdef"), 2, 3), "cde");
  EXPECT_TRUE(S3RangeOf(Answer(206, "bytes 5-7/10", "fgh"), 2, 3).Is(Code::kUnavailable));
  EXPECT_TRUE(S3RangeOf(Answer(206, "bytes 2-9/10", "cdefghij"), 2, 3).Is(Code::kUnavailable));
  EXPECT_TRUE(S3RangeOf(Answer(206, "bytes 2-3/4", "cd"), 2, 3).Is(Code::kCorrupt));
  EXPECT_TRUE(S3RangeOf(Answer(200, "", "ab"), 5, 1).Is(Code::kCorrupt));
}

TEST(S3HeadersTest, ASizeIsToldOrNot) {
  EXPECT_EQ(*S3SizeOf(Answer(206, "bytes 0-0/10", "a")), 10u);
  EXPECT_EQ(*S3SizeOf(Answer(200, "", "abc")), 3u);
  for (const char* range : {"", "bytes 0-0/*", "bytes 0-0/", "10", "bytes 0-0/1x"}) {
    EXPECT_TRUE(S3SizeOf(Answer(206, range, "a")).Is(Code::kUnavailable)) << range;
  }
}

TEST(S3HeadersTest, AnEtagIsOneThatAConditionTakes) {
  HttpResponse response;
  response.headers.Add("etag", "\"5d41-2\"");
  EXPECT_EQ(S3EtagOf(response), "5d41-2");
  EXPECT_TRUE(IsS3Etag("5d41-2"));
  for (const char* other : {"", "*", "W/\"x\"", "a,b", "\"a"}) EXPECT_FALSE(IsS3Etag(other));
}

}  // namespace
}  // namespace saffron
