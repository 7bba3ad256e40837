#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "base/runtime.h"

namespace saffron {
namespace {

TEST(WallTimeTest, FormatsUtcWithMilliseconds) {
  EXPECT_EQ(WallTime{0}.ToRfc3339(), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(WallTime{951782400000}.ToRfc3339(), "2000-02-29T00:00:00.000Z");
  EXPECT_EQ(WallTime{-1}.ToRfc3339(), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(WallTime{1700000000123}.ToRfc3339(), "2023-11-14T22:13:20.123Z");
}

TEST(WallTimeTest, ParsesOffsetsAndFractions) {
  EXPECT_EQ(ParseRfc3339("2023-11-14T22:13:20Z"), WallTime{1700000000000});
  EXPECT_EQ(ParseRfc3339("2023-11-14t22:13:20.1z"), WallTime{1700000000100});
  EXPECT_EQ(ParseRfc3339("2023-11-14T22:13:20.123999Z"), WallTime{1700000000123});
  EXPECT_EQ(ParseRfc3339("2023-11-15T00:13:20.123+02:00"), WallTime{1700000000123});
  EXPECT_EQ(ParseRfc3339("2023-11-14T20:43:20-01:30"), WallTime{1700000000000});
  EXPECT_EQ(ParseRfc3339("1990-12-31T23:59:60Z"), ParseRfc3339("1991-01-01T00:00:00Z"));
}

TEST(WallTimeTest, RefusesMalformedText) {
  for (const char* text :
       {"", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14 22:13:20Z", "2023-02-29T00:00:00Z",
        "2023-13-01T00:00:00Z", "2023-11-14T24:00:00Z", "2023-11-14T22:60:00Z",
        "2023-11-14T22:13:20.Z", "2023-11-14T22:13:20+0200", "2023-11-14T22:13:20+24:00",
        "2023-11-14T22:13:20Zx", "20x3-11-14T22:13:20Z"}) {
    EXPECT_FALSE(ParseRfc3339(text).has_value()) << text;
  }
}

RC_GTEST_PROP(WallTimeTest, RoundTrips, ()) {
  // Years 0001 to 9999: what four digits can say.
  WallTime time{*rc::gen::inRange<std::int64_t>(-62135596800000, 253402300800000)};
  RC_ASSERT(ParseRfc3339(time.ToRfc3339()) == time);
}

}  // namespace
}  // namespace saffron
