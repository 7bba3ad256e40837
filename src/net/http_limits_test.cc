// What the server refuses by itself: malformed, oversized, half-sent and excess requests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <memory>
#include <mutex>
#include <vector>

#include "net/http_server.h"
#include "net/http_test_support.h"

namespace saffron {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// Sends `bytes` and returns everything until the server closes.
std::string Exchange(const HttpServer& server, const std::string& bytes) {
  RawClient client(server.port());
  client.Write(bytes);
  return client.ReadAll();
}

TEST(HttpLimits, RefusesMalformedRequests) {
  const auto server = OpenServer({}, Echo);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"nonsense\r\n\r\n", "400"},
      {"GET\r\n\r\n", "400"},
      {"GET / HTTP/2.0\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
      {"GET nothing HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"GET /?a=%zz HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost a\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n", "400"},
      {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "400"},
      {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400"},
      {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"},
      {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       "400"},
      {"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
       "400"},
      {"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501"},
      {"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "501"},
      {"PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
      {"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabcde", "400"},
      {"PUT / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n", "417"},
      {std::string("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 33), "400"},
  };
  for (const auto& [bytes, status] : cases) {
    const std::string response = Exchange(*server, bytes);
    EXPECT_THAT(response, StartsWith("HTTP/1.1 " + status + " ")) << bytes;
    EXPECT_THAT(response, HasSubstr("Content-Type: application/json\r\n")) << bytes;
    EXPECT_THAT(response, HasSubstr(R"({"status":"error","message":")")) << bytes;
    EXPECT_THAT(response, HasSubstr("Connection: close\r\n")) << bytes;
  }
  EXPECT_EQ(server->counters().requests, 0U);
  EXPECT_EQ(server->counters().requests_refused, cases.size());
}

TEST(HttpLimits, AnswersWhatCameBeforeTheMalformedPart) {
  const auto server = OpenServer({}, Echo);
  const std::string response =
      Exchange(*server, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nnonsense\r\n\r\n");
  EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(response, HasSubstr("GET /1 HTTP/1.1 400 "));
}

TEST(HttpLimits, BoundsTheHead) {
  const auto server = OpenServer({}, Echo);
  const std::string host = " HTTP/1.1\r\nHost: h\r\n";
  const std::string big(17'000, 'a');
  EXPECT_THAT(Exchange(*server, "GET /" + big + host + "\r\n"), StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(Exchange(*server, "GET /" + host + "X: " + big + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431 "));
  std::string many = "GET /" + host;
  for (int i = 0; i < 2'000; ++i) many += "X-Header-Name: value\r\n";
  EXPECT_THAT(Exchange(*server, many + "\r\n"), StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(Exchange(*server, "PUT /" + host + "Transfer-Encoding: chunked\r\n\r\n1;" + big),
              StartsWith("HTTP/1.1 431 "));
  RawClient fits(server->port());
  fits.Write("GET /" + host + "X: " + std::string(15'000, 'a') + "\r\n\r\n");
  EXPECT_THAT(fits.ReadResponse(), StartsWith("HTTP/1.1 200 "));
}

TEST(HttpLimits, BoundsTheBodyByTheHead) {
  HttpServerOptions options;
  options.max_body_bytes = [](const HttpRequest& head) {
    return std::size_t{head.path == "/bulk" ? 100'000U : 1'000U};
  };
  const auto server = OpenServer(options, Echo);
  const auto put = [&](const std::string& path, std::size_t bytes) {
    RawClient client(server->port());
    client.Write("PUT " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: " +
                 std::to_string(bytes) + "\r\n\r\n" + std::string(bytes, 'b'));
    return client.ReadResponse();
  };
  EXPECT_THAT(put("/", 1'000), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(put("/", 1'001), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(put("/bulk", 100'000), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(put("/bulk", 200'000), StartsWith("HTTP/1.1 413 "));
  const std::string chunked = "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string piece = "258\r\n" + std::string(0x258, 'c') + "\r\n";
  EXPECT_THAT(Exchange(*server, chunked + piece + piece), StartsWith("HTTP/1.1 413 "));
  // Refused on the announcement alone: no byte of the body is waited for.
  EXPECT_THAT(Exchange(*server, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
}

TEST(HttpLimits, BoundsBodiesOfAllConnectionsTogether) {
  HttpServerOptions options;
  options.max_buffered_body_bytes = 1'500;
  const auto server = OpenServer(options, Echo);
  const std::string head = "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n";
  RawClient first(server->port());
  first.Write(head + std::string(900, 'a'));
  const std::uint64_t sent = head.size() + 900;
  ASSERT_TRUE(Eventually([&] { return server->counters().bytes_received == sent; }));
  const std::string refusal = Exchange(*server, head + std::string(1000, 'b'));
  EXPECT_THAT(refusal, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(refusal, HasSubstr("Retry-After: 1\r\n"));
  first.Write(std::string(100, 'a'));
  EXPECT_THAT(first.ReadResponse(), StartsWith("HTTP/1.1 200 "));
  RawClient later(server->port());
  later.Write(head + std::string(1000, 'c'));
  EXPECT_THAT(later.ReadResponse(), StartsWith("HTTP/1.1 200 "));
}

TEST(HttpLimits, HalfSentRequestsTimeOut) {
  HttpServerOptions options;
  options.header_timeout = milliseconds(50);
  options.body_timeout = milliseconds(50);
  const auto server = OpenServer(options, Echo);
  for (const std::string bytes : {"G", "GET / HTTP/1.1\r\nHost: h\r\n",
                                  "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nab"}) {
    EXPECT_THAT(Exchange(*server, bytes), StartsWith("HTTP/1.1 408 ")) << bytes;
  }
  EXPECT_TRUE(Eventually([&] { return server->counters().connections_open == 0; }));
  EXPECT_EQ(server->counters().in_flight, 0U);
}

TEST(HttpLimits, DrippingBytesDoesNotExtendTheTime) {
  HttpServerOptions options;
  options.header_timeout = milliseconds(100);
  const auto server = OpenServer(options, Echo);
  RawClient client(server->port());
  client.Write("GET / HTTP/1.1\r\nHost: h\r\n");
  const bool refused = Eventually([&] {
    client.Write("X: y\r\n");
    return server->counters().requests_refused == 1;
  });
  EXPECT_TRUE(refused);
}

TEST(HttpLimits, IdleConnectionsAreClosed) {
  HttpServerOptions options;
  options.idle_timeout = milliseconds(50);
  const auto server = OpenServer(options, Echo);
  RawClient fresh(server->port());
  RawClient used(server->port());
  used.Write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(used.ReadResponse(), StartsWith("HTTP/1.1 200 "));
  EXPECT_TRUE(fresh.AtEnd());
  EXPECT_TRUE(used.AtEnd());
}

TEST(HttpLimits, APeerThatDoesNotReadIsDropped) {
  HttpServerOptions options;
  options.write_timeout = milliseconds(50);
  const auto server = OpenServer(options, [](HttpRequest&&, Responder responder) {
    responder.Send(Text(std::string(16 << 20, 'x')));
  });
  RawClient client(server->port());
  client.ShrinkWindow();
  client.Write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(Eventually([&] { return server->counters().requests == 1; }));
  EXPECT_TRUE(Eventually([&] { return server->counters().connections_open == 0; }));
  EXPECT_EQ(server->counters().in_flight, 0U);
}

TEST(HttpLimits, BoundsRequestsInFlight) {
  HttpServerOptions options;
  options.max_in_flight = 1;
  std::mutex mutex;
  std::vector<Responder> kept;
  const auto server = OpenServer(options, [&](HttpRequest&&, Responder responder) {
    const std::lock_guard lock(mutex);
    kept.push_back(std::move(responder));
  });
  RawClient first(server->port());
  RawClient second(server->port());
  const std::string request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  first.Write(request);
  ASSERT_TRUE(Eventually([&] { return server->counters().requests == 1; }));
  second.Write(request);
  const std::string refusal = second.ReadResponse();
  EXPECT_THAT(refusal, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(refusal, HasSubstr("Retry-After: 1\r\n"));
  {
    const std::lock_guard lock(mutex);
    kept.clear();
  }
  EXPECT_THAT(first.ReadResponse(), StartsWith("HTTP/1.1 500 "));
  ASSERT_TRUE(Eventually([&] { return server->counters().in_flight == 0; }));
  second.Write(request);
  EXPECT_TRUE(Eventually([&] { return server->counters().requests == 2; }))
      << "the connection outlives the refusal";
  const std::lock_guard lock(mutex);
  kept.clear();
}

TEST(HttpLimits, BoundsConnections) {
  HttpServerOptions options;
  options.max_connections = 2;
  const auto server = OpenServer(options, Echo);
  auto first = std::make_unique<RawClient>(server->port());
  RawClient second(server->port());
  ASSERT_TRUE(Eventually([&] { return server->counters().connections_open == 2; }));
  RawClient third(server->port());
  EXPECT_THAT(third.ReadAll(),
              EndsWith("51\r\n\r\n{\"status\":\"error\",\"message\":\"too many connections\"}"));
  EXPECT_EQ(server->counters().connections_refused, 1U);
  first.reset();
  ASSERT_TRUE(Eventually([&] { return server->counters().connections_open == 1; }));
  RawClient fourth(server->port());
  fourth.Write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(fourth.ReadResponse(), StartsWith("HTTP/1.1 200 "));
}

TEST(HttpLimits, HoldsThousandsOfIdleConnections) {
  rlimit files{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  constexpr std::size_t kConnections = 2'000;
  if (files.rlim_cur < 2 * kConnections + 100) GTEST_SKIP() << "too few file descriptors allowed";
  const auto server = OpenServer({}, Echo);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (std::size_t i = 0; i < kConnections; ++i) {
    clients.push_back(std::make_unique<RawClient>(server->port()));
    ASSERT_TRUE(clients.back()->connected());
  }
  ASSERT_TRUE(Eventually([&] { return server->counters().connections_open == kConnections; }));
  for (const auto& client : clients) client->Write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  for (const auto& client : clients) {
    ASSERT_THAT(client->ReadResponse(), StartsWith("HTTP/1.1 200 "));
  }
  clients.clear();
  EXPECT_TRUE(Eventually([&] { return server->counters().connections_open == 0; }));
}

}  // namespace
}  // namespace saffron
