// HttpRequestParser: the bytes of one request into an HttpRequest. Part of the server's inside.
//
// Beast's parser does the grammar; what it leaves open is decided here: limits on the whole head,
// exactly one Host, no transfer coding but chunked, no fields from trailers. One thread, one
// request.
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "net/http.h"

namespace saffron {

class HttpRequestParser final : public boost::beast::http::basic_parser<true> {
 public:
  explicit HttpRequestParser(std::size_t max_header_bytes);

  struct Problem {
    int status;
    std::string message;
  };

  // Feeds bytes until one of: they are used up, the head is complete, the request is complete, or
  // it is malformed. Returns how many were used; the others come again with more behind them.
  std::size_t Feed(std::string_view bytes);

  // Why the request cannot be served.
  const std::optional<Problem>& problem() const { return problem_; }
  // Once, when the head is complete: what the grammar alone does not say.
  void CheckHead();
  // After CheckHead, before any byte of the body.
  void LimitBody(std::size_t max_bytes);

  // "Expect: 100-continue" of a client that has not been answered yet.
  bool wants_continue() const { return wants_continue_; }
  bool is_http11() const { return is_http11_; }
  HttpRequest& request() { return request_; }

 private:
  using Field = boost::beast::http::field;
  using ErrorCode = boost::beast::error_code;
  using StringView = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb verb, StringView method, StringView target,
                       int version, ErrorCode& error) override;
  void on_response_impl(int, StringView, int, ErrorCode&) override {}
  void on_field_impl(Field field, StringView name, StringView value, ErrorCode& error) override;
  void on_header_impl(ErrorCode&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, ErrorCode&) override;
  std::size_t on_body_impl(StringView body, ErrorCode& error) override;
  void on_chunk_header_impl(std::uint64_t, StringView, ErrorCode&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, StringView body, ErrorCode& error) override;
  void on_finish_impl(ErrorCode&) override {}

  void Refuse(int status, std::string message);
  void RefuseBody();
  void Explain(const ErrorCode& error);
  bool SplitTarget();

  HttpRequest request_;
  std::optional<Problem> problem_;
  const std::size_t max_header_bytes_;
  std::size_t header_bytes_ = 0;  // at least, of what is parsed
  std::size_t head_bytes_ = 0;    // used
  std::size_t max_body_bytes_ = 0;
  int hosts_ = 0;
  int transfer_encodings_ = 0;
  bool is_http11_ = false;
  bool wants_continue_ = false;
};

}  // namespace saffron
