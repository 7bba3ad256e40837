#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "base/crc32c.h"
#include "base/sha256.h"

namespace saffron {
namespace {

std::string Counting(int from, int step) {
  std::string bytes;
  for (int i = 0; i < 32; ++i) bytes.push_back(static_cast<char>(from + i * step));
  return bytes;
}

// RFC 3720 B.4, as numbers.
struct Vector {
  std::string bytes;
  std::uint32_t crc;
};
std::vector<Vector> Rfc3720() {
  return {{std::string(32, '\0'), 0x8a9136aa}, {std::string(32, '\xff'), 0x62a8ab43},
          {Counting(0, 1), 0x46dd794e},        {Counting(31, -1), 0x113fdb5c},
          {"123456789", 0xe3069283},           {"", 0}};
}

TEST(Crc32cTest, MatchesRfc3720) {
  for (const Vector& vector : Rfc3720()) {
    EXPECT_EQ(Crc32c(vector.bytes), vector.crc);
    EXPECT_EQ(crc32c::Portable(vector.bytes, 0), vector.crc);
  }
}

RC_GTEST_PROP(Crc32cTest, HardwareAgreesWithTables, (std::string bytes, std::uint32_t seed)) {
  if (!crc32c::HardwareAvailable()) return;
  RC_ASSERT(crc32c::Hardware(bytes, seed) == crc32c::Portable(bytes, seed));
}

RC_GTEST_PROP(Crc32cTest, TheSeedContinues, (std::string a, std::string b)) {
  RC_ASSERT(Crc32c(b, Crc32c(a)) == Crc32c(a + b));
}

TEST(Crc32cTest, UnalignedStartsAndAllLengths) {
  std::string bytes;
  for (int i = 0; i < 200; ++i) bytes.push_back(static_cast<char>(i * 37));
  for (std::size_t from = 0; from < 9; ++from) {
    for (std::size_t size = 0; size < 64; ++size) {
      std::string_view part = std::string_view(bytes).substr(from, size);
      EXPECT_EQ(Crc32c(part), crc32c::Portable(part, 0));
    }
  }
}

TEST(Sha256Test, MatchesFips180) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

}  // namespace
}  // namespace saffron
