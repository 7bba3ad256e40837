#include "base/bytes.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace saffron {
namespace {

TEST(BytesTest, BigEndianBytes) {
  std::string out;
  PutU8(out, 0x01);
  PutU16BigEndian(out, 0x0203);
  PutU32BigEndian(out, 0x04050607);
  PutU64BigEndian(out, 0x08090a0b0c0d0e0f);
  EXPECT_EQ(out, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f");
}

RC_GTEST_PROP(BytesTest, KeysSortAsNumbersDo, (std::uint64_t a, std::uint64_t b)) {
  std::string left, right;
  PutU64BigEndian(left, a);
  PutU64BigEndian(right, b);
  RC_ASSERT((left < right) == (a < b));
}

RC_GTEST_PROP(BytesTest, RoundTripsAndRefusesEveryCut,
              (std::uint64_t number, std::string text, std::uint32_t word, std::uint16_t half)) {
  number >>= *rc::gen::inRange(0, 64);
  std::string out;
  PutVarint(out, number);
  PutLengthPrefixed(out, text);
  PutU32BigEndian(out, word);
  PutU16BigEndian(out, half);
  for (std::size_t size = 0; size <= out.size(); ++size) {
    ByteReader reader(std::string_view(out).substr(0, size));
    std::uint64_t number_read = 0;
    std::string_view text_read;
    std::uint32_t word_read = 0;
    std::uint16_t half_read = 0;
    bool whole = reader.ReadVarint(number_read) && reader.ReadLengthPrefixed(text_read) &&
                 reader.ReadU32BigEndian(word_read) && reader.ReadU16BigEndian(half_read);
    RC_ASSERT(whole == (size == out.size()));
    if (!whole) continue;
    RC_ASSERT(reader.AtEnd());
    RC_ASSERT(number_read == number && text_read == text);
    RC_ASSERT(word_read == word && half_read == half);
  }
}

TEST(BytesTest, AFailedReadConsumesNothing) {
  ByteReader reader(
      "\x05"
      "abc");
  std::string_view text = "kept";
  std::uint64_t number = 9;
  EXPECT_FALSE(reader.ReadLengthPrefixed(text));
  EXPECT_FALSE(reader.ReadU64BigEndian(number));
  EXPECT_EQ(text, "kept");
  EXPECT_EQ(number, 9u);
  EXPECT_EQ(reader.rest().size(), 4u);
}

TEST(BytesTest, AVarintHasOneEncoding) {
  std::uint64_t number = 0;
  EXPECT_FALSE(ByteReader(std::string_view("\x80\x00", 2)).ReadVarint(number));
  EXPECT_FALSE(ByteReader("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02").ReadVarint(number));
  EXPECT_FALSE(ByteReader("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").ReadVarint(number));
  EXPECT_TRUE(ByteReader("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").ReadVarint(number));
  EXPECT_EQ(number, ~0ull);
}

}  // namespace
}  // namespace saffron
