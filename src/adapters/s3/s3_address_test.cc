#include "adapters/s3/s3_address.h"

#include <gmock/gmock.h>

namespace saffron {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

S3StoreOptions At(std::string endpoint, S3Addressing addressing = S3Addressing::kPath,
                  std::string bucket = "the-log") {
  S3StoreOptions options;
  options.endpoint_url = std::move(endpoint);
  options.bucket = std::move(bucket);
  options.addressing = addressing;
  return options;
}

std::string UrlOf(const S3StoreOptions& options) {
  auto address = S3Address::Of(options);
  return address.ok() ? address->Url("events/a b", "x=1") : address.error().ToString();
}

TEST(S3AddressTest, PathAndVirtual) {
  EXPECT_EQ(UrlOf(At("http://127.0.0.1:9000")), "http://127.0.0.1:9000/the-log/events/a%20b?x=1");
  EXPECT_EQ(UrlOf(At("https://s3.example.org/", S3Addressing::kVirtual)),
            "https://the-log.s3.example.org/events/a%20b?x=1");
  EXPECT_EQ(S3Address::Of(At("http://h:9000/"))->Url("", ""), "http://h:9000/the-log/");
}

TEST(S3AddressTest, AutoIsVirtualForAmazonOnly) {
  EXPECT_EQ(UrlOf(At("https://s3.eu-west-1.amazonaws.com", S3Addressing::kAuto)),
            "https://the-log.s3.eu-west-1.amazonaws.com/events/a%20b?x=1");
  EXPECT_EQ(UrlOf(At("https://s3.amazonaws.com", S3Addressing::kAuto, "the.log")),
            "https://s3.amazonaws.com/the.log/events/a%20b?x=1");
  for (const char* endpoint : {"http://minio:9000", "http://10.0.0.1", "http://[::1]:9000"}) {
    EXPECT_EQ(UrlOf(At(endpoint, S3Addressing::kAuto)),
              std::string(endpoint) + "/the-log/events/a%20b?x=1");
  }
}

TEST(S3AddressTest, WhatCannotBeAHostIsRefused) {
  for (const char* endpoint : {"http://127.0.0.1:9000", "http://[::1]:9000"}) {
    EXPECT_TRUE(S3Address::Of(At(endpoint, S3Addressing::kVirtual)).Is(Code::kInvalid));
  }
  EXPECT_TRUE(
      S3Address::Of(At("https://h.org", S3Addressing::kVirtual, "a.log")).Is(Code::kInvalid));
}

TEST(S3AddressTest, BadEndpointsAndBuckets) {
  for (const char* endpoint : {"", "h:9000", "ftp://h", "http://", "http:///", "http://h/path",
                               "http://h?x", "http://h#x", "http://a b"}) {
    EXPECT_TRUE(S3Address::Of(At(endpoint)).Is(Code::kInvalid)) << endpoint;
  }
  for (const char* bucket : {"", "ab", "Upper", "a_b", "a/b", "a b"}) {
    EXPECT_TRUE(S3Address::Of(At("http://h", S3Addressing::kPath, bucket)).Is(Code::kInvalid))
        << bucket;
  }
}

TEST(S3AddressTest, APasswordInTheUrlIsNotRepeated) {
  auto address = S3Address::Of(At("http://user:hunter2@h:9000"));
  ASSERT_TRUE(address.Is(Code::kInvalid));
  EXPECT_THAT(address.error().message(), Not(HasSubstr("hunter2")));
}

TEST(S3AddressTest, RequiredTlsRefusesHttp) {
  S3StoreOptions options = At("http://h:9000");
  options.require_tls = true;
  auto address = S3Address::Of(options);
  ASSERT_TRUE(address.Is(Code::kInvalid));
  EXPECT_THAT(address.error().message(), HasSubstr("EVENT_STORE_REQUIRE_TLS"));
  options.endpoint_url = "https://h:9000";
  EXPECT_TRUE(S3Address::Of(options).ok());
}

}  // namespace
}  // namespace saffron
