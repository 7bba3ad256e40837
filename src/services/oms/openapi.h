// The OpenAPI 3.1 document, made from the route table.
#pragma once

#include <string>
#include <string_view>

namespace saffron {

std::string OpenApiDocument(std::string_view version);
// The named schemas, as the members of one JSON object.
std::string_view OpenApiSchemas();

}  // namespace saffron
