#include "services/worker/lease.h"

#include <gtest/gtest.h>

#include "adapters/memory/memory_registry.h"

namespace saffron {
namespace {

class LeaseTest : public testing::Test {
 protected:
  std::int64_t now_ms_ = 1000;
  MemoryRegistry registry_{{.now_ms = [this] { return now_ms_; }}};
  Lease a_{registry_, "name", "a", seconds(10)};
  Lease b_{registry_, "name", "b", seconds(10)};
};

TEST_F(LeaseTest, OneOwnerAtATimeAndTheEpochRisesWithEachChange) {
  EXPECT_TRUE(*a_.Take(0));
  EXPECT_EQ(a_.epoch(), 1u);
  EXPECT_FALSE(*b_.Take(0));
  now_ms_ += 9'999;
  EXPECT_TRUE(*a_.Renew());
  now_ms_ += 9'999;
  EXPECT_FALSE(*b_.Take(0));
  now_ms_ += 1;
  EXPECT_TRUE(*b_.Take(0));
  EXPECT_EQ(b_.epoch(), 2u);
  EXPECT_FALSE(*a_.Renew());
  ClaimRead read;
  read.leases = {"name"};
  EXPECT_EQ(registry_.Read(read)->leases.at("name").owner, "b");
}

TEST_F(LeaseTest, ATakeWhoseAnswerWasLostIsTakenAgainAtTheSameEpoch) {
  EXPECT_TRUE(*a_.Take(0));
  EXPECT_TRUE(*a_.Take(0));
  EXPECT_EQ(a_.epoch(), 1u);
}

TEST_F(LeaseTest, TheEpochIsAboveWhatTheSinkHasSeen) {
  EXPECT_TRUE(*a_.Take(7));
  EXPECT_EQ(a_.epoch(), 8u);
  EXPECT_TRUE(*a_.Take(8));
  EXPECT_EQ(a_.epoch(), 9u);
}

TEST_F(LeaseTest, ReleasedOrTakenByForceItPassesAtOnce) {
  EXPECT_TRUE(*a_.Take(0));
  a_.Release();
  EXPECT_TRUE(*b_.Take(0));
  EXPECT_EQ(b_.epoch(), 2u);
  a_.Release();  // no longer ours: no effect
  EXPECT_TRUE(*b_.Renew());
  ASSERT_TRUE(a_.TakeByForce(0).ok());
  EXPECT_EQ(a_.epoch(), 3u);
  EXPECT_FALSE(*b_.Renew());
}

}  // namespace
}  // namespace saffron
