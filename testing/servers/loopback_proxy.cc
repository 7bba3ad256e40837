#include "testing/servers/loopback_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <strings.h>
#include <algorithm>
#include <charconv>

namespace saffron {
namespace {

constexpr auto kTick = milliseconds(10);

sockaddr_in AddressOf(std::uint32_t address, std::uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_addr.s_addr = address;
  result.sin_port = htons(port);
  return result;
}

bool SendAll(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool StartsWithName(std::string_view line, const std::string& name) {
  return line.size() > name.size() && line[name.size()] == ':' &&
         ::strncasecmp(line.data(), name.c_str(), name.size()) == 0;
}

}  // namespace

struct LoopbackProxy::Connection {
  Connection(int client_fd, int server_fd) : client(client_fd), server(server_fd) {}
  ~Connection() {
    Break();
    if (up.joinable()) up.join();
    if (down.joinable()) down.join();
    ::close(client);
    ::close(server);
  }
  void Break() {
    ::shutdown(client, SHUT_RDWR);
    ::shutdown(server, SHUT_RDWR);
  }

  const int client, server;
  std::thread up, down;
  std::atomic<int> pumps{2};
};

// Cuts what a client sends into heads and bodies.
class LoopbackProxy::HttpRequests {
 public:
  struct Piece {
    std::string bytes;
    bool is_head = false;
    bool ends_request = false;
  };

  // What can be passed on of all that was fed, piece by piece; empty: more is needed.
  Piece Next() {
    Piece piece;
    if (body_left_ > 0) {
      piece.bytes = buffer_.substr(0, body_left_);
      body_left_ -= piece.bytes.size();
      piece.ends_request = body_left_ == 0;
    } else if (const std::size_t end = buffer_.find("\r\n\r\n"); end != std::string::npos) {
      piece.bytes = buffer_.substr(0, end + 4);
      piece.is_head = true;
      body_left_ = ContentLength(piece.bytes);
      piece.ends_request = body_left_ == 0;
    }
    buffer_.erase(0, piece.bytes.size());
    return piece;
  }
  void Feed(std::string_view bytes) { buffer_.append(bytes); }

 private:
  static std::size_t ContentLength(std::string_view head) {
    std::size_t length = 0;
    while (!head.empty()) {
      const std::string_view line = head.substr(0, head.find("\r\n"));
      if (StartsWithName(line, "content-length")) {
        const std::size_t digits = std::min(line.find_first_of("0123456789"), line.size());
        std::from_chars(line.data() + digits, line.data() + line.size(), length);
      }
      head.remove_prefix(line.size() + 2);
    }
    return length;
  }

  std::string buffer_;
  std::size_t body_left_ = 0;
};

LoopbackProxy::LoopbackProxy(std::uint32_t target_address, std::uint16_t target_port,
                             Protocol protocol)
    : target_address_(target_address), target_port_(target_port), protocol_(protocol) {}

Result<std::unique_ptr<LoopbackProxy>> LoopbackProxy::Start(const std::string& target,
                                                            Protocol protocol) {
  const std::size_t colon = std::min(target.rfind(':'), target.size());
  in_addr address{};
  int port = 0;
  std::from_chars(target.data() + std::min(colon + 1, target.size()), target.data() + target.size(),
                  port);
  if (::inet_pton(AF_INET, target.substr(0, colon).c_str(), &address) != 1 || port <= 0 ||
      port > 65535) {
    return Invalid("not an IPv4 address and port: " + target);
  }
  std::unique_ptr<LoopbackProxy> proxy(
      new LoopbackProxy(address.s_addr, static_cast<std::uint16_t>(port), protocol));
  SAFFRON_TRY(proxy->Listen());
  proxy->acceptor_ = std::thread([&self = *proxy] { self.AcceptLoop(); });
  return proxy;
}

LoopbackProxy::~LoopbackProxy() {
  stopping_ = true;
  if (acceptor_.joinable()) acceptor_.join();
  Refuse();
  open_.clear();
}

std::string LoopbackProxy::address() const { return "127.0.0.1:" + std::to_string(port_); }

Status LoopbackProxy::Listen() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in local = AddressOf(htonl(INADDR_LOOPBACK), port_);
  socklen_t size = sizeof local;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&local), size) != 0 || ::listen(fd, 128) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) != 0) {
    ::close(fd);
    return Unavailable("the proxy cannot listen");
  }
  std::lock_guard lock(mutex_);
  listener_ = fd;
  port_ = ntohs(local.sin_port);
  return Ok();
}

void LoopbackProxy::Refuse() {
  std::lock_guard lock(mutex_);
  if (listener_ >= 0) ::close(listener_);
  listener_ = -1;
  for (auto& connection : open_) connection->Break();
}

void LoopbackProxy::Accept() {
  {
    std::lock_guard lock(mutex_);
    if (listener_ >= 0) return;
  }
  SAFFRON_ASSERT(Listen().ok());
}

void LoopbackProxy::BreakConnections() {
  std::lock_guard lock(mutex_);
  for (auto& connection : open_) connection->Break();
}

