// JSON answers as text for people.
#pragma once

#include <string>
#include <string_view>

namespace saffron {

// One line a scalar, "name: value", members of objects and elements of arrays indented below their
// name. What is no JSON is returned as it is.
std::string JsonAsText(std::string_view json);

}  // namespace saffron
