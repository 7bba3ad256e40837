// What goes wrong between this process and the engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "adapters/elasticsearch/cutting_proxy.h"
#include "adapters/elasticsearch/elasticsearch_test_home.h"
#include "net/http_server.h"

namespace saffron {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// In front of the real engine: a test may change requests and answers.
class Gateway {
 public:
  using Change = std::function<void(const HttpRequest&, HttpResponse&)>;
  // `before`: true when it has made the answer itself.
  using Before = std::function<bool(const HttpRequest&, HttpResponse&)>;

  explicit Gateway(std::string server) : server_(std::move(server)) {
    HttpServerOptions options;
    options.max_body_bytes = [](const HttpRequest&) { return std::size_t{32} << 20; };
    auto opened = HttpServer::Open(std::move(options), [this](HttpRequest&& request, Responder to) {
      to.Send(Answer(request));
    });
    EXPECT_TRUE(opened.ok());
    if (opened.ok()) http_ = std::move(*opened);
  }
  std::string url() const { return "127.0.0.1:" + std::to_string(http_->port()); }
  Before before = [](const HttpRequest&, HttpResponse&) { return false; };
  Change after = [](const HttpRequest&, HttpResponse&) {};

 private:
  HttpResponse Answer(const HttpRequest& request) {
    HttpResponse response;
    if (before(request, response)) return response;
    auto client = HttpClient::Open({});
    HttpClientRequest forwarded{.method = request.method,
                                .url = server_ + request.target,
                                .headers = {{"Content-Type", "application/json"}},
                                .body = request.body};
    auto answer = (*client)->Do(forwarded, seconds(30));
    if (!answer.ok()) return ErrorResponse(502, "no server");
    response.status = answer->status;
    response.body = std::move(answer->body);
    after(request, response);
    return response;
  }

  const std::string server_;
  std::unique_ptr<HttpServer> http_;
};

bool IsBulk(const HttpRequest& request) { return request.path == "/_bulk"; }

class ElasticsearchFaultsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string address = ElasticsearchAddress();
    if (address.empty()) SAFFRON_NO_SERVER("opensearch");
    home_ = std::make_unique<ElasticsearchHome>(address);
    gateway_ = std::make_unique<Gateway>(address);
  }
  Result<std::unique_ptr<SearchIndex>> Open(ElasticsearchOptions options) {
    return ElasticsearchIndex::Open(std::move(options), home_->runtime(), home_->log());
  }
  std::unique_ptr<SearchIndex> Through(const std::string& url) {
    ElasticsearchOptions options = home_->options();
    options.url = url;
    auto index = Open(options);
    EXPECT_TRUE(index.ok()) << index.error().ToString();
    return index.ok() ? std::move(*index) : nullptr;
  }
  std::unique_ptr<SearchIndex> ThroughGateway() { return Through("http://" + gateway_->url()); }

  std::unique_ptr<ElasticsearchHome> home_;
  std::unique_ptr<Gateway> gateway_;
};

