#include "adapters/s3/s3_pacer.h"

#include <gmock/gmock.h>

namespace saffron {
namespace {

Instant At(int ms) { return Instant{milliseconds(ms)}; }

TEST(S3PacerTest, CostsNothingUntilItIsAsked) {
  S3Pacer pacer;
  EXPECT_EQ(pacer.TakeTurn(At(5), At(5)), At(5));
  EXPECT_FALSE(pacer.Succeeded());
}

TEST(S3PacerTest, TurnsAreApartForAllCallers) {
  S3Pacer pacer;
  EXPECT_TRUE(pacer.SlowDown(At(0), Duration::zero()));
  EXPECT_EQ(pacer.TakeTurn(At(1), At(1000)), At(20));
  EXPECT_EQ(pacer.TakeTurn(At(2), At(1000)), At(40));
  EXPECT_EQ(pacer.TakeTurn(At(2), At(50)), std::nullopt);  // and takes no turn
  EXPECT_EQ(pacer.TakeTurn(At(3), At(1000)), At(60));
}

TEST(S3PacerTest, RefusalsOfRequestsSentTogetherAreOne) {
  S3Pacer pacer;
  for (int i = 0; i < 8; ++i) EXPECT_EQ(pacer.SlowDown(At(i), Duration::zero()), i == 0);
  EXPECT_EQ(pacer.TakeTurn(At(100), At(1000)), At(100));
  EXPECT_EQ(pacer.TakeTurn(At(100), At(1000)), At(120));
  EXPECT_FALSE(pacer.SlowDown(At(200), Duration::zero()));
  EXPECT_EQ(pacer.TakeTurn(At(200), At(1000)), At(240));
}

TEST(S3PacerTest, TheIntervalHasABoundAndSuccessEndsIt) {
  S3Pacer pacer;
  for (int i = 0; i < 20; ++i) pacer.SlowDown(At(i * 10'000), Duration::zero());
  const Instant late = At(1'000'000);
  EXPECT_EQ(pacer.TakeTurn(late, Instant::Max()), late);
  EXPECT_EQ(pacer.TakeTurn(late, Instant::Max()), late + seconds(1));
  int successes = 1;
  while (!pacer.Succeeded()) ++successes;
  EXPECT_LT(successes, 60);
  EXPECT_EQ(pacer.TakeTurn(late, Instant::Max()), late);
}

TEST(S3PacerTest, WaitsAsLongAsTheServerSays) {
  S3Pacer pacer;
  pacer.SlowDown(At(0), seconds(3));
  EXPECT_EQ(pacer.TakeTurn(At(1), Instant::Max()), At(3000));
}

}  // namespace
}  // namespace saffron
