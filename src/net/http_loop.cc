#include "net/http_loop.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <ctime>

#include "net/http_connection.h"

namespace saffron {
namespace {

constexpr std::size_t kMaxSpareBuffers = 32;
constexpr std::size_t kMaxSpareBufferBytes = 256 * 1024;
constexpr Duration kLingerTimeout = seconds(2);

}  // namespace

void HttpServerState::WakeDrain() {
  if (!stopping.load()) return;
  const std::lock_guard lock(mutex);
  changed.notify_all();
}

HttpLoop::HttpLoop(std::shared_ptr<HttpServerState> state)
    : state_(std::move(state)),
      work_(io_.get_executor()),
      acceptor_(io_),
      tick_(io_),
      accept_pause_(io_) {
  const HttpServerOptions& options = state_->options;
  const Duration shortest = std::min({options.header_timeout, options.body_timeout,
                                      options.write_timeout, options.idle_timeout, kLingerTimeout});
  tick_length_ = std::clamp<Duration>(shortest / 4, milliseconds(5), seconds(1));
}

void HttpLoop::Start() {
  Accept();
  Tick();
  thread_ = std::thread([this] { io_.run(); });
}

void HttpLoop::StopListening() {
  asio::post(io_, [this] {
    DrainListenQueue();
    AsioError ignored;
    acceptor_.close(ignored);
    accept_pause_.cancel();
    for (const auto& connection : Snapshot()) connection->OnStopping();
    const std::lock_guard lock(state_->mutex);
    --state_->listening;
    state_->changed.notify_all();
  });
}

void HttpLoop::StopAndJoin() {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] { Shutdown(); });
  thread_.join();
}

void HttpLoop::Shutdown() {
  std::vector<HttpMessage> dropped;
  {
    const std::lock_guard lock(inbox_mutex_);
    inbox_closed_ = true;
    dropped.swap(inbox_);
  }
  ended_ = true;
  AsioError ignored;
  acceptor_.close(ignored);
  accept_pause_.cancel();
  tick_.cancel();
  for (const auto& connection : Snapshot()) connection->Close();
  work_.reset();
}

bool HttpLoop::Push(HttpMessage&& message) {
  const std::lock_guard lock(inbox_mutex_);
  if (inbox_closed_) return false;
  inbox_.push_back(std::move(message));
  // Under the lock, so that Shutdown, and with it the end of the loop, comes before or after.
  if (!inbox_signalled_) asio::post(io_, [this] { Deliver(); });
  inbox_signalled_ = true;
  return true;
}

void HttpLoop::Deliver() {
  {
    const std::lock_guard lock(inbox_mutex_);
    delivering_.swap(inbox_);
    inbox_signalled_ = false;
  }
  for (HttpMessage& message : delivering_) {
    switch (message.kind) {
      case HttpMessage::Kind::kAnswer:
        message.connection->Complete(std::move(message.response));
        break;
      case HttpMessage::Kind::kStartStream:
        message.connection->AttachStream(std::move(message.response), std::move(message.stream));
        break;
      case HttpMessage::Kind::kFlushStream: message.connection->FlushStream(); break;
    }
  }
  delivering_.clear();
}

void HttpLoop::Accept() {
  acceptor_.async_accept([this](const AsioError& error, AsioSocket socket) {
    if (ended_) return;
    if (!error) Admit(std::move(socket));
    if (!acceptor_.is_open()) return;
    if (!error) return Accept();
    if (error == asio::error::connection_aborted) return Accept();
    // Out of descriptors or memory: trying again at once would only spin.
    accept_pause_.expires_after(milliseconds(100));
    accept_pause_.async_wait([this](const AsioError& cancelled) {
      if (!cancelled && acceptor_.is_open()) Accept();
    });
  });
}

void HttpLoop::DrainListenQueue() {
  // The kernel has completed these handshakes: a close would reset them.
  AsioError error;
  acceptor_.non_blocking(true, error);
  while (!error) {
    AsioSocket socket(io_);
    acceptor_.accept(socket, error);
    if (!error) Admit(std::move(socket));
  }
}

