// Requests to the OMS as inputs: "METHOD target", a line for each header, an empty line, the body.
#pragma once

#include <optional>
#include <string_view>

#include "net/http.h"
#include "net/router.h"

namespace saffron::fuzz {

// The routes of the OMS, numbered as in its table.
const Router& ApiRoutes();

// What stands before the end of the line, which is taken away with it.
std::string_view TakeLine(std::string_view& rest);
// A line "name: value" for each header, up to an empty line, which is taken away with them.
HttpHeaders TakeHeaders(std::string_view& rest);

// Nothing when the target is none.
std::optional<HttpRequest> ReadRequest(std::string_view bytes);

}  // namespace saffron::fuzz
