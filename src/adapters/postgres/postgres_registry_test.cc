// How transactions meet: round trips, locks, repeats, the pool, notices, other processes.
#include "adapters/postgres/postgres_registry.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "adapters/postgres/postgres_test_home.h"

namespace saffron {
namespace {

using registry_rows::Aggregate;
using registry_rows::Batch;
using registry_rows::Claim;
using registry_rows::Event;
using registry_rows::Put;
using registry_rows::Reserve;
using registry_rows::Reserved;

const AggregateKey kOrder{AggregateType::kInstance, "db:main:Order:1"};

class PostgresRegistryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    home_ = PostgresTestHome::Make(false);
    if (home_ == nullptr) SAFFRON_NO_SERVER("postgres");
    registry_ = home_->OpenRegistry();
    ASSERT_TRUE(registry_);
  }
  std::uint64_t NumberOf(const AggregateKey& key) {
    RegistryRead read;
    read.aggregates = {key};
    const auto rows = registry_->Read(read);
    EXPECT_TRUE(rows.ok());
    if (!rows.ok() || !rows->aggregates.contains(key)) return 0;
    return rows->aggregates.at(key).accepted.number.value;
  }

  std::shared_ptr<PostgresTestHome> home_;
  std::shared_ptr<PostgresRegistry> registry_;
};

TEST_F(PostgresRegistryTest, ATransactionIsTwoRoundTripsAndAReadIsOne) {
  RegistryWrite write;
  write.control = RegistryControl{LogId(), "", SlotNumber(5)};
  write.put_aggregates = {Aggregate(kOrder, 1)};
  write.put_commands = {Reserved(1, kOrder, 1)};
  write.put_reservations = {Reserve(1, 4)};
  write.delete_reservations = {Batch(2)};
  write.done = {{"instance_worker", Event(1), kOrder, SequenceNumber(1)}};
  RegistryRead read;
  read.aggregates = {kOrder};
  read.commands = {Event(1)};
  read.reservations = {Batch(1), Batch(2)};
  ClaimRead claims;
  claims.claims = {{"w", Event(1)}};
  claims.aggregates = {kOrder};
  for (int round = 0; round < 3; ++round) {
    std::uint64_t before = registry_->Describe().round_trips;
    ASSERT_TRUE(registry_->Transact(read, [&](const RegistryRows&) { return write; }).ok());
    EXPECT_EQ(registry_->Describe().round_trips - before, 2u);
    before = registry_->Describe().round_trips;
    ASSERT_TRUE(registry_
                    ->Transact(claims,
                               [&](const ClaimRows&) {
                                 ClaimWrite put;
                                 put.put_claims = {Claim("w", 1, ClaimStatus::kProcessing)};
                                 return put;
                               })
                    .ok());
    EXPECT_EQ(registry_->Describe().round_trips - before, 2u);
    before = registry_->Describe().round_trips;
    ASSERT_TRUE(registry_->Read(read).ok());
    ASSERT_TRUE(registry_->Read(claims).ok());
    EXPECT_EQ(registry_->Describe().round_trips - before, 2u);
  }
}

