// A registry that an older program made: it is brought to this version, and nothing is lost.
#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <string>

#include "adapters/postgres/version1_test_home.h"
#include "testing/contract/append_registry_contract.h"
#include "testing/contract/claim_registry_contract.h"

namespace saffron {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class PostgresVersion1Test : public ::testing::Test {
 protected:
  void SetUp() override {
    home_ = PostgresTestHome::Make(false);
    if (home_ == nullptr) SAFFRON_NO_SERVER("postgres");
    version1::Load(*home_);
    ASSERT_EQ(Version(), "1");
  }
  std::string Version() { return home_->Sql("select version::text from registry_schema"); }
  // Tables with their columns and settings, and indexes.
  static std::string Shape(PostgresTestHome& home) {
    std::string shape = home.Sql(
        "select table_name || '.' || column_name || ' ' || data_type || is_nullable ||"
        " coalesce(column_default, '') || coalesce(collation_name, '') || E'\n'"
        " from information_schema.columns where table_schema = current_schema() order by 1");
    shape += home.Sql(
        "select relname || coalesce(array_to_string(reloptions, ','), '') || E'\n' from pg_class"
        " where relnamespace = current_schema()::regnamespace and relkind = 'r' order by 1");
    return shape + home.Sql(
                       "select replace(indexdef, schemaname, '') || E'\n' from pg_indexes"
                       " where schemaname = current_schema() order by 1");
  }

  std::shared_ptr<PostgresTestHome> home_;
};

TEST_F(PostgresVersion1Test, EveryRowIsAsItWas) {
  auto registry = home_->OpenRegistry();
  ASSERT_TRUE(registry);
  EXPECT_EQ(Version(), "2");
  const RegistryWrite append = version1::Appended();
  RegistryRead read;
  for (const auto& row : append.put_aggregates) read.aggregates.push_back(row.key);
  for (const auto& row : append.put_commands) read.commands.push_back(row.id);
  for (const auto& row : append.put_reservations) read.reservations.push_back(row.batch);
  const auto rows = registry->Read(read);
  ASSERT_TRUE(rows.ok()) << rows.error().ToString();
  EXPECT_EQ(rows->control, *append.control);
  for (const auto& row : append.put_aggregates) EXPECT_EQ(rows->aggregates.at(row.key), row);
  for (const auto& row : append.put_commands) EXPECT_EQ(rows->commands.at(row.id), row);
  for (const auto& row : append.put_reservations) EXPECT_EQ(rows->reservations.at(row.batch), row);

  const ClaimWrite claims = version1::Claimed();
  ClaimRead claim_read;
  for (const auto& row : claims.put_claims) claim_read.claims.push_back(row.key);
  for (const auto& row : claims.put_parked) claim_read.parked.push_back(row.key);
  for (const auto& row : claims.put_leases) claim_read.leases.push_back(row.name);
  const auto claimed = registry->Read(claim_read);
  ASSERT_TRUE(claimed.ok()) << claimed.error().ToString();
  for (const auto& row : claims.put_claims) EXPECT_EQ(claimed->claims.at(row.key), row);
  for (const auto& row : claims.put_parked) EXPECT_EQ(claimed->parked.at(row.key), row);
  for (const auto& row : claims.put_leases) EXPECT_EQ(claimed->leases.at(row.name), row);
  EXPECT_EQ(registry->PublishedAt(0, SlotNumber(1)).value(), version1::kPublished);
  EXPECT_EQ(home_->Sql("select event_id from processed_events where handler = 'billing'"),
            "not-a-uuid");
  const auto in_flight =
      registry->ClaimsWith("instance_worker", ClaimStatus::kProcessing, 9).value();
  EXPECT_EQ(in_flight.size(), 2u);
}

TEST_F(PostgresVersion1Test, TheWorkListGoesOn) {
  auto registry = home_->OpenRegistry();
  ASSERT_TRUE(registry);
  using registry_rows::Event;
  using registry_rows::Ids;
  // By position: 4 lies in slot 7, the others in slot 8.
  EXPECT_THAT(Ids(registry->Undecided({}, 9).value()), ElementsAre(Event(4), Event(2), Event(3)));
  RegistryRead read;
  read.commands = {Event(1), Event(2), Event(4)};
  ASSERT_TRUE(registry
                  ->Transact(read,
                             [](const RegistryRows& rows) {
                               RegistryWrite write;
                               const auto row = [&](std::uint64_t n) {
                                 return rows.commands.at(Event(n));
                               };
                               write.put_commands = {registry_rows::Settled(row(1), 10, 0),
                                                     registry_rows::Recorded(row(2), 11, 0),
                                                     registry_rows::Recorded(row(4), 11, 1)};
                               return write;
                             })
                  .ok());
  EXPECT_THAT(Ids(registry->Undecided({}, 9).value()), ElementsAre(Event(3), Event(1)));
}

TEST_F(PostgresVersion1Test, WhatTheRegistryDoesNotKnowAsDecidedIsNotPruned) {
  auto registry = home_->OpenRegistry();
  ASSERT_TRUE(registry);
  const auto pruned = registry->Prune(101, 100);
  ASSERT_TRUE(pruned.ok());
  EXPECT_EQ(pruned->rows, 0u);  // numbers 5 and 6 of an aggregate that the registry does not know
}

TEST_F(PostgresVersion1Test, TheSchemaIsAsOneThatWasMadeNew) {
  ASSERT_TRUE(home_->OpenRegistry());
  auto fresh = PostgresTestHome::Make(false);
  ASSERT_TRUE(fresh->OpenRegistry());
  EXPECT_EQ(Shape(*home_), Shape(*fresh));
}

// It has opened the schema while it was of its version, and goes on.
TEST_F(PostgresVersion1Test, AProgramOfVersion1ThatStillRunsWritesNothing) {
  // How its transactions begin.
  const std::string lock = "do 'begin lock table append_lock in exclusive mode; end'";
  ASSERT_TRUE(home_->TrySql(lock).ok());
  ASSERT_TRUE(home_->OpenRegistry());
  const auto refused = home_->TrySql(lock);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message(), HasSubstr("42P01"));
}

// As a registry that was migrated before anybody wrote to it.
std::shared_ptr<RegistryHome> MakeMigratedHome() {
  const std::string_view test = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  auto home = PostgresTestHome::Make(test.find("Incarnation") != std::string_view::npos);
  if (home == nullptr) return nullptr;
  version1::Load(*home);
  home->Sql(
      "truncate processed_events, aggregate_versions, event_index, reservations,"
      " parked_aggregates, leases, published, registry_control");
  home->Sql("insert into registry_control default values");
  return home;
}

INSTANTIATE_APPEND_REGISTRY_CONTRACT(PostgresVersion1, &MakeMigratedHome);
INSTANTIATE_CLAIM_REGISTRY_CONTRACT(PostgresVersion1, &MakeMigratedHome);

}  // namespace
}  // namespace saffron