TEST_F(ElasticsearchFaultsTest, ALostAnswerIsAskedForAgainAndNothingIsWrittenTwice) {
  const std::string url = home_->options().url;
  CuttingProxy proxy(static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
  auto index = Through(proxy.url());
  ASSERT_TRUE(index->Write({OrderDocument("a", 1)}).ok());
  proxy.LoseAnswers(1);
  auto refusals = index->Write({OrderDocument("a", 2), OrderDocument("b", 1)});
  ASSERT_TRUE(refusals.ok()) << refusals.error().ToString();
  EXPECT_EQ(proxy.lost(), 1);
  EXPECT_FALSE(refusals->at(0) || refusals->at(1));
  EXPECT_EQ(VersionOf(*index, "a"), 2u);
  EXPECT_EQ(VersionOf(*index, "b"), 1u);
}

TEST_F(ElasticsearchFaultsTest, WhenEveryAnswerIsLostTheOutcomeIsUnknown) {
  const std::string url = home_->options().url;
  CuttingProxy proxy(static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
  home_->options().retry_writes_for = milliseconds(300);
  auto index = Through(proxy.url());
  ASSERT_TRUE(index->Write({OrderDocument("a", 1)}).ok());
  proxy.LoseAnswers(1'000'000);
  EXPECT_TRUE(index->Write({OrderDocument("a", 2)}).Is(Code::kUnknownOutcome));
  EXPECT_TRUE(index->SetWatermark("w").Is(Code::kUnknownOutcome));
  EXPECT_TRUE(
      index->Get({OrderDocument("a", 1).key}).Is(Code::kUnavailable));  // reads change nothing
  proxy.LoseAnswers(0);
  ASSERT_TRUE(index->Write({OrderDocument("a", 2)}).ok());
  EXPECT_EQ(VersionOf(*index, "a"), 2u);
}

TEST_F(ElasticsearchFaultsTest, AnOverloadedEngineIsGivenTime) {
  std::atomic<int> refusals{0};
  gateway_->before = [&](const HttpRequest& request, HttpResponse& response) {
    if (!IsBulk(request) || ++refusals > 4) return false;
    response.status = 429;
    return true;
  };
  auto index = ThroughGateway();
  auto written = index->Write({OrderDocument("a", 1)});
  ASSERT_TRUE(written.ok()) << written.error().ToString();
  EXPECT_EQ(refusals, 5);
  EXPECT_EQ(VersionOf(*index, "a"), 1u);
}

TEST_F(ElasticsearchFaultsTest, AnEngineThatStaysOverloadedHasNothingApplied) {
  home_->options().retry_writes_for = milliseconds(200);
  gateway_->before = [&](const HttpRequest& request, HttpResponse& response) {
    response.status = 429;
    return IsBulk(request);
  };
  auto written = ThroughGateway()->Write({OrderDocument("a", 1)});
  ASSERT_TRUE(written.Is(Code::kUnavailable));
  EXPECT_THAT(written.error().message(), HasSubstr("429"));
}

// The engine refuses some of a bulk's items for now: only these are sent again.
TEST_F(ElasticsearchFaultsTest, OnlyItemsRefusedForNowAreSentAgain) {
  std::mutex mutex;
  std::vector<std::size_t> lines;
  gateway_->before = [&](const HttpRequest& request, HttpResponse& response) {
    if (!IsBulk(request)) return false;
    std::lock_guard<std::mutex> lock(mutex);
    lines.push_back(
        static_cast<std::size_t>(std::count(request.body.begin(), request.body.end(), '\n')));
    if (lines.size() > 1) return false;
    response.body = R"({"errors":true,"items":[{"index":{"status":201}},{"index":{"status":429,
      "error":{"type":"rejected_execution_exception","reason":"full"}}},{"index":{"status":409,
      "error":{"type":"version_conflict_engine_exception","reason":"newer"}}},{"index":{"status":
      400,"error":{"type":"mapper_parsing_exception","reason":"bad"}}}]})";
    return true;
  };
  auto index = ThroughGateway();
  auto refusals = index->Write(
      {OrderDocument("a", 1), OrderDocument("b", 1), OrderDocument("c", 1), OrderDocument("d", 1)});
  ASSERT_TRUE(refusals.ok()) << refusals.error().ToString();
  EXPECT_EQ(lines, (std::vector<std::size_t>{8, 2}));
  EXPECT_FALSE(refusals->at(0) || refusals->at(1) || refusals->at(2));
  ASSERT_TRUE(refusals->at(3));  // poison: told apart, and the others are written
  EXPECT_EQ(refusals->at(3)->code(), Code::kInvalid);
  EXPECT_THAT(refusals->at(3)->message(), HasSubstr("mapper_parsing_exception"));
  EXPECT_EQ(VersionOf(*index, "b"), 1u);
}

TEST_F(ElasticsearchFaultsTest, ItemsRefusedToTheEndLeaveTheOutcomeUnknown) {
  home_->options().retry_writes_for = milliseconds(200);
  gateway_->before = [&](const HttpRequest& request, HttpResponse& response) {
    const bool two = std::count(request.body.begin(), request.body.end(), '\n') == 4;
    const std::string full =
        R"({"index":{"status":403,"error":{"type":"cluster_block_exception","reason":"disk"}}})";
    response.body = R"({"errors":true,"items":[)" +
                    std::string(two ? R"({"index":{"status":201}},)" : "") + full + "]}";
    return IsBulk(request);
  };
  auto index = ThroughGateway();
  auto both = index->Write({OrderDocument("a", 1), OrderDocument("b", 1)});
  ASSERT_TRUE(both.Is(Code::kUnknownOutcome));
  EXPECT_THAT(both.error().message(), HasSubstr("cluster_block_exception"));
  EXPECT_TRUE(index->Write({OrderDocument("b", 1)}).Is(Code::kUnavailable));
}

// Many documents go in two halves at once: of one nothing is applied, of the other all of it.
TEST_F(ElasticsearchFaultsTest, HalfOfALargeBulkRefusedLeavesTheOutcomeUnknown) {
  home_->options().retry_writes_for = milliseconds(200);
  std::vector<SearchDocument> documents;
  for (int i = 0; i < 600; ++i) documents.push_back(OrderDocument(std::to_string(i), 1));
  std::atomic<bool> away{true};
  std::atomic<int> bulks{0};
  gateway_->before = [&](const HttpRequest& request, HttpResponse& response) {
    if (!IsBulk(request)) return false;
    ++bulks;
    response.status = 503;
    return away && request.body.find(documents.front().key.id) != std::string::npos;
  };
  auto index = ThroughGateway();
  EXPECT_TRUE(index->Write(documents).Is(Code::kUnknownOutcome));
  EXPECT_GE(bulks, 2);
  EXPECT_EQ(VersionOf(*index, "599"), 1u);
  EXPECT_EQ(index->Get({documents.front().key})->size(), 0u);
  away = false;
  ASSERT_TRUE(index->Write(documents).ok());
  EXPECT_EQ(VersionOf(*index, "0"), 1u);
  EXPECT_EQ(VersionOf(*index, "599"), 1u);
}