// The claim side reads one snapshot; what the append side changes meanwhile makes it read again.
TEST_F(PostgresRegistryTest, AClaimThatWasSettledMeanwhileIsReadAgain) {
  const ClaimKey key{"w", Event(1)};
  ClaimRead read;
  read.claims = {key};
  read.commands = {Event(1)};
  for (const bool known : {false, true}) {
    ASSERT_TRUE(registry_->Clear().ok());
    if (known) {
      ClaimWrite write;
      write.put_claims = {Claim("w", 1, ClaimStatus::kProcessing)};
      ASSERT_TRUE(Put(*registry_, write).ok());
    }
    std::vector<bool> saw_done;
    const Status done = registry_->Transact(read, [&](const ClaimRows& rows) {
      auto found = rows.claims.find(key);
      saw_done.push_back(found != rows.claims.end() && found->second.status == ClaimStatus::kDone);
      EXPECT_EQ(saw_done.back(), rows.commands.contains(Event(1)));
      if (saw_done.size() == 1) {
        RegistryWrite settle;
        settle.put_commands = {Reserved(1, kOrder, 1)};
        settle.done = {{"w", Event(1), kOrder, SequenceNumber(1)}};
        EXPECT_TRUE(Put(*registry_, settle).ok());
      }
      ClaimWrite write;
      if (saw_done.back()) return write;
      write.put_claims = {Claim("w", 1, ClaimStatus::kProcessing)};
      return write;
    });
    ASSERT_TRUE(done.ok()) << done.error().ToString();
    EXPECT_EQ(saw_done, (std::vector<bool>{false, true})) << known;
    const auto rows = registry_->Read(read);
    ASSERT_TRUE(rows.ok());
    EXPECT_EQ(rows->claims.at(key).status, ClaimStatus::kDone);
  }
  EXPECT_GE(registry_->Describe().retries, 2u);
}

TEST_F(PostgresRegistryTest, AHeldLockIsUnavailableAfterItsTimeAndWritesNothing) {
  PostgresRegistry::Options options = home_->OptionsOf();
  options.lock_timeout = std::chrono::milliseconds(100);
  auto impatient = home_->OpenWith(options);
  ASSERT_TRUE(impatient);
  RegistryWrite write;
  write.put_aggregates = {Aggregate(kOrder, 1)};
  int calls = 0;
  const Status outer = registry_->Transact(RegistryRead(), [&](const RegistryRows&) {
    const Status inner = impatient->Transact(RegistryRead(), [&](const RegistryRows&) {
      ++calls;
      return write;
    });
    EXPECT_TRUE(inner.Is(Code::kUnavailable));
    // The claim side has another lock.
    EXPECT_TRUE(Put(*impatient, ClaimWrite()).ok());
    return RegistryWrite();
  });
  EXPECT_TRUE(outer.ok());
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(NumberOf(kOrder), 0u);
  EXPECT_TRUE(Put(*impatient, write).ok());
  EXPECT_EQ(NumberOf(kOrder), 1u);
}

TEST_F(PostgresRegistryTest, ThePoolHasABound) {
  PostgresRegistry::Options options = home_->OptionsOf();
  options.pool_size = 1;
  options.pool_timeout = std::chrono::milliseconds(50);
  auto small = home_->OpenWith(options);
  ASSERT_TRUE(small);
  const Status outer = small->Transact(RegistryRead(), [&](const RegistryRows&) {
    const auto inner = small->Reservations();
    EXPECT_TRUE(inner.Is(Code::kUnavailable));
    EXPECT_EQ(small->Describe().connections, 1u);
    return RegistryWrite();
  });
  EXPECT_TRUE(outer.ok());
  EXPECT_TRUE(small->Reservations().ok());
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  options.pool_size = 3;
  options.pool_timeout = std::chrono::seconds(20);
  auto three = home_->OpenWith(options);
  ASSERT_TRUE(three);
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10; ++n) failed += !three->Reservations().ok();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_LE(three->Describe().connections, 3u);
}

