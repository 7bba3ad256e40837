#include "net/router.h"

#include <algorithm>
#include <deque>
#include <set>

#include "base/result.h"
#include "net/url.h"

namespace saffron {
namespace {

// "/a/b" has the segments "a" and "b"; "/" has one, which is empty.
std::vector<std::string_view> Split(std::string_view path) {
  std::vector<std::string_view> segments;
  segments.reserve(12);
  std::size_t begin = 1;
  for (;;) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    segments.push_back(path.substr(begin, end - begin));
    if (end == path.size()) return segments;
    begin = end + 1;
  }
}

}  // namespace

std::string_view RouteMatch::Param(std::string_view name) const {
  for (const auto& [key, value] : params) {
    if (key == name) return value;
  }
  return {};
}

std::size_t Router::Add(std::string_view method, std::string_view pattern) {
  SAFFRON_ASSERT(!method.empty() && !pattern.empty() && pattern.front() == '/');
  Shape shape;
  Method entry{std::string(method), routes_.size(), {}};
  for (const std::string_view text : Split(pattern)) {
    const bool is_param = text.size() > 2 && text.front() == '{' && text.back() == '}';
    const std::string_view inner = is_param ? text.substr(1, text.size() - 2) : text;
    SAFFRON_ASSERT(inner.find_first_of("{}%?") == std::string_view::npos);
    if (is_param) entry.params.emplace_back(inner);
    shape.segments.push_back({is_param ? std::string() : std::string(inner), is_param});
  }
  shapes_.resize(std::max(shapes_.size(), shape.segments.size() + 1));
  auto& group = shapes_[shape.segments.size()];
  const auto same = [](const Segment& a, const Segment& b) {
    return a.is_param == b.is_param && a.text == b.text;
  };
  const auto literals_first = [](const Segment& a, const Segment& b) {
    return a.is_param != b.is_param ? b.is_param : a.text < b.text;
  };
  auto at = std::find_if(group.begin(), group.end(), [&](const Shape& other) {
    return std::equal(other.segments.begin(), other.segments.end(), shape.segments.begin(), same);
  });
  if (at == group.end()) {
    at = std::find_if(group.begin(), group.end(), [&](const Shape& other) {
      return std::lexicographical_compare(shape.segments.begin(), shape.segments.end(),
                                          other.segments.begin(), other.segments.end(),
                                          literals_first);
    });
    at = group.insert(at, std::move(shape));
  }
  for (const Method& other : at->methods) SAFFRON_ASSERT(other.name != method);
  at->methods.push_back(std::move(entry));
  routes_.push_back({std::string(method), std::string(pattern)});
  return routes_.size() - 1;
}

const Router::Method* Router::FindMethod(const Shape& shape, std::string_view method) {
  const Method* get = nullptr;
  for (const Method& entry : shape.methods) {
    if (entry.name == method) return &entry;
    if (entry.name == "GET") get = &entry;
  }
  return method == "HEAD" ? get : nullptr;
}

bool Router::Fits(const Shape& shape, const std::vector<std::string_view>& segments) {
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Segment& expected = shape.segments[i];
    if (expected.is_param ? segments[i].empty() : expected.text != segments[i]) return false;
  }
  return true;
}

RouteMatch Router::Match(std::string_view method, std::string_view path) const {
  RouteMatch match;
  if (path.empty() || path.front() != '/') return match;
  std::vector<std::string_view> segments = Split(path);
  std::deque<std::string> decoded;  // owns what `segments` refers to after decoding
  if (path.find('%') != std::string_view::npos) {
    for (std::string_view& segment : segments) {
      auto text = PercentDecode(segment);
      if (!text) {
        match.outcome = RouteMatch::Outcome::kMalformedPath;
        return match;
      }
      segment = decoded.emplace_back(std::move(*text));
    }
  }
  if (segments.size() >= shapes_.size()) return match;
  std::set<std::string_view> allowed;
  for (const Shape& shape : shapes_[segments.size()]) {
    if (!Fits(shape, segments)) continue;
    if (const Method* found = FindMethod(shape, method)) {
      match.outcome = RouteMatch::Outcome::kFound;
      match.route = found->route;
      match.params.reserve(found->params.size());
      for (std::size_t i = 0, param = 0; i < segments.size(); ++i) {
        if (!shape.segments[i].is_param) continue;
        match.params.emplace_back(found->params[param++], segments[i]);
      }
      return match;
    }
    for (const Method& entry : shape.methods) {
      allowed.insert(entry.name);
      if (entry.name == "GET") allowed.insert("HEAD");
    }
  }
  if (allowed.empty()) return match;
  match.outcome = RouteMatch::Outcome::kMethodNotAllowed;
  for (const std::string_view name : allowed) {
    match.allow.append(match.allow.empty() ? "" : ", ").append(name);
  }
  return match;
}

}  // namespace saffron
