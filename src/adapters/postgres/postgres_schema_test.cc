// What Open does: addresses, passwords, schemas of other versions and of other tools.
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "adapters/postgres/postgres_test_home.h"
#include "adapters/postgres/values.h"

namespace saffron {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kPassword = "s3cret-pa55";
const AggregateKey kOrder{AggregateType::kInstance, "db:main:Order:1"};

class PostgresSchemaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    home_ = PostgresTestHome::Make(false);
    if (home_ == nullptr) SAFFRON_NO_SERVER("postgres");
  }
  // "scheme://user:password@place" with another user and password.
  std::string UrlWith(const std::string& user_and_password) const {
    return "postgresql://" + user_and_password + home_->url().substr(home_->url().rfind('@'));
  }
  Error OpenError(PostgresRegistry::Options options) {
    Log log(
        {LogLevel::kDebug, LogFormat::kText}, [] { return WallTime{}; },
        [this](std::string_view line) { logged_ += line; });
    auto opened = PostgresRegistry::Open(std::move(options), runtime_, log);
    return opened.ok() ? Internal("it opened") : opened.error();
  }

  std::shared_ptr<PostgresTestHome> home_;
  std::string logged_;
  ThreadRuntime runtime_;
};

TEST_F(PostgresSchemaTest, AnAddressThatIsNoneIsRefusedWithoutBeingQuoted) {
  PostgresRegistry::Options options = home_->OptionsOf();
  options.url = "postgresql://u:" + std::string(kPassword) + "@[::1/db";
  const Error error = OpenError(options);
  EXPECT_EQ(error.code(), Code::kInvalid);
  EXPECT_THAT(error.message() + logged_, Not(HasSubstr(std::string(kPassword))));
}

TEST_F(PostgresSchemaTest, AWrongPasswordIsInvalidAndNotTold) {
  PostgresRegistry::Options options = home_->OptionsOf();
  options.url = UrlWith("saffron:" + std::string(kPassword));
  const Error error = OpenError(options);
  EXPECT_EQ(error.code(), Code::kInvalid) << error.ToString();
  EXPECT_THAT(error.message(), HasSubstr("28P01"));
  EXPECT_THAT(error.message() + logged_, Not(HasSubstr(std::string(kPassword))));
}

TEST_F(PostgresSchemaTest, ADatabaseThatIsNotThereIsInvalid) {
  PostgresRegistry::Options options = home_->OptionsOf();
  options.url = options.url.substr(0, options.url.rfind('/')) + "/nowhere";
  EXPECT_EQ(OpenError(options).code(), Code::kInvalid);
}

TEST_F(PostgresSchemaTest, NobodyThereIsUnavailable) {
  PostgresRegistry::Options options = home_->OptionsOf();
  options.url = "postgresql://u:" + std::string(kPassword) + "@127.0.0.1:1/db";
  const Error error = OpenError(options);
  EXPECT_EQ(error.code(), Code::kUnavailable);
  EXPECT_THAT(error.message(), HasSubstr("127.0.0.1:1/db"));
  EXPECT_THAT(error.message() + logged_, Not(HasSubstr(std::string(kPassword))));
}

TEST_F(PostgresSchemaTest, BadOptionsAreInvalid) {
  const std::vector<std::string> bad = {"", "Upper", "9nine", "a\"b", std::string(49, 'a')};
  for (const std::string& schema : bad) {
    PostgresRegistry::Options options = home_->OptionsOf();
    options.schema = schema;
    EXPECT_EQ(OpenError(options).code(), Code::kInvalid) << schema;
  }
  PostgresRegistry::Options options = home_->OptionsOf();
  options.lock_timeout = options.statement_timeout;
  EXPECT_EQ(OpenError(options).code(), Code::kInvalid);
}

TEST_F(PostgresSchemaTest, ANewerSchemaAndAnotherPrefixAreRefused) {
  ASSERT_TRUE(home_->OpenRegistry());
  PostgresRegistry::Options other = home_->OptionsOf();
  other.handler_prefix = "other";
  EXPECT_EQ(OpenError(other).code(), Code::kInvalid);
  home_->Sql("update registry_schema set version = 3 returning ''");
  const Error error = OpenError(home_->OptionsOf());
  EXPECT_EQ(error.code(), Code::kInvalid);
  EXPECT_THAT(error.message(), HasSubstr("version 3"));
}

