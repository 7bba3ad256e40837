#include "base/digest_sum.h"

#include "base/bytes.h"

namespace saffron {

void DigestSum::Add(const Sha256Digest& digest) {
  std::uint64_t carry = 0;
  for (std::size_t word = 0; word < sum_.size(); ++word) {
    std::uint64_t addend = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      addend = addend << 8 | digest[(sum_.size() - 1 - word) * 8 + i];
    }
    const std::uint64_t with_carry = addend + carry;
    carry = with_carry < addend ? 1 : 0;
    sum_[word] += with_carry;
    carry += sum_[word] < with_carry ? 1 : 0;
  }
  ++count_;
}

std::string DigestSum::Hex() const {
  std::string bytes;
  for (std::size_t word = sum_.size(); word-- > 0;) PutU64BigEndian(bytes, sum_[word]);
  return HexOf(bytes);
}

}  // namespace saffron
