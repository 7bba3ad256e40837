// DigestSum: the sum, modulo 2^256, of SHA-256 digests: a digest of a set that does not depend on
// the order in which its members are added, so that sums over parts of it can be added up.
//
// It finds accidents; it is no defence against somebody who may choose many members (ADR 0006).
// Pure; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/sha256.h"

namespace saffron {

class DigestSum {
 public:
  void Add(const Sha256Digest& digest);
  std::uint64_t count() const { return count_; }
  std::string Hex() const;
  friend bool operator==(const DigestSum&, const DigestSum&) = default;

 private:
  std::array<std::uint64_t, 4> sum_{};  // the lowest word first
  std::uint64_t count_ = 0;
};

}  // namespace saffron