TEST_F(PostgresSchemaTest, AUserWhoMayNotMakeTheSchemaIsToldSo) {
  home_->Sql("create role " + home_->schema() + " login password 'few-rights'");
  PostgresRegistry::Options options = home_->OptionsOf();
  options.url = UrlWith(home_->schema() + ":few-rights");
  const Error error = OpenError(options);
  EXPECT_EQ(error.code(), Code::kInvalid) << error.ToString();
  EXPECT_THAT(error.message(), HasSubstr("42501"));
  // In a schema that was given to it, everything it needs is allowed to it.
  home_->Sql("create schema " + home_->schema() + " authorization " + home_->schema());
  auto registry = home_->OpenWith(options);
  ASSERT_TRUE(registry);
  RegistryWrite write;
  write.put_aggregates = {registry_rows::Aggregate(kOrder, 1)};
  EXPECT_TRUE(registry_rows::Put(*registry, write).ok());
  registry.reset();
  home_->Sql("drop schema " + home_->schema() + " cascade");
  home_->Sql("drop role " + home_->schema());
}

// As after a failover: the sessions that were open lead to a server that may only be read.
TEST_F(PostgresSchemaTest, AServerThatBecameReadOnlyIsLeftForTheNextPrimary) {
  const std::string role = home_->schema();
  home_->Sql("create role " + role + " login password 'few-rights'");
  home_->Sql("create schema " + role + " authorization " + role);
  PostgresRegistry::Options options = home_->OptionsOf();
  options.url = UrlWith(role + ":few-rights");
  auto registry = home_->OpenWith(options);
  ASSERT_TRUE(registry);
  RegistryWrite write;
  write.put_aggregates = {registry_rows::Aggregate(kOrder, 1)};
  ASSERT_TRUE(registry_rows::Put(*registry, write).ok());
  home_->Sql("alter role " + role + " set default_transaction_read_only = on");
  home_->Sql("select pg_terminate_backend(pid)::text from pg_stat_activity where usename = '" +
             role + "'");
  EXPECT_TRUE(registry_rows::Put(*registry, write).Is(Code::kUnavailable));
  home_->Sql("alter role " + role + " reset default_transaction_read_only");
  EXPECT_TRUE(registry_rows::Put(*registry, write).ok());
  registry.reset();
  home_->Sql("drop schema " + role + " cascade");
  home_->Sql("drop role " + role);
}

// Version 0: the tables as other tools make them, with their rows.
class PostgresMigrationTest : public PostgresSchemaTest {
 protected:
  void SetUp() override {
    PostgresSchemaTest::SetUp();
    if (home_ == nullptr) return;
    home_->Sql("create schema " + home_->schema());
    home_->Sql(
        "create table processed_events(handler text, event_id text, aggregate_id text,"
        " sequence_number bigint, status text, started_at timestamptz default now(), owner text,"
        " heartbeat_at timestamptz not null default now(), processed_at timestamptz,"
        " attempt_count int not null default 1, last_error text, primary key (handler, event_id))");
    home_->Sql(
        "create table aggregate_versions(handler text, aggregate_id text,"
        " last_sequence bigint not null default 0, updated_at timestamptz default now(),"
        " primary key (handler, aggregate_id))");
    home_->Sql(
        "insert into processed_events(handler, event_id, aggregate_id, sequence_number, status)"
        " values ('billing', 'not-a-uuid', 'x', 7, 'done'), ('instance_worker', '" +
        registry_rows::Event(1).ToString() + "', 'db:main:Order:1', 3, 'processing')");
    home_->Sql(
        "insert into aggregate_versions(handler, aggregate_id, last_sequence) values"
        " ('billing', 'x', 7), ('write_side:Instance', 'db:main:Order:1', 3)");
  }
  std::string Foreign() {
    return home_->Sql(
               "select handler || ':' || event_id from processed_events"
               " where aggregate_type is null order by 1") +
           "; " +
           home_->Sql(
               "select handler || ':' || last_sequence from aggregate_versions"
               " where aggregate_type is null order by 1");
  }
};

