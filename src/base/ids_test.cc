#include "base/ids.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <unordered_set>

namespace saffron {
namespace {

TEST(UuidTest, NameMatchesTheRfcExample) {
  // RFC 9562 A.4 uses the DNS namespace.
  Uuid dns = *Uuid::Parse("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
  EXPECT_EQ(Uuid::FromName(dns, "www.example.com").ToString(),
            "2ed6657d-e927-568b-95e1-2665a8aea6a2");
}

TEST(UuidTest, ParsesEitherCaseAndNothingElse) {
  auto upper = Uuid::Parse("6BA7B811-9DAD-11D1-80B4-00C04FD430C8");
  ASSERT_TRUE(upper.has_value());
  EXPECT_EQ(*upper, Uuid::NamespaceUrl());
  EXPECT_FALSE(Uuid::Parse("").has_value());
  EXPECT_FALSE(Uuid::Parse("6ba7b8119dad11d180b400c04fd430c8").has_value());
  EXPECT_FALSE(Uuid::Parse("{6ba7b811-9dad-11d1-80b4-00c04fd430c8}").has_value());
  EXPECT_FALSE(Uuid::Parse("6ba7b811-9dad-11d1-80b4-00c04fd430cg").has_value());
  EXPECT_FALSE(Uuid::Parse("6ba7b811+9dad-11d1-80b4-00c04fd430c8").has_value());
}

TEST(UuidTest, TimeUuidCarriesVersionVariantAndTime) {
  // The time of RFC 9562 A.6.
  Uuid uuid = Uuid::FromTime(0x017f22e279b0, ~0ull, ~0ull);
  std::string text = uuid.ToString();
  EXPECT_EQ(text.substr(0, 13), "017f22e2-79b0");
  EXPECT_EQ(text[14], '7');
  EXPECT_EQ(text[19], 'b');
}

TEST(UuidTest, BytesRoundTripAndNeedSixteen) {
  Uuid url = Uuid::NamespaceUrl();
  EXPECT_EQ(Uuid::FromBytes(url.bytes()), url);
  EXPECT_FALSE(Uuid::FromBytes("fifteen bytes..").has_value());
  EXPECT_TRUE(Uuid().is_nil());
  EXPECT_FALSE(url.is_nil());
}

RC_GTEST_PROP(UuidTest, TextRoundTrips, (std::int64_t time, std::uint64_t a, std::uint64_t b)) {
  Uuid uuid = Uuid::FromTime(time, a, b);
  RC_ASSERT(Uuid::Parse(uuid.ToString()) == uuid);
}

RC_GTEST_PROP(PositionTest, TextRoundTrips,
              (std::uint32_t shard, std::uint64_t slot, std::uint32_t ordinal)) {
  Position position{shard, SlotNumber(slot), ordinal};
  RC_ASSERT(Position::Parse(position.ToString()) == position);
}

TEST(PositionTest, RefusesWhatItDoesNotWrite) {
  for (const char* text : {"", "1-2", "1-2-", "-1-2-3", "1-2-3-4", "01-2-3", "1- 2-3", "1-2-3 ",
                           "4294967296-1-1", "1-18446744073709551616-1", "a-b-c", "+1-2-3"}) {
    EXPECT_FALSE(Position::Parse(text).has_value()) << text;
  }
}

TEST(PositionTest, OrdersByShardThenSlotThenOrdinal) {
  EXPECT_LT((Position{0, SlotNumber(9), 5}), (Position{0, SlotNumber(10), 0}));
  EXPECT_LT((Position{0, SlotNumber(9), 5}), (Position{0, SlotNumber(9), 6}));
  EXPECT_LT((Position{0, SlotNumber(9), 5}), (Position{1, SlotNumber(1), 0}));
}

TEST(OrdinalTest, HashesAndSteps) {
  EXPECT_EQ(SlotNumber(7).Next(), SlotNumber(8));
  std::unordered_set<EventId> ids{EventId(Uuid::NamespaceUrl()), EventId()};
  EXPECT_TRUE(ids.contains(EventId()));
  EXPECT_EQ(ids.size(), 2u);
}

}  // namespace
}  // namespace saffron
