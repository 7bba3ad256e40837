// HttpConnection: one client's socket and the request it is at. Part of the server's inside.
//
// Belongs to its loop's thread, but for Send and StartStream. The loop owns it while it is open; a
// Responder keeps it (with a closed socket, if need be) until it has answered. An idle connection
// holds no buffer but the small one its pending read points to.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "net/http_loop.h"
#include "net/http_request_parser.h"

namespace saffron {

// What an HttpStream's holders and its connection share. Locked; no lock is held across I/O.
class HttpStreamState {
 public:
  HttpStreamState(std::shared_ptr<HttpConnection> connection, std::size_t limit_bytes, bool chunked)
      : connection_(std::move(connection)), limit_bytes_(limit_bytes), chunked_(chunked) {}

  // Any thread.
  bool Write(std::string_view text);
  void Close();
  bool closed() const;

  // The loop's thread. Take appends what is queued, framed, and says whether the stream ends here.
  bool Take(std::string& out);
  void Detach();
  void AppendPiece(std::string_view text, std::string& out) const;

 private:
  void SignalAndUnlock(std::unique_lock<std::mutex> lock);

  mutable std::mutex mutex_;
  std::shared_ptr<HttpConnection> connection_;
  std::string pending_;
  const std::size_t limit_bytes_;
  const bool chunked_;
  bool ending_ = false;
  bool signalled_ = false;
};

class HttpConnection final : public ResponseSink,
                             public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(std::shared_ptr<HttpLoop> loop, AsioSocket socket, bool peer_is_loopback);
  ~HttpConnection() override;

  // Any thread; the Responder sees to it that they are called once a request.
  void Send(HttpResponse&& response) override;
  std::shared_ptr<HttpStream> StartStream(HttpResponse&& head) override;

  // The loop's thread from here on.
  void Start(HttpLoop::Place place);
  void Complete(HttpResponse&& response);
  void AttachStream(HttpResponse&& head, std::shared_ptr<HttpStreamState> stream);
  void FlushStream();
  void OnStopping();
  void OnTimeout();
  void Close();
  HttpTimePoint deadline() const { return deadline_; }
  HttpLoop& loop() { return *loop_; }

 private:
  enum class State { kIdle, kHead, kBody, kInFlight, kStreaming, kLastWrite, kLinger, kClosed };

  void StartRead();
  void OnRead(const AsioError& error, std::size_t size);
  void ReadMore();
  void Ingest(std::string_view bytes);
  std::size_t Consume(std::string_view bytes);
  bool ConsumeBuffered();
  void OnPeerFinished();
  bool WantsInput() const;
  void OnHead();
  void ChargeBody();
  void ReleaseBody();
  void Dispatch();
  void Fail(int status, std::string_view message);
  // Status line and headers; `length` is absent for a stream.
  void AppendHead(const HttpResponse& response, std::optional<std::size_t> length);
  void AppendResponse(const HttpResponse& response);
  void FinishAnswer();
  void TakeFromStream();
  void ReleaseAnswers();
  // Does whatever can be done now: parse, write, read on, arm the timeout.
  void Pump();
  void Flush();
  void StartWrite();
  void OnWritten(const AsioError& error, std::size_t size);
  void AllWritten();
  void BeginLinger();
  void ArmTimeout();

  const std::shared_ptr<HttpLoop> loop_;
  AsioSocket socket_;
  HttpLoop::Place place_;
  HttpTimePoint deadline_;
  HttpTimeout timeout_ = HttpTimeout::kNone;
  State state_ = State::kIdle;
  const bool peer_is_loopback_;
  bool reading_ = false;
  bool writing_ = false;
  bool dispatching_ = false;
  bool rearm_ = true;  // a new period begins even if its kind is the same
  bool close_after_answer_ = false;
  bool head_only_ = false;
  bool http11_ = true;
  bool counted_stream_ = false;
  std::uint32_t counted_answers_ = 0;  // of this connection in the server's in_flight
  std::size_t lingered_bytes_ = 0;
  std::size_t charged_bytes_ = 0;
  std::unique_ptr<HttpRequestParser> parser_;
  std::shared_ptr<HttpStreamState> stream_;
  std::string in_;        // received, not yet consumed
  std::string out_;       // to be sent
  std::string sending_;   // being sent by a pending write
  std::size_t sent_ = 0;  // of sending_
  std::array<char, 1024> first_bytes_;
};

}  // namespace saffron
