#include "bench/load/generator.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>

namespace saffron {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::uint64_t kPatienceNs = 20 * kSecondNs;  // for the answers after the last request
constexpr std::string_view kLengthName = "Content-Length: ";

std::uint64_t NowNs() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                                    std::chrono::nanoseconds(1));
}

}  // namespace

std::uint64_t GeneratorResult::requests() const {
  std::uint64_t sum = 0;
  for (const auto& [status, count] : statuses) sum += count;
  return sum;
}

std::uint64_t GeneratorResult::ok() const {
  std::uint64_t sum = 0;
  for (const auto& [status, count] : statuses) sum += status / 100 == 2 ? count : 0;
  return sum;
}

Generator::Generator(const GeneratorOptions& options, Workload& workload)
    : options_(options),
      workload_(workload),
      epoll_fd_(::epoll_create1(EPOLL_CLOEXEC)),
      clients_(options.clients),
      scratch_(256 * 1024) {}

Generator::~Generator() {
  for (Client& client : clients_) {
    if (client.fd >= 0) ::close(client.fd);
  }
  ::close(epoll_fd_);
}

bool Generator::Connect(Client& client) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options_.port);
  if (::inet_pton(AF_INET, options_.host.c_str(), &address.sin_addr) != 1) return false;
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd);
    return false;
  }
  client = Client();
  client.fd = fd;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLET;
  event.data.ptr = &client;
  if (::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0) return true;
  ::close(fd);
  client.fd = -1;
  return false;
}

void Generator::Reconnect(Client& client) {
  const bool was_busy = client.busy;  // an idle one is in idle_ already
  if (was_busy) {
    ++result_.broken;
    --under_way_;
  }
  ::close(client.fd);
  client = Client();
  if (Connect(client) && was_busy) idle_.push_back(&client);
}

bool Generator::MoreToSend() const {
  if (options_.requests > 0) return result_.sent < options_.requests;
  return NowNs() < end_ns_;
}

bool Generator::Run() {
  for (Client& client : clients_) {
    if (!Connect(client)) return false;
    idle_.push_back(&client);
  }
  const std::uint64_t start = NowNs();
  begin_ns_ = start + static_cast<std::uint64_t>(options_.warmup_s * kSecondNs);
  end_ns_ = begin_ns_ + static_cast<std::uint64_t>(options_.seconds * kSecondNs);
  window_ns_ = begin_ns_;
  due_ns_ = static_cast<double>(start);
  std::array<epoll_event, 256> events;
  std::uint64_t deadline = 0;
  for (;;) {
    const bool more = MoreToSend();
    if (!more && deadline == 0) deadline = NowNs() + kPatienceNs;
    if (!more && (under_way_ == 0 || NowNs() > deadline)) break;
    if (more && under_way_ == 0 && idle_.empty()) break;  // nobody can be reached any more
    const int timeout_ms = more ? SendDue() : 100;
    const int count = ::epoll_wait(epoll_fd_, events.data(), events.size(), timeout_ms);
    for (int i = 0; i < count; ++i) {
      auto& client = *static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr);
      const std::uint32_t what = events[static_cast<std::size_t>(i)].events;
      if ((what & EPOLLOUT) != 0 && !client.unsent.empty()) {
        const std::string rest = std::move(client.unsent);
        client.unsent.clear();
        Flush(client, rest);
      }
      if ((what & ~std::uint32_t{EPOLLOUT}) != 0) Receive(client);
    }
  }
  result_.broken += under_way_;
  const std::uint64_t end = options_.requests > 0 ? last_ns_ : end_ns_;
  result_.seconds = static_cast<double>(end - begin_ns_) / kSecondNs;
  return true;
}

int Generator::SendDue() {
  if (options_.rate <= 0) {
    while (!idle_.empty() && MoreToSend()) {
      Client& client = *idle_.back();
      idle_.pop_back();
      Send(client, NowNs());
    }
    return 100;
  }
  const auto now = static_cast<double>(NowNs());
  while (due_ns_ <= now && !idle_.empty() && MoreToSend()) {
    Client& client = *idle_.back();
    idle_.pop_back();
    if (now - due_ns_ > 2e6) ++result_.late;
    Send(client, static_cast<std::uint64_t>(due_ns_));
    due_ns_ += kSecondNs / options_.rate;
  }
  return 1;
}

void Generator::Send(Client& client, std::uint64_t start_ns) {
  client.busy = true;
  client.start_ns = start_ns;
  ++under_way_;
  ++result_.sent;
  Flush(client, workload_.Next());
}

void Generator::Flush(Client& client, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(client.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) break;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  // A broken connection shows itself when it is read.
  if (bytes.empty()) return;
  client.unsent.assign(bytes);
}

void Generator::Receive(Client& client) {
  // Edge-triggered: less than a full buffer means that the next byte will be announced.
  for (std::size_t count = scratch_.size(); count == scratch_.size();) {
    const ssize_t got = ::recv(client.fd, scratch_.data(), scratch_.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return Reconnect(client);
    count = static_cast<std::size_t>(got);
    if (!Take(client, {scratch_.data(), count})) return Reconnect(client);
  }
}

bool Generator::Take(Client& client, std::string_view bytes) {
  if (!client.busy) return false;
  if (client.status == 0 && !TakeHead(client, bytes)) return client.head.size() < 64 * 1024;
  if (bytes.size() > client.missing) return false;
  if (client.status / 100 != 2 && result_.first_refusal.size() < 400) {
    result_.first_refusal.append(bytes.substr(0, 400));
  }
  client.missing -= bytes.size();
  if (client.missing == 0) Answered(client);
  return true;
}

bool Generator::TakeHead(Client& client, std::string_view& bytes) {
  // The usual case, a head in one piece, is not copied.
  if (!client.head.empty()) client.head.append(bytes);
  std::string_view text = client.head.empty() ? bytes : std::string_view(client.head);
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (client.head.empty()) client.head.assign(bytes);
    return false;
  }
  std::string_view head = text.substr(0, end + 2);
  std::from_chars(head.data() + 9, head.data() + 12, client.status);
  const std::size_t length = head.find(kLengthName);
  if (length != std::string_view::npos) {
    const char* digits = head.data() + length + kLengthName.size();
    std::from_chars(digits, head.data() + head.size(), client.missing);
  }
  bytes.remove_prefix(bytes.size() - (text.size() - end - 4));
  return true;
}

void Generator::Answered(Client& client) {
  const std::uint64_t now = NowNs();
  if (client.status / 100 == 2) ++result_.accepted;
  if (now >= begin_ns_ && (options_.requests > 0 || now < end_ns_)) {
    last_ns_ = now;
    ++result_.statuses[client.status];
    result_.latency_ns.Record(now - client.start_ns);
    window_items_ += workload_.items();
    if (options_.window > 0 && window_items_ >= options_.window) {
      result_.window_seconds.push_back(static_cast<double>(now - window_ns_) / kSecondNs);
      window_ns_ = now;
      window_items_ -= options_.window;
    }
  }
  --under_way_;
  client.busy = false;
  client.status = 0;
  client.head.clear();
  // The next request leaves at once: the server need not wait for the rest of this round.
  if (options_.rate <= 0 && MoreToSend()) {
    Send(client, now);
  } else {
    idle_.push_back(&client);
  }
}

}  // namespace saffron
