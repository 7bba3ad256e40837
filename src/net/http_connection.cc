#include "net/http_connection.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <charconv>

namespace saffron {
namespace {

// A peer that pipelines and does not read is not read from either.
constexpr std::size_t kMaxQueuedBytes = 256 * 1024;
// Turns of one connection before the loop looks at the others.
constexpr int kMaxReadsInTurn = 16;
// What is discarded of a refused request, so that its sender sees the answer and no reset.
constexpr std::size_t kMaxLingerBytes = 1024 * 1024;

bool WouldBlock(const AsioError& error) {
  return error == asio::error::would_block || error == asio::error::try_again;
}

void AppendNumber(std::size_t number, std::string& out) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

// A line break in a value would let whoever chose it write headers of its own.
bool IsClean(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

}  // namespace

HttpConnection::HttpConnection(std::shared_ptr<HttpLoop> loop, AsioSocket socket,
                               bool peer_is_loopback)
    : loop_(std::move(loop)), socket_(std::move(socket)), peer_is_loopback_(peer_is_loopback) {}

HttpConnection::~HttpConnection() = default;

void HttpConnection::Start(HttpLoop::Place place) {
  place_ = place;
  Pump();
}

void HttpConnection::Send(HttpResponse&& response) {
  if (loop_->IsCurrent() && dispatching_) return Complete(std::move(response));
  loop_->Push({HttpMessage::Kind::kAnswer, shared_from_this(), std::move(response), nullptr});
}

void HttpConnection::Complete(HttpResponse&& response) {
  if (state_ != State::kInFlight) return;  // closed meanwhile
  AppendResponse(response);
  FinishAnswer();
  if (!dispatching_) Pump();
}

// --- reading ---

void HttpConnection::StartRead() {
  if (reading_ || !WantsInput()) return;
  reading_ = true;
  socket_.async_read_some(asio::buffer(first_bytes_),
                          [self = shared_from_this()](const AsioError& error, std::size_t size) {
                            self->OnRead(error, size);
                          });
}

void HttpConnection::OnRead(const AsioError& error, std::size_t size) {
  reading_ = false;
  if (state_ == State::kClosed) return;
  if (error == asio::error::eof) {
    OnPeerFinished();
  } else if (error) {
    return Close();
  } else {
    Ingest({first_bytes_.data(), size});
    if (size == first_bytes_.size()) ReadMore();
  }
  Pump();
}

void HttpConnection::ReadMore() {
  auto& scratch = loop_->scratch();
  for (int turn = 0; turn < kMaxReadsInTurn && WantsInput(); ++turn) {
    AsioError error;
    const std::size_t size = socket_.read_some(asio::buffer(scratch), error);
    if (WouldBlock(error)) return;
    if (error == asio::error::eof) return OnPeerFinished();
    if (error) return Close();
    Ingest({scratch.data(), size});
    if (size < scratch.size()) return;
  }
}

void HttpConnection::OnPeerFinished() {
  // It may have closed its sending half only, and still wait for answers already made.
  const bool owes_bytes = writing_ || !out_.empty();
  if (state_ == State::kInFlight) {
    close_after_answer_ = true;
  } else if (state_ == State::kStreaming || state_ == State::kLinger || !owes_bytes) {
    Close();
  } else {
    state_ = State::kLastWrite;
  }
}

bool HttpConnection::WantsInput() const {
  switch (state_) {
    case State::kIdle:
    case State::kHead:
    case State::kBody: return out_.size() < kMaxQueuedBytes;
    case State::kStreaming:  // to see the peer go
    case State::kLinger: return true;
    case State::kInFlight:
    case State::kLastWrite:
    case State::kClosed: return false;
  }
  return false;
}

void HttpConnection::Ingest(std::string_view bytes) {
  loop_->state().bytes_received.fetch_add(bytes.size(), std::memory_order_relaxed);
  if (!in_.empty()) {
    in_.append(bytes);
    ConsumeBuffered();
    return;
  }
  const std::size_t used = Consume(bytes);
  if (used == bytes.size() || state_ == State::kLastWrite || state_ == State::kClosed) return;
  in_ = loop_->TakeBuffer();
  in_.assign(bytes.substr(used));
}

bool HttpConnection::ConsumeBuffered() {
  if (in_.empty()) return false;
  const std::size_t used = Consume(in_);
  in_.erase(0, used);
  const bool no_more = state_ == State::kLastWrite || state_ == State::kClosed;
  if (in_.empty() || no_more) loop_->GiveBuffer(std::move(in_));
  return used > 0;
}

std::size_t HttpConnection::Consume(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && WantsInput()) {
    if (state_ == State::kStreaming || state_ == State::kLinger) {
      lingered_bytes_ += bytes.size();
      if (lingered_bytes_ > kMaxLingerBytes) Close();
      return bytes.size();
    }
    if (state_ == State::kIdle) {
      if (bytes[used] == '\r' || bytes[used] == '\n') {  // RFC 9112, 2.2
        ++used;
        continue;
      }
      parser_ = std::make_unique<HttpRequestParser>(loop_->state().options.max_header_bytes);
      state_ = State::kHead;
      rearm_ = true;
    }
    const std::size_t fed = parser_->Feed(bytes.substr(used));
    used += fed;
    if (state_ == State::kHead && !parser_->problem() && parser_->is_header_done()) OnHead();
    if (parser_ && !parser_->problem() && state_ == State::kBody) ChargeBody();
    if (!parser_) break;  // refused
    if (const auto problem = parser_->problem()) {
      Fail(problem->status, problem->message);
    } else if (parser_->is_header_done() && parser_->is_done()) {
      Dispatch();
    } else if (fed == 0) {
      break;  // more bytes are needed
    }
  }
  return used;
}

void HttpConnection::OnHead() {
  parser_->CheckHead();
  if (parser_->problem()) return;
  parser_->LimitBody(loop_->state().options.max_body_bytes(parser_->request()));
  if (parser_->problem()) return;
  state_ = State::kBody;
  rearm_ = true;
  if (parser_->wants_continue() && !parser_->is_done())
    out_.append("HTTP/1.1 100 Continue\r\n\r\n");
}

void HttpConnection::ChargeBody() {
  const std::size_t size = parser_->request().body.size();
  if (size == charged_bytes_) return;
  HttpServerState& server = loop_->state();
  const std::size_t more = size - charged_bytes_;
  charged_bytes_ = size;
  const std::size_t before = server.buffered_body_bytes.fetch_add(more, std::memory_order_relaxed);
  if (before + more > server.options.max_buffered_body_bytes) {
    Fail(503, "too many request bytes in memory");
  }
}

void HttpConnection::ReleaseBody() {
  loop_->state().buffered_body_bytes.fetch_sub(charged_bytes_, std::memory_order_relaxed);
  charged_bytes_ = 0;
}

// --- answering ---

void HttpConnection::Dispatch() {
  HttpServerState& server = loop_->state();
  HttpRequest request = std::move(parser_->request());
  request.peer_is_loopback = peer_is_loopback_;
  head_only_ = request.method == "HEAD";
  http11_ = parser_->is_http11();
  close_after_answer_ = !parser_->keep_alive();
  parser_.reset();
  state_ = State::kInFlight;
  rearm_ = true;
  ++counted_answers_;
  if (server.in_flight.fetch_add(1) >= server.options.max_in_flight) {
    server.requests_refused.fetch_add(1, std::memory_order_relaxed);
    HttpResponse refusal = ErrorResponse(503, "too many requests at once");
    refusal.headers.Add("Retry-After", "1");
    AppendResponse(refusal);
    return FinishAnswer();
  }
  server.requests.fetch_add(1, std::memory_order_relaxed);
  dispatching_ = true;
  try {
    server.handler(std::move(request), Responder(shared_from_this()));
  } catch (...) {
    // The handler's Responder, dropped on the way here, has answered 500.
  }
  dispatching_ = false;
}

void HttpConnection::Fail(int status, std::string_view message) {
  loop_->state().requests_refused.fetch_add(1, std::memory_order_relaxed);
  head_only_ = parser_ && parser_->request().method == "HEAD";
  parser_.reset();
  close_after_answer_ = true;
  HttpResponse response = ErrorResponse(status, message);
  if (status == 503) response.headers.Add("Retry-After", "1");
  AppendResponse(response);
  FinishAnswer();
}

void HttpConnection::AppendHead(const HttpResponse& response, std::optional<std::size_t> length) {
  if (out_.empty() && out_.capacity() < 256) out_ = loop_->TakeBuffer();
  out_.append("HTTP/1.1 ");
  AppendNumber(static_cast<std::size_t>(response.status), out_);
  out_.append(" ").append(ReasonPhrase(response.status)).append("\r\nDate: ").append(loop_->Date());
  const bool bodiless = response.status == 204 || response.status == 304;
  if (!bodiless && IsClean(response.content_type) && !response.content_type.empty()) {
    out_.append("\r\nContent-Type: ").append(response.content_type);
  }
  if (!length) {
    if (http11_) out_.append("\r\nTransfer-Encoding: chunked");
  } else if (!bodiless) {
    out_.append("\r\nContent-Length: ");
    AppendNumber(*length, out_);
  }
  if (close_after_answer_) {
    out_.append("\r\nConnection: close");
  } else if (!http11_) {
    out_.append("\r\nConnection: keep-alive");
  }
  for (std::size_t i = 0; i < response.headers.size(); ++i) {
    const auto [name, value] = response.headers.At(i);
    if (!IsClean(name) || !IsClean(value)) continue;
    out_.append("\r\n").append(name).append(": ").append(value);
  }
  out_.append("\r\n\r\n");
}

void HttpConnection::AppendResponse(const HttpResponse& response) {
  if (loop_->state().stopping.load(std::memory_order_relaxed)) close_after_answer_ = true;
  AppendHead(response, response.body.size());
  const bool bodiless = head_only_ || response.status == 204 || response.status == 304;
  if (!bodiless) out_.append(response.body);
}

void HttpConnection::FinishAnswer() {
  ReleaseBody();
  head_only_ = false;
  rearm_ = true;
  state_ = close_after_answer_ ? State::kLastWrite : State::kIdle;
}

// --- writing ---

void HttpConnection::Pump() {
  for (bool more = true; more && state_ != State::kClosed;) {
    more = ConsumeBuffered();
    TakeFromStream();
    Flush();
  }
  if (state_ == State::kClosed) return;
  StartRead();
  ArmTimeout();
}

void HttpConnection::Flush() {
  if (writing_ || state_ == State::kClosed) return;
  if (!out_.empty()) {
    AsioError error;
    const std::size_t size = socket_.write_some(asio::buffer(out_), error);
    if (error && !WouldBlock(error)) return Close();
    loop_->state().bytes_sent.fetch_add(size, std::memory_order_relaxed);
    if (size < out_.size()) {
      sending_.swap(out_);
      sent_ = size;
      return StartWrite();
    }
    loop_->GiveBuffer(std::move(out_));
  }
  AllWritten();
}

void HttpConnection::StartWrite() {
  writing_ = true;
  rearm_ = true;
  socket_.async_write_some(asio::buffer(sending_) + sent_,
                           [self = shared_from_this()](const AsioError& error, std::size_t size) {
                             self->OnWritten(error, size);
                           });
}

void HttpConnection::OnWritten(const AsioError& error, std::size_t size) {
  writing_ = false;
  if (state_ == State::kClosed) return;
  if (error) return Close();
  loop_->state().bytes_sent.fetch_add(size, std::memory_order_relaxed);
  sent_ += size;
  rearm_ = true;
  if (sent_ < sending_.size()) {
    StartWrite();
    return ArmTimeout();
  }
  loop_->GiveBuffer(std::move(sending_));
  Pump();
}

void HttpConnection::AllWritten() {
  ReleaseAnswers();
  if (state_ == State::kLastWrite) BeginLinger();
}

void HttpConnection::ReleaseAnswers() {
  HttpServerState& server = loop_->state();
  const std::uint32_t pending = state_ == State::kInFlight ? 1 : 0;
  if (counted_answers_ > pending) {
    const std::uint32_t done = counted_answers_ - pending;
    counted_answers_ = pending;
    if (server.in_flight.fetch_sub(done) == done) server.WakeDrain();
  }
  if (counted_stream_ && state_ != State::kStreaming) {
    counted_stream_ = false;
    if (server.streams_open.fetch_sub(1) == 1) server.WakeDrain();
  }
}

// --- ending ---

void HttpConnection::BeginLinger() {
  AsioError error;
  socket_.shutdown(AsioSocket::shutdown_send, error);
  if (error) return Close();
  state_ = State::kLinger;
  rearm_ = true;
  loop_->GiveBuffer(std::move(in_));
}

void HttpConnection::ArmTimeout() {
  HttpTimeout kind = HttpTimeout::kNone;
  if (writing_) {
    kind = HttpTimeout::kWrite;
  } else if (state_ == State::kIdle) {
    kind = HttpTimeout::kIdle;
  } else if (state_ == State::kHead) {
    kind = HttpTimeout::kHeader;
  } else if (state_ == State::kBody) {
    kind = HttpTimeout::kBody;
  } else if (state_ == State::kLinger) {
    kind = HttpTimeout::kLinger;
  }
  if (kind == timeout_ && !rearm_) return;
  rearm_ = false;
  loop_->Arm(place_, timeout_, kind, deadline_);
  timeout_ = kind;
}

void HttpConnection::OnTimeout() {
  const bool half_sent = timeout_ == HttpTimeout::kHeader || timeout_ == HttpTimeout::kBody;
  if (!half_sent) return Close();
  Fail(408, "the request did not arrive in time");
  Pump();
}

void HttpConnection::OnStopping() {
  if (state_ == State::kStreaming) stream_->Close();
  // A request that is already in the socket is still answered.
  if (state_ == State::kIdle) ReadMore();
  if (state_ == State::kIdle) state_ = State::kLastWrite;
  if (state_ != State::kClosed) Pump();
}

void HttpConnection::Close() {
  if (state_ == State::kClosed) return;
  const auto self = shared_from_this();
  state_ = State::kClosed;
  AsioError ignored;
  socket_.close(ignored);
  ReleaseBody();
  ReleaseAnswers();
  if (stream_) stream_->Detach();
  stream_.reset();
  parser_.reset();
  loop_->Remove(place_, timeout_);
  loop_->state().connections_open.fetch_sub(1);
}

}  // namespace saffron
