// HttpLoop: one io thread of the server with its listener, connections and timers. Part of the
// server's inside.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/http_server.h"

namespace saffron {

namespace asio = boost::asio;

using AsioExecutor = asio::io_context::executor_type;
using AsioSocket = asio::basic_stream_socket<asio::ip::tcp, AsioExecutor>;
using AsioAcceptor = asio::basic_socket_acceptor<asio::ip::tcp, AsioExecutor>;
using AsioTimer =
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>, AsioExecutor>;
using AsioError = boost::system::error_code;

// What the loops of one server share. Outlives the server as long as a Responder does.
struct HttpServerState {
  HttpServerOptions options;
  HttpHandler handler;
  std::atomic<bool> stopping{false};
  std::atomic<std::uint64_t> connections_open{0};
  std::atomic<std::uint64_t> connections_refused{0};
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> requests_refused{0};
  std::atomic<std::uint64_t> in_flight{0};
  std::atomic<std::uint64_t> streams_open{0};
  std::atomic<std::uint64_t> bytes_received{0};
  std::atomic<std::uint64_t> bytes_sent{0};
  std::atomic<std::uint64_t> buffered_body_bytes{0};

  // Guards nothing: a wait for the atomics above, and for the loops having stopped listening.
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t listening = 0;  // under the mutex

  void WakeDrain();
};

class HttpConnection;
class HttpStreamState;

// What another thread has for a connection.
struct HttpMessage {
  enum class Kind { kAnswer, kStartStream, kFlushStream };
  Kind kind;
  std::shared_ptr<HttpConnection> connection;
  HttpResponse response;
  std::shared_ptr<HttpStreamState> stream;
};

// Which limit a connection runs against; each kind has one duration, so its list is in order.
enum class HttpTimeout { kNone, kIdle, kHeader, kBody, kWrite, kLinger };
inline constexpr std::size_t kHttpTimeouts = 6;

using HttpTimePoint = std::chrono::steady_clock::time_point;

// All methods but Start, Stop*, Push and IsCurrent belong to the loop's own thread.
class HttpLoop : public std::enable_shared_from_this<HttpLoop> {
 public:
  explicit HttpLoop(std::shared_ptr<HttpServerState> state);

  asio::io_context& io() { return io_; }
  AsioAcceptor& acceptor() { return acceptor_; }
  HttpServerState& state() { return *state_; }

  void Start();
  // Any thread: asks; the loop does.
  void StopListening();
  void StopAndJoin();
  // Any thread. Many messages cost one wake-up. False: the loop has ended, the message is dropped.
  bool Push(HttpMessage&& message);
  bool IsCurrent() const { return executor_.running_in_this_thread(); }

  // A connection's place in the timeout lists, which also own it.
  using Place = std::list<std::shared_ptr<HttpConnection>>::iterator;
  void Arm(Place place, HttpTimeout from, HttpTimeout to, HttpTimePoint& deadline);
  void Remove(Place place, HttpTimeout kind) { connections_[Index(kind)].erase(place); }

  // Buffers wander between the connections that need one just now.
  std::string TakeBuffer();
  void GiveBuffer(std::string&& buffer);
  std::array<char, 64 * 1024>& scratch() { return scratch_; }
  // "Mon, 23 Nov 2026 07:01:02 GMT"
  std::string_view Date();

 private:
  static std::size_t Index(HttpTimeout kind) { return static_cast<std::size_t>(kind); }
  Duration LengthOf(HttpTimeout kind) const;
  void Accept();
  void Admit(AsioSocket socket);
  void DrainListenQueue();
  void Tick();
  void Deliver();
  void Shutdown();
  std::vector<std::shared_ptr<HttpConnection>> Snapshot() const;

  const std::shared_ptr<HttpServerState> state_;
  asio::io_context io_{1};
  AsioExecutor executor_{io_.get_executor()};
  asio::executor_work_guard<AsioExecutor> work_;
  AsioAcceptor acceptor_;
  AsioTimer tick_;
  AsioTimer accept_pause_;
  Duration tick_length_;
  bool ended_ = false;  // nothing new begins
  std::array<std::list<std::shared_ptr<HttpConnection>>, kHttpTimeouts> connections_;
  std::vector<std::string> spare_buffers_;
  std::array<char, 64 * 1024> scratch_;
  std::string date_;
  std::time_t date_second_ = 0;
  std::vector<HttpMessage> delivering_;

  std::mutex inbox_mutex_;
  std::vector<HttpMessage> inbox_;
  bool inbox_signalled_ = false;
  bool inbox_closed_ = false;

  std::thread thread_;
};

}  // namespace saffron
