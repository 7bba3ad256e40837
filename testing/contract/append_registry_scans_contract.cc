// The scans of AppendRegistry, and the work list under concurrent writers.
#include <gmock/gmock.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>

#include "testing/contract/append_registry_contract.h"

namespace saffron {

using registry_rows::Aggregate;
using registry_rows::Batch;
using registry_rows::Event;
using registry_rows::Ids;
using registry_rows::PresentInstance;
using registry_rows::Put;
using registry_rows::Recorded;
using registry_rows::Reserved;
using registry_rows::Settled;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

bool LinkAppendRegistryScansContract() { return true; }

namespace {

const AggregateKey kOrder{AggregateType::kInstance, "db:main:Order:1"};

}  // namespace

TEST_P(AppendRegistryContract, CommandsOfGivesSettledOnesInTheRange) {
  const AggregateKey longer{AggregateType::kInstance, kOrder.id + "0"};
  RegistryWrite write;
  for (std::uint64_t n : {300u, 2u, 1u, 255u, 256u}) {
    write.put_commands.push_back(Settled(Reserved(n, kOrder, n), n, 0));
  }
  write.put_commands.push_back(Reserved(3, kOrder, 3));
  write.put_commands.push_back(Settled(Reserved(500, longer, 2), 500, 0));
  ASSERT_TRUE(Put(registry(), write).ok());
  auto range = [&](std::uint64_t from, std::uint64_t to, std::size_t limit) {
    auto rows = registry().CommandsOf(kOrder, SequenceNumber(from), SequenceNumber(to), limit);
    EXPECT_TRUE(rows.ok());
    return rows.ok() ? Ids(*rows) : std::vector<EventId>();
  };
  EXPECT_THAT(range(0, UINT64_MAX, 10),
              ElementsAre(Event(1), Event(2), Event(255), Event(256), Event(300)));
  EXPECT_THAT(range(2, 256, 10), ElementsAre(Event(2), Event(255), Event(256)));
  EXPECT_THAT(range(2, 256, 2), ElementsAre(Event(2), Event(255)));
  EXPECT_THAT(range(257, 299, 10), IsEmpty());
  EXPECT_THAT(range(300, 2, 10), IsEmpty());
  EXPECT_THAT(range(0, UINT64_MAX, 0), IsEmpty());
  RegistryWrite undo;
  undo.delete_commands = {Event(2)};
  ASSERT_TRUE(Put(registry(), undo).ok());
  EXPECT_THAT(range(2, 256, 10), ElementsAre(Event(255), Event(256)));
}

TEST_P(AppendRegistryContract, UndecidedIsInOrderOfPositionAndEndsWithTheOutcome) {
  RegistryWrite write;
  const std::vector<std::pair<std::uint64_t, std::uint32_t>> places = {
      {300, 0}, {2, 1}, {2, 0}, {256, 7}, {255, 3}};
  for (std::uint64_t i = 0; i < places.size(); ++i) {
    write.put_commands.push_back(
        Settled(Reserved(i, kOrder, i + 1), places[i].first, places[i].second));
  }
  write.put_commands.push_back(Reserved(7, kOrder, 7));
  ASSERT_TRUE(Put(registry(), write).ok());
  EXPECT_THAT(MustListUndecided({}, 10),
              ElementsAre(Event(2), Event(1), Event(4), Event(3), Event(0)));
  EXPECT_THAT(MustListUndecided({}, 2), ElementsAre(Event(2), Event(1)));
  EXPECT_THAT(MustListUndecided({0, SlotNumber(2), 0}, 2), ElementsAre(Event(1), Event(4)));
  EXPECT_THAT(MustListUndecided({0, SlotNumber(300), 0}, 2), IsEmpty());

  RegistryWrite outcome;
  outcome.put_commands = {Recorded(write.put_commands[2], 400, 0),
                          Recorded(write.put_commands[3], 400, 1)};
  ASSERT_TRUE(Put(registry(), outcome).ok());
  EXPECT_THAT(MustListUndecided({}, 10), ElementsAre(Event(1), Event(4), Event(0)));
  // A claimed outcome is not yet a recorded one; a late slot may settle below those known.
  RegistryWrite late;
  late.put_commands = {write.put_commands[1], Settled(write.put_commands[5], 1, 0)};
  late.put_commands[0].outcome_batch = Batch(5);
  ASSERT_TRUE(Put(registry(), late).ok());
  EXPECT_THAT(MustListUndecided({}, 10), ElementsAre(Event(7), Event(1), Event(4), Event(0)));
  RegistryWrite undo;
  undo.delete_commands = {Event(7), Event(1), Event(4), Event(0)};
  ASSERT_TRUE(Put(registry(), undo).ok());
  EXPECT_THAT(MustListUndecided({}, 10), IsEmpty());
}

TEST_P(AppendRegistryContract, ListPagesThroughIdsWithThePrefix) {
  RegistryWrite write;
  for (const char* id : {"db", "db2", "dba", "db-x", "da", "dc", "db:main:Order", "DB"}) {
    write.put_aggregates.push_back(Aggregate({AggregateType::kOntologyClass, id}, 1));
  }
  write.put_aggregates.push_back(Aggregate({AggregateType::kInstance, "db9"}, 1));
  ASSERT_TRUE(Put(registry(), write).ok());
  auto list = [&](std::string_view prefix, std::string_view after, std::size_t limit) {
    auto rows = registry().List(AggregateType::kOntologyClass, prefix, after, limit);
    EXPECT_TRUE(rows.ok());
    std::vector<std::string> ids;
    if (rows.ok()) {
      for (const auto& row : *rows) ids.push_back(row.key.id);
    }
    return ids;
  };
  EXPECT_THAT(list("", "", 99),
              ElementsAre("DB", "da", "db", "db-x", "db2", "db:main:Order", "dba", "dc"));
  EXPECT_THAT(list("db", "", 99), ElementsAre("db", "db-x", "db2", "db:main:Order", "dba"));
  EXPECT_THAT(list("db", "db-x", 2), ElementsAre("db2", "db:main:Order"));
  EXPECT_THAT(list("db", "dba", 2), IsEmpty());
  EXPECT_THAT(list("db", "z", 2), IsEmpty());
  EXPECT_THAT(list("db", "a", 1), ElementsAre("db"));
  EXPECT_THAT(list("db:", "", 9), ElementsAre("db:main:Order"));
}

TEST_P(AppendRegistryContract, MembersAreCountedByClassAndScope) {
  const Scope scope{SequenceNumber(1), SequenceNumber(2)}, older{SequenceNumber(1), {}};
  RegistryWrite write;
  write.put_aggregates = {
      PresentInstance("Order", "1", scope),   PresentInstance("Order", "a:b", scope),
      PresentInstance("Order", "", scope),    PresentInstance("Ord", "er:1", scope),
      PresentInstance("Order", "old", older), PresentInstance("Orders", "1", scope)};
  AggregateRow deleted = PresentInstance("Order", "deleted", scope);
  deleted.decided.lifecycle = Lifecycle::kAbsent;
  AggregateRow undecided = PresentInstance("Order", "undecided", scope);
  undecided.decided = {};
  AggregateRow deleting = PresentInstance("Order", "deleting", scope);
  deleting.accepted = {SequenceNumber(2), Lifecycle::kAbsent, scope};
  AggregateRow pending = PresentInstance("Order", "pending", scope);
  pending.accepted = {};
  pending.decided = {};
  pending.pending = PendingState{Batch(1), {SequenceNumber(1), Lifecycle::kPresent, scope}};
  for (const auto& row : {deleted, undecided, deleting, pending}) {
    write.put_aggregates.push_back(row);
  }
  ASSERT_TRUE(Put(registry(), write).ok());
  RegistryRead read;
  for (const char* name : {"Order", "Ord", "None", "Orders"}) {
    read.members.push_back(
        {{AggregateType::kOntologyClass, "db:main:" + std::string(name)}, scope});
  }
  read.members.push_back({{AggregateType::kOntologyClass, "db:main:Order"}, older});
  auto expect = [](const std::vector<MemberCount>& members) {
    ASSERT_EQ(members.size(), 5u);
    EXPECT_EQ(members[0].present, 4u);  // 1, a:b, the empty id, undecided
    EXPECT_EQ(members[0].pending, 1u);
    EXPECT_EQ(members[1].present, 1u);
    EXPECT_EQ(members[1].pending, 0u);
    EXPECT_EQ(members[2].present, 0u);
    EXPECT_EQ(members[3].present, 1u);
    EXPECT_EQ(members[4].present, 1u);
  };
  expect(MustRead(read).members);
  ASSERT_TRUE(registry()
                  .Transact(read,
                            [&](const RegistryRows& rows) {
                              expect(rows.members);
                              return RegistryWrite();
                            })
                  .ok());
}

// A queue that moves on while it is read: rows come in any order of position and leave, and one is
// always there.
TEST_P(AppendRegistryContract, UndecidedNeverMissesARowThatWasAcknowledged) {
  constexpr std::uint64_t kCommands = 400;
  std::atomic<bool> started{false}, done{false};
  std::atomic<int> missed{0}, failed{0};
  auto command = [](std::uint64_t i) {
    const std::uint64_t slot = 1 + (i * 101) % kCommands;
    return Settled(Reserved(i, kOrder, i + 1), slot, 0);
  };
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < kCommands; ++i) {
      RegistryWrite settle;
      settle.put_commands = {command(i)};
      if (!Put(registry(), settle).ok()) ++failed;
      started = true;
      if (i == 0) continue;
      RegistryWrite record;
      record.put_commands = {Recorded(command(i - 1), 1000 + i, 0)};
      if (!Put(registry(), record).ok()) ++failed;
    }
    done = true;
  });
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        const bool expects_one = started;
        const auto rows = registry().Undecided({}, 1);
        if (!rows.ok()) ++failed;
        if (expects_one && (!rows.ok() || rows->empty())) ++missed;
      }
    });
  }
  writer.join();
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(missed, 0);
  EXPECT_EQ(failed, 0);
  EXPECT_THAT(MustListUndecided({}, 9), ElementsAre(Event(kCommands - 1)));
  RegistryWrite low;
  low.put_commands = {Settled(Reserved(9999, kOrder, 9999), 1, 1)};
  ASSERT_TRUE(Put(registry(), low).ok());
  EXPECT_THAT(MustListUndecided({}, 1), ElementsAre(Event(9999)));
}

}  // namespace saffron
