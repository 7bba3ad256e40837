// Requests and answers: what a well-behaved client sees.
#include "net/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "net/http_test_support.h"

namespace saffron {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// A handler that keeps its Responders until the test answers.
class Kept {
 public:
  HttpHandler Handler() {
    return [this](HttpRequest&& request, Responder responder) {
      const std::lock_guard lock(mutex_);
      paths_.push_back(request.path);
      responders_.push_back(std::move(responder));
    };
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return responders_.size();
  }
  std::vector<Responder> Take() {
    const std::lock_guard lock(mutex_);
    return std::move(responders_);
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> paths_;
  std::vector<Responder> responders_;
};

TEST(HttpServer, GivesTheHandlerTheWholeRequest) {
  std::optional<HttpRequest> seen;
  const auto server = OpenServer({}, [&](HttpRequest&& request, Responder responder) {
    seen = std::move(request);
    responder.Send(Text("ok"));
  });
  RawClient client(server->port());
  client.Write(
      "POST /a%2Fb/c?x=1&x=%20&y HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nContent-Length: 4\r\n\r\nbody");
  const std::string response = client.ReadResponse();
  EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\nDate: "));
  EXPECT_THAT(response, HasSubstr("\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"));
  EXPECT_EQ(seen->method, "POST");
  EXPECT_EQ(seen->target, "/a%2Fb/c?x=1&x=%20&y");
  EXPECT_EQ(seen->path, "/a%2Fb/c");
  EXPECT_EQ(seen->query, (QueryParams{{"x", "1"}, {"x", " "}, {"y", ""}}));
  EXPECT_EQ(seen->headers.Find("x-one"), "1");
  EXPECT_EQ(seen->body, "body");
  EXPECT_TRUE(seen->peer_is_loopback);
  EXPECT_EQ(server->counters().requests, 1U);
  EXPECT_TRUE(Eventually([&] { return server->counters().bytes_sent == response.size(); }));
}

TEST(HttpServer, KeepsConnectionsAndAnswersPipelinedRequestsInOrder) {
  const auto server = OpenServer({}, Echo);
  RawClient client(server->port());
  std::string requests;
  for (int i = 0; i < 200; ++i) {
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
  }
  client.Write(requests);
  for (int i = 0; i < 200; ++i) {
    ASSERT_THAT(client.ReadResponse(), EndsWith("GET /" + std::to_string(i) + " "));
  }
  client.Write("\r\nGET /again HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.ReadAll(), HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(Eventually([&] { return server->counters().connections_open == 0; }));
}

TEST(HttpServer, AnswersPipelinedRequestsInOrderThoughHandlersAnswerLater) {
  Kept kept;
  const auto server = OpenServer({}, kept.Handler());
  RawClient client(server->port());
  client.Write("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(Eventually([&] { return kept.count() == 1; }));
  kept.Take()[0].Send(Text("first"));
  EXPECT_THAT(client.ReadResponse(), EndsWith("first"));
  ASSERT_TRUE(Eventually([&] { return kept.count() == 1; }));
  kept.Take()[0].Send(Text("second"));
  EXPECT_THAT(client.ReadResponse(), EndsWith("second"));
}

TEST(HttpServer, SpeaksHttp10) {
  const auto server = OpenServer({}, Echo);
  RawClient client(server->port());
  client.Write("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(client.ReadResponse(), HasSubstr("Connection: keep-alive\r\n"));
  client.Write("GET /b HTTP/1.0\r\n\r\n");
  EXPECT_THAT(client.ReadAll(), HasSubstr("Connection: close\r\n"));
}

TEST(HttpServer, ReadsChunkedBodiesInAnyPieces) {
  const auto server = OpenServer({}, Echo);
  RawClient client(server->port());
  const std::string request =
      "PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;ext=1\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nX-Trailer: t\r\n\r\n";
  for (const char byte : request) client.Write(std::string(1, byte));
  EXPECT_THAT(client.ReadResponse(), EndsWith("PUT /c abc0123456789abcdef"));
  client.Write(request + request);
  EXPECT_THAT(client.ReadResponse(), EndsWith("abc0123456789abcdef"));
  EXPECT_THAT(client.ReadResponse(), EndsWith("abc0123456789abcdef"));
}

TEST(HttpServer, ATrailerIsNoHeader) {
  const auto server = OpenServer({}, [](HttpRequest&& request, Responder responder) {
    responder.Send(Text(request.headers.Find("Authorization") ? "seen" : "unseen"));
  });
  RawClient client(server->port());
  client.Write(
      "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "0\r\nAuthorization: Bearer x\r\n\r\n");
  EXPECT_THAT(client.ReadResponse(), EndsWith("unseen"));
}

TEST(HttpServer, MovesLargeBodiesBothWays) {
  HttpServerOptions options;
  options.max_body_bytes = [](const HttpRequest&) { return std::size_t{8 << 20}; };
  const auto server = OpenServer(options, [](HttpRequest&& request, Responder responder) {
    responder.Send(Text(std::move(request.body)));
  });
  RawClient client(server->port());
  std::string body(5 << 20, 'x');
  for (std::size_t i = 0; i < body.size(); i += 997) body[i] = static_cast<char>('a' + i % 26);
  std::thread writer([&] {
    client.Write("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
                 "\r\n\r\n" + body);
  });
  const std::string response = client.ReadResponse();
  writer.join();
  EXPECT_TRUE(response.ends_with(body));
}

TEST(HttpServer, AnswersAPeerThatHasFinishedWriting) {
  const auto server = OpenServer({}, [](HttpRequest&&, Responder responder) {
    responder.Send(Text(std::string(16 << 20, 'y')));
  });
  RawClient client(server->port());
  client.Write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  client.FinishWriting();
  EXPECT_GT(client.ReadAll().size(), std::size_t{16 << 20});
}

TEST(HttpServer, HeadHasNoBody) {
  const auto server = OpenServer({}, Echo);
  RawClient client(server->port());
  client.Write("HEAD /h HTTP/1.1\r\nHost: h\r\n\r\nGET /n HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string head = client.ReadUntil("\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("Content-Length: 8\r\n"));
  EXPECT_THAT(client.ReadResponse(), StartsWith("HTTP/1.1 200 OK"));
}

TEST(HttpServer, AnswersExpectContinueBeforeTheBody) {
  const auto server = OpenServer({}, Echo);
  RawClient client(server->port());
  client.Write("PUT /e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.ReadResponse(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Write("hi");
  EXPECT_THAT(client.ReadResponse(), EndsWith("PUT /e hi"));
}

TEST(HttpServer, NeverLetsAHeaderValueBreakOut) {
  const auto server = OpenServer({}, [](HttpRequest&&, Responder responder) {
    HttpResponse response = Text("ok");
    response.headers.Add("X-Bad", "a\r\nSet-Cookie: b");
    response.headers.Add("X-Good", "c");
    responder.Send(std::move(response));
  });
  RawClient client(server->port());
  client.Write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string response = client.ReadResponse();
  EXPECT_THAT(response, HasSubstr("X-Good: c\r\n"));
  EXPECT_THAT(response, Not(HasSubstr("Set-Cookie")));
}

TEST(HttpServer, ADroppedResponderAnswers500) {
  const auto server = OpenServer({}, [](HttpRequest&& request, Responder responder) {
    if (request.path == "/throw") throw std::runtime_error("secret");
    const Responder dropped = std::move(responder);
  });
  RawClient client(server->port());
  for (const char* path : {"/drop", "/throw"}) {
    client.Write("GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n\r\n");
    const std::string response = client.ReadResponse();
    EXPECT_THAT(response, StartsWith("HTTP/1.1 500 "));
    EXPECT_THAT(response, EndsWith(R"({"status":"error","message":"internal error"})"));
  }
}

TEST(HttpServer, TakesAnswersFromOtherThreads) {
  Kept kept;
  const auto server = OpenServer({}, kept.Handler());
  constexpr int kClients = 64;
  for (int round = 0; round < 5; ++round) {
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.push_back(std::make_unique<RawClient>(server->port()));
      clients.back()->Write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    ASSERT_TRUE(Eventually([&] { return kept.count() == kClients; }));
    EXPECT_EQ(server->counters().in_flight, static_cast<std::uint64_t>(kClients));
    std::vector<Responder> responders = kept.Take();
    std::thread even([&] {
      for (int i = 0; i < kClients; i += 2) responders[i].Send(Text("even"));
    });
    std::thread odd([&] {
      for (int i = 1; i < kClients; i += 2) responders[i].Send(Text("odd"));
    });
    for (auto& client : clients) EXPECT_THAT(client->ReadResponse(), HasSubstr(" 200 OK"));
    even.join();
    odd.join();
    EXPECT_TRUE(Eventually([&] { return server->counters().in_flight == 0; }));
  }
}

TEST(HttpServer, AResponderMayOutliveTheServerAndThePeer) {
  Kept kept;
  auto server = OpenServer({}, kept.Handler());
  {
    RawClient gone(server->port());
    RawClient client(server->port());
    gone.Write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    client.Write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_TRUE(Eventually([&] { return kept.count() == 2; }));
  }
  std::vector<Responder> responders = kept.Take();
  responders[0].Send(Text("to nobody"));
  server.reset();
  responders[1].Send(Text("too late"));
}

TEST(HttpServer, StopsGracefully) {
  Kept kept;
  const auto server = OpenServer({}, kept.Handler());
  RawClient idle(server->port());
  RawClient busy(server->port());
  busy.Write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(Eventually([&] { return kept.count() == 1; }));
  server->StopAccepting();
  EXPECT_TRUE(idle.AtEnd());
  EXPECT_FALSE(RawClient(server->port()).connected());
  EXPECT_FALSE(server->Drain(milliseconds(1))) << "one request is still in flight";
  std::thread answer([&] { kept.Take()[0].Send(Text("last")); });
  EXPECT_TRUE(server->Drain(seconds(10)));
  answer.join();
  const std::string response = busy.ReadAll();
  EXPECT_THAT(response, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(response, EndsWith("last"));
}

TEST(HttpServer, EndsThoughATimerHasJustFired) {
  // Regression: a tick that had fired before the shutdown armed the next one, for ever. The io
  // thread is held so that the shutdown and the tick wait for it together, in this order.
  HttpServerOptions options;
  options.threads = 1;
  options.header_timeout = milliseconds(20);  // a tick every 5 ms
  std::promise<void> entered;
  std::promise<void> release;
  auto server = OpenServer(options, [&](HttpRequest&& request, Responder responder) {
    entered.set_value();
    release.get_future().wait();
    Echo(std::move(request), std::move(responder));
  });
  RawClient client(server->port());
  client.Write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  entered.get_future().wait();
  std::thread ending([&] { server.reset(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // ten ticks: the timer is due
  release.set_value();
  ending.join();
}

TEST(HttpServer, RefusesAPortInUseAndABadAddress) {
  const auto server = OpenServer({}, Echo);
  HttpServerOptions options;
  options.port = server->port();
  EXPECT_TRUE(HttpServer::Open(options, Echo).Is(Code::kUnavailable));
  options.host = "not an address";
  EXPECT_TRUE(HttpServer::Open(options, Echo).Is(Code::kInvalid));
}

}  // namespace
}  // namespace saffron
