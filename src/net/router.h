// Router: which route a method and a path belong to.
//
// A pattern is a path of literal segments and parameters: "/api/v1/database/{db}". A parameter
// takes exactly one segment that is not empty, percent-decoded exactly once. Literals win over
// parameters, the leftmost difference deciding. HEAD falls back to GET.
//
// Built once at start, then only read: any thread may match. The caller keeps what a route number
// stands for.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace saffron {

struct Route {
  std::string method;
  std::string pattern;
};

struct RouteMatch {
  enum class Outcome { kFound, kNotFound, kMethodNotAllowed, kMalformedPath };

  Outcome outcome = Outcome::kNotFound;
  // kFound: an index into Router::routes().
  std::size_t route = 0;
  // kFound: names (alive as long as the router) and decoded values, in the order of the pattern.
  std::vector<std::pair<std::string_view, std::string>> params;
  // kMethodNotAllowed: the value of the Allow header, "DELETE, GET, HEAD".
  std::string allow;

  // Empty when the pattern has no such parameter.
  std::string_view Param(std::string_view name) const;
};

class Router {
 public:
  // Returns the number of the route, counted from 0. A malformed pattern, and one that is the same
  // as an earlier one but for its parameters' names, are defects of the program: they end it.
  std::size_t Add(std::string_view method, std::string_view pattern);

  // `path` is raw, without the query.
  RouteMatch Match(std::string_view method, std::string_view path) const;

  // In the order added.
  const std::vector<Route>& routes() const { return routes_; }

 private:
  struct Segment {
    std::string text;  // the literal, or the parameter's name
    bool is_param = false;
  };
  struct Method {
    std::string name;
    std::size_t route = 0;
    std::vector<std::string> params;
  };
  // All routes whose patterns differ at most in their parameters' names.
  struct Shape {
    std::vector<Segment> segments;
    std::vector<Method> methods;
  };

  static const Method* FindMethod(const Shape& shape, std::string_view method);
  static bool Fits(const Shape& shape, const std::vector<std::string_view>& segments);

  std::vector<Route> routes_;
  // By number of segments; within, sorted so that literals come before parameters.
  std::vector<std::vector<Shape>> shapes_;
};

}  // namespace saffron
