// A relay on loopback in front of a real server that breaks what passes, as a test says.
//
//   auto proxy = LoopbackProxy::Start("127.0.0.1:9000", LoopbackProxy::Protocol::kHttp);
//   ... connect to (*proxy)->address() ...
//   (*proxy)->CutAnswers(1);  // the next write is carried out and its answer is lost
//
// Any thread may call it; what is set holds for connections that are open, too. The destructor
// breaks all of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/result.h"
#include "base/runtime.h"

namespace saffron {

class LoopbackProxy {
 public:
  // kHttp: requests are told apart (HTTP/1.1, bodies with a Content-Length), which the last
  // group of methods needs.
  enum class Protocol { kBytes, kHttp };

  // `target` is "host:port", the host an IPv4 address.
  static Result<std::unique_ptr<LoopbackProxy>> Start(const std::string& target, Protocol protocol);
  ~LoopbackProxy();
  LoopbackProxy(const LoopbackProxy&) = delete;
  LoopbackProxy& operator=(const LoopbackProxy&) = delete;

  // "127.0.0.1:40123"; the same all its life.
  std::string address() const;

  // As if the server had died: connections are broken and new ones refused, until Accept.
  void Refuse();
  void Accept();
  // Breaks what is open now.
  void BreakConnections();
  // Bytes are taken, and kept until Release: a network that drops everything.
  void Hold() { held_ = true; }
  void Release() { held_ = false; }
  // The next `count` times that the server begins to answer, the connection is broken instead.
  void CutAnswers(int count) { cuts_ = count; }
  // Every piece of an answer comes so much later.
  void DelayAnswers(Duration delay) { delay_ns_ = delay.count(); }
  // Each direction of each connection; 0: as fast as it goes.
  void Throttle(std::size_t bytes_per_second) { bytes_per_second_ = bytes_per_second; }
  // Called with each piece of an answer, which it may change.
  using Edit = std::function<void(std::string& bytes)>;
  void EditAnswers(Edit edit);

  // kHttp: called with each request's head, "PUT /a HTTP/1.1\r\n...\r\n\r\n", which it may change.
  void EditRequests(Edit edit);
  // kHttp: the next `count` requests get this answer, and the server none of them.
  void Answer(std::string whole_answer, int count);
  // kHttp: requests seen, answered here ones too.
  int requests() const { return requests_; }

  int connections() const { return connections_made_; }

 private:
  struct Connection;
  class HttpRequests;

  LoopbackProxy(std::uint32_t target_address, std::uint16_t target_port, Protocol protocol);
  Status Listen();
  void AcceptLoop();
  void Relay(int client);
  void PumpRequests(Connection& connection);
  void PumpAnswers(Connection& connection);
  bool Pass(int to, std::string_view bytes);
  void Pause(Duration duration);
  std::string TakeAnswer();
  void Apply(const Edit& edit, std::string& bytes);

  const std::uint32_t target_address_;
  const std::uint16_t target_port_;
  const Protocol protocol_;
  std::uint16_t port_ = 0;

  std::atomic<bool> stopping_{false}, held_{false};
  std::atomic<int> cuts_{0}, requests_{0}, connections_made_{0};
  std::atomic<std::int64_t> delay_ns_{0};
  std::atomic<std::size_t> bytes_per_second_{0};

  std::mutex mutex_;
  int listener_ = -1;  // -1: refusing
  std::list<std::unique_ptr<Connection>> open_;
  Edit edit_answers_, edit_requests_;
  std::string answer_;
  int answers_ = 0;
  std::thread acceptor_;
};

// Takes the header out of a request's head.
void RemoveHeader(std::string& head, const std::string& name);

}  // namespace saffron
