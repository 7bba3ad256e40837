// What each fault of server and network becomes.
#include <gmock/gmock.h>

#include <future>

#include "adapters/s3/s3_test_home.h"

namespace saffron {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// The clock of a machine that is wrong.
class SkewedRuntime final : public Runtime {
 public:
  explicit SkewedRuntime(seconds skew) : skew_(skew) {}
  Instant Now() override { return real_.Now(); }
  WallTime WallNow() override {
    return WallTime{real_.WallNow().unix_ms + milliseconds(skew_).count()};
  }
  bool SleepFor(Duration duration) override { return real_.SleepFor(duration); }
  using Runtime::Spawn;
  std::unique_ptr<Task> Spawn(std::string name, Urgency urgency,
                              std::function<void()> body) override {
    return real_.Spawn(std::move(name), urgency, std::move(body));
  }
  std::unique_ptr<Condition> NewCondition() override { return real_.NewCondition(); }
  std::uint64_t Random() override { return real_.Random(); }
  void RequestStop() override { real_.RequestStop(); }
  bool StopRequested() override { return real_.StopRequested(); }

 private:
  const seconds skew_;
  ThreadRuntime real_;
};

class S3FaultsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = TestMinio();
    if (server_.endpoint.empty()) SAFFRON_NO_SERVER("minio");
    proxy_ = ProxyOf(server_);
    options_ = OptionsFor(server_);
    direct_ = Open();
    options_.endpoint_url = "http://" + proxy_->address();
    options_.limits.attempt_timeout = milliseconds(300);
    options_.limits.call_timeout = milliseconds(1'000);
    options_.metrics = &s3_metrics_;
    store_ = Open();
    ASSERT_NE(store_, nullptr);
  }
  std::unique_ptr<S3Store> Open() {
    auto store = S3Store::Open(options_, runtime_, log_);
    EXPECT_TRUE(store.ok()) << store.error().ToString();
    return store.ok() ? std::move(*store) : nullptr;
  }
  void Answer(const std::string& status_line, const std::string& code, int count,
              const std::string& headers = "") {
    const std::string body = "<Error><Code>" + code + "</Code><Message>told</Message></Error>";
    proxy_->Answer("HTTP/1.1 " + status_line + "\r\n" + headers +
                       "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body,
                   count);
  }
  // Requests that the call took.
  int Requests(const std::function<void()>& call) {
    const int before = proxy_->requests();
    call();
    return proxy_->requests() - before;
  }

  S3TestServer server_;
  S3StoreOptions options_;
  ThreadRuntime runtime_;
  Log log_ = Log::Discard();
  Metrics metrics_;
  S3Metrics s3_metrics_{metrics_};
  std::unique_ptr<LoopbackProxy> proxy_;
  std::unique_ptr<S3Store> direct_, store_;
};

TEST_F(S3FaultsTest, ALostAnswerOfPutIfAbsentIsConflictAndTheObjectOurs) {
  ASSERT_TRUE(store_->Put("warm", "").ok());
  proxy_->CutAnswers(1);
  EXPECT_TRUE(store_->PutIfAbsent("a", "ours").Is(Code::kConflict));
  EXPECT_EQ(store_->Get("a")->bytes, "ours");
}

