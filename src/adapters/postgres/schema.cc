#include "adapters/postgres/schema.h"

#include "base/bytes.h"
#include "base/sha256.h"

namespace saffron::postgres {

namespace {

// Version 1. Two tables are older than we are: other tools write and read them, so columns are only
// added, and a row is ours when aggregate_type says so. Text compares byte by byte: identifiers
// have no language, and their order is that of the other engines.
//
// Rows change several times within milliseconds and then rest: the fill factors leave room for that
// on the page, and reservations, which come and go, are vacuumed after some thousands.
const char* const kVersion1[] = {
    "create table if not exists processed_events ("
    " handler text not null, event_id text not null, aggregate_id text, sequence_number bigint,"
    " status text not null, started_at timestamptz default now(), owner text,"
    " heartbeat_at timestamptz not null default now(), processed_at timestamptz,"
    " attempt_count int not null default 1, last_error text, primary key (handler, event_id))",

    "create table if not exists aggregate_versions ("
    " handler text not null, aggregate_id text not null, last_sequence bigint not null default 0,"
    " updated_at timestamptz default now(), primary key (handler, aggregate_id))",

    "alter table processed_events"
    " alter handler type text collate \"C\", alter event_id type text collate \"C\","
    " alter aggregate_id type text collate \"C\","
    " add column if not exists aggregate_type smallint,"
    " add column if not exists partition int, add column if not exists generation bigint",

    "create index if not exists idx_processed_events_aggregate"
    " on processed_events (handler, aggregate_id)",
    "create index if not exists idx_processed_events_status on processed_events (status)",
    "create index if not exists idx_processed_events_lease"
    " on processed_events (handler, status, heartbeat_at) where status = 'processing'",

    "alter table aggregate_versions"
    " alter handler type text collate \"C\", alter aggregate_id type text collate \"C\","
    " add column if not exists decided_number bigint,"
    " add column if not exists accepted_database bigint,"
    " add column if not exists accepted_class bigint,"
    " add column if not exists decided_database bigint,"
    " add column if not exists decided_class bigint,"
    " add column if not exists decided_incarnation bigint,"
    " add column if not exists outcome_slot bigint,"
    " add column if not exists outcome_offset bigint,"
    " add column if not exists outcome_shard int, add column if not exists outcome_ordinal int,"
    " add column if not exists outcome_length int, add column if not exists outcome_crc32c int,"
    " add column if not exists aggregate_type smallint,"
    " add column if not exists accepted_lifecycle smallint,"
    " add column if not exists decided_lifecycle smallint,"
    " add column if not exists pending_batch uuid,"
    " add column if not exists pending_number bigint,"
    " add column if not exists pending_database bigint,"
    " add column if not exists pending_class bigint,"
    " add column if not exists pending_lifecycle smallint,"
    " add column if not exists mark_event uuid, add column if not exists mark_since timestamptz,"
    " add column if not exists mark_expires timestamptz,"
    " set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)",

    "create table event_index ("
    " event_id uuid primary key, sequence_number bigint not null, slot bigint,"
    " offset_bytes bigint, outcome_slot bigint, outcome_offset bigint, shard int, ordinal int,"
    " length_bytes int, crc32c int, outcome_shard int, outcome_ordinal int, outcome_length int,"
    " outcome_crc32c int, aggregate_type smallint not null, event_type smallint not null,"
    " outcome_rejected bool not null, batch uuid, outcome_batch uuid,"
    " request_sha256 bytea not null, aggregate_id text collate \"C\" not null)"
    " with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)",
    // By a hash: 8 bytes, where the text would be in every row twice.
    "create index event_index_aggregate on event_index"
    " (hashtextextended(aggregate_id, aggregate_type), sequence_number)",
    "create index event_index_undecided on event_index (shard, slot, ordinal)"
    " where slot is not null and outcome_slot is null",

    "create table reservations ("
    " batch uuid primary key, slot bigint not null, reserved_at timestamptz not null,"
    " expires_at timestamptz not null, retry_after timestamptz not null, writer text not null,"
    " resolver text not null, aggregates bytea not null, commands bytea not null,"
    " outcomes bytea not null) with (autovacuum_vacuum_scale_factor = 0,"
    " autovacuum_vacuum_threshold = 2000)",
    "alter table reservations alter aggregates set storage external,"
    " alter commands set storage external, alter outcomes set storage external",

    "create table parked_aggregates ("
    " handler text collate \"C\" not null, aggregate_type smallint not null,"
    " aggregate_id text collate \"C\" not null, first_number bigint not null, event_id uuid not "
    "null,"
    " parked_at timestamptz not null, reason text not null,"
    " primary key (handler, aggregate_type, aggregate_id))",
    "create table leases ("
    " name text collate \"C\" primary key, owner text not null, epoch bigint not null,"
    " expires_at timestamptz not null)",
    "create table published ("
    " shard int, slot bigint, ends bytea not null, primary key (shard, slot))",

    "create table registry_control ("
    " one bool primary key default true check (one), log_id uuid,"
    " fenced_incarnation text not null default '', next_slot bigint not null default 1)"
    " with (fillfactor = 10)",
    "insert into registry_control default values",
    // Empty, and locked by every transaction of a side.
    "create table append_lock ()",
    "create table claims_lock ()",
};

// Version 2. What bounded the rate was making index entries. Three indexes of processed_events that
// no statement needs are gone or were never used, and the work list is a table of its own: the rows
// of event_index then change without touching an index, where their page has room (HOT).
//
// The name of the lock has the version, so that a program of an older one that still runs writes
// nothing any more: it would not keep the work list.
const char* const kVersion2[] = {
    "alter table append_lock rename to append_lock_v2",
    "drop index if exists idx_processed_events_aggregate, idx_processed_events_status",
    "create table undecided ("
    " shard int, slot bigint, ordinal int, event_id uuid,"
    " primary key (shard, slot, ordinal, event_id))"
    " with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)",
    "insert into undecided select shard, slot, ordinal, event_id from event_index"
    " where slot is not null and outcome_slot is null",
    "drop index event_index_undecided",
    "alter table event_index set (fillfactor = 50)",
    "alter table aggregate_versions set (fillfactor = 50)",
};

const Statement kNow{"schema_now",
                     "select current_setting('server_encoding') = 'UTF8',"
                     " current_setting('server_version_num')::int >= 140000,"
                     " current_setting('fsync') = 'on'"
                     " and current_setting('full_page_writes') = 'on',"
                     " exists (select from pg_namespace where nspname = $1::text),"
                     " exists (select from pg_tables where schemaname = $1::text"
                     " and tablename = 'registry_schema')"};
const Statement kVersion{"schema_version", "select version, handler_prefix from registry_schema"};

// The statements of one migration go over the connection once: none is kept prepared for long.
Status RunAll(Pool& pool, Connection& connection, const std::vector<Statement>& statements) {
  for (const Statement& statement : statements) connection.Add(statement);
  const Answer answer = pool.RunUnbounded(connection);
  if (answer.failure) return ErrorOf(*answer.failure, false);
  return Ok();
}

Result<std::vector<Rows>> RunOne(Pool& pool, Connection& connection, const Statement& statement,
                                 std::vector<Value> values) {
  connection.Add(statement, std::move(values));
  Answer answer = pool.Run(connection);
  if (answer.failure) return ErrorOf(*answer.failure, false);
  return std::move(answer.rows);
}

// The version that is there, if it can be brought to this one.
Result<std::uint32_t> CheckVersion(const Rows& rows, const std::string& handler_prefix) {
  if (rows.size() != 1) return Corrupt("registry_schema has not one row");
  Fields fields(rows, 0);
  const std::uint32_t version = fields.Int4();
  const std::string prefix = fields.Text();
  if (version > static_cast<std::uint32_t>(kSchemaVersion)) {
    return Invalid("the registry's schema has version " + std::to_string(version) +
                   ", this program knows " + std::to_string(kSchemaVersion) +
                   ": it was made by a newer one");
  }
  if (prefix != handler_prefix) {
    return Invalid("the registry was made with the handler prefix '" + prefix + "', not '" +
                   handler_prefix + "'");
  }
  return version;
}

// From a version (0: none) to this one.
std::vector<Statement> StepsFrom(std::uint32_t version) {
  std::vector<const char*> steps;
  if (version < 1) {
    steps.assign(std::begin(kVersion1), std::end(kVersion1));
    steps.push_back(
        "create table registry_schema (version int not null, handler_prefix text not null)");
    steps.push_back("insert into registry_schema values (0, '')");
  }
  if (version < 2) steps.insert(steps.end(), std::begin(kVersion2), std::end(kVersion2));
  std::vector<Statement> statements;
  for (const char* sql : steps) {
    statements.push_back({"step_" + std::to_string(statements.size()), sql});
  }
  return statements;
}

}  // namespace

std::uint64_t LockKey(const std::string& schema, std::string_view name) {
  const Sha256Digest digest = Sha256("saffron/" + schema + "/" + std::string(name));
  std::uint64_t key = 0;
  ByteReader reader({reinterpret_cast<const char*>(digest.data()), digest.size()});
  SAFFRON_ASSERT(reader.ReadU64BigEndian(key));
  return key;
}

Status Migrate(Pool& pool, const std::string& handler_prefix, Log& log) {
  // A connection of its own: its statements are gone with it, and an error ends the transaction.
  SAFFRON_ASSIGN(std::unique_ptr<Connection> connection, pool.NewConnection());
  std::vector<Statement> begin = {
      {"", "begin"},
      {"", "set local statement_timeout = 0"},
      {"", "set local lock_timeout = 0"},
      {"", "select pg_advisory_xact_lock(" +
               std::to_string(static_cast<std::int64_t>(LockKey(pool.schema(), "schema"))) + ")"}};
  for (std::size_t i = 0; i < begin.size(); ++i) begin[i].name = "begin_" + std::to_string(i);
  SAFFRON_TRY(RunAll(pool, *connection, begin));
  SAFFRON_ASSIGN(std::vector<Rows> now, RunOne(pool, *connection, kNow, {Text(pool.schema())}));
  Fields fields(now[0], 0);
  if (!fields.Bool()) return Invalid("the registry needs a database with the encoding UTF8");
  if (!fields.Bool()) return Invalid("the registry needs PostgreSQL 14 or newer");
  if (!fields.Bool()) {
    log.Warning("registry_server_not_durable",
                {{"server", pool.address().ToString()}, {"needs", "fsync and full_page_writes"}});
  }
  const bool has_schema = fields.Bool(), has_version = fields.Bool();
  std::uint32_t version = 0;
  if (has_version) {
    SAFFRON_ASSIGN(std::vector<Rows> found, RunOne(pool, *connection, kVersion, {}));
    SAFFRON_ASSIGN(version, CheckVersion(found[0], handler_prefix));
    if (version == static_cast<std::uint32_t>(kSchemaVersion)) return Ok();
    log.Info("registry_schema_migrates", {{"from", version}, {"to", kSchemaVersion}});
  }
  std::vector<Statement> steps = StepsFrom(version);
  // Only when it is missing: it may have been made by somebody who may do more than we.
  if (!has_schema) {
    steps.insert(steps.begin(), {"schema", "create schema \"" + pool.schema() + "\""});
  }
  const Statement versioned{"versioned",
                            "update registry_schema set version = $1::int, handler_prefix = "
                            "$2::text"};
  const Statement commit{"commit", "commit"};
  SAFFRON_TRY(RunAll(pool, *connection, steps));
  connection->Add(versioned,
                  {Int4(static_cast<std::uint32_t>(kSchemaVersion)), Text(handler_prefix)});
  connection->Add(commit);
  const Answer answer = pool.Run(*connection);
  if (answer.failure) return ErrorOf(*answer.failure, true);
  return Ok();
}

Result<SchemaLook> LookAtSchema(Pool& pool) {
  static const Statement kTls{"tls",
                              "select coalesce(max(version), '') from pg_stat_ssl"
                              " where pid = pg_backend_pid() and ssl"};
  SAFFRON_ASSIGN(std::unique_ptr<Connection> connection, pool.NewConnection());
  SAFFRON_ASSIGN(std::vector<Rows> tls, RunOne(pool, *connection, kTls, {}));
  SAFFRON_ASSIGN(std::vector<Rows> now, RunOne(pool, *connection, kNow, {Text(pool.schema())}));
  SchemaLook look;
  look.tls_version = Fields(tls[0], 0).Text();
  if (!Fields(now[0], 0).Skip(4).Bool()) return look;
  SAFFRON_ASSIGN(std::vector<Rows> version, RunOne(pool, *connection, kVersion, {}));
  if (version[0].size() != 1) return Corrupt("registry_schema has not one row");
  look.version = Fields(version[0], 0).Int4();
  return look;
}

}  // namespace saffron::postgres
