#include "testing/contract/append_registry_contract.h"

#include <gmock/gmock.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>

#include "testing/servers/need_server.h"

namespace saffron {

using registry_rows::Aggregate;
using registry_rows::Batch;
using registry_rows::Event;
using registry_rows::Ids;
using registry_rows::PresentInstance;
using registry_rows::Put;
using registry_rows::Recorded;
using registry_rows::Reserve;
using registry_rows::Reserved;
using registry_rows::Settled;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

bool LinkAppendRegistryContract() { return LinkAppendRegistryScansContract(); }

void AppendRegistryContract::SetUp() {
  home_ = GetParam()();
  if (home_ == nullptr) SAFFRON_NO_SERVER("of this engine");
  open_ = home_->Open();
  ASSERT_TRUE(open_.append && open_.claims);
}

void AppendRegistryContract::Close() { open_ = {}; }

void AppendRegistryContract::Reopen() {
  Close();
  open_ = home_->Open();
}

RegistryRows AppendRegistryContract::MustRead(const RegistryRead& read) {
  auto rows = registry().Read(read);
  if (!rows.ok()) ADD_FAILURE() << rows.error().ToString();
  return rows.ok() ? *rows : RegistryRows();
}

std::vector<EventId> AppendRegistryContract::MustListUndecided(const Position& after,
                                                               std::size_t limit) {
  auto rows = registry().Undecided(after, limit);
  if (!rows.ok()) ADD_FAILURE() << rows.error().ToString();
  return rows.ok() ? Ids(*rows) : std::vector<EventId>();
}

namespace {

const AggregateKey kOrder{AggregateType::kInstance, "db:main:Order:1"};

// A row of every kind with every field set.
RegistryWrite Everything() {
  RegistryWrite write;
  write.control = RegistryControl{LogId{registry_rows::TestUuid(3, 1)}, "boot:1", SlotNumber(9)};
  AggregateRow row = PresentInstance("Order", "1", {SequenceNumber(3), SequenceNumber(4)});
  row.decided.outcome = registry_rows::Location(7, 2);
  row.accepted = {SequenceNumber(8), Lifecycle::kAbsent, {SequenceNumber(3), SequenceNumber(5)}};
  row.pending = PendingState{Batch(1), row.accepted};
  row.pending->state.lifecycle = Lifecycle::kPresent;
  row.mark = AdmissionMark{Event(77), -5, 1'900'000'000'000};
  write.put_aggregates = {row};
  CommandRow command = Recorded(Settled(Reserved(1, row.key, 1), 7, 0), 8, 1);
  command.outcome_rejected = true;
  CommandRow reserved = Reserved(2, row.key, 2);
  reserved.type.operation = Operation::kDelete;
  reserved.outcome_batch = Batch(6);
  write.put_commands = {command, reserved};
  Reservation reservation = Reserve(1, 8);
  reservation.resolver = "resolver";
  reservation.retry_after_ms = 123;
  reservation.aggregates = {row.key, AggregateKey{AggregateType::kOntologyHead, "db:main"}};
  reservation.commands = {Event(2), Event(3)};
  reservation.outcomes = {Event(1)};
  write.put_reservations = {reservation};
  return write;
}

RegistryRead ReadOf(const RegistryWrite& write) {
  RegistryRead read;
  for (const auto& row : write.put_aggregates) read.aggregates.push_back(row.key);
  for (const auto& row : write.put_commands) read.commands.push_back(row.id);
  for (const auto& row : write.put_reservations) read.reservations.push_back(row.batch);
  return read;
}

void ExpectHolds(const RegistryRows& rows, const RegistryWrite& write) {
  EXPECT_EQ(rows.control, *write.control);
  EXPECT_EQ(rows.outstanding, write.put_reservations.size());
  ASSERT_EQ(rows.aggregates.size(), write.put_aggregates.size());
  for (const auto& row : write.put_aggregates) EXPECT_EQ(rows.aggregates.at(row.key), row);
  ASSERT_EQ(rows.commands.size(), write.put_commands.size());
  for (const auto& row : write.put_commands) EXPECT_EQ(rows.commands.at(row.id), row);
  ASSERT_EQ(rows.reservations.size(), write.put_reservations.size());
  for (const auto& row : write.put_reservations) EXPECT_EQ(rows.reservations.at(row.batch), row);
}

}  // namespace

TEST_P(AppendRegistryContract, StartsEmptyAndUnfenced) {
  const RegistryRows rows = MustRead(ReadOf(Everything()));
  EXPECT_EQ(rows.control, RegistryControl());
  EXPECT_FALSE(rows.live_incarnation.empty());
  EXPECT_GT(rows.now_ms, 0);
  EXPECT_EQ(rows.outstanding, 0u);
  EXPECT_THAT(rows.aggregates, IsEmpty());
  EXPECT_THAT(rows.commands, IsEmpty());
  EXPECT_THAT(rows.reservations, IsEmpty());
}

TEST_P(AppendRegistryContract, ReadSeesAllOfAWriteAndAReopenKeepsIt) {
  const RegistryWrite write = Everything();
  ASSERT_TRUE(Put(registry(), write).ok());
  ExpectHolds(MustRead(ReadOf(write)), write);
  Reopen();
  ExpectHolds(MustRead(ReadOf(write)), write);
}

TEST_P(AppendRegistryContract, TransactReadsWhatTheOneBeforeWrote) {
  const RegistryWrite write = Everything();
  ASSERT_TRUE(Put(registry(), write).ok());
  int calls = 0;
  ASSERT_TRUE(registry()
                  .Transact(ReadOf(write),
                            [&](const RegistryRows& rows) {
                              ++calls;
                              ExpectHolds(rows, write);
                              return RegistryWrite();
                            })
                  .ok());
  EXPECT_EQ(calls, 1);
}

TEST_P(AppendRegistryContract, AnEmptyWriteChangesNothing) {
  const RegistryWrite write = Everything();
  ASSERT_TRUE(Put(registry(), write).ok());
  ASSERT_TRUE(Put(registry(), RegistryWrite()).ok());
  ExpectHolds(MustRead(ReadOf(write)), write);
}

TEST_P(AppendRegistryContract, KeysMayBeAskedForTwiceAndInAnyOrder) {
  ASSERT_TRUE(Put(registry(), Everything()).ok());
  RegistryRead read;
  read.aggregates = {
      {AggregateType::kInstance, "zz"}, kOrder, kOrder, {AggregateType::kDatabase, "db"}};
  read.commands = {Event(9), Event(2), Event(1), Event(2)};
  const RegistryRows rows = MustRead(read);
  EXPECT_EQ(rows.aggregates.size(), 1u);
  EXPECT_EQ(rows.commands.size(), 2u);
}

TEST_P(AppendRegistryContract, LaterRowsWinAndDeletesComeLast) {
  RegistryWrite write;
  write.put_commands = {Settled(Reserved(1, kOrder, 1), 5, 0),
                        Settled(Reserved(1, kOrder, 2), 6, 0),
                        Settled(Reserved(2, kOrder, 3), 7, 0)};
  write.delete_commands = {Event(2), Event(4)};
  write.put_reservations = {Reserve(1, 1), Reserve(1, 2), Reserve(3, 3)};
  write.delete_reservations = {Batch(3), Batch(9)};
  ASSERT_TRUE(Put(registry(), write).ok());
  auto commands = registry().CommandsOf(kOrder, SequenceNumber(0), SequenceNumber(9), 10);
  ASSERT_TRUE(commands.ok());
  EXPECT_THAT(*commands, ElementsAre(write.put_commands[1]));
  EXPECT_THAT(MustListUndecided({}, 10), ElementsAre(Event(1)));
  auto reservations = registry().Reservations();
  ASSERT_TRUE(reservations.ok());
  EXPECT_THAT(*reservations, ElementsAre(Reserve(1, 2)));
  EXPECT_EQ(MustRead({}).outstanding, 1u);
}

TEST_P(AppendRegistryContract, OddIdsAreDistinctRows) {
  const std::vector<std::string> ids = {"db:main:Order:a",
                                        "db:main:Order:A",
                                        "db:main:Order:a ",
                                        "db:main:Order: a",
                                        "db:main:Order:ä",
                                        "db:main:Order:a\u0308",
                                        "db:main:Order:ä\n",
                                        "db:main:Order:a:b",
                                        "db:main:Order:a%",
                                        "db:main:Order:a_",
                                        "db:main:Order:日本",
                                        "db:main:Order:" + std::string(4000, 'x'),
                                        "db:main:Order:" + std::string(3999, 'x') + "y"};
  RegistryWrite write;
  std::uint64_t number = 0;
  for (const auto& id : ids) {
    const AggregateKey key{AggregateType::kInstance, id};
    write.put_aggregates.push_back(Aggregate(key, ++number));
    write.put_commands.push_back(Settled(Reserved(number, key, number), number, 0));
  }
  write.put_aggregates.push_back(Aggregate({AggregateType::kDatabase, ids[0]}, 99));
  ASSERT_TRUE(Put(registry(), write).ok());
  Reopen();
  const RegistryRows rows = MustRead(ReadOf(write));
  EXPECT_EQ(rows.aggregates.size(), ids.size() + 1);
  for (const auto& row : write.put_aggregates) EXPECT_EQ(rows.aggregates.at(row.key), row);
  for (const auto& row : write.put_commands) {
    auto found = registry().CommandsOf(row.aggregate, SequenceNumber(0), SequenceNumber(99), 9);
    ASSERT_TRUE(found.ok());
    EXPECT_THAT(*found, ElementsAre(row));
  }
}

TEST_P(AppendRegistryContract, ReservationsComeBySlotAndAreCounted) {
  RegistryWrite write;
  for (std::uint64_t slot : {300u, 2u, 255u, 256u}) {
    write.put_reservations.push_back(Reserve(slot, slot));
  }
  ASSERT_TRUE(Put(registry(), write).ok());
  RegistryWrite next;
  next.put_reservations = {Reserve(2, 2)};  // again, now with a resolver
  next.put_reservations[0].resolver = "r";
  next.delete_reservations = {Batch(255), Batch(1000)};
  ASSERT_TRUE(Put(registry(), next).ok());
  EXPECT_EQ(MustRead({}).outstanding, 3u);
  Reopen();
  EXPECT_EQ(MustRead({}).outstanding, 3u);
  auto rows = registry().Reservations();
  ASSERT_TRUE(rows.ok());
  EXPECT_THAT(*rows, ElementsAre(next.put_reservations[0], Reserve(256, 256), Reserve(300, 300)));
}

TEST_P(AppendRegistryContract, ANewIncarnationOfTheEngineIsVisible) {
  RegistryWrite fence;
  fence.control = RegistryControl();
  fence.control->fenced_incarnation = MustRead({}).live_incarnation;
  ASSERT_TRUE(Put(registry(), fence).ok());
  Reopen();
  RegistryRows rows = MustRead({});
  EXPECT_EQ(rows.control.fenced_incarnation, rows.live_incarnation);
  Close();
  home_->ChangeIncarnation();
  open_ = home_->Open();
  rows = MustRead({});
  EXPECT_EQ(rows.control, *fence.control);
  EXPECT_NE(rows.control.fenced_incarnation, rows.live_incarnation);
  std::string in_transaction;
  ASSERT_TRUE(registry()
                  .Transact({},
                            [&](const RegistryRows& seen) {
                              in_transaction = seen.live_incarnation;
                              return RegistryWrite();
                            })
                  .ok());
  EXPECT_EQ(in_transaction, rows.live_incarnation);
}

TEST_P(AppendRegistryContract, TheFenceLockIsHeldOnce) {
  auto lock = registry().LockFence();
  ASSERT_TRUE(lock.ok());
  EXPECT_TRUE(registry().LockFence().Is(Code::kUnavailable));
  lock->reset();
  auto again = registry().LockFence();
  EXPECT_TRUE(again.ok());
}

TEST_P(AppendRegistryContract, DoneClaimsAreWrittenWithTheSettling) {
  ClaimWrite claims;
  claims.put_claims = {registry_rows::Claim("worker", 1, ClaimStatus::kProcessing)};
  claims.put_claims[0].attempt_count = 3;
  claims.put_claims[0].last_error = "once";
  ASSERT_TRUE(Put(*open_.claims, claims).ok());
  const AggregateKey other{AggregateType::kInstance, "db:main:Order:2"};
  std::int64_t now_ms = 0;
  ASSERT_TRUE(registry()
                  .Transact({},
                            [&](const RegistryRows& rows) {
                              now_ms = rows.now_ms;
                              RegistryWrite write;
                              write.done = {{"worker", Event(1), kOrder, SequenceNumber(5)},
                                            {"worker", Event(2), other, SequenceNumber(6)}};
                              return write;
                            })
                  .ok());
  ClaimRow known = claims.put_claims[0];
  known.aggregate = kOrder;
  known.number = SequenceNumber(5);
  known.status = ClaimStatus::kDone;
  known.processed_ms = now_ms;
  ClaimRow fresh;
  fresh.key = {"worker", Event(2)};
  fresh.aggregate = other;
  fresh.number = SequenceNumber(6);
  fresh.status = ClaimStatus::kDone;
  fresh.attempt_count = 1;
  fresh.started_ms = now_ms;
  fresh.processed_ms = now_ms;
  ClaimRead read;
  read.claims = {known.key, fresh.key};
  auto rows = open_.claims->Read(read);
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(rows->claims.at(known.key), known);
  EXPECT_EQ(rows->claims.at(fresh.key), fresh);
  auto open = open_.claims->ClaimsWith("worker", ClaimStatus::kProcessing, 10);
  ASSERT_TRUE(open.ok());
  EXPECT_THAT(*open, IsEmpty());
}

TEST_P(AppendRegistryContract, ClearForgetsWhatTheLogKnowsAndKeepsLeases) {
  RegistryWrite write = Everything();
  write.done = {{"worker", Event(1), kOrder, SequenceNumber(5)}};
  ASSERT_TRUE(Put(registry(), write).ok());
  ClaimWrite claims;
  claims.put_claims = {registry_rows::Claim("worker", 2, ClaimStatus::kProcessing)};
  claims.put_parked = {{{"worker", kOrder}, SequenceNumber(1), Event(1), "why", 5}};
  claims.put_leases = {{"graph", "me", 7, 99}};
  ASSERT_TRUE(Put(*open_.claims, claims).ok());
  ASSERT_TRUE(open_.claims->PutPublished({0, SlotNumber(4), {}}, SlotNumber(0)).ok());
  ASSERT_TRUE(registry().Clear().ok());
  for (int round = 0; round < 2; ++round) {
    const RegistryRows rows = MustRead(ReadOf(write));
    EXPECT_EQ(rows.control, RegistryControl());
    EXPECT_EQ(rows.outstanding, 0u);
    EXPECT_THAT(rows.aggregates, IsEmpty());
    EXPECT_THAT(rows.commands, IsEmpty());
    EXPECT_THAT(rows.reservations, IsEmpty());
    EXPECT_THAT(MustListUndecided({}, 9), IsEmpty());
    auto of = registry().CommandsOf(kOrder, SequenceNumber(0), SequenceNumber(99), 9);
    ASSERT_TRUE(of.ok());
    EXPECT_THAT(*of, IsEmpty());
    ClaimRead read;
    read.claims = {claims.put_claims[0].key, {"worker", Event(1)}};
    read.parked = {claims.put_parked[0].key};
    read.leases = {"graph"};
    auto kept = open_.claims->Read(read);
    ASSERT_TRUE(kept.ok());
    EXPECT_THAT(kept->claims, IsEmpty());
    EXPECT_THAT(kept->parked, IsEmpty());
    EXPECT_EQ(kept->leases.at("graph"), claims.put_leases[0]);
    auto published = open_.claims->PublishedAt(0, SlotNumber(1));
    ASSERT_TRUE(published.ok());
    EXPECT_TRUE(published->has_value());
    Reopen();
  }
  ASSERT_TRUE(Put(registry(), write).ok());
  ExpectHolds(MustRead(ReadOf(write)), write);
}

// Many threads count on two rows and the control row; every transaction and every read sees them
// equal.
TEST_P(AppendRegistryContract, ConcurrentTransactionsAreSerializable) {
  constexpr std::uint64_t kThreads = 8, kRounds = 100;
  const AggregateKey other{AggregateType::kInstance, "db:main:Order:2"};
  RegistryRead read;
  read.aggregates = {kOrder, other};
  std::atomic<int> torn{0}, failed{0};
  std::atomic<bool> done{false};
  auto number_of = [](const RegistryRows& rows, const AggregateKey& key) {
    auto found = rows.aggregates.find(key);
    return found == rows.aggregates.end() ? 0 : found->second.accepted.number.value;
  };
  auto is_whole = [&](const RegistryRows& rows) {
    const std::uint64_t n = number_of(rows, kOrder);
    return number_of(rows, other) == n && rows.control.next_slot.value == n + 1;
  };
  auto work = [&](std::uint64_t thread) {
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      const auto written = registry().Transact(read, [&](const RegistryRows& rows) {
        const std::uint64_t n = number_of(rows, kOrder);
        if (!is_whole(rows)) ++torn;
        RegistryWrite write;
        write.put_aggregates = {Aggregate(kOrder, n + 1), Aggregate(other, n + 1)};
        write.put_commands = {Settled(Reserved(thread * kRounds + round, kOrder, n + 1), n + 1, 0)};
        write.control = rows.control;
        write.control->next_slot = rows.control.next_slot.Next();
        return write;
      });
      if (!written.ok()) ++failed;
    }
  };
  auto watch = [&] {
    while (!done) {
      const auto seen = registry().Read(read);
      if (!seen.ok() || !is_whole(*seen)) ++torn;
    }
  };
  std::vector<std::thread> threads, watchers;
  for (std::uint64_t i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
  for (int i = 0; i < 3; ++i) watchers.emplace_back(watch);
  for (auto& thread : threads) thread.join();
  done = true;
  for (auto& thread : watchers) thread.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(number_of(MustRead(read), kOrder), kThreads * kRounds);
  EXPECT_EQ(MustListUndecided({}, 1000).size(), kThreads * kRounds);
}

}  // namespace saffron
