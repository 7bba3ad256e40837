// The entry of one libFuzzer program; the target is a compile definition.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/properties.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A property that does not hold throws, which ends the program: libFuzzer keeps the input.
  saffron::fuzz::SAFFRON_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
