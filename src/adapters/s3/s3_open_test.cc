// Opening: the bucket, credentials, TLS, and stores that cannot hold a log.
#include <gmock/gmock.h>

#include "adapters/s3/s3_test_home.h"
#include "eventlog/recovery.h"

namespace saffron {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class S3OpenTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = TestMinio();
    if (server_.endpoint.empty()) SAFFRON_NO_SERVER("minio");
    options_ = OptionsFor(server_);
    options_.limits.call_timeout = seconds(1);
  }
  Result<std::unique_ptr<S3Store>> Open() { return S3Store::Open(options_, runtime_, log_); }
  std::string Refusal(Code code) {
    auto store = Open();
    EXPECT_TRUE(store.Is(code)) << (store.ok() ? "opened" : store.error().ToString());
    return store.ok() ? "" : store.error().ToString();
  }
  void Answer(const std::string& status_line, const std::string& headers, const std::string& body,
              int count) {
    proxy_->Answer("HTTP/1.1 " + status_line + "\r\n" + headers +
                       "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body,
                   count);
  }
  void UseProxy() {
    proxy_ = ProxyOf(server_);
    options_.endpoint_url = "http://" + proxy_->address();
  }

  S3TestServer server_;
  S3StoreOptions options_;
  ThreadRuntime runtime_;
  std::string lines_;
  Log log_{{.level = LogLevel::kDebug},
           [] { return WallTime{}; },
           [this](std::string_view line) { lines_ += line; }};
  std::unique_ptr<LoopbackProxy> proxy_;
};

TEST_F(S3OpenTest, MakesTheBucketWithVersions) {
  ASSERT_TRUE(Open().ok());
  EXPECT_THAT(lines_, AllOf(HasSubstr("s3.bucket_made"), HasSubstr("versioning=true")));
  lines_.clear();
  auto again = Open();
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(lines_, "");
  EXPECT_EQ((*again)->Describe(), "S3 bucket " + options_.bucket + " at " + server_.endpoint);
  // Two versions of one key, and the first is still there.
  EXPECT_TRUE((*again)->Put("a", "1").ok());
  EXPECT_TRUE((*again)->Put("a", "2").ok());
  EXPECT_TRUE(ProbeStore(**again, runtime_).ok());
}

TEST_F(S3OpenTest, ABucketWithoutVersionsIsTakenWithAWarning) {
  ASSERT_EQ(SendTo(options_, "PUT", options_.bucket), 200);
  ASSERT_TRUE(Open().ok());
  EXPECT_THAT(lines_, HasSubstr("s3.bucket_without_versions"));
}

// radosgw ignores If-None-Match in a bucket with versioning.
TEST_F(S3OpenTest, VersionsAreGivenUpWhereTheyBreakConditions) {
  const S3TestServer radosgw = TestRadosgw();
  if (radosgw.endpoint.empty()) SAFFRON_NO_SERVER("radosgw");
  options_ = OptionsFor(radosgw);
  auto store = Open();
  ASSERT_TRUE(store.ok()) << store.error().ToString();
  EXPECT_THAT(lines_, AllOf(HasSubstr("versioning=false"), HasSubstr("ignores If-None-Match")));
  const Status probe = ProbeStore(**store, runtime_);
  EXPECT_TRUE(probe.ok()) << probe.error().ToString();
}

