// The request parser: whatever the pieces in which bytes arrive, the same requests come out; and
// a request that was read is read again from its own text.
#include "net/http_request_parser.h"

#include <memory>

#include "tests/fuzz/properties.h"

namespace saffron::fuzz {
namespace {

constexpr std::size_t kMaxHeaderBytes = 1024;
constexpr std::size_t kMaxBodyBytes = 4096;

struct Message {
  HttpRequest request;
  bool http11 = false;
};

// What one connection got.
struct Received {
  std::vector<Message> requests;
  int refused_with = 0;
  std::string rest;  // behind the last request
};

bool SameHeaders(const HttpHeaders& a, const HttpHeaders& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a.At(i) != b.At(i)) return false;
  }
  return true;
}

bool Same(const Message& x, const Message& y) {
  const HttpRequest &a = x.request, &b = y.request;
  return x.http11 == y.http11 && a.method == b.method && a.target == b.target && a.path == b.path &&
         a.query == b.query && SameHeaders(a.headers, b.headers) && a.body == b.body;
}

// Feeds as a connection does. Lives for one connection.
class Connection {
 public:
  // False once the connection is refused.
  bool Receive(std::string_view piece) {
    received_.rest.append(piece);
    while (!received_.rest.empty() && Step()) {
    }
    return received_.refused_with == 0;
  }
  Received Take() { return std::move(received_); }

 private:
  // False when more bytes are needed, or the request is refused.
  bool Step() {
    const std::size_t fed = parser_->Feed(received_.rest);
    Require(fed <= received_.rest.size(), "no more is used than there is");
    received_.rest.erase(0, fed);
    if (!head_ && !parser_->problem() && parser_->is_header_done()) {
      head_ = true;
      parser_->CheckHead();
      if (!parser_->problem()) parser_->LimitBody(kMaxBodyBytes);
    }
    Require(parser_->request().body.size() <= kMaxBodyBytes, "a body is limited");
    if (const auto problem = parser_->problem()) {
      Require(problem->status >= 400 && problem->status < 600, "a problem has a status");
      received_.refused_with = problem->status;
      return false;
    }
    if (head_ && parser_->is_done()) {
      received_.requests.push_back({std::move(parser_->request()), parser_->is_http11()});
      parser_ = std::make_unique<HttpRequestParser>(kMaxHeaderBytes);
      head_ = false;
      return true;
    }
    return fed > 0;
  }

  std::unique_ptr<HttpRequestParser> parser_ = std::make_unique<HttpRequestParser>(kMaxHeaderBytes);
  bool head_ = false;
  Received received_;
};

// `ended`: at the end comes the end of a head, so that nothing malformed is waited for.
Received InPieces(std::string_view bytes, std::size_t size, bool ended = false) {
  Connection connection;
  bool open = true;
  while (open && !bytes.empty()) {
    open = connection.Receive(bytes.substr(0, size));
    bytes.remove_prefix(std::min(size, bytes.size()));
  }
  if (open && ended) connection.Receive("\r\n\r\n");
  return connection.Take();
}

// With the headers as received; a chunked body in one chunk.
std::string Written(const Message& message) {
  const HttpRequest& request = message.request;
  std::string text = request.method + " " + request.target;
  text.append(message.http11 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
  for (std::size_t i = 0; i < request.headers.size(); ++i) {
    const auto [name, value] = request.headers.At(i);
    text.append(name).append(": ").append(value).append("\r\n");
  }
  text.append("\r\n");
  if (!request.headers.Find("Transfer-Encoding")) return text.append(request.body);
  if (!request.body.empty()) {
    char size[20];
    std::snprintf(size, sizeof(size), "%zx\r\n", request.body.size());
    text.append(size).append(request.body).append("\r\n");
  }
  return text.append("0\r\n\r\n");
}

void CheckRequest(const Message& message) {
  const HttpRequest& request = message.request;
  Require(!request.method.empty(), "a request has a method");
  Require(request.path == "*" || request.path.starts_with('/'), "a path begins with a slash");
  Require(request.path.find_first_of("?#") == std::string::npos, "a path has no query");
  const Received again = InPieces(Written(message), kMaxHeaderBytes + kMaxBodyBytes);
  // The head may have become longer by the blanks that clients leave out.
  if (again.refused_with == 431) return;
  Require(again.refused_with == 0, "a request that was read is not refused");
  Require(again.requests.size() == 1 && Same(again.requests[0], message),
          "it comes back as it was");
  Require(again.rest.empty(), "nothing of it is left over");
}

}  // namespace

void FuzzHttpRequest(std::string_view bytes) {
  const Received whole = InPieces(bytes, bytes.size());
  for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{64}}) {
    const Received pieces = InPieces(bytes, size);
    // The parser may wait for the end of a head before it says what is wrong with it.
    const bool refused = whole.refused_with != 0 || pieces.refused_with != 0;
    if (refused) {
      Require(InPieces(bytes, bytes.size(), true).refused_with != 0, "it is refused whole");
      Require(InPieces(bytes, size, true).refused_with != 0, "it is refused in pieces");
    }
    Require(whole.requests.size() == pieces.requests.size(), "pieces hold as many requests");
    for (std::size_t i = 0; i < whole.requests.size(); ++i) {
      Require(Same(whole.requests[i], pieces.requests[i]), "pieces hold the same requests");
    }
  }
  for (const Message& message : whole.requests) CheckRequest(message);
}

}  // namespace saffron::fuzz
