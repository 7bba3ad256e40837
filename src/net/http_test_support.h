// A socket that speaks exactly the bytes a test gives it, and a small server to talk to.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/http_server.h"

namespace saffron {

class RawClient {
 public:
  explicit RawClient(std::uint16_t port);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return fd_ >= 0; }
  // False when the peer has closed.
  bool Write(std::string_view bytes);
  void FinishWriting();
  // A small receive window, so that a peer notices that nobody reads.
  void ShrinkWindow();
  // The next whole response, as sent; empty when the connection ends, or nothing comes for 10 s.
  std::string ReadResponse();
  // Until `text` has been received (returned up to and with it); empty as above.
  std::string ReadUntil(std::string_view text);
  // Everything until the peer closes.
  std::string ReadAll();
  // True when the peer has closed or does so within 10 s, having sent nothing more.
  bool AtEnd();

 private:
  bool Receive();

  int fd_ = -1;
  bool ended_ = false;
  std::string buffer_;
};

// Polls a condition for up to 10 s.
bool Eventually(const std::function<bool()>& condition);

std::unique_ptr<HttpServer> OpenServer(HttpServerOptions options, HttpHandler handler);

// 200 with "METHOD PATH BODY" as text.
void Echo(HttpRequest&& request, Responder responder);

HttpResponse Text(std::string body);

}  // namespace saffron
