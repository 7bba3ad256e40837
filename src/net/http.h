// What server and client say: headers, a request as a handler sees it, a response.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/url.h"

namespace saffron {

// Header fields in the order received; names are compared without case. One allocation holds all.
class HttpHeaders {
 public:
  using Field = std::pair<std::string_view, std::string_view>;

  HttpHeaders() = default;
  HttpHeaders(std::initializer_list<Field> fields);

  void Add(std::string_view name, std::string_view value);
  // The first of that name.
  std::optional<std::string_view> Find(std::string_view name) const;
  std::size_t Count(std::string_view name) const;

  std::size_t size() const { return entries_.size(); }
  // The views live until the headers change or die.
  Field At(std::size_t index) const;

 private:
  struct Entry {
    std::uint32_t begin;
    std::uint32_t name_size;
    std::uint32_t value_size;
  };
  std::string text_;
  std::vector<Entry> entries_;
};

// ASCII only, as header names, tokens and URL schemes want it.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);

struct HttpRequest {
  std::string method;  // as sent: methods are case-sensitive
  std::string target;  // as sent, with the query
  // Raw: the router decodes each segment, once.
  std::string path;
  QueryParams query;
  HttpHeaders headers;
  std::string body;
  bool peer_is_loopback = false;

  // The first of that name.
  std::optional<std::string_view> Query(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  // Never Content-Length, Connection, Date or Transfer-Encoding: these are the server's.
  HttpHeaders headers;
  std::string body;
};

// {"status":"error","message":...}
HttpResponse ErrorResponse(int status, std::string_view message);

// "Not Found" for 404; "Unknown" for what has no name.
std::string_view ReasonPhrase(int status);

}  // namespace saffron