class Heard {
 public:
  void Add(SlotNumber slot) {
    std::lock_guard lock(mutex_);
    slots_.push_back(slot);
    added_.notify_all();
  }
  bool Within(std::chrono::milliseconds time, SlotNumber slot) {
    std::unique_lock lock(mutex_);
    return added_.wait_for(
        lock, time, [&] { return std::find(slots_.begin(), slots_.end(), slot) != slots_.end(); });
  }
  std::size_t count() {
    std::lock_guard lock(mutex_);
    return slots_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable added_;
  std::vector<SlotNumber> slots_;
};

TEST_F(PostgresRegistryTest, WhatAnotherProcessSettlesIsHeard) {
  Heard heard;
  auto other = home_->OpenRegistry();
  ASSERT_TRUE(other);
  other->OnSettled([&](SlotNumber slot) { heard.Add(slot); });
  const auto settle = [&](std::uint64_t n) {
    RegistryWrite reserve;
    reserve.put_reservations = {Reserve(n, n), Reserve(n + 1, n + 1)};
    EXPECT_TRUE(Put(*registry_, reserve).ok());
    RegistryRead read;
    read.reservations = {Batch(n), Batch(n + 1)};
    EXPECT_TRUE(registry_
                    ->Transact(read,
                               [&](const RegistryRows&) {
                                 RegistryWrite write;
                                 write.delete_reservations = read.reservations;
                                 return write;
                               })
                    .ok());
  };
  // Until it listens, and again after its connection was ended, nothing is heard.
  std::uint64_t slot = 10;
  const auto hears = [&] {
    for (int tries = 0; tries < 100; ++tries, slot += 2) {
      settle(slot);
      if (heard.Within(std::chrono::milliseconds(100), SlotNumber(slot + 1))) return true;
    }
    return false;
  };
  EXPECT_TRUE(hears());
  const std::size_t before = heard.count();
  settle(1000);
  EXPECT_TRUE(heard.Within(std::chrono::seconds(5), SlotNumber(1001)));
  EXPECT_EQ(heard.count(), before + 1);  // one notice a transaction
  home_->Sql(
      "select pg_terminate_backend(pid)::text from pg_stat_activity"
      " where query like 'listen %'");
  slot = 2000;
  EXPECT_TRUE(hears());
}

// Processes of their own race for rows that are not there yet, the counter and the claims.
TEST_F(PostgresRegistryTest, ProcessesRaceForAbsentRowsAndNoneIsLost) {
  constexpr std::uint64_t kProcesses = 4, kRounds = 30;
  registry_.reset();
  std::vector<pid_t> children;
  for (std::uint64_t process = 0; process < kProcesses; ++process) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child > 0) {
      children.push_back(child);
      continue;
    }
    auto registry = home_->OpenRegistry();
    bool ok = registry != nullptr;
    for (std::uint64_t round = 0; ok && round < kRounds; ++round) {
      const AggregateKey fresh{AggregateType::kInstance, "db:main:Order:r" + std::to_string(round)};
      RegistryRead read;
      read.aggregates = {kOrder, fresh};
      ok = registry
               ->Transact(read,
                          [&](const RegistryRows& rows) {
                            const auto next = [&](const AggregateKey& key) {
                              auto found = rows.aggregates.find(key);
                              const auto n = found == rows.aggregates.end()
                                                 ? 0
                                                 : found->second.accepted.number.value;
                              return Aggregate(key, n + 1);
                            };
                            RegistryWrite write;
                            write.put_aggregates = {next(kOrder), next(fresh)};
                            return write;
                          })
               .ok();
      ClaimRead claim;
      claim.claims = {{"w", Event(round)}};
      claim.leases = {"wins"};
      ok = ok && registry
                     ->Transact(claim,
                                [&](const ClaimRows& rows) {
                                  ClaimWrite write;
                                  if (!rows.claims.empty()) return write;
                                  write.put_claims = {Claim("w", round, ClaimStatus::kProcessing)};
                                  auto wins = rows.leases.find("wins");
                                  write.put_leases = {
                                      {"wins", "",
                                       wins == rows.leases.end() ? 1 : wins->second.epoch + 1, 0}};
                                  return write;
                                })
                     .ok();
    }
    registry.reset();
    _exit(ok ? 0 : 1);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  registry_ = home_->OpenRegistry();
  ASSERT_TRUE(registry_);
  EXPECT_EQ(NumberOf(kOrder), kProcesses * kRounds);
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    EXPECT_EQ(NumberOf({AggregateType::kInstance, "db:main:Order:r" + std::to_string(round)}),
              kProcesses);
  }
  ClaimRead read;
  read.leases = {"wins"};
  const auto rows = registry_->Read(read);
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(rows->leases.at("wins").epoch, kRounds);
}

}  // namespace
}  // namespace saffron
