// The grammar of object keys, the same for every store.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace saffron {

inline constexpr std::size_t kMaxObjectKeyBytes = 512;
// So that a file system can hold every key.
inline constexpr std::size_t kMaxObjectKeyComponentBytes = 255;

namespace object_key_internal {

inline bool IsKeyByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-' || c == '/';
}

inline bool IsComponent(std::string_view part) {
  return !part.empty() && part.size() <= kMaxObjectKeyComponentBytes && part != "." && part != "..";
}

}  // namespace object_key_internal

// Every component up to the last '/' is whole; what follows it may be the start of one.
inline Status CheckObjectPrefix(std::string_view prefix) {
  if (prefix.size() > kMaxObjectKeyBytes) return Invalid("object key longer than 512 bytes");
  for (char c : prefix) {
    if (!object_key_internal::IsKeyByte(c)) {
      return Invalid("object key '" + std::string(prefix) + "' has a byte outside [A-Za-z0-9._/-]");
    }
  }
  std::string_view rest = prefix;
  for (std::size_t slash; (slash = rest.find('/')) != std::string_view::npos;) {
    if (!object_key_internal::IsComponent(rest.substr(0, slash))) {
      return Invalid("object key '" + std::string(prefix) +
                     "' has an empty, '.', '..' or too long part");
    }
    rest.remove_prefix(slash + 1);
  }
  return Ok();
}

inline Status CheckObjectKey(std::string_view key) {
  SAFFRON_TRY(CheckObjectPrefix(key));
  if (!object_key_internal::IsComponent(key.substr(key.rfind('/') + 1))) {
    return Invalid("object key '" + std::string(key) +
                   "' has an empty, '.', '..' or too long part");
  }
  return Ok();
}

}  // namespace saffron
