#include "tests/fuzz/properties.h"

namespace saffron::fuzz {

std::vector<std::string_view> SplitParts(std::string_view bytes, std::size_t count) {
  std::vector<std::string_view> parts;
  while (parts.size() + 1 < count) {
    const std::size_t end = bytes.find(kPartSeparator);
    if (end == std::string_view::npos) break;
    parts.push_back(bytes.substr(0, end));
    bytes.remove_prefix(end + kPartSeparator.size());
  }
  parts.push_back(bytes);
  parts.resize(count);
  return parts;
}

}  // namespace saffron::fuzz
