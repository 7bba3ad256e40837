#include "net/http.h"

#include <gtest/gtest.h>

namespace saffron {
namespace {

TEST(HttpHeaders, LooksUpWithoutCase) {
  HttpHeaders headers = {{"Host", "a"}, {"X-Empty", ""}, {"ACCEPT", "b"}};
  headers.Add("accept", "c");
  EXPECT_EQ(headers.Find("host"), "a");
  EXPECT_EQ(headers.Find("x-empty"), "");
  EXPECT_EQ(headers.Find("Accept"), "b");
  EXPECT_EQ(headers.Count("Accept"), 2U);
  EXPECT_EQ(headers.Find("Hos"), std::nullopt);
  EXPECT_EQ(headers.size(), 4U);
  EXPECT_EQ(headers.At(3), (HttpHeaders::Field{"accept", "c"}));
}

TEST(ErrorResponse, IsJson) {
  const HttpResponse response = ErrorResponse(400, "a \"b\" \\ \n");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.body, R"({"status":"error","message":"a \"b\" \\ \u000a"})");
}

}  // namespace
}  // namespace saffron
