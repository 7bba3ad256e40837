#include "ports/message_bus.h"

#include <gtest/gtest.h>

namespace saffron {
namespace {

// Expected hashes from Kafka's own UtilsTest.testMurmur2.
TEST(PartitionOf, IsTheJavaClientsMurmur2) {
  const auto positive = [](std::int32_t hash) {
    return static_cast<std::uint32_t>(hash) & 0x7fffffff;
  };
  constexpr std::uint32_t kModulus = 0x7fffffff;
  EXPECT_EQ(PartitionOf("21", kModulus), positive(-973932308) % kModulus);
  EXPECT_EQ(PartitionOf("foobar", kModulus), positive(-790332482) % kModulus);
  EXPECT_EQ(PartitionOf("a-little-bit-long-string", kModulus), positive(-985981536) % kModulus);
  EXPECT_EQ(PartitionOf("a-little-bit-longer-string", kModulus), positive(-1486304829) % kModulus);
  EXPECT_EQ(PartitionOf("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", kModulus),
            positive(-58897971) % kModulus);
  EXPECT_EQ(PartitionOf("abc", kModulus), positive(479470107) % kModulus);
}

}  // namespace
}  // namespace saffron
