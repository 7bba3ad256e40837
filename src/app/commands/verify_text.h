// The answer of `saffron verify` for people.
#pragma once

#include <string>
#include <string_view>

namespace saffron {

// The verdict first, then what was read and compared, a line a class, and what differs. What is no
// such answer is printed as any other JSON.
std::string VerifyAsText(std::string_view json);

}  // namespace saffron
