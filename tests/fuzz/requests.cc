#include "tests/fuzz/requests.h"

#include <algorithm>

#include "services/oms/route_table.h"

namespace saffron::fuzz {

const Router& ApiRoutes() {
  static const Router router = [] {
    Router all;
    for (const RouteSpec& route : RouteTable()) all.Add(route.method, route.path);
    return all;
  }();
  return router;
}

std::string_view TakeLine(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\n'), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return line;
}

HttpHeaders TakeHeaders(std::string_view& rest) {
  HttpHeaders headers;
  for (std::string_view line = TakeLine(rest); !line.empty(); line = TakeLine(rest)) {
    const std::size_t colon = std::min(line.find(": "), line.size());
    headers.Add(line.substr(0, colon), line.substr(std::min(colon + 2, line.size())));
  }
  return headers;
}

std::optional<HttpRequest> ReadRequest(std::string_view bytes) {
  HttpRequest request;
  std::string_view target = TakeLine(bytes);
  const std::size_t blank = std::min(target.find(' '), target.size());
  request.method = target.substr(0, blank);
  target.remove_prefix(std::min(blank + 1, target.size()));
  request.target = target;
  const std::size_t mark = std::min(target.find('?'), target.size());
  request.path = target.substr(0, mark);
  auto query = ParseQuery(target.substr(std::min(mark + 1, target.size())));
  if (!query) return std::nullopt;
  request.query = std::move(*query);
  request.headers = TakeHeaders(bytes);
  request.body = bytes;
  return request;
}

}  // namespace saffron::fuzz
