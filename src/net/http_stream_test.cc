// Responses without an end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <thread>

#include "net/http_server.h"
#include "net/http_test_support.h"

namespace saffron {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class HttpStreamTest : public testing::Test {
 protected:
  void Open(HttpServerOptions options) {
    server_ = OpenServer(std::move(options), [this](HttpRequest&&, Responder responder) {
      HttpResponse head;
      head.content_type = "text/event-stream";
      head.headers.Add("Cache-Control", "no-store");
      head.body = ": hello\n\n";
      const std::lock_guard lock(mutex_);
      stream_ = responder.StartStream(std::move(head));
    });
  }
  std::shared_ptr<HttpStream> Stream() {
    EXPECT_TRUE(Eventually([this] {
      const std::lock_guard lock(mutex_);
      return stream_ != nullptr;
    }));
    const std::lock_guard lock(mutex_);
    return std::move(stream_);
  }

  std::mutex mutex_;
  std::shared_ptr<HttpStream> stream_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpStreamTest, SendsPiecesAsTheyCome) {
  Open({});
  RawClient client(server_->port());
  client.Write("GET /s HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto stream = Stream();
  const std::string head = client.ReadUntil("\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("Content-Type: text/event-stream\r\n"));
  EXPECT_THAT(head, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(head, HasSubstr("Cache-Control: no-store\r\n"));
  EXPECT_EQ(client.ReadUntil("\n\n\r\n"), "9\r\n: hello\n\n\r\n");
  EXPECT_TRUE(stream->Write("data: 1\n\n"));
  EXPECT_EQ(client.ReadUntil("\n\n\r\n"), "9\r\ndata: 1\n\n\r\n");
  EXPECT_TRUE(stream->Write(""));
  EXPECT_TRUE(stream->Write("data: 2\n\n"));
  EXPECT_EQ(server_->counters().streams_open, 1U);
  EXPECT_EQ(server_->counters().in_flight, 0U);
  stream->Close();
  EXPECT_TRUE(stream->closed());
  EXPECT_FALSE(stream->Write("late"));
  EXPECT_EQ(client.ReadAll(), "9\r\ndata: 2\n\n\r\n0\r\n\r\n");
  EXPECT_EQ(server_->counters().streams_open, 0U);
}

TEST_F(HttpStreamTest, IsPlainForHttp10AndEndsWhenDropped) {
  Open({});
  RawClient client(server_->port());
  client.Write("GET /s HTTP/1.0\r\n\r\n");
  Stream()->Write("data: 1\n\n");
  EXPECT_THAT(client.ReadAll(), EndsWith("\r\n\r\n: hello\n\ndata: 1\n\n"));
}

TEST_F(HttpStreamTest, HeadOfAStreamHasNoBody) {
  Open({});
  RawClient client(server_->port());
  client.Write("HEAD /s HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto stream = Stream();
  EXPECT_TRUE(stream->closed());
  EXPECT_THAT(client.ReadAll(), EndsWith("\r\n\r\n"));
}

TEST_F(HttpStreamTest, NoticesThatThePeerHasGone) {
  Open({});
  auto client = std::make_unique<RawClient>(server_->port());
  client->Write("GET /s HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto stream = Stream();
  EXPECT_FALSE(stream->closed());
  client.reset();
  EXPECT_TRUE(Eventually([&] { return stream->closed(); }));
  EXPECT_FALSE(stream->Write("data: 1\n\n"));
}

TEST_F(HttpStreamTest, RefusesMoreThanASlowPeerTakes) {
  HttpServerOptions options;
  options.max_stream_buffer_bytes = 64 * 1024;
  Open(options);
  RawClient client(server_->port());
  client.Write("GET /s HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto stream = Stream();
  EXPECT_FALSE(stream->Write(std::string(64 * 1024, 'x'))) << "never larger than the bound";
  const std::string piece(1'000, 'p');
  std::size_t written = 0;
  while (stream->Write(piece)) {
    ++written;
    ASSERT_LT(written, 100'000U) << "the buffer is not bounded";
    std::this_thread::yield();
  }
  EXPECT_FALSE(stream->closed()) << "slow is not gone: the writer decides";
  stream->Close();
  const std::string received = client.ReadAll();
  EXPECT_GT(received.size(), written * piece.size()) << "all that was accepted arrives";
  EXPECT_THAT(received, EndsWith("\r\n0\r\n\r\n"));
}

TEST_F(HttpStreamTest, StopEndsStreams) {
  Open({});
  RawClient client(server_->port());
  client.Write("GET /s HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto stream = Stream();
  ASSERT_THAT(client.ReadUntil("\n\n\r\n"), StartsWith("HTTP/1.1 200"));
  server_->StopAccepting();
  EXPECT_TRUE(server_->Drain(seconds(10)));
  EXPECT_TRUE(stream->closed());
  EXPECT_EQ(client.ReadAll(), "0\r\n\r\n");
  server_.reset();
  EXPECT_FALSE(stream->Write("data: late\n\n"));
}

TEST_F(HttpStreamTest, WritersRaceWithTheEnd) {
  Open({});
  for (int round = 0; round < 50; ++round) {
    auto client = std::make_unique<RawClient>(server_->port());
    client->Write("GET /s HTTP/1.1\r\nHost: h\r\n\r\n");
    auto stream = Stream();
    std::thread writer([stream] {
      while (stream->Write("data: x\n\n")) std::this_thread::yield();
      while (!stream->closed()) std::this_thread::yield();
    });
    if (round % 2 == 0) {
      client.reset();
    } else {
      stream->Close();
    }
    writer.join();
  }
  EXPECT_TRUE(Eventually([&] { return server_->counters().streams_open == 0; }));
}

}  // namespace
}  // namespace saffron
