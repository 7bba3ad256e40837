#include "net/http_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mutex>
#include <thread>
#include <vector>

#include "net/http_test_support.h"

namespace saffron {
namespace {

std::unique_ptr<HttpClient> OpenClient(HttpClientOptions options = {}) {
  auto client = HttpClient::Open(std::move(options));
  EXPECT_TRUE(client.ok());
  return std::move(client).value();
}

std::string Url(std::uint16_t port, const std::string& path) {
  return "http://127.0.0.1:" + std::to_string(port) + path;
}

// Accepts one connection after the other, reads `read_bytes` of each and closes it: a server that
// dies before it answers.
class DyingServer {
 public:
  explicit DyingServer(std::size_t read_bytes) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, read_bytes] { Run(read_bytes); });
  }
  ~DyingServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::uint16_t port() const { return port_; }
  int accepted() const { return accepted_; }

 private:
  void Run(std::size_t read_bytes) {
    for (;;) {
      const int peer = ::accept(listener_, nullptr, nullptr);
      if (peer < 0) return;
      ++accepted_;
      std::string bytes(read_bytes, '\0');
      if (::recv(peer, bytes.data(), bytes.size(), MSG_WAITALL) < 0) ++failed_reads_;
      ::close(peer);
    }
  }

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> accepted_{0};
  std::atomic<int> failed_reads_{0};
  std::thread thread_;
};