// In front of a real store it makes one that accepts a condition and ignores it: the header is
// taken out and the request signed again, for the signature covers it.
LoopbackProxy::Edit Ignoring(const S3TestServer& server, const std::string& condition) {
  auto signer = std::make_shared<SigV4Signer>(server.credentials, "us-east-1", "s3");
  return [=](std::string& head) {
    for (const char* name : {condition.c_str(), "Authorization", "X-Amz-Date"}) {
      RemoveHeader(head, name);
    }
    const std::size_t method = head.find(' ');
    HttpClientRequest request;
    request.method = head.substr(0, method);
    request.url =
        server.endpoint + head.substr(method + 1, head.find(' ', method + 1) - method - 1);
    std::string rewritten = head.substr(0, head.find("\r\n") + 2);
    for (std::size_t line = rewritten.size(); line + 2 < head.size();) {
      const std::size_t end = head.find("\r\n", line), colon = head.find(": ", line);
      request.headers.Add(head.substr(line, colon - line), head.substr(colon + 2, end - colon - 2));
      line = end + 2;
    }
    ThreadRuntime runtime;
    SAFFRON_ASSERT(signer->Sign(request, runtime.WallNow()).ok());
    for (std::size_t i = 0; i < request.headers.size(); ++i) {
      const auto [name, value] = request.headers.At(i);
      rewritten.append(name).append(": ").append(value).append("\r\n");
    }
    head = rewritten + "\r\n";
  };
}

TEST_F(S3OpenTest, AStoreThatIgnoresConditionsIsRefused) {
  UseProxy();
  auto store = Open();
  ASSERT_TRUE(store.ok());
  proxy_->EditRequests(Ignoring(server_, "No-Such-Header"));
  EXPECT_TRUE(ProbeStore(**store, runtime_).ok());
  for (const std::string& condition : {std::string("If-None-Match"), std::string("If-Match")}) {
    proxy_->EditRequests(Ignoring(server_, condition));
    const Status probe = ProbeStore(**store, runtime_);
    ASSERT_TRUE(probe.Is(Code::kInvalid)) << condition;
    EXPECT_EQ(probe.error().message(), "the object store (" + (*store)->Describe() + ") accepts " +
                                           condition +
                                           " and ignores it; Saffron's commit depends on it, so "
                                           "this store cannot be used");
  }
}

// A proxy that only takes headers away breaks the signature.
TEST_F(S3OpenTest, AConditionThatWasTakenAwayIsNoticedByTheServer) {
  UseProxy();
  auto store = Open();
  ASSERT_TRUE(store.ok());
  proxy_->EditRequests([](std::string& head) { RemoveHeader(head, "If-None-Match"); });
  auto put = (*store)->PutIfAbsent("a", "x");
  ASSERT_TRUE(put.Is(Code::kUnavailable)) << (put.ok() ? "written" : put.error().ToString());
  EXPECT_TRUE((*store)->Get("a").Is(Code::kNotFound));
}

TEST_F(S3OpenTest, WrongCredentialsAreNamedAndTriedOnce) {
  UseProxy();
  options_.credentials.access_key = "nobody";
  EXPECT_THAT(Refusal(Code::kInvalid),
              AllOf(HasSubstr("403 InvalidAccessKeyId"), HasSubstr("MINIO_ACCESS_KEY")));
  EXPECT_EQ(proxy_->requests(), 1);
  options_.credentials = {server_.credentials.access_key, "wrong-secret", ""};
  EXPECT_THAT(Refusal(Code::kInvalid),
              AllOf(HasSubstr("403 SignatureDoesNotMatch"), Not(HasSubstr("wrong-secret"))));
  options_.credentials = server_.credentials;
  options_.credentials.session_token = "odd-token";
  EXPECT_THAT(Refusal(Code::kInvalid), Not(HasSubstr("odd-token")));
  EXPECT_EQ(proxy_->requests(), 3);
  EXPECT_THAT(lines_, AllOf(Not(HasSubstr("wrong-secret")), Not(HasSubstr("odd-token"))));
  options_.credentials = {};
  EXPECT_THAT(Refusal(Code::kInvalid), HasSubstr("MINIO_SECRET_KEY"));
}