TEST_F(S3FaultsTest, ALostAnswerThatStaysLostIsUnknown) {
  proxy_->CutAnswers(1'000);
  auto put = store_->PutIfAbsent("a", "ours");
  EXPECT_TRUE(put.Is(Code::kUnknownOutcome));
  EXPECT_TRUE(store_->Get("a").Is(Code::kUnavailable));  // reads are never unknown
  proxy_->CutAnswers(0);
  EXPECT_EQ(store_->Get("a")->bytes, "ours");
}

TEST_F(S3FaultsTest, ALostAnswerOfASwapIsUnknownEvenWhenTheNextIsARefusal) {
  const std::string etag = store_->PutIfAbsent("a", "1").value();
  proxy_->CutAnswers(1);
  EXPECT_TRUE(store_->PutIfMatch("a", "2", etag).Is(Code::kUnknownOutcome));
  EXPECT_EQ(store_->Get("a")->bytes, "2");
  EXPECT_TRUE(store_->PutIfMatch("a", "3", etag).Is(Code::kConflict));
}

TEST_F(S3FaultsTest, ALostAnswerOfAPlainPutIsNotRepeated) {
  ASSERT_TRUE(store_->Put("a", "1").ok());
  proxy_->CutAnswers(1);
  EXPECT_EQ(Requests([&] { EXPECT_TRUE(store_->Put("a", "2").Is(Code::kUnknownOutcome)); }), 1);
  proxy_->CutAnswers(1);
  EXPECT_EQ(Requests([&] { EXPECT_TRUE(store_->Delete("a").Is(Code::kUnknownOutcome)); }), 1);
}

TEST_F(S3FaultsTest, ARefusedConnectionIsNotApplied) {
  proxy_->Refuse();
  store_.reset();  // with its connections
  ASSERT_FALSE(S3Store::Open(options_, runtime_, log_).ok());
  proxy_->Accept();
  store_ = Open();
  proxy_->Refuse();
  direct_.reset();
  auto fresh = std::async(std::launch::async, [&] { return store_->List("", "", 1).code(); });
  EXPECT_EQ(fresh.get(), Code::kUnavailable);
  auto put = store_->PutIfAbsent("a", "x");  // every connection was broken: nothing was sent
  EXPECT_TRUE(put.Is(Code::kUnavailable)) << put.error().ToString();
  EXPECT_THAT(put.error().message(), HasSubstr(proxy_->address()));
}

TEST_F(S3FaultsTest, ACallEndsAtItsDeadlineWhenNothingComesBack) {
  proxy_->Hold();
  const Instant begin = runtime_.Now();
  EXPECT_TRUE(store_->PutIfAbsent("a", "x").Is(Code::kUnknownOutcome));
  EXPECT_TRUE(store_->Get("a").Is(Code::kUnavailable));
  EXPECT_LT(runtime_.Now() - begin, seconds(4));
  proxy_->Release();
  EXPECT_TRUE(store_->List("", "", 1).ok());
}

TEST_F(S3FaultsTest, A503IsPacedAndRepeated) {
  Answer("503 Slow Down", "SlowDown", 2);
  EXPECT_EQ(Requests([&] { EXPECT_TRUE(store_->PutIfAbsent("a", "x").ok()); }), 3);
  EXPECT_THAT(metrics_.Expose(), AllOf(HasSubstr("saffron_s3_slow_down_total 2"),
                                       HasSubstr("saffron_s3_repeated_total 2")));
  // A 5xx may have been applied, and that this one was not is not known.
  Answer("503 Slow Down", "SlowDown", 1'000);
  auto put = store_->PutIfAbsent("b", "x");
  ASSERT_TRUE(put.Is(Code::kUnknownOutcome));
  EXPECT_THAT(put.error().message(), AllOf(HasSubstr("503 SlowDown"), Not(HasSubstr("told"))));
  EXPECT_TRUE(store_->Get("b").Is(Code::kUnavailable));
}

TEST_F(S3FaultsTest, AllCallsWaitForTheSharedPace) {
  options_.limits.call_timeout = seconds(10);
  store_ = Open();
  Answer("429 Too Many Requests", "TooManyRequests", 1, "Retry-After: 1\r\n");
  auto first = std::async(std::launch::async, [&] { return store_->PutIfAbsent("a", "x").ok(); });
  while (metrics_.Expose().find("saffron_s3_slow_down_total 1") == std::string::npos) {
    ASSERT_TRUE(runtime_.SleepFor(milliseconds(1)));
  }
  // One that was never refused waits as well.
  const Instant begin = runtime_.Now();
  EXPECT_TRUE(store_->List("", "", 1).ok());
  EXPECT_GT(runtime_.Now() - begin, milliseconds(800));
  EXPECT_TRUE(first.get());
}

TEST_F(S3FaultsTest, A409IsRepeatedAndA412IsNot) {
  Answer("409 Conflict", "ConditionalRequestConflict", 2);
  EXPECT_EQ(Requests([&] { EXPECT_TRUE(store_->PutIfAbsent("a", "x").ok()); }), 3);
  EXPECT_EQ(Requests([&] { EXPECT_TRUE(store_->PutIfAbsent("a", "x").Is(Code::kConflict)); }), 1);
  Answer("409 Conflict", "ConditionalRequestConflict", 1'000);
  auto put = store_->PutIfAbsent("b", "x");
  ASSERT_TRUE(put.Is(Code::kUnknownOutcome));
  EXPECT_THAT(put.error().message(), HasSubstr("409 ConditionalRequestConflict"));
}

TEST_F(S3FaultsTest, CredentialsThatExpireAreNamedAndNotRepeated) {
  Answer("400 Bad Request", "ExpiredToken", 1);
  EXPECT_EQ(Requests([&] {
              auto put = store_->PutIfAbsent("a", "x");
              ASSERT_TRUE(put.Is(Code::kUnavailable));
              EXPECT_THAT(put.error().message(),
                          AllOf(HasSubstr("put a"), HasSubstr("400 ExpiredToken"),
                                HasSubstr("SAFFRON_S3_SESSION_TOKEN")));
            }),
            1);
}

TEST_F(S3FaultsTest, AClockThatIsWrongIsNamedWithBothTimes) {
  SkewedRuntime skewed(seconds(3'600));
  auto store = S3Store::Open(options_, skewed, log_);
  ASSERT_TRUE(store.Is(Code::kInvalid));
  EXPECT_THAT(store.error().message(),
              AllOf(HasSubstr("403 RequestTimeTooSkewed"), HasSubstr("the clocks differ"),
                    HasSubstr(skewed.WallNow().ToRfc3339().substr(0, 13)), HasSubstr("GMT")));
}

TEST_F(S3FaultsTest, A404OfAnythingElseIsNoAbsentObject) {
  Answer("404 Not Found", "NoSuchBucket", 1);
  auto get = store_->Get("a");
  ASSERT_TRUE(get.Is(Code::kUnavailable));
  EXPECT_THAT(get.error().message(), HasSubstr("does not exist any more"));
  proxy_->Answer("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nproxy", 2);
  EXPECT_TRUE(store_->Get("a").Is(Code::kUnavailable));
  EXPECT_TRUE(store_->PutIfMatch("a", "x", "e").Is(Code::kUnavailable));
}

TEST_F(S3FaultsTest, DamagedBytesAreReadAgainAndThenCorrupt) {
  ASSERT_TRUE(store_->PutIfAbsent("a", "the right bytes").ok());
  std::atomic<int> damage{1};
  proxy_->EditAnswers([&](std::string& bytes) {
    const std::size_t at = bytes.find("right bytes");
    if (at != std::string::npos && damage-- > 0) bytes[at] = 'f';
  });
  EXPECT_EQ(store_->Get("a")->bytes, "the right bytes");
  damage = 1'000;
  EXPECT_TRUE(store_->Get("a").Is(Code::kCorrupt));
  EXPECT_THAT(metrics_.Expose(), HasSubstr("saffron_s3_corrupt_total 3"));
}

TEST_F(S3FaultsTest, AnAnswerCutShortIsNotTakenForAnObject) {
  const std::string bytes(100'000, 'x');
  ASSERT_TRUE(store_->PutIfAbsent("a", bytes).ok());
  std::atomic<int> cuts{1};
  proxy_->EditAnswers([&](std::string& piece) {
    if (piece.find("Content-Length: 100000") == std::string::npos || cuts-- <= 0) return;
    piece.resize(piece.find("\r\n\r\n") + 104);
    proxy_->CutAnswers(1);  // the next piece
  });
  EXPECT_TRUE(store_->Get("a")->bytes == bytes);
  // A server, or something before it, that says the wrong length itself.
  proxy_->EditAnswers([&](std::string& piece) {
    const std::size_t at = piece.find("Content-Length: 100000");
    if (at != std::string::npos) piece.replace(at, 22, "Content-Length: 000100");
  });
  EXPECT_TRUE(store_->Get("a").Is(Code::kCorrupt));
}

TEST_F(S3FaultsTest, AShortRangeIsCorruptAndAnotherRangeIsRefused) {
  ASSERT_TRUE(store_->PutIfAbsent("a", "0123456789").ok());
  proxy_->Answer(
      "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/10\r\n"
      "Content-Length: 3\r\n\r\n234",
      3);
  EXPECT_TRUE(store_->GetRange("a", 2, 4).Is(Code::kCorrupt));
  EXPECT_TRUE(store_->GetRange("a", 2, 2).Is(Code::kUnavailable));
  EXPECT_TRUE(store_->GetRange("a", 3, 3).Is(Code::kUnavailable));
  // One that ignores ranges.
  proxy_->Answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", 3);
  EXPECT_EQ(store_->GetRange("a", 2, 4).value(), "2345");
  EXPECT_TRUE(store_->GetRange("a", 8, 4).Is(Code::kCorrupt));
  EXPECT_TRUE(store_->GetRange("a", 11, 1).Is(Code::kCorrupt));
}

TEST_F(S3FaultsTest, AListingThatCannotBeTrustedIsRefused) {
  for (const char* body :
       {"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", "<html>",
        "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>b</Key></Contents>"
        "<Contents><Key>a</Key></Contents></ListBucketResult>"}) {
    proxy_->Answer("HTTP/1.1 200 OK\r\nContent-Length: " +
                       std::to_string(std::string(body).size()) + "\r\n\r\n" + body,
                   1);
    EXPECT_TRUE(store_->List("", "", 10).Is(Code::kUnavailable)) << body;
  }
}

TEST_F(S3FaultsTest, CallsBeyondTheConnectionsWait) {
  options_.limits.max_connections = 2;
  options_.limits.attempt_timeout = options_.limits.call_timeout = seconds(5);
  store_ = Open();
  proxy_->DelayAnswers(milliseconds(20));
  const int before = proxy_->connections();
  std::vector<std::future<bool>> puts;
  for (int i = 0; i < 12; ++i) {
    puts.push_back(std::async(std::launch::async, [&, i] {
      return store_->PutIfAbsent("k" + std::to_string(i), "x").ok();
    }));
  }
  for (auto& put : puts) EXPECT_TRUE(put.get());
  EXPECT_LE(proxy_->connections() - before, 1);  // the other one Open had made
}

// A server that is killed and comes back: what was acknowledged is there, the store goes on.
TEST(S3RestartTest, KilledAndBack) {
  auto started = RealServer::Start("minio");
  if (!started.ok() && !ServersAreRequired()) GTEST_SKIP() << started.error().ToString();
  ASSERT_TRUE(started.ok()) << started.error().ToString();
  RealServer& server = **started;
  ThreadRuntime runtime;
  Log log = Log::Discard();
  S3StoreOptions options = OptionsFor({server.address(), {"minioadmin", "minioadmin123", ""}});
  options.limits.call_timeout = seconds(1);
  auto opened = S3Store::Open(options, runtime, log);
  ASSERT_TRUE(opened.ok()) << opened.error().ToString();
  S3Store& store = **opened;
  ASSERT_TRUE(store.PutIfAbsent("a", "1").ok());
  server.Kill();
  EXPECT_TRUE(store.Get("a").Is(Code::kUnavailable));
  auto put = store.PutIfAbsent("b", "2");
  EXPECT_TRUE(put.Is(Code::kUnavailable)) << (put.ok() ? "written" : put.error().ToString());
  ASSERT_TRUE(server.Up().ok());
  EXPECT_EQ(store.Get("a")->bytes, "1");
  EXPECT_TRUE(store.PutIfAbsent("a", "x").Is(Code::kConflict));
  EXPECT_TRUE(store.PutIfAbsent("b", "2").ok());
}

}  // namespace
}  // namespace saffron
