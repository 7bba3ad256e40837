// Runs the same random calls of both registry ports on two engines and compares every answer, and
// at the end a dump of all rows that the ports show. What is simulated is then what ships.
#pragma once

#include <cstdint>
#include <functional>

#include "testing/contract/registry_home.h"

namespace saffron {

struct RegistryDifferentialOptions {
  std::uint64_t seed = 1;
  int operations = 1000;
  int reopen_every = 0;  // of both engines; 0: never
};

// Reports differences as GoogleTest failures that name the seed and the operation, and stops at the
// first. The engines' clocks and incarnations may differ; nothing else may.
void RunRegistryDifferential(RegistryHome& first, RegistryHome& second,
                             const RegistryDifferentialOptions& options);

}  // namespace saffron