TEST_F(S3OpenTest, RedirectsNameTheRegion) {
  UseProxy();
  Answer("301 Moved Permanently", "x-amz-bucket-region: eu-west-1\r\n",
         "<Error><Code>PermanentRedirect</Code><Endpoint>b.s3-eu-west-1.amazonaws.com</Endpoint>"
         "</Error>",
         1);
  EXPECT_THAT(Refusal(Code::kInvalid),
              AllOf(HasSubstr("301 PermanentRedirect"), HasSubstr("SAFFRON_S3_REGION=eu-west-1")));
  Answer("400 Bad Request", "",
         "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-north-1</Region></Error>", 1);
  EXPECT_THAT(Refusal(Code::kInvalid), HasSubstr("SAFFRON_S3_REGION=eu-north-1"));
  Answer("307 Temporary Redirect", "x-amz-bucket-region: a b\r\n", "<html>", 1);
  EXPECT_THAT(Refusal(Code::kInvalid), AllOf(HasSubstr("another region"), Not(HasSubstr("a b:"))));
}

TEST_F(S3OpenTest, SomebodyElsesBucketIsRefused) {
  UseProxy();
  Answer("403 Forbidden", "", "<Error><Code>AccessDenied</Code></Error>", 2);
  EXPECT_THAT(Refusal(Code::kInvalid),
              AllOf(HasSubstr("403 AccessDenied"), HasSubstr("somebody else's")));
}

// Not permitted to ask for the versioning, but to use the bucket.
TEST_F(S3OpenTest, ReadingTheVersioningIsNotNeeded) {
  ASSERT_TRUE(Open().ok());
  UseProxy();
  Answer("403 Forbidden", "", "<Error><Code>AccessDenied</Code></Error>", 1);
  EXPECT_TRUE(Open().ok());
}

TEST_F(S3OpenTest, WhatIsNoS3IsNamed) {
  UseProxy();
  Answer("200 OK", "", "<html><body>welcome</body></html>", 1);
  EXPECT_THAT(Refusal(Code::kInvalid), HasSubstr("does not speak S3"));
  Answer("404 Not Found", "", "no such page", 1);
  EXPECT_THAT(Refusal(Code::kInvalid), HasSubstr("answers 404"));
}

TEST_F(S3OpenTest, ADeadServerIsUnavailable) {
  UseProxy();
  proxy_->Refuse();
  EXPECT_THAT(Refusal(Code::kUnavailable), HasSubstr(proxy_->address()));
}

TEST(S3TlsTest, TheCertificateIsVerified) {
  ::setenv("SAFFRON_MINIO_TLS", "1", 1);
  auto started = RealServer::Start("minio");
  ::unsetenv("SAFFRON_MINIO_TLS");
  if (!started.ok() && !ServersAreRequired()) GTEST_SKIP() << started.error().ToString();
  ASSERT_TRUE(started.ok()) << started.error().ToString();
  ThreadRuntime runtime;
  Log log = Log::Discard();
  S3StoreOptions options = OptionsFor({(*started)->address(), {"minioadmin", "minioadmin123", ""}});
  options.require_tls = true;
  auto store = S3Store::Open(options, runtime, log);
  ASSERT_TRUE(store.Is(Code::kUnavailable)) << "opened without knowing the certificate";
  EXPECT_THAT(store.error().message(), HasSubstr("certificate"));
  options.ca_file = (*started)->folder() + "/certs/public.crt";
  store = S3Store::Open(options, runtime, log);
  ASSERT_TRUE(store.ok()) << store.error().ToString();
  EXPECT_TRUE((*store)->PutIfAbsent("a", "x").ok());
  options.ca_file.clear();
  options.verify_ssl = false;
  store = S3Store::Open(options, runtime, log);
  ASSERT_TRUE(store.ok()) << store.error().ToString();
  EXPECT_EQ((*store)->Get("a")->bytes, "x");
}

TEST_F(S3OpenTest, TlsToAServerWithoutIsUnavailable) {
  options_.endpoint_url = "https" + server_.endpoint.substr(4);
  options_.verify_ssl = false;
  EXPECT_THAT(Refusal(Code::kUnavailable), HasSubstr("https://"));
}

}  // namespace
}  // namespace saffron
