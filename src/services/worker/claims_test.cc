#include "services/worker/claims.h"

#include <gtest/gtest.h>

namespace saffron {
namespace {

class Claims : public testing::Test {
 protected:
  Claims() { rows.now_ms = 1'000'000; }

  // A settled command with this number on the aggregate.
  ClaimCandidate Command(std::uint8_t id, const std::string& aggregate, std::uint64_t number) {
    std::array<std::uint8_t, 16> bytes{};
    bytes[0] = id;
    ClaimCandidate candidate{EventId(Uuid(bytes)),
                             AggregateKey::Instance("db", "main", "Thing", aggregate),
                             SequenceNumber(number), 3, 7};
    CommandRow& row = rows.commands[candidate.event];
    row.id = candidate.event;
    row.location = EventLocation();
    return candidate;
  }
  ClaimRow& ClaimedBy(const ClaimCandidate& candidate, const std::string& owner,
                      std::int64_t heartbeat_ms, std::uint32_t attempts) {
    ClaimRow& row = rows.claims[{terms.handler, candidate.event}];
    row.key = {terms.handler, candidate.event};
    row.owner = owner;
    row.heartbeat_ms = heartbeat_ms;
    row.attempt_count = attempts;
    row.partition = candidate.partition;
    row.generation = candidate.generation;
    return row;
  }
  std::vector<ClaimVerdict> Run(const std::vector<ClaimCandidate>& candidates) {
    write = ClaimWrite();
    return Claim(rows, terms, candidates, write);
  }

  ClaimRows rows;
  ClaimWrite write;
  ClaimTerms terms{"instance_worker", "me/2", 60'000, 1'000, 3};
};

using V = ClaimVerdict;

TEST_F(Claims, ChainsOfOneAggregateAreTakenInOrder) {
  EXPECT_EQ(Run({Command(1, "a", 1), Command(2, "a", 2), Command(3, "b", 1)}),
            (std::vector<V>{V::kClaimed, V::kClaimed, V::kClaimed}));
  EXPECT_EQ(write.put_claims.size(), 3u);
}

TEST_F(Claims, AGapIsNotPassedOver) {
  EXPECT_EQ(Run({Command(2, "a", 2)}), std::vector<V>{V::kGap});
  EXPECT_TRUE(write.put_claims.empty());
}

TEST_F(Claims, WhatIsNotSettledWaits) {
  ClaimCandidate candidate = Command(1, "a", 1);
  rows.commands[candidate.event].location.reset();
  EXPECT_EQ(Run({candidate}), std::vector<V>{V::kUnsettled});
}

TEST_F(Claims, WhatHasItsOutcomeIsDone) {
  ClaimCandidate candidate = Command(1, "a", 1);
  rows.commands[candidate.event].outcome = EventLocation();
  EXPECT_EQ(Run({candidate}), std::vector<V>{V::kDone});
}

TEST_F(Claims, AParkedAggregateIsAcknowledgedAndNotTaken) {
  ClaimCandidate candidate = Command(1, "a", 1);
  rows.parked[{terms.handler, candidate.aggregate}] = ParkedRow();
  EXPECT_EQ(Run({candidate}), std::vector<V>{V::kParked});
}

TEST_F(Claims, ALiveOwnerKeepsItsClaim) {
  ClaimCandidate candidate = Command(1, "a", 1);
  ClaimedBy(candidate, "other/1", rows.now_ms - 59'999, 1);
  EXPECT_EQ(Run({candidate}), std::vector<V>{V::kHeld});
}

TEST_F(Claims, ALeaseEndsWithoutHeartbeats) {
  ClaimCandidate candidate = Command(1, "a", 1);
  ClaimedBy(candidate, "other/1", rows.now_ms - 60'000, 1);
  EXPECT_EQ(Run({candidate}), std::vector<V>{V::kClaimed});
  EXPECT_EQ(write.put_claims.front().attempt_count, 2u);
}

TEST_F(Claims, ALaterRunOfTheSameOwnerTakesOverAfterTwoHeartbeats) {
  ClaimCandidate candidate = Command(1, "a", 1);
  ClaimedBy(candidate, "me/1", rows.now_ms - 1'999, 1);
  EXPECT_EQ(Run({candidate}), std::vector<V>{V::kHeld});
  ClaimedBy(candidate, "me/1", rows.now_ms - 2'000, 1);
  EXPECT_EQ(Run({candidate}), std::vector<V>{V::kClaimed});
}

TEST_F(Claims, C22_AHigherGenerationTakesOverAtOnce) {
  ClaimCandidate candidate = Command(1, "a", 1);
  ClaimedBy(candidate, "other/1", rows.now_ms, 1).generation = 6;
  EXPECT_EQ(Run({candidate}), std::vector<V>{V::kClaimed});
}

TEST_F(Claims, WhoeverHadItIsDeadWhenNoOtherProcessWorksHere) {
  ClaimCandidate candidate = Command(1, "a", 1);
  ClaimedBy(candidate, "other/1", rows.now_ms, 1);
  EXPECT_EQ(Run({candidate}), std::vector<V>{V::kHeld});
  terms.exclusive = true;
  EXPECT_EQ(Run({candidate}), std::vector<V>{V::kClaimed});
  EXPECT_EQ(write.put_claims.front().attempt_count, 2u);  // and may have died on it
}

TEST_F(Claims, AReleasedClaimIsTakenWithoutACharge) {
  ClaimCandidate candidate = Command(1, "a", 1);
  ClaimedBy(candidate, "", rows.now_ms, 1);
  EXPECT_EQ(Run({candidate}), std::vector<V>{V::kClaimed});
  EXPECT_EQ(write.put_claims.front().attempt_count, 1u);
}

// One event kills the process with hundreds of others in its batch: only it may be charged.
TEST_F(Claims, C21_SuspectsAreTakenOneAtATimeAndBeforeAnythingElse) {
  ClaimCandidate fresh = Command(1, "a", 1), first = Command(2, "b", 1),
                 second = Command(3, "c", 1);
  ClaimedBy(first, "other/1", 0, 1);
  ClaimedBy(second, "other/1", 0, 1);
  EXPECT_EQ(Run({fresh, first, second}), (std::vector<V>{V::kLater, V::kClaimed, V::kLater}));
  ASSERT_EQ(write.put_claims.size(), 1u);
  EXPECT_EQ(write.put_claims.front().key.event, first.event);
}

TEST_F(Claims, AnEventThatKilledItsProcessTooOftenIsExhausted) {
  ClaimCandidate candidate = Command(1, "a", 1);
  ClaimedBy(candidate, "other/1", 0, 3);
  EXPECT_EQ(Run({candidate}), std::vector<V>{V::kExhausted});
  EXPECT_TRUE(write.put_claims.empty());
}

}  // namespace
}  // namespace saffron