TEST_F(PostgresMigrationTest, RowsOfOtherToolsStayAndAreNotOurs) {
  auto registry = home_->OpenRegistry();
  ASSERT_TRUE(registry);
  const std::string foreign = Foreign();
  EXPECT_THAT(foreign, HasSubstr("billing:not-a-uuid"));
  EXPECT_THAT(foreign, HasSubstr("billing:7 write_side:Instance:3"));
  ClaimRead claims;
  claims.claims = {{"instance_worker", registry_rows::Event(1)}, {"billing", EventId()}};
  claims.aggregates = {kOrder};
  const auto rows = registry->Read(claims);
  ASSERT_TRUE(rows.ok()) << rows.error().ToString();
  EXPECT_TRUE(rows->claims.empty());
  EXPECT_TRUE(rows->aggregates.empty());
  const auto done = registry->ClaimsWith("billing", ClaimStatus::kDone, 9);
  ASSERT_TRUE(done.ok());
  EXPECT_TRUE(done->empty());
  ASSERT_TRUE(registry->Clear().ok());
  EXPECT_EQ(Foreign(), foreign);
  registry.reset();
  ASSERT_TRUE(home_->OpenRegistry());  // and again: it is migrated already
  EXPECT_EQ(Foreign(), foreign);
}

TEST_F(PostgresMigrationTest, ARowBecomesOursWhenItIsWritten) {
  auto registry = home_->OpenRegistry();
  ASSERT_TRUE(registry);
  RegistryWrite write;
  write.put_aggregates = {registry_rows::Aggregate(kOrder, 4)};
  write.done = {{"instance_worker", registry_rows::Event(1), kOrder, SequenceNumber(4)}};
  ASSERT_TRUE(registry_rows::Put(*registry, write).ok());
  ClaimRead claims;
  claims.claims = {{"instance_worker", registry_rows::Event(1)}};
  claims.aggregates = {kOrder};
  const auto rows = registry->Read(claims);
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(rows->claims.size(), 1u);
  EXPECT_EQ(rows->aggregates.at(kOrder), write.put_aggregates[0]);
  EXPECT_EQ(home_->Sql("select handler || '=' || last_sequence from aggregate_versions"
                       " where aggregate_id = 'db:main:Order:1' order by 1"),
            "instance_worker=4 write_side:Instance=4");
  EXPECT_EQ(home_->Sql("select status from processed_events where handler = 'instance_worker'"),
            "done");
}

// Names and types that other tools rely on.
TEST_F(PostgresMigrationTest, TheColumnsOfOtherToolsAreAsTheyWere) {
  const std::string columns =
      "select column_name || ' ' || data_type from information_schema.columns where table_schema ="
      " current_schema() and table_name = ";
  const std::string of_events =
      columns + "'processed_events' and ordinal_position <= 11 order by ordinal_position";
  const std::string of_versions =
      columns + "'aggregate_versions' and ordinal_position <= 4 order by ordinal_position";
  const std::string events = home_->Sql(of_events), versions = home_->Sql(of_versions);
  EXPECT_THAT(events, HasSubstr("heartbeat_at timestamp with time zone"));
  ASSERT_TRUE(home_->OpenRegistry());
  EXPECT_EQ(home_->Sql(of_events), events);
  EXPECT_EQ(home_->Sql(of_versions), versions);
  home_->Sql("drop schema " + home_->schema() + " cascade");
  ASSERT_TRUE(home_->OpenRegistry());
  EXPECT_EQ(home_->Sql(of_events), events);
  EXPECT_EQ(home_->Sql(of_versions), versions);
}

TEST(PostgresAddressTest, ShowsWhereAndNotTheSecrets) {
  const auto address = postgres::Address::Parse("postgresql://me:s3cret-pa55@db.example:5433/reg");
  ASSERT_TRUE(address.ok());
  EXPECT_EQ(address->ToString(), "db.example:5433/reg");
  EXPECT_EQ(address->WithoutSecrets("s3cret-pa55, and again: s3cret-pa55."),
            "***, and again: ***.");
}

TEST(PostgresValuesTest, TextThatAColumnCannotHoldIsMadeStorable) {
  EXPECT_EQ(postgres::StorableText("plain \xc3\xa4 \xf0\x9f\x98\x80"),
            "plain \xc3\xa4 \xf0\x9f\x98\x80");
  EXPECT_EQ(postgres::StorableText(std::string_view("a\0b", 3)),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(postgres::StorableText("\xc3"), "\xef\xbf\xbd");
  EXPECT_EQ(postgres::StorableText("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(postgres::StorableText("\xc0\x80x"), "\xef\xbf\xbd\xef\xbf\xbdx");
}

}  // namespace
}  // namespace saffron
