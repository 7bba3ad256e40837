#include "net/http_server.h"

#include <algorithm>
#include <boost/asio/detail/socket_option.hpp>
#include <boost/asio/ip/address.hpp>
#include <thread>

#include "net/http_loop.h"

namespace saffron {
namespace {

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

// Binds one loop's listener. The first binds without SO_REUSEPORT and takes it on only afterwards:
// so a port that another process listens on is refused, even if that one shares its port too.
Status Bind(AsioAcceptor& acceptor, const asio::ip::tcp::endpoint& endpoint, bool first) {
  AsioError error;
  const auto step = [&error](auto&& action) {
    if (!error) action();
  };
  acceptor.open(endpoint.protocol(), error);
  step([&] { acceptor.set_option(AsioAcceptor::reuse_address(true), error); });
  if (!first) step([&] { acceptor.set_option(ReusePort(true), error); });
  step([&] { acceptor.bind(endpoint, error); });
  if (first) step([&] { acceptor.set_option(ReusePort(true), error); });
  if (!error) return Ok();
  const std::string where = HostPort{endpoint.address().to_string(), endpoint.port()}.ToString();
  return Unavailable("cannot listen on " + where + ": " + error.message());
}

}  // namespace

Responder::~Responder() {
  if (sink_) Send(ErrorResponse(500, "internal error"));
}

Responder& Responder::operator=(Responder&& other) noexcept {
  if (this == &other) return *this;
  if (sink_) Send(ErrorResponse(500, "internal error"));
  sink_ = std::move(other.sink_);
  return *this;
}

void Responder::Send(HttpResponse response) {
  SAFFRON_ASSERT(sink_ != nullptr);
  const std::shared_ptr<ResponseSink> sink = std::move(sink_);
  sink->Send(std::move(response));
}

std::shared_ptr<HttpStream> Responder::StartStream(HttpResponse head) {
  SAFFRON_ASSERT(sink_ != nullptr);
  const std::shared_ptr<ResponseSink> sink = std::move(sink_);
  return sink->StartStream(std::move(head));
}

HttpServer::HttpServer(std::shared_ptr<HttpServerState> state) : state_(std::move(state)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::Open(HttpServerOptions options,
                                                     HttpHandler handler) {
  auto state = std::make_shared<HttpServerState>();
  if (options.threads == 0) {
    options.threads = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 2);
  }
  if (options.host == "localhost") options.host = "127.0.0.1";
  if (!options.max_body_bytes) {
    options.max_body_bytes = [](const HttpRequest&) { return std::size_t{1024 * 1024}; };
  }
  state->options = std::move(options);
  state->handler = std::move(handler);
  std::unique_ptr<HttpServer> server(new HttpServer(std::move(state)));
  SAFFRON_TRY(server->Listen());
  return server;
}

Status HttpServer::Listen() {
  const HttpServerOptions& options = state_->options;
  AsioError error;
  const auto address = asio::ip::make_address(options.host, error);
  if (error) return Invalid("not an address to listen on: " + options.host);
  port_ = options.port;
  for (std::size_t i = 0; i < options.threads; ++i) {
    loops_.push_back(std::make_shared<HttpLoop>(state_));
    AsioAcceptor& acceptor = loops_.back()->acceptor();
    SAFFRON_TRY(Bind(acceptor, {address, port_}, i == 0));
    if (i > 0) continue;
    port_ = acceptor.local_endpoint(error).port();
    if (error) return Unavailable("no local port: " + error.message());
  }
  for (const auto& loop : loops_) {
    loop->acceptor().listen(4096, error);
    if (error) return Unavailable("cannot listen: " + error.message());
  }
  state_->listening = loops_.size();
  for (const auto& loop : loops_) loop->Start();
  return Ok();
}

HttpServer::~HttpServer() {
  for (const auto& loop : loops_) loop->StopAndJoin();
}

HttpCounters HttpServer::counters() const {
  HttpCounters counters;
  counters.connections_open = state_->connections_open.load();
  counters.connections_refused = state_->connections_refused.load();
  counters.requests = state_->requests.load();
  counters.requests_refused = state_->requests_refused.load();
  counters.in_flight = state_->in_flight.load();
  counters.streams_open = state_->streams_open.load();
  counters.bytes_received = state_->bytes_received.load();
  counters.bytes_sent = state_->bytes_sent.load();
  return counters;
}

void HttpServer::StopAccepting() {
  if (state_->stopping.exchange(true)) return;
  for (const auto& loop : loops_) loop->StopListening();
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [this] { return state_->listening == 0; });
}

bool HttpServer::Drain(Duration timeout) {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, timeout, [this] {
    return state_->in_flight.load() == 0 && state_->streams_open.load() == 0;
  });
}

}  // namespace saffron
