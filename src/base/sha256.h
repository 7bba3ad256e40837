// SHA-256 (FIPS 180-4) by OpenSSL.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace saffron {

using Sha256Digest = std::array<std::uint8_t, 32>;

Sha256Digest Sha256(std::string_view bytes);
// 64 lower-case hexadecimal digits.
std::string Sha256Hex(std::string_view bytes);
// Of the two as if they were one text.
std::string Sha256Hex(std::string_view first, std::string_view second);
std::string HexOf(std::string_view bytes);

}  // namespace saffron
