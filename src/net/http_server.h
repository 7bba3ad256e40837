// HttpServer: HTTP/1.1 (and 1.0) on a listening socket, one io thread a core.
//
// The handler runs on an io thread and must not block: it answers at once, or keeps the Responder
// and answers later from any thread. Each connection has at most one request at its handler;
// pipelined ones wait in the socket and are answered in order. A handler is never re-entered
// from inside Send.
//
// Malformed, oversized, half-sent and excess requests are answered here, as JSON, and never reach
// the handler. Nothing here survives a crash; a client whose answer was lost asks again.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/runtime.h"
#include "net/http.h"

namespace saffron {

// A response body without an end, for server-sent events. Any thread may call it. Dropping the last
// reference closes it.
class HttpStream {
 public:
  virtual ~HttpStream() = default;
  // Queues `text`, whole or not at all. False: the stream is closed, or what is queued and not yet
  // taken by the socket would exceed HttpServerOptions::max_stream_buffer_bytes; the peer is then
  // too slow, and the caller is expected to drop it.
  virtual bool Write(std::string_view text) = 0;
  // Sends what is queued, then ends the response and the connection.
  virtual void Close() = 0;
  // True once Close was called, the peer has gone or the server stops.
  virtual bool closed() const = 0;
};

// Where an answer goes. The server has one implementation; tests of handlers may have another.
class ResponseSink {
 public:
  virtual ~ResponseSink() = default;
  virtual void Send(HttpResponse&& response) = 0;
  virtual std::shared_ptr<HttpStream> StartStream(HttpResponse&& head) = 0;
};

// The right, and the duty, to answer one request: exactly once, from any thread, at any time, even
// after the server is gone. Dropped without an answer it sends 500.
class Responder {
 public:
  explicit Responder(std::shared_ptr<ResponseSink> sink) : sink_(std::move(sink)) {}
  ~Responder();
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&& other) noexcept;

  void Send(HttpResponse response);
  // Sends status, content type and headers of `head` at once; its body is the stream's first piece.
  std::shared_ptr<HttpStream> StartStream(HttpResponse head);

 private:
  std::shared_ptr<ResponseSink> sink_;
};

using HttpHandler = std::function<void(HttpRequest&&, Responder)>;

struct HttpServerOptions {
  std::string host = "127.0.0.1";  // an IP address, or "localhost"
  std::uint16_t port = 0;          // 0: any free port
  std::size_t threads = 0;         // 0: the number of cores, at most two
  std::size_t max_connections = 12'000;
  std::size_t max_in_flight = 10'000;  // requests at handlers; above it 503 with Retry-After
  std::size_t max_header_bytes = 16 * 1024;
  // By the request's head. Called on an io thread; unset: 1 MiB.
  std::function<std::size_t(const HttpRequest& head)> max_body_bytes;
  // Over all connections: bodies being received or at handlers; above it 503 with Retry-After.
  std::size_t max_buffered_body_bytes = 512 * 1024 * 1024;
  std::size_t max_stream_buffer_bytes = 1024 * 1024;
  Duration header_timeout = seconds(10);  // from a request's first byte to the end of its head
  Duration body_timeout = seconds(60);    // from there to the end of its body
  Duration write_timeout = seconds(30);   // without the peer taking any byte
  Duration idle_timeout = seconds(75);    // between requests
};

struct HttpCounters {
  std::uint64_t connections_open = 0;
  std::uint64_t connections_refused = 0;  // above max_connections
  std::uint64_t requests = 0;             // that reached the handler
  std::uint64_t requests_refused = 0;     // answered by the server itself with an error
  std::uint64_t in_flight = 0;  // at a handler, or answered and not yet taken by the socket
  std::uint64_t streams_open = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
};

class HttpLoop;
struct HttpServerState;

// Owned by whoever composes the process. Open, StopAccepting, Drain and the destructor belong to
// one thread; port and counters to any.
class HttpServer {
 public:
  // Listens and serves when it returns. kInvalid: not an address; kUnavailable: the port is taken.
  static Result<std::unique_ptr<HttpServer>> Open(HttpServerOptions options, HttpHandler handler);
  // Breaks what is still open. When it returns, no handler runs and none will.
  ~HttpServer();

  std::uint16_t port() const { return port_; }
  HttpCounters counters() const;

  // Closes the listening sockets, idle connections and streams; other connections close after their
  // current answer. Returns when no new connection can arrive.
  void StopAccepting();
  // After StopAccepting: waits until every request is answered and every stream has ended. False:
  // `timeout` passed first.
  bool Drain(Duration timeout);

 private:
  explicit HttpServer(std::shared_ptr<HttpServerState> state);
  Status Listen();

  std::shared_ptr<HttpServerState> state_;
  std::vector<std::shared_ptr<HttpLoop>> loops_;
  std::uint16_t port_ = 0;
};

}  // namespace saffron