TEST(HttpClient, SendsAndReceivesOverOneConnection) {
  const auto server = OpenServer({}, [](HttpRequest&& request, Responder responder) {
    HttpResponse response =
        Text(request.method + " " + request.target + " " +
             std::string(request.headers.Find("X-A").value_or("-")) + " " +
             std::string(request.headers.Find("Expect").value_or("-")) + " " + request.body);
    response.status = request.method == "DELETE" ? 404 : 201;
    response.headers.Add("ETag", "\"e\"");
    responder.Send(std::move(response));
  });
  const auto client = OpenClient();
  const std::string url = Url(server->port(), "/a%2Fb/../c?x=1");
  const auto put = client->Do({"PUT", url, {{"X-A", "b"}}, "body"}, seconds(10));
  ASSERT_TRUE(put.ok()) << put.error().ToString();
  EXPECT_EQ(put->status, 201);
  EXPECT_EQ(put->content_type, "text/plain");
  EXPECT_EQ(put->headers.Find("etag"), "\"e\"");
  EXPECT_EQ(put->body, "PUT /a%2Fb/../c?x=1 b - body");
  EXPECT_EQ(client->Do({"DELETE", url, {}, ""}, seconds(10))->status, 404);
  EXPECT_EQ(client->Do({"POST", url, {{"X-A", ""}}, ""}, seconds(10))->body,
            "POST /a%2Fb/../c?x=1  - ");
  const auto head = client->Do({"HEAD", url, {}, ""}, seconds(10));
  EXPECT_EQ(head->headers.Find("Content-Length"), "25");
  EXPECT_EQ(head->body, "");
  const std::string large(900'000, 'l');
  EXPECT_EQ(client->Do({"PUT", url, {}, large}, seconds(10))->body.size(), large.size() + 24);
  EXPECT_EQ(server->counters().connections_open, 1U);
}

TEST(HttpClient, TellsNotSentFromUnknown) {
  const auto client = OpenClient();
  std::uint16_t closed_port = 0;
  {
    const auto server = OpenServer({}, Echo);
    closed_port = server->port();
  }
  EXPECT_TRUE(
      client->Do({"PUT", Url(closed_port, "/"), {}, "b"}, seconds(10)).Is(Code::kUnavailable));
  DyingServer dying(10);
  for (const char* method : {"PUT", "POST"}) {
    EXPECT_TRUE(client->Do({method, Url(dying.port(), "/"), {}, "b"}, seconds(10))
                    .Is(Code::kUnknownOutcome));
  }
  EXPECT_EQ(dying.accepted(), 2) << "sent once each";
  EXPECT_TRUE(client->Do({"GET", "ftp://x/", {}, ""}, seconds(1)).Is(Code::kInvalid));
  EXPECT_TRUE(client->Do({"G T", Url(1, "/"), {}, ""}, seconds(1)).Is(Code::kInvalid));
  EXPECT_TRUE(
      client->Do({"GET", Url(1, "/"), {{"A", "b\r\nC: d"}}, ""}, seconds(1)).Is(Code::kInvalid));
  EXPECT_TRUE(client->Do({"GET", Url(1, "/"), {}, ""}, Duration::zero()).Is(Code::kUnavailable));
}

TEST(HttpClient, NeverRepeatsABodyOnAFreshConnection) {
  // The first request is answered, the second is received and the connection dies: a client that
  // repeats it on its own would do it twice.
  std::atomic<int> second_requests{0};
  std::mutex mutex;
  std::unique_ptr<HttpServer> server;
  std::vector<Responder> kept;
  server = OpenServer({}, [&](HttpRequest&& request, Responder responder) {
    if (request.path == "/first") return responder.Send(Text("ok"));
    ++second_requests;
    const std::lock_guard lock(mutex);
    kept.push_back(std::move(responder));
  });
  const std::uint16_t port = server->port();
  const auto client = OpenClient();
  ASSERT_TRUE(client->Do({"POST", Url(port, "/first"), {}, "b"}, seconds(10)).ok());
  std::thread killer([&] {
    EXPECT_TRUE(Eventually([&] { return second_requests == 1; }));
    server.reset();
    // A successor on the same port would get the repetition.
    HttpServerOptions options;
    options.port = port;
    server = OpenServer(options, [&](HttpRequest&&, Responder responder) {
      ++second_requests;
      responder.Send(Text("repeated"));
    });
  });
  const auto second = client->Do({"POST", Url(port, "/second"), {}, "b"}, seconds(10));
  killer.join();
  EXPECT_TRUE(second.Is(Code::kUnknownOutcome));
  EXPECT_EQ(second_requests, 1);
}

TEST(HttpClient, AFailedReconnectIsNoProofThatNothingWasSent) {
  // Regression: the kept connection dies after the request, the repetition is refused, and the
  // refusal alone was reported, as "not sent".
  for (const char* method : {"POST", "DELETE"}) {
    std::atomic<int> received{0};
    std::mutex mutex;
    std::vector<Responder> kept;
    auto server = OpenServer({}, [&](HttpRequest&& request, Responder responder) {
      if (request.path == "/first") return responder.Send(Text("ok"));
      const std::lock_guard lock(mutex);
      kept.push_back(std::move(responder));
      ++received;
    });
    const std::uint16_t port = server->port();
    const auto client = OpenClient();
    const std::string body = method == std::string("POST") ? "b" : "";
    ASSERT_TRUE(client->Do({method, Url(port, "/first"), {}, body}, seconds(10)).ok());
    std::thread killer([&] {
      EXPECT_TRUE(Eventually([&] { return received == 1; }));
      server.reset();
    });
    const auto second = client->Do({method, Url(port, "/second"), {}, body}, seconds(10));
    killer.join();
    EXPECT_TRUE(second.Is(Code::kUnknownOutcome)) << method;
  }
}

TEST(HttpClient, KeepsTheDeadlineAndTheBound) {
  std::mutex mutex;
  std::vector<Responder> kept;
  const auto server = OpenServer({}, [&](HttpRequest&& request, Responder responder) {
    if (request.path == "/large") return responder.Send(Text(std::string(2'000, 'x')));
    const std::lock_guard lock(mutex);
    kept.push_back(std::move(responder));
  });
  HttpClientOptions options;
  options.max_response_bytes = 1'000;
  const auto client = OpenClient(options);
  EXPECT_TRUE(client->Do({"GET", Url(server->port(), "/slow"), {}, ""}, milliseconds(50))
                  .Is(Code::kUnknownOutcome));
  EXPECT_TRUE(client->Do({"GET", Url(server->port(), "/large"), {}, ""}, seconds(10))
                  .Is(Code::kUnknownOutcome));
}

class HttpClientStream : public testing::Test {
 protected:
  void SetUp() override {
    server_ = OpenServer({}, [this](HttpRequest&& request, Responder responder) {
      if (request.path == "/none") return responder.Send(ErrorResponse(404, "none"));
      const std::lock_guard lock(mutex_);
      streams_.push_back(responder.StartStream({.status = 200,
                                                .content_type = "text/event-stream",
                                                .headers = {},
                                                .body = "data: 1\n\n"}));
    });
  }
  Result<HttpResponse> Get(HttpClient& client, const std::string& path,
                           const HttpClient::OnChunk& on_chunk) {
    return client.Stream({"GET", Url(server_->port(), path), {}, ""}, seconds(30), on_chunk);
  }

  std::mutex mutex_;
  std::vector<std::shared_ptr<HttpStream>> streams_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpClientStream, EndsWhenTheConsumerOrThePeerWants) {
  const auto client = OpenClient();
  std::string received;
  const auto stopped = Get(*client, "/s", [&](std::string_view chunk) {
    received.append(chunk);
    return false;
  });
  ASSERT_TRUE(stopped.ok());
  EXPECT_EQ(stopped->status, 200);
  EXPECT_EQ(received, "data: 1\n\n");
  const auto ended = Get(*client, "/s", [&](std::string_view) {
    const std::lock_guard lock(mutex_);
    streams_.back()->Close();
    return true;
  });
  EXPECT_TRUE(ended.ok());
  const auto none = Get(*client, "/none", [&](std::string_view) { return true; });
  EXPECT_EQ(none->status, 404);
  EXPECT_EQ(none->body, ErrorResponse(404, "none").body);
}

TEST_F(HttpClientStream, EndsWhenCancelled) {
  const auto client = OpenClient();
  std::atomic<bool> started{false};
  std::thread canceller([&] {
    EXPECT_TRUE(Eventually([&] { return started.load(); }));
    client->Cancel();
  });
  const auto cancelled = Get(*client, "/s", [&](std::string_view) {
    started = true;
    return true;
  });
  canceller.join();
  EXPECT_TRUE(cancelled.Is(Code::kCancelled));
  EXPECT_TRUE(Get(*client, "/s", [](std::string_view) { return true; }).Is(Code::kCancelled));
}

}  // namespace
}  // namespace saffron
