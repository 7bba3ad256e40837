#include "services/oms/event_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "services/oms/oms_http_test_home.h"

namespace saffron {
namespace {

// Reads a stream until `enough` says so.
std::string ReadStream(const OmsHttpHome& home, const std::string& path, HttpHeaders headers,
                       const std::function<bool(const std::string&)>& enough) {
  auto client = HttpClient::Open(HttpClientOptions());
  HttpClientRequest request;
  request.url = home.url() + path;
  request.headers = std::move(headers);
  std::string text;
  auto response = (*client)->Stream(request, seconds(10), [&](std::string_view chunk) {
    text.append(chunk);
    return !enough(text);
  });
  EXPECT_TRUE(response.ok()) << response.error().ToString();
  return text;
}

std::size_t CountOf(const std::string& text, std::string_view what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

// The positions after "id: ", in order.
std::vector<Position> PositionsIn(const std::string& text) {
  std::vector<Position> positions;
  for (std::size_t at = text.find("id: "); at != std::string::npos; at = text.find("\nid: ", at)) {
    if (text[at] == '\n') ++at;
    const std::size_t begin = at + 4;
    auto position = Position::Parse(text.substr(begin, text.find('\n', begin) - begin));
    EXPECT_TRUE(position.has_value());
    if (position) positions.push_back(*position);
    ++at;
  }
  return positions;
}

class EventStreamTest : public ::testing::Test {
 protected:
  EventStreamTest() {
    home_.KeepFollowing();
    home_.MakeOrders();  // four events
  }
  OmsHttpHome home_;
};

TEST_F(EventStreamTest, FollowsTheLogInOrderAndResumes) {
  const auto has = [](std::size_t events) {
    return [events](const std::string& text) { return CountOf(text, "\ndata: ") >= events; };
  };
  std::string text = ReadStream(home_, "/api/v1/events/stream?from=0-0-0", {}, has(4));
  std::vector<Position> all = PositionsIn(text);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  EXPECT_EQ(CountOf(text, "event: DATABASE_CREATED\n"), 1u);
  text = ReadStream(home_, "/api/v1/events/stream?from=0-0-0",
                    {{"Last-Event-ID", all[1].ToString()}}, has(2));
  EXPECT_EQ(PositionsIn(text), std::vector<Position>(all.begin() + 2, all.end()));
}

TEST_F(EventStreamTest, FiltersByDatabaseAndTopic) {
  ASSERT_EQ(home_.Post("/api/v1/database/create?wait=10", R"({"name":"other"})").status, 200);
  std::string text =
      ReadStream(home_, "/api/v1/events/stream?from=0-0-0&db=other&topic=ontology_events", {},
                 [](const std::string& got) { return CountOf(got, "\ndata: ") >= 1; });
  EXPECT_EQ(CountOf(text, "\"logistics\""), 0u);
  EXPECT_EQ(CountOf(text, "event: DATABASE_CREATED\n"), 1u);
  EXPECT_EQ(CountOf(text, "_REQUESTED\n"), 0u);
}

TEST_F(EventStreamTest, WithoutAPlaceItBeginsAtTheEnd) {
  // When the stream has found the end is not seen from here: there is always something new.
  std::atomic<bool> seen{false};
  std::unique_ptr<Task> writer = home_.write_side.runtime.Spawn("writer", [&] {
    for (int i = 0; !seen; ++i) {
      std::string document = R"({"id":"N)" + std::to_string(i) + R"("})";
      home_.server->commands().WriteAndWait(
          home_.write_side.Request(CreateInstance("Order", std::move(document))));
    }
  });
  std::string text = ReadStream(home_, "/api/v1/events/stream", {}, [&](const std::string& got) {
    return CountOf(got, "\ndata: ") >= 1;
  });
  seen = true;
  writer->Join();
  EXPECT_EQ(CountOf(text, "CREATE_DATABASE_REQUESTED"), 0u);
  EXPECT_GE(CountOf(text, "INSTANCE"), 1u);
}

TEST_F(EventStreamTest, BadPlacesAreRefused) {
  EXPECT_EQ(home_.Get("/api/v1/events/stream?from=x").status, 400);
  EXPECT_EQ(home_.Get("/api/v1/events/stream?db=Bad").status, 400);
  EXPECT_EQ(home_.Get("/api/v1/events/stream?from=7-1-0").status, 400);
  EXPECT_NE(home_.Get("/api/v1/events?from=7-1-0").body.find("of shard 7"), std::string::npos);
  EXPECT_EQ(home_.Do("GET", "/api/v1/events/stream", "", {{"Last-Event-ID", "1"}}).status, 400);
}

TEST_F(EventStreamTest, AnEndOfServingEndsTheStreams) {
  std::string text =
      ReadStream(home_, "/api/v1/events/stream?from=0-0-0", {}, [&](const std::string& got) {
        if (CountOf(got, "\ndata: ") == 4) {
          home_.server->StopServing(seconds(5));
        }
        return false;
      });
  EXPECT_EQ(CountOf(text, "\ndata: "), 4u);
}

// A stream of a client that takes nothing is closed after a while, not buffered for ever.
class StuckStream final : public HttpStream, public ResponseSink {
 public:
  bool Write(std::string_view) override { return false; }
  void Close() override { closed_ = true; }
  bool closed() const override { return closed_; }
  void Send(HttpResponse&&) override {}
  std::shared_ptr<HttpStream> StartStream(HttpResponse&&) override { return self.lock(); }
  std::weak_ptr<StuckStream> self;

 private:
  std::atomic<bool> closed_{false};
};

TEST(EventStreamsTest, ASlowReaderIsDropped) {
  OmsTestHome home;
  home.MakeOrders();
  EventStreams::Options options;
  options.patience = milliseconds(30);
  options.poll = milliseconds(5);
  EventStreams streams(*home.context, options);
  streams.Start();
  auto stuck = std::make_shared<StuckStream>();
  stuck->self = stuck;
  HttpRequest request;
  request.query = {{"from", "0-0-0"}};
  auto call = std::make_shared<ApiCall>(
      ApiCall{std::move(request), RouteMatch(), Responder(stuck), Role::kAnyone, Instant(), {}});
  streams.Open(call);
  for (int i = 0; i < 2000 && !stuck->closed(); ++i) home.runtime.SleepFor(milliseconds(5));
  EXPECT_TRUE(stuck->closed());
}

}  // namespace
}  // namespace saffron