void HttpLoop::Admit(AsioSocket socket) {
  AsioError error;
  const auto peer = socket.remote_endpoint(error);
  if (error) return;
  socket.non_blocking(true, error);
  socket.set_option(asio::ip::tcp::no_delay(true), error);
  if (state_->connections_open.fetch_add(1) >= state_->options.max_connections) {
    state_->connections_open.fetch_sub(1);
    state_->connections_refused.fetch_add(1, std::memory_order_relaxed);
    static constexpr std::string_view kRefusal =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
        "Retry-After: 1\r\nConnection: close\r\nContent-Length: 51\r\n\r\n"
        R"({"status":"error","message":"too many connections"})";
    socket.write_some(asio::buffer(kRefusal), error);
    socket.shutdown(AsioSocket::shutdown_send, error);
    return;
  }
  auto address = peer.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  auto connection = std::make_shared<HttpConnection>(shared_from_this(), std::move(socket),
                                                     address.is_loopback());
  auto& list = connections_[Index(HttpTimeout::kNone)];
  list.push_back(connection);
  connection->Start(std::prev(list.end()));
}

Duration HttpLoop::LengthOf(HttpTimeout kind) const {
  switch (kind) {
    case HttpTimeout::kNone: return Duration::max();
    case HttpTimeout::kIdle: return state_->options.idle_timeout;
    case HttpTimeout::kHeader: return state_->options.header_timeout;
    case HttpTimeout::kBody: return state_->options.body_timeout;
    case HttpTimeout::kWrite: return state_->options.write_timeout;
    case HttpTimeout::kLinger: return kLingerTimeout;
  }
  return Duration::max();
}

void HttpLoop::Arm(Place place, HttpTimeout from, HttpTimeout to, HttpTimePoint& deadline) {
  auto& list = connections_[Index(to)];
  list.splice(list.end(), connections_[Index(from)], place);
  deadline = to == HttpTimeout::kNone ? HttpTimePoint::max()
                                      : std::chrono::steady_clock::now() + LengthOf(to);
}

void HttpLoop::Tick() {
  const auto now = std::chrono::steady_clock::now();
  for (std::size_t kind = Index(HttpTimeout::kIdle); kind < kHttpTimeouts; ++kind) {
    auto& list = connections_[kind];
    while (!list.empty() && list.front()->deadline() <= now) {
      const std::shared_ptr<HttpConnection> connection = list.front();
      connection->OnTimeout();  // leaves the list, or gets a later deadline
    }
  }
  tick_.expires_after(tick_length_);
  tick_.async_wait([this](const AsioError& cancelled) {
    // Shutdown cannot cancel a timer that has fired and waits for its turn.
    if (!cancelled && !ended_) Tick();
  });
}

std::vector<std::shared_ptr<HttpConnection>> HttpLoop::Snapshot() const {
  std::vector<std::shared_ptr<HttpConnection>> all;
  for (const auto& list : connections_) all.insert(all.end(), list.begin(), list.end());
  return all;
}

std::string HttpLoop::TakeBuffer() {
  if (spare_buffers_.empty()) return {};
  std::string buffer = std::move(spare_buffers_.back());
  spare_buffers_.pop_back();
  return buffer;
}

void HttpLoop::GiveBuffer(std::string&& buffer) {
  std::string taken = std::move(buffer);
  buffer = {};
  if (taken.capacity() > kMaxSpareBufferBytes || spare_buffers_.size() >= kMaxSpareBuffers) return;
  taken.clear();
  spare_buffers_.push_back(std::move(taken));
}

std::string_view HttpLoop::Date() {
  const std::time_t now = std::time(nullptr);
  if (now != date_second_) {
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[40];
    // Names of days and months in the C locale, which nothing in this process changes.
    date_.assign(text, std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts));
    date_second_ = now;
  }
  return date_;
}

}  // namespace saffron
