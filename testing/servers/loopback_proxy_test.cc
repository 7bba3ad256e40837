#include "testing/servers/loopback_proxy.h"

#include <gmock/gmock.h>

#include "net/http_client.h"
#include "net/http_server.h"

namespace saffron {
namespace {

class LoopbackProxyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = HttpServer::Open({}, [this](HttpRequest&& request, Responder responder) {
      ++carried_out_;
      HttpResponse response;
      response.body = request.body + (request.headers.Find("X-Odd") ? "+odd" : "");
      responder.Send(std::move(response));
    });
    ASSERT_TRUE(server.ok()) << server.error().ToString();
    server_ = std::move(*server);
    auto proxy = LoopbackProxy::Start("127.0.0.1:" + std::to_string(server_->port()),
                                      LoopbackProxy::Protocol::kHttp);
    ASSERT_TRUE(proxy.ok()) << proxy.error().ToString();
    proxy_ = std::move(*proxy);
    client_ = std::move(*HttpClient::Open({}));
  }
  Result<HttpResponse> Post(const std::string& body, Duration timeout = seconds(10)) {
    HttpClientRequest request;
    request.method = "POST";
    request.url = "http://" + proxy_->address() + "/";
    request.headers.Add("X-Odd", "1");
    request.body = body;
    return client_->Do(request, timeout);
  }
  // The body, or the name of the error's code.
  std::string Said(const std::string& body, Duration timeout = seconds(10)) {
    auto response = Post(body, timeout);
    return response.ok() ? response->body : std::string(CodeName(response.code()));
  }

  std::atomic<int> carried_out_{0};
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<LoopbackProxy> proxy_;
  std::unique_ptr<HttpClient> client_;
};

TEST_F(LoopbackProxyTest, PassesLargeBodiesOverOneConnection) {
  const std::string large(300'000, 'x');
  for (const std::string& body : {std::string("a"), large, std::string("b")}) {
    EXPECT_TRUE(Said(body) == body + "+odd");
  }
  EXPECT_EQ(proxy_->requests(), 3);
  EXPECT_EQ(proxy_->connections(), 1);
}

TEST_F(LoopbackProxyTest, ACutAnswerWasCarriedOut) {
  proxy_->CutAnswers(1);
  EXPECT_EQ(Said("a"), "UNKNOWN_OUTCOME");
  EXPECT_EQ(carried_out_, 1);
  EXPECT_EQ(Said("b"), "b+odd");
}

TEST_F(LoopbackProxyTest, RefusesAndAcceptsAgainAtTheSameAddress) {
  EXPECT_EQ(Said("a"), "a+odd");
  proxy_->Refuse();
  client_ = std::move(*HttpClient::Open({}));
  EXPECT_EQ(Said("b"), "UNAVAILABLE");
  proxy_->Accept();
  EXPECT_EQ(Said("c"), "c+odd");
  EXPECT_EQ(carried_out_, 2);
}

TEST_F(LoopbackProxyTest, HeldBytesComeWhenTheyAreReleased) {
  proxy_->Hold();
  EXPECT_EQ(Said("a", milliseconds(100)), "UNKNOWN_OUTCOME");
  EXPECT_EQ(carried_out_, 0);
  proxy_->Release();
  EXPECT_EQ(Said("b"), "b+odd");
}

TEST_F(LoopbackProxyTest, EditsBothWays) {
  proxy_->EditRequests([](std::string& head) { RemoveHeader(head, "x-odd"); });
  EXPECT_EQ(Said("plain"), "plain");
  proxy_->EditAnswers([](std::string& bytes) {
    if (const auto at = bytes.find("plain"); at != std::string::npos) bytes[at] = 'P';
  });
  EXPECT_EQ(Said("plain"), "Plain");
}

TEST_F(LoopbackProxyTest, AnswersItself) {
  proxy_->Answer("HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno", 2);
  EXPECT_EQ(Said(std::string(200'000, 'x')), "no");
  EXPECT_EQ(Post("b")->status, 503);
  EXPECT_EQ(Said("c"), "c+odd");
  EXPECT_EQ(carried_out_, 1);
}

TEST_F(LoopbackProxyTest, DelaysAndThrottles) {
  auto timed = [&](const std::string& body) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(Said(body).size(), body.size() + 4);
    return std::chrono::steady_clock::now() - begin;
  };
  proxy_->DelayAnswers(milliseconds(60));
  EXPECT_GE(timed("a"), milliseconds(60));
  proxy_->DelayAnswers(Duration::zero());
  proxy_->Throttle(100'000);
  EXPECT_GE(timed(std::string(10'000, 'x')), milliseconds(150));  // there and back
}

}  // namespace
}  // namespace saffron
