#include "net/http_request_parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <string>
#include <utility>

namespace saffron {
namespace {

namespace http = boost::beast::http;

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

// Beast, when it has seen the line of the last chunk and has asked for more, ends the program if it
// then gets less than five bytes: a client that sends the end of an empty body byte by byte.
bool IsCutLastChunk(std::string_view bytes) {
  constexpr std::size_t kShortestBytes = 5;  // "0\r\n\r\n"
  return bytes.size() < kShortestBytes && bytes.starts_with("0\r\n");
}

bool HasControlOrSpace(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F) return true;
  }
  return false;
}

}  // namespace

HttpRequestParser::HttpRequestParser(std::size_t max_header_bytes)
    : max_header_bytes_(max_header_bytes) {
  header_limit(static_cast<std::uint32_t>(max_header_bytes));
  body_limit(boost::none);  // on_body_impl keeps ours, which depends on the head
}

std::size_t HttpRequestParser::Feed(std::string_view bytes) {
  std::size_t used = 0;
  const bool had_header = is_header_done();
  while (used < bytes.size() && !is_done() && had_header == is_header_done()) {
    if (had_header && chunked() && IsCutLastChunk(bytes.substr(used))) break;
    ErrorCode error;
    used += put(boost::asio::buffer(bytes.data() + used, bytes.size() - used), error);
    if (error == http::error::need_more) {
      // Beast bounds neither a chunk's extensions nor the trailers.
      if (bytes.size() - used > max_header_bytes_) Refuse(431, "header or chunk line too long");
      break;
    }
    if (error) {
      Explain(error);
      break;
    }
  }
  // Beast and on_field_impl stop heads that grow; a head just above the limit may come whole.
  if (!had_header) head_bytes_ += used;
  if (head_bytes_ > max_header_bytes_) Refuse(431, "request head too large");
  return used;
}

void HttpRequestParser::Refuse(int status, std::string message) {
  if (!problem_) problem_ = Problem{status, std::move(message)};
}

void HttpRequestParser::RefuseBody() {
  Refuse(413, "request body too large: at most " + std::to_string(max_body_bytes_) + " bytes");
}

void HttpRequestParser::Explain(const ErrorCode& error) {
  if (error == http::error::header_limit) {
    Refuse(431, "request head too large");
  } else if (error == http::error::body_limit) {
    RefuseBody();
  } else if (error == http::error::bad_version) {
    Refuse(400, "not HTTP/1.1 or HTTP/1.0");
  } else {
    Refuse(400, "malformed request");
  }
}

void HttpRequestParser::CheckHead() {
  if (hosts_ > 1 || (hosts_ == 0 && is_http11_)) {
    Refuse(400, "exactly one Host header is required");
  } else if (transfer_encodings_ > 0 && (transfer_encodings_ > 1 || !chunked() || !is_http11_)) {
    Refuse(is_http11_ ? 501 : 400, "only Transfer-Encoding: chunked is supported");
  } else if (!SplitTarget()) {
    Refuse(400, "malformed request target");
  }
}

void HttpRequestParser::LimitBody(std::size_t max_bytes) {
  max_body_bytes_ = max_bytes;
  const auto length = content_length();
  if (length && *length > max_bytes) RefuseBody();
}

bool HttpRequestParser::SplitTarget() {
  std::string_view target = request_.target;
  if (HasControlOrSpace(target)) return false;
  const std::size_t scheme = target.find("://");
  if (target.empty()) return false;
  if (target.front() != '/' && target != "*") {
    if (scheme == std::string_view::npos || !EqualsIgnoreCase(target.substr(0, scheme), "http")) {
      return false;
    }
    target.remove_prefix(std::min(target.find_first_of("/?", scheme + 3), target.size()));
  }
  const std::size_t fragment = target.find('#');
  const std::size_t mark = std::min(target.find('?'), target.size());
  if (fragment != std::string_view::npos) return false;
  request_.path = target.substr(0, mark);
  if (request_.path.empty()) request_.path = "/";
  if (mark == target.size()) return true;
  auto query = ParseQuery(target.substr(mark + 1));
  if (!query) return false;
  request_.query = std::move(*query);
  return true;
}

void HttpRequestParser::on_request_impl(http::verb, StringView method, StringView target,
                                        int version, ErrorCode&) {
  request_.method = View(method);
  request_.target = View(target);
  is_http11_ = version >= 11;
  header_bytes_ = method.size() + target.size() + 12;
}

void HttpRequestParser::on_field_impl(Field field, StringView name, StringView value,
                                      ErrorCode& error) {
  // A trailer must not add what was not there when the request was authorised.
  if (is_header_done()) return;
  header_bytes_ += name.size() + value.size() + 4;
  if (header_bytes_ > max_header_bytes_) {
    error = http::error::header_limit;
    return;
  }
  if (field == Field::host) ++hosts_;
  if (field == Field::transfer_encoding) {
    ++transfer_encodings_;
    if (!EqualsIgnoreCase(View(value), "chunked")) ++transfer_encodings_;
  }
  if (field == Field::expect && is_http11_) {
    if (EqualsIgnoreCase(View(value), "100-continue")) {
      wants_continue_ = true;
    } else {
      Refuse(417, "unknown expectation");
    }
  }
  request_.headers.Add(View(name), View(value));
}

void HttpRequestParser::on_body_init_impl(const boost::optional<std::uint64_t>& length,
                                          ErrorCode&) {
  // A promise of a large body costs nothing until the bytes come.
  constexpr std::uint64_t kMaxReserve = 64 * 1024;
  if (length) request_.body.reserve(std::min(*length, kMaxReserve));
}

std::size_t HttpRequestParser::on_body_impl(StringView body, ErrorCode& error) {
  if (body.size() > max_body_bytes_ - request_.body.size()) {
    error = http::error::body_limit;
    return 0;
  }
  request_.body.append(body.data(), body.size());
  return body.size();
}

std::size_t HttpRequestParser::on_chunk_body_impl(std::uint64_t, StringView body,
                                                  ErrorCode& error) {
  return on_body_impl(body, error);
}

}  // namespace saffron
