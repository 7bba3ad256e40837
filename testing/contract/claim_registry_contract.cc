#include "testing/contract/claim_registry_contract.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>

#include "testing/servers/need_server.h"

namespace saffron {

using registry_rows::Aggregate;
using registry_rows::Claim;
using registry_rows::Event;
using registry_rows::Put;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

bool LinkClaimRegistryContract() { return true; }

void ClaimRegistryContract::SetUp() {
  home_ = GetParam()();
  if (home_ == nullptr) SAFFRON_NO_SERVER("of this engine");
  open_ = home_->Open();
  ASSERT_TRUE(open_.append && open_.claims);
}

void ClaimRegistryContract::Reopen() {
  open_ = {};
  open_ = home_->Open();
}

ClaimRows ClaimRegistryContract::MustRead(const ClaimRead& read) {
  auto rows = registry().Read(read);
  if (!rows.ok()) ADD_FAILURE() << rows.error().ToString();
  return rows.ok() ? *rows : ClaimRows();
}

std::vector<ClaimKey> ClaimRegistryContract::MustList(const std::string& handler,
                                                      ClaimStatus status, std::size_t limit) {
  auto rows = registry().ClaimsWith(handler, status, limit);
  if (!rows.ok()) ADD_FAILURE() << rows.error().ToString();
  std::vector<ClaimKey> keys;
  if (rows.ok()) {
    for (const auto& row : *rows) keys.push_back(row.key);
  }
  return keys;
}

namespace {

const AggregateKey kOrder{AggregateType::kInstance, "db:main:Order:1"};

ClaimWrite Everything() {
  ClaimWrite write;
  ClaimRow claim = Claim("worker", 1, ClaimStatus::kFailed);
  claim.processed_ms = -1;
  claim.attempt_count = 4'000'000'000;
  claim.last_error = "because \n of \xc3\xa4";
  claim.partition = 12;
  claim.generation = UINT64_MAX;
  ClaimRow released = Claim("projection_worker:instance_events", 1, ClaimStatus::kProcessing);
  released.owner.clear();
  write.put_claims = {claim, released};
  write.put_parked = {{{"worker", kOrder}, SequenceNumber(3), Event(1), "reason", 123}};
  write.put_leases = {{"graph", "me:1", 7, 99}, {"graph writer", "", 0, 0}};
  return write;
}

ClaimRead ReadOf(const ClaimWrite& write) {
  ClaimRead read;
  for (const auto& row : write.put_claims) read.claims.push_back(row.key);
  for (const auto& row : write.put_parked) read.parked.push_back(row.key);
  for (const auto& row : write.put_leases) read.leases.push_back(row.name);
  return read;
}

void ExpectHolds(const ClaimRows& rows, const ClaimWrite& write) {
  ASSERT_EQ(rows.claims.size(), write.put_claims.size());
  for (const auto& row : write.put_claims) EXPECT_EQ(rows.claims.at(row.key), row);
  ASSERT_EQ(rows.parked.size(), write.put_parked.size());
  for (const auto& row : write.put_parked) EXPECT_EQ(rows.parked.at(row.key), row);
  ASSERT_EQ(rows.leases.size(), write.put_leases.size());
  for (const auto& row : write.put_leases) EXPECT_EQ(rows.leases.at(row.name), row);
}

std::vector<ClaimKey> Sorted(std::vector<ClaimKey> keys) {
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace

TEST_P(ClaimRegistryContract, ReadSeesAllOfAWriteAndAReopenKeepsIt) {
  const ClaimWrite write = Everything();
  EXPECT_THAT(MustRead(ReadOf(write)).claims, IsEmpty());
  ASSERT_TRUE(Put(registry(), write).ok());
  ExpectHolds(MustRead(ReadOf(write)), write);
  Reopen();
  ExpectHolds(MustRead(ReadOf(write)), write);
  ClaimWrite gone;
  gone.delete_parked = {write.put_parked[0].key, {"nobody", kOrder}};
  ASSERT_TRUE(Put(registry(), gone).ok());
  EXPECT_THAT(MustRead(ReadOf(write)).parked, IsEmpty());
}

TEST_P(ClaimRegistryContract, SeesTheRowsOfTheAppendSide) {
  RegistryWrite append;
  append.put_aggregates = {Aggregate(kOrder, 4)};
  append.put_commands = {registry_rows::Reserved(1, kOrder, 4)};
  ASSERT_TRUE(Put(*open_.append, append).ok());
  ClaimRead read;
  read.aggregates = {kOrder, {AggregateType::kDatabase, "db"}};
  read.commands = {Event(1), Event(2)};
  int calls = 0;
  ASSERT_TRUE(registry()
                  .Transact(read,
                            [&](const ClaimRows& rows) {
                              ++calls;
                              EXPECT_GT(rows.now_ms, 0);
                              EXPECT_EQ(rows.aggregates.size(), 1u);
                              EXPECT_EQ(rows.aggregates.at(kOrder), append.put_aggregates[0]);
                              EXPECT_EQ(rows.commands.size(), 1u);
                              EXPECT_EQ(rows.commands.at(Event(1)), append.put_commands[0]);
                              return ClaimWrite();
                            })
                  .ok());
  EXPECT_EQ(calls, 1);
}

TEST_P(ClaimRegistryContract, ClaimsWithFollowsTheStatus) {
  ClaimWrite write;
  std::vector<ClaimKey> keys;
  for (std::uint64_t i = 0; i < 5; ++i) {
    write.put_claims.push_back(Claim("w", i, ClaimStatus::kProcessing));
    keys.push_back(write.put_claims.back().key);
  }
  keys = Sorted(keys);
  write.put_claims.push_back(Claim("w2", 1, ClaimStatus::kProcessing));
  write.put_claims.push_back(Claim("W", 1, ClaimStatus::kProcessing));
  write.put_claims.push_back(Claim("w", 9, ClaimStatus::kFailed));
  ASSERT_TRUE(Put(registry(), write).ok());
  EXPECT_EQ(MustList("w", ClaimStatus::kProcessing, 99), keys);
  EXPECT_EQ(MustList("w", ClaimStatus::kProcessing, 2),
            std::vector(keys.begin(), keys.begin() + 2));
  EXPECT_THAT(MustList("w", ClaimStatus::kFailed, 99), ElementsAre(write.put_claims[7].key));
  EXPECT_THAT(MustList("", ClaimStatus::kProcessing, 99), IsEmpty());

  ClaimWrite changes;
  const ClaimStatus next[] = {ClaimStatus::kDone, ClaimStatus::kFailed, ClaimStatus::kSkippedStale,
                              ClaimStatus::kProcessing};
  for (std::size_t i = 0; i < 4; ++i) {
    changes.put_claims.push_back(write.put_claims[i]);
    changes.put_claims.back().status = next[i];
  }
  ASSERT_TRUE(Put(registry(), changes).ok());
  const auto key = [&](std::size_t i) { return write.put_claims[i].key; };
  EXPECT_THAT(MustList("w", ClaimStatus::kProcessing, 99), UnorderedElementsAre(key(3), key(4)));
  EXPECT_THAT(MustList("w", ClaimStatus::kDone, 99), ElementsAre(key(0)));
  EXPECT_THAT(MustList("w", ClaimStatus::kFailed, 99), UnorderedElementsAre(key(1), key(7)));
  EXPECT_THAT(MustList("w", ClaimStatus::kSkippedStale, 99), ElementsAre(key(2)));
  EXPECT_THAT(MustList("w2", ClaimStatus::kProcessing, 99), ElementsAre(key(5)));
}

TEST_P(ClaimRegistryContract, HeartbeatTouchesTheOwnersClaimsInFlight) {
  ClaimWrite write;
  write.put_claims = {Claim("w", 1, ClaimStatus::kProcessing), Claim("w", 2, ClaimStatus::kDone),
                      Claim("w", 3, ClaimStatus::kProcessing),
                      Claim("x", 4, ClaimStatus::kProcessing),
                      Claim("w", 5, ClaimStatus::kProcessing)};
  write.put_claims[2].owner = "another";
  write.put_claims[4].owner = "";
  ASSERT_TRUE(Put(registry(), write).ok());
  auto beaten = registry().Heartbeat("w", "owner");
  ASSERT_TRUE(beaten.ok());
  EXPECT_EQ(*beaten, 1u);
  const ClaimRows rows = MustRead(ReadOf(write));
  for (std::size_t i = 0; i < write.put_claims.size(); ++i) {
    const ClaimRow& row = rows.claims.at(write.put_claims[i].key);
    if (i != 0) {
      EXPECT_EQ(row, write.put_claims[i]) << i;
      continue;
    }
    EXPECT_GT(row.heartbeat_ms, write.put_claims[0].heartbeat_ms);
    EXPECT_LE(row.heartbeat_ms, rows.now_ms);
    ClaimRow same = row;
    same.heartbeat_ms = write.put_claims[0].heartbeat_ms;
    EXPECT_EQ(same, write.put_claims[0]);
  }
  auto none = registry().Heartbeat("nobody", "owner");
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(*none, 0u);
}

TEST_P(ClaimRegistryContract, ParkedPagesThroughHandlersAndAggregates) {
  const AggregateKey a{AggregateType::kInstance, "db:main:Order:A"},
      b{AggregateType::kInstance, "db:main:Order:a b"}, c{AggregateType::kDatabase, "db"};
  ClaimWrite write;
  for (const ParkKey& key :
       {ParkKey{"w", b}, ParkKey{"w2", a}, ParkKey{"w", a}, ParkKey{"w", c}, ParkKey{"other", a}}) {
    write.put_parked.push_back({key, SequenceNumber(1), Event(1), "why", 5});
  }
  ASSERT_TRUE(Put(registry(), write).ok());
  auto list = [&](const std::string& handler, const std::optional<ParkKey>& after,
                  std::size_t limit) {
    auto rows = registry().Parked(handler, after, limit);
    EXPECT_TRUE(rows.ok());
    std::vector<ParkKey> keys;
    if (rows.ok()) {
      for (const auto& row : *rows) keys.push_back(row.key);
    }
    return keys;
  };
  using Keys = std::vector<ParkKey>;
  EXPECT_EQ(list("", std::nullopt, 99),
            (Keys{{"other", a}, {"w", c}, {"w", a}, {"w", b}, {"w2", a}}));
  EXPECT_EQ(list("w", std::nullopt, 99), (Keys{{"w", c}, {"w", a}, {"w", b}}));
  EXPECT_EQ(list("w", ParkKey{"w", c}, 1), (Keys{{"w", a}}));
  EXPECT_EQ(list("", ParkKey{"w", a}, 2), (Keys{{"w", b}, {"w2", a}}));
  EXPECT_EQ(list("w", ParkKey{"w", b}, 9), Keys{});
  EXPECT_EQ(list("w", ParkKey{"a", a}, 1), (Keys{{"w", c}}));
}

TEST_P(ClaimRegistryContract, PublishedIsFoundAtOrAboveASlotUntilItIsPruned) {
  auto row = [](std::uint32_t shard, std::uint64_t slot) {
    PublishedRow published{shard, SlotNumber(slot), {}};
    published.ends[{"instance_commands", 0}] = slot * 10;
    published.ends[{"instance_commands", 7}] = UINT64_MAX;
    return published;
  };
  auto at = [&](std::uint32_t shard, std::uint64_t slot) {
    auto found = registry().PublishedAt(shard, SlotNumber(slot));
    EXPECT_TRUE(found.ok());
    return found.ok() ? *found : std::nullopt;
  };
  for (std::uint64_t slot : {3u, 255u, 256u, 300u}) {
    ASSERT_TRUE(registry().PutPublished(row(1, slot), SlotNumber(0)).ok());
  }
  ASSERT_TRUE(registry().PutPublished(row(2, 5), SlotNumber(0)).ok());
  EXPECT_EQ(at(1, 0), row(1, 3));
  EXPECT_EQ(at(1, 4), row(1, 255));
  EXPECT_EQ(at(1, 256), row(1, 256));
  EXPECT_EQ(at(1, 301), std::nullopt);
  EXPECT_EQ(at(0, 1), std::nullopt);
  EXPECT_EQ(at(2, 5), row(2, 5));

  ASSERT_TRUE(registry().PutPublished(row(1, 400), SlotNumber(256)).ok());
  EXPECT_EQ(at(1, 0), row(1, 256));
  EXPECT_EQ(at(2, 0), row(2, 5));
  ASSERT_TRUE(registry().PutPublished(row(1, 10), SlotNumber(10)).ok());
  EXPECT_EQ(at(1, 0), row(1, 10));
  Reopen();
  EXPECT_EQ(at(1, 0), row(1, 10));
  ASSERT_TRUE(registry().PutPublished(row(1, 500), SlotNumber(301)).ok());
  EXPECT_EQ(at(1, 0), row(1, 400));
}

TEST_P(ClaimRegistryContract, PruneDeletesOldSettledRowsThatTheHandlerPassed) {
  RegistryWrite append;
  AggregateRow order = Aggregate(kOrder, 10);
  order.decided.number = SequenceNumber(10);
  append.put_aggregates = {order};
  ASSERT_TRUE(Put(*open_.append, append).ok());
  ClaimWrite write;
  auto add = [&](std::uint64_t event, std::uint64_t number, ClaimStatus status,
                 std::int64_t processed_ms) -> ClaimRow& {
    ClaimRow& row = write.put_claims.emplace_back(Claim("w", event, status));
    row.number = SequenceNumber(number);
    row.processed_ms = processed_ms;
    return row;
  };
  for (std::uint64_t i = 1; i <= 10; ++i) add(i, i, ClaimStatus::kDone, 99);
  add(11, 4, ClaimStatus::kSkippedStale, 99);
  add(20, 1, ClaimStatus::kDone, 100);       // too young
  add(21, 11, ClaimStatus::kDone, 99);       // not passed
  add(22, 1, ClaimStatus::kProcessing, 99);  // in flight
  add(23, 1, ClaimStatus::kFailed, 99);      // for an operator
  add(24, 1, ClaimStatus::kDone, 99).aggregate.id = "unknown";
  ASSERT_TRUE(Put(registry(), write).ok());
  // Until a pass is through.
  auto prune = [&](std::int64_t before_ms) {
    std::uint64_t rows = 0;
    for (bool more = true; more;) {
      const auto pruned = registry().Prune(before_ms, 4);
      EXPECT_TRUE(pruned.ok());
      more = pruned.ok() && pruned->more;
      if (pruned.ok()) rows += pruned->rows;
    }
    return rows;
  };
  EXPECT_EQ(prune(99), 0u);
  EXPECT_EQ(MustRead(ReadOf(write)).claims.size(), 16u);
  EXPECT_EQ(prune(100), 11u);
  EXPECT_EQ(prune(100), 0u);
  const ClaimRows left = MustRead(ReadOf(write));
  ASSERT_EQ(left.claims.size(), 5u);
  for (std::size_t i = 11; i < write.put_claims.size(); ++i) {
    EXPECT_TRUE(left.claims.contains(write.put_claims[i].key)) << i;
  }
  EXPECT_EQ(MustList("w", ClaimStatus::kProcessing, 9).size(), 1u);
  EXPECT_EQ(MustList("w", ClaimStatus::kFailed, 9).size(), 1u);
  EXPECT_EQ(prune(101), 1u);  // each pass begins at the first row
}

// What a call looks at is bounded, and so is what it deletes; what is between is not forgotten.
TEST_P(ClaimRegistryContract, PruneGoesThroughManyRowsInManyCalls) {
  constexpr std::uint64_t kRows = 600, kLimit = 50;
  RegistryWrite append;
  AggregateRow order = Aggregate(kOrder, kRows);
  order.decided.number = SequenceNumber(kRows);
  append.put_aggregates = {order};
  ASSERT_TRUE(Put(*open_.append, append).ok());
  ClaimWrite write;
  for (std::uint64_t i = 1; i <= kRows; ++i) {
    ClaimRow& row = write.put_claims.emplace_back(Claim("w", i, ClaimStatus::kDone));
    row.processed_ms = i % 3 == 0 ? 500 : 99;
  }
  ASSERT_TRUE(Put(registry(), write).ok());
  std::uint64_t rows = 0, calls = 0;
  for (bool more = true; more; ++calls) {
    const auto pruned = registry().Prune(100, kLimit);
    ASSERT_TRUE(pruned.ok());
    more = pruned->more;
    EXPECT_LE(pruned->rows, 4 * kLimit);
    rows += pruned->rows;
    ASSERT_LT(calls, kRows);
  }
  EXPECT_GE(calls, 3u);
  EXPECT_EQ(rows, kRows / 3 * 2);
  EXPECT_EQ(MustList("w", ClaimStatus::kDone, 999).size(), kRows / 3);
}

// One claim, many takers: exactly one wins each; both ports' transactions exclude each other.
TEST_P(ClaimRegistryContract, ConcurrentTransactionsOfBothPortsAreSerializable) {
  constexpr std::uint64_t kThreads = 6, kRounds = 40;
  std::atomic<std::uint64_t> won{0}, failed{0};
  auto take = [&](std::uint64_t thread) {
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      ClaimRead read;
      read.claims = {{"w", Event(round)}};
      bool mine = false;
      const auto done = registry().Transact(read, [&](const ClaimRows& rows) {
        mine = rows.claims.empty();
        ClaimWrite write;
        if (!mine) return write;
        write.put_claims = {Claim("w", round, ClaimStatus::kProcessing)};
        write.put_claims[0].owner = std::to_string(thread);
        return write;
      });
      if (!done.ok()) ++failed;
      if (done.ok() && mine) ++won;
      // The same counter from both sides: only a sum of all is right.
      RegistryRead counter;
      counter.aggregates = {kOrder};
      const auto counted = open_.append->Transact(counter, [&](const RegistryRows& rows) {
        auto found = rows.aggregates.find(kOrder);
        const auto n = found == rows.aggregates.end() ? 0 : found->second.accepted.number.value;
        RegistryWrite write;
        write.put_aggregates = {Aggregate(kOrder, n + 1)};
        return write;
      });
      ClaimRead lease;
      lease.leases = {"l"};
      const auto leased = registry().Transact(lease, [&](const ClaimRows& rows) {
        auto found = rows.leases.find("l");
        ClaimWrite write;
        write.put_leases = {{"l", "", found == rows.leases.end() ? 1 : found->second.epoch + 1, 0}};
        return write;
      });
      if (!counted.ok() || !leased.ok()) ++failed;
    }
  };
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < kThreads; ++i) threads.emplace_back(take, i);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0u);
  EXPECT_EQ(won, kRounds);
  ClaimRead read;
  read.leases = {"l"};
  read.aggregates = {kOrder};
  const ClaimRows rows = MustRead(read);
  EXPECT_EQ(rows.leases.at("l").epoch, kThreads * kRounds);
  EXPECT_EQ(rows.aggregates.at(kOrder).accepted.number.value, kThreads * kRounds);
  EXPECT_EQ(MustList("w", ClaimStatus::kProcessing, 999).size(), kRounds);
}

}  // namespace saffron
