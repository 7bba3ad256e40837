// CRC-32C (Castagnoli, RFC 3720 appendix B.4), by the SSE 4.2 instruction where there is one.
#pragma once

#include <cstdint>
#include <string_view>

namespace saffron {

// `seed` is the checksum of what came before: Crc32c(b, Crc32c(a)) == Crc32c(a + b).
std::uint32_t Crc32c(std::string_view bytes, std::uint32_t seed = 0);

// The two ways to compute it, for tests.
namespace crc32c {
bool HardwareAvailable();
// Must not be called unless HardwareAvailable().
std::uint32_t Hardware(std::string_view bytes, std::uint32_t seed);
std::uint32_t Portable(std::string_view bytes, std::uint32_t seed);
}  // namespace crc32c

}  // namespace saffron
