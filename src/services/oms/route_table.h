// Every route of the OMS, once: the router, the roles, the metrics and the OpenAPI document come
// from this table.
#pragma once

#include <span>
#include <string_view>

#include "services/oms/auth.h"

namespace saffron {

struct ParameterSpec {
  std::string_view name;
  std::string_view in;    // "query" or "header"; those in the path come from the path
  std::string_view type;  // "string", "integer", "boolean"
  bool required;
  std::string_view summary;
};

struct RouteSpec {
  std::string_view method;
  std::string_view path;
  std::string_view operation;  // unique; handlers are registered by it
  std::string_view tag;
  std::string_view summary;
  Role role;
  std::span<const ParameterSpec> parameters;
  std::string_view request;   // schema of the body; empty: none
  int success;                // status
  std::string_view response;  // schema of the answer; empty: not JSON
};

std::span<const RouteSpec> RouteTable();

}  // namespace saffron
