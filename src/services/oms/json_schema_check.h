// For tests: a JSON value against a schema of the OpenAPI document (the keywords used there).
#pragma once

#include <simdjson.h>

#include <string>

namespace saffron {

// Empty: it fits; else where and why not.
std::string SchemaProblem(simdjson::dom::element schemas, std::string_view schema_name,
                          simdjson::dom::element value);

}  // namespace saffron
