#include "net/sigv4.h"

#include <gmock/gmock.h>

#include <string>

#include "base/sha256.h"

namespace saffron {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// "Examples: Signature Calculations" and "Authenticating Requests: Using Query Parameters" of the
// Amazon S3 API reference.
constexpr WallTime kS3Time{1369353600000};  // 2013-05-24T00:00:00Z

SigV4Signer S3ExampleSigner() {
  return SigV4Signer({"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""},
                     "us-east-1", "s3");
}

// "Signature Version 4 Test Suite" of the AWS General Reference.
constexpr WallTime kSuiteTime{1440938160000};  // 2015-08-30T12:36:00Z

SigV4Signer SuiteSigner(std::string token = "") {
  return SigV4Signer({"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", std::move(token)},
                     "us-east-1", "service");
}

std::string AuthorizationOf(const SigV4Signer& signer, HttpClientRequest request, WallTime now) {
  const Status status = signer.Sign(request, now);
  EXPECT_TRUE(status.ok()) << status.error().ToString();
  return std::string(request.headers.Find("Authorization").value_or("(none)"));
}

std::string SignatureOf(const SigV4Signer& signer, HttpClientRequest request, WallTime now) {
  const std::string authorization = AuthorizationOf(signer, std::move(request), now);
  return authorization.substr(authorization.rfind('=') + 1);
}

HttpClientRequest S3Example(std::string method, const std::string& target, HttpHeaders headers,
                            std::string body = "") {
  headers.Add("x-amz-content-sha256", Sha256Hex(body));
  return {std::move(method), "https://examplebucket.s3.amazonaws.com" + target, std::move(headers),
          std::move(body)};
}

TEST(SigV4Test, AmazonsS3Examples) {
  const SigV4Signer signer = S3ExampleSigner();
  EXPECT_EQ(
      AuthorizationOf(signer, S3Example("GET", "/test.txt", {{"Range", "bytes=0-9"}}), kS3Time),
      "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
      "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
      "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_EQ(SignatureOf(signer,
                        S3Example("PUT", "/test%24file.text",
                                  {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                                   {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                                  "Welcome to Amazon S3."),
                        kS3Time),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  EXPECT_EQ(SignatureOf(signer, S3Example("GET", "/?lifecycle", {}), kS3Time),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  EXPECT_EQ(SignatureOf(signer, S3Example("GET", "/?max-keys=2&prefix=J", {}), kS3Time),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(SigV4Test, AmazonsExampleOfASignedUrl) {
  auto url = S3ExampleSigner().SignUrl("GET", "https://examplebucket.s3.amazonaws.com/test.txt",
                                       seconds(86400), kS3Time);
  ASSERT_TRUE(url.ok());
  EXPECT_EQ(*url,
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&"
            "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&"
            "X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&"
            "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

struct SuiteCase {
  const char* name;
  const char* method;
  const char* target;
  HttpHeaders headers;
  const char* signature;
};

TEST(SigV4Test, AmazonsTestSuite) {
  const SuiteCase cases[] = {
      {"get-vanilla",
       "GET",
       "/",
       {},
       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"get-vanilla-empty-query-key",
       "GET",
       "/?Param1=value1",
       {},
       "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
      {"get-vanilla-query-order-key-case",
       "GET",
       "/?Param2=value2&Param1=value1",
       {},
       "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
      {"get-vanilla-query-unreserved",
       "GET",
       "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz="
       "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
       {},
       "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
      {"get-vanilla-utf8-query",
       "GET",
       "/?\xe1\x88\xb4=bar",
       {},
       "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
      {"get-header-value-trim",
       "GET",
       "/",
       {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\" "}},
       "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
      {"get-header-key-duplicate",
       "GET",
       "/",
       {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}},
       "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
      {"post-header-key-case",
       "POST",
       "/",
       {},
       "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
      {"post-vanilla-query",
       "POST",
       "/?Param1=value1",
       {},
       "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
  };
  const SigV4Signer signer = SuiteSigner();
  for (const SuiteCase& c : cases) {
    HttpClientRequest request{c.method, std::string("https://example.amazonaws.com") + c.target,
                              c.headers, ""};
    EXPECT_EQ(SignatureOf(signer, request, kSuiteTime), c.signature) << c.name;
  }
}

// post-sts-header-before: the token is one of the signed headers.
TEST(SigV4Test, AmazonsTestSuiteWithASessionToken) {
  const SigV4Signer signer = SuiteSigner(
      "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfp"
      "SPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQD"
      "YwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scq"
      "Kmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==");
  HttpClientRequest request{"POST", "https://example.amazonaws.com/", {}, ""};
  EXPECT_EQ(AuthorizationOf(signer, request, kSuiteTime),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            "SignedHeaders=host;x-amz-date;x-amz-security-token, "
            "Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead");
}

// What a server computes is the same however the client wrote it.
TEST(SigV4Test, UnsortedUnencodedAndValuelessQueriesSignAsTheyAreRead) {
  const SigV4Signer signer = S3ExampleSigner();
  auto signature = [&](const std::string& target) {
    return SignatureOf(signer, {"GET", "http://h:9000" + target, {}, ""}, kS3Time);
  };
  EXPECT_EQ(signature("/b?versions&prefix=a/b c&list-type=2"),
            signature("/b?list-type=2&prefix=a%2Fb%20c&versions="));
  EXPECT_EQ(signature("/b?a=2&a=1"), signature("/b?a=1&a=2"));
  EXPECT_NE(signature("/b?prefix=a"), signature("/b?prefix=b"));
  EXPECT_EQ(signature("/b/a b"), signature("/b/a%20b"));
  EXPECT_EQ(signature(""), signature("/"));
}

TEST(SigV4Test, TheHostIsWhatIsSent) {
  const SigV4Signer signer = S3ExampleSigner();
  auto host = [&](const std::string& url) {
    HttpClientRequest request{"GET", url, {}, ""};
    EXPECT_TRUE(signer.Sign(request, kS3Time).ok());
    return std::string(request.headers.Find("Host").value_or(""));
  };
  EXPECT_EQ(host("http://h:9000/a"), "h:9000");
  EXPECT_EQ(host("http://h:80/a"), "h");
  EXPECT_EQ(host("https://h:443/a"), "h");
  EXPECT_EQ(host("https://h:80?a"), "h:80");
}

TEST(SigV4Test, TheKeyOfAnotherDayIsAnother) {
  const SigV4Signer signer = SuiteSigner();
  const HttpClientRequest request{"GET", "https://example.amazonaws.com/", {}, ""};
  const std::string first = SignatureOf(signer, request, kSuiteTime);
  const WallTime tomorrow{kSuiteTime.unix_ms + 86'400'000};
  EXPECT_EQ(SignatureOf(signer, request, tomorrow), SignatureOf(SuiteSigner(), request, tomorrow));
  EXPECT_EQ(SignatureOf(signer, request, kSuiteTime), first);
}

TEST(SigV4Test, WhatCannotBeSignedIsRefusedWithoutSecrets) {
  const SigV4Signer signer({"ACCESS", "SECRET", "TOKEN"}, "us-east-1", "s3");
  for (const char* url : {"", "ftp://h/", "h/a", "http://", "http://h/%4", "http://h/?a=%zz"}) {
    HttpClientRequest request{"GET", url, {}, ""};
    const Status status = signer.Sign(request, kS3Time);
    ASSERT_TRUE(status.Is(Code::kInvalid)) << url;
    EXPECT_THAT(status.error().ToString(), Not(HasSubstr("SECRET")));
    EXPECT_TRUE(signer.SignUrl("GET", url, seconds(60), kS3Time).Is(Code::kInvalid)) << url;
  }
}

}  // namespace
}  // namespace saffron