// A refresh that was refused, or failed on a copy, is still owed by whoever asked for it.
TEST_F(ElasticsearchFaultsTest, ARefreshThatFailedIsDoneByTheNext) {
  home_->options().retry_writes_for = milliseconds(200);
  std::atomic<int> status{503};
  gateway_->before = [&](const HttpRequest& request, HttpResponse& response) {
    response.status = status;
    response.body = R"({"_shards":{"total":2,"successful":1,"failed":1}})";
    return status != 0 && request.target.find("/_refresh") != std::string::npos;
  };
  auto index = ThroughGateway();
  ASSERT_TRUE(index->Write({OrderDocument("a", 1)}).ok());
  EXPECT_FALSE(index->Refresh().ok());
  status = 200;
  EXPECT_TRUE(index->Refresh().Is(Code::kUnavailable));
  EXPECT_EQ(index->Get({OrderDocument("a", 1).key})->size(), 0u);
  status = 0;
  EXPECT_EQ(VersionOf(*index, "a"), 1u);
}

TEST_F(ElasticsearchFaultsTest, NoServerIsUnavailable) {
  home_->options().retry_reads_for = home_->options().retry_writes_for = milliseconds(100);
  ElasticsearchOptions options = home_->options();
  options.url = "http://127.0.0.1:1";
  EXPECT_TRUE(Open(options).Is(Code::kUnavailable));
}

// Credentials that the engine refuses are named as that, without being told.
class ElasticsearchSecretsTest : public ElasticsearchFaultsTest {
 protected:
  void SetUp() override {
    ElasticsearchFaultsTest::SetUp();
    if (gateway_ == nullptr) return;
    gateway_->before = [this](const HttpRequest& request, HttpResponse& response) {
      std::lock_guard<std::mutex> lock(mutex_);
      authorization_ = std::string(request.headers.Find("Authorization").value_or(""));
      response.status = status_;
      response.body = R"({"error":{"type":"security_exception","reason":"bad )" + authorization_ +
                      R"("},"status":401})";
      return status_ != 0;
    };
  }
  // What Open says, and every line that was logged.
  std::string Tell(const ElasticsearchOptions& options) {
    std::string told;
    Log log(
        {LogLevel::kDebug, LogFormat::kText}, [] { return WallTime{}; },
        [&](std::string_view line) { told += line; });
    auto index = ElasticsearchIndex::Open(options, home_->runtime(), log);
    EXPECT_FALSE(index.ok());
    if (!index.ok()) told += index.error().ToString();
    return told;
  }

  std::mutex mutex_;
  int status_ = 401;
  std::string authorization_;
};

TEST_F(ElasticsearchSecretsTest, WrongCredentialsAreNamedAndNotTold) {
  for (const int status : {400, 401, 403, 429, 500, 503}) {
    status_ = status;
    ElasticsearchOptions options = home_->options();
    options.retry_writes_for = options.retry_reads_for = milliseconds(100);
    options.url = "http://someone:hunter2%21@" + gateway_->url();
    const auto tells_nothing =
        AllOf(Not(HasSubstr("hunter2")), Not(HasSubstr("aHVudGVy")),
              Not(HasSubstr("c29tZW9uZTpodW50ZXIyIQ")), Not(HasSubstr("sw0rdfish")));
    std::string told = Tell(options);
    EXPECT_THAT(told, tells_nothing);
    if (status == 401) {
      EXPECT_THAT(told, HasSubstr("refuses the credentials"));
    }
    EXPECT_EQ(authorization_, "Basic c29tZW9uZTpodW50ZXIyIQ==");
    options.user = "other";
    options.password = "sw0rdfish";
    EXPECT_THAT(Tell(options), tells_nothing);
    EXPECT_EQ(authorization_, "Basic b3RoZXI6c3cwcmRmaXNo");
    options.api_key = "aHVudGVyLWtleQ==";
    EXPECT_THAT(Tell(options), tells_nothing);
    EXPECT_EQ(authorization_, "ApiKey aHVudGVyLWtleQ==");
  }
}

TEST_F(ElasticsearchSecretsTest, NorByAnAddressThatIsWrong) {
  for (const std::string url :
       {"ftp://u:hunter2@host", "http://u:hunter2@", "u:hunter2@host", "http://u:hunter2%zz@host",
        "http://u:hunter2@127.0.0.1:1", "https://u:hunter2@127.0.0.1:1"}) {
    ElasticsearchOptions options = home_->options();
    options.retry_writes_for = options.retry_reads_for = milliseconds(50);
    options.url = url;
    EXPECT_THAT(Tell(options), Not(HasSubstr("hunter2"))) << url;
  }
}

// Refused credentials must not look like a document that is at fault.
TEST_F(ElasticsearchSecretsTest, CredentialsThatExpireAreAnOutage) {
  status_ = 0;
  auto index = ThroughGateway();
  ASSERT_TRUE(index->Write({OrderDocument("a", 1)}).ok());
  status_ = 401;
  EXPECT_TRUE(index->Write({OrderDocument("a", 2)}).Is(Code::kUnavailable));
  EXPECT_TRUE(index->Get({OrderDocument("a", 1).key}).Is(Code::kUnavailable));
}

}  // namespace
}  // namespace saffron