void LoopbackProxy::AcceptLoop() {
  while (!stopping_) {
    int client = -1;
    {
      // Held over poll and accept, so that Refuse closes nothing that is in use.
      std::lock_guard lock(mutex_);
      open_.remove_if([](const auto& connection) { return connection->pumps == 0; });
      pollfd wanted{listener_, POLLIN, 0};
      if (listener_ >= 0 && ::poll(&wanted, 1, 0) > 0) {
        client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      }
    }
    if (client >= 0) {
      Relay(client);
    } else {
      std::this_thread::sleep_for(milliseconds(1));
    }
  }
}

void LoopbackProxy::Relay(int client) {
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  for (const int fd : {client, server}) {
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  const sockaddr_in to = AddressOf(target_address_, target_port_);
  auto connection = std::make_unique<Connection>(client, server);
  if (::connect(server, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return;
  ++connections_made_;
  connection->up = std::thread([this, &c = *connection] { PumpRequests(c); });
  connection->down = std::thread([this, &c = *connection] { PumpAnswers(c); });
  std::lock_guard lock(mutex_);
  if (listener_ < 0) connection->Break();  // Refuse came between
  open_.push_back(std::move(connection));
}

void LoopbackProxy::PumpRequests(Connection& connection) {
  char buffer[64 * 1024];
  HttpRequests requests;
  std::string own_answer;
  for (ssize_t got; (got = ::recv(connection.client, buffer, sizeof buffer, 0)) > 0;) {
    const std::string_view bytes(buffer, static_cast<std::size_t>(got));
    if (protocol_ == Protocol::kBytes) {
      if (!Pass(connection.server, bytes)) break;
      continue;
    }
    requests.Feed(bytes);
    bool passed = true;
    for (auto piece = requests.Next(); passed && !piece.bytes.empty(); piece = requests.Next()) {
      if (piece.is_head) {
        ++requests_;
        own_answer = TakeAnswer();
        Apply(edit_requests_, piece.bytes);
      }
      if (own_answer.empty()) {
        passed = Pass(connection.server, piece.bytes);
      } else if (piece.ends_request) {
        passed = Pass(connection.client, own_answer);
      }
    }
    if (!passed) break;
  }
  ::shutdown(connection.server, SHUT_WR);
  --connection.pumps;
}

void LoopbackProxy::PumpAnswers(Connection& connection) {
  std::string bytes(64 * 1024, '\0');
  for (ssize_t got; (got = ::recv(connection.server, bytes.data(), bytes.size(), 0)) > 0;) {
    int cuts = cuts_;
    while (cuts > 0 && !cuts_.compare_exchange_weak(cuts, cuts - 1)) {
    }
    if (cuts > 0) {
      connection.Break();
      break;
    }
    std::string answer = bytes.substr(0, static_cast<std::size_t>(got));
    Apply(edit_answers_, answer);
    Pause(Duration(delay_ns_));
    if (!Pass(connection.client, answer)) break;
  }
  ::shutdown(connection.client, SHUT_WR);
  --connection.pumps;
}

bool LoopbackProxy::Pass(int to, std::string_view bytes) {
  while (held_ && !stopping_) std::this_thread::sleep_for(kTick);
  while (!bytes.empty()) {
    const std::size_t rate = bytes_per_second_;
    // A tick's worth at a time.
    const std::size_t size =
        rate == 0 ? bytes.size() : std::min(bytes.size(), std::max<std::size_t>(1, rate / 100));
    if (stopping_ || !SendAll(to, bytes.substr(0, size))) return false;
    bytes.remove_prefix(size);
    if (rate > 0) Pause(Duration(seconds(1)) * size / rate);
  }
  return true;
}

void LoopbackProxy::Pause(Duration duration) {
  while (duration > Duration::zero() && !stopping_) {
    const Duration step = std::min<Duration>(duration, kTick);
    std::this_thread::sleep_for(step);
    duration -= step;
  }
}

void LoopbackProxy::EditAnswers(Edit edit) {
  std::lock_guard lock(mutex_);
  edit_answers_ = std::move(edit);
}

void LoopbackProxy::EditRequests(Edit edit) {
  std::lock_guard lock(mutex_);
  edit_requests_ = std::move(edit);
}

void LoopbackProxy::Answer(std::string whole_answer, int count) {
  std::lock_guard lock(mutex_);
  answer_ = std::move(whole_answer);
  answers_ = count;
}

std::string LoopbackProxy::TakeAnswer() {
  std::lock_guard lock(mutex_);
  if (answers_ == 0) return "";
  --answers_;
  return answer_;
}

void LoopbackProxy::Apply(const Edit& edit, std::string& bytes) {
  std::unique_lock lock(mutex_);
  const Edit copy = edit;
  lock.unlock();
  if (copy) copy(bytes);
}

void RemoveHeader(std::string& head, const std::string& name) {
  for (std::size_t line = head.find("\r\n") + 2; line + 2 < head.size();) {
    const std::size_t next = head.find("\r\n", line) + 2;
    if (StartsWithName(std::string_view(head).substr(line, next - line), name)) {
      head.erase(line, next - line);
    } else {
      line = next;
    }
  }
}

}  // namespace saffron
