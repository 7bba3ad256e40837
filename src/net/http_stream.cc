// The two ends of a response without an end: what its writers hold, and what its connection takes.
#include <charconv>

#include "net/http_connection.h"

namespace saffron {
namespace {

// What the handler holds: dropping it closes the stream.
class StreamHandle final : public HttpStream {
 public:
  explicit StreamHandle(std::shared_ptr<HttpStreamState> state) : state_(std::move(state)) {}
  ~StreamHandle() override { state_->Close(); }
  StreamHandle(const StreamHandle&) = delete;
  StreamHandle& operator=(const StreamHandle&) = delete;

  bool Write(std::string_view text) override { return state_->Write(text); }
  void Close() override { state_->Close(); }
  bool closed() const override { return state_->closed(); }

 private:
  const std::shared_ptr<HttpStreamState> state_;
};

}  // namespace

void HttpStreamState::AppendPiece(std::string_view text, std::string& out) const {
  if (!chunked_) {
    out.append(text);
    return;
  }
  char size[16];
  const auto end = std::to_chars(size, size + sizeof(size), text.size(), 16).ptr;
  out.append(size, static_cast<std::size_t>(end - size)).append("\r\n").append(text).append("\r\n");
}

bool HttpStreamState::Write(std::string_view text) {
  constexpr std::size_t kFramingBytes = 20;
  std::unique_lock lock(mutex_);
  if (!connection_ || ending_) return false;
  if (text.empty()) return true;  // an empty chunk would end the response
  if (pending_.size() + text.size() + kFramingBytes > limit_bytes_) return false;
  AppendPiece(text, pending_);
  SignalAndUnlock(std::move(lock));
  return true;
}

void HttpStreamState::Close() {
  std::unique_lock lock(mutex_);
  if (!connection_ || ending_) return;
  ending_ = true;
  SignalAndUnlock(std::move(lock));
}

bool HttpStreamState::closed() const {
  const std::lock_guard lock(mutex_);
  return !connection_ || ending_;
}

void HttpStreamState::SignalAndUnlock(std::unique_lock<std::mutex> lock) {
  if (signalled_) return;  // the loop has not come for the earlier pieces yet
  signalled_ = true;
  std::shared_ptr<HttpConnection> connection = connection_;
  lock.unlock();
  HttpLoop& loop = connection->loop();
  loop.Push({HttpMessage::Kind::kFlushStream, std::move(connection), {}, nullptr});
}

bool HttpStreamState::Take(std::string& out) {
  const std::lock_guard lock(mutex_);
  signalled_ = false;
  out.append(pending_);
  pending_.clear();
  if (ending_ && chunked_) out.append("0\r\n\r\n");
  return ending_;
}

void HttpStreamState::Detach() {
  std::shared_ptr<HttpConnection> connection;  // may be the last reference: not under the lock
  const std::lock_guard lock(mutex_);
  connection.swap(connection_);
  pending_ = {};
}

std::shared_ptr<HttpStream> HttpConnection::StartStream(HttpResponse&& head) {
  auto stream = std::make_shared<HttpStreamState>(
      shared_from_this(), loop_->state().options.max_stream_buffer_bytes, http11_);
  auto handle = std::make_shared<StreamHandle>(stream);
  if (loop_->IsCurrent() && dispatching_) {
    AttachStream(std::move(head), std::move(stream));
  } else if (!loop_->Push(
                 {HttpMessage::Kind::kStartStream, shared_from_this(), std::move(head), stream})) {
    stream->Detach();
  }
  return handle;
}

void HttpConnection::AttachStream(HttpResponse&& head, std::shared_ptr<HttpStreamState> stream) {
  if (state_ != State::kInFlight) {
    stream->Detach();
    return;
  }
  close_after_answer_ = true;
  AppendHead(head, std::nullopt);
  if (head_only_) {
    stream->Detach();
    FinishAnswer();
  } else {
    if (!head.body.empty()) stream->AppendPiece(head.body, out_);
    ReleaseBody();
    state_ = State::kStreaming;
    rearm_ = true;
    stream_ = std::move(stream);
    counted_stream_ = true;
    loop_->state().streams_open.fetch_add(1);
    if (loop_->state().stopping.load()) stream_->Close();
  }
  if (!dispatching_) Pump();
}

void HttpConnection::FlushStream() {
  if (state_ == State::kStreaming) Pump();
}

void HttpConnection::TakeFromStream() {
  // Only into an empty buffer: what a slow peer leaves must count against the stream's bound.
  if (state_ != State::kStreaming || writing_ || !out_.empty()) return;
  if (!stream_->Take(out_)) return;
  stream_->Detach();
  stream_.reset();
  state_ = State::kLastWrite;
}

}  // namespace saffron
