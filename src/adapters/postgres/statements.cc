#include "adapters/postgres/statements.h"

namespace saffron::postgres {

namespace {

// Rows of the first columns, of one array each: "select unnest($1::text[]) as handler, ...". Within
// the list, not behind FROM: there the server would keep a store of its own for each array.
std::string RowsOf(const Table& table, std::size_t columns) {
  std::string out = "select ";
  for (std::size_t i = 0; i < columns; ++i) {
    const TableColumn& column = table.columns[i];
    if (i > 0) out += ", ";
    out += "unnest($" + std::to_string(i + 1) + "::" + std::string(SqlNameOf(column.type)) +
           "[]) as " + std::string(column.name);
  }
  return out;
}

std::string KeyNames(const Table& table, std::string_view qualifier = "") {
  std::string out;
  for (std::size_t i = 0; i < table.keys; ++i) {
    if (i > 0) out += ", ";
    out += std::string(qualifier) + std::string(table.columns[i].name);
  }
  return out;
}

// Of rows that are known not to be there: an upsert looks for each first, and notes it twice.
std::string Insert(const Table& table) {
  return "insert into " + std::string(table.name) + " as t (" + table.names() + ") " +
         RowsOf(table, table.columns.size());
}

std::string OnConflict(const Table& table) {
  return " on conflict (" + KeyNames(table) + ") do update set ";
}

std::string Upsert(const Table& table) {
  std::string sql = Insert(table) + OnConflict(table);
  for (std::size_t i = table.keys; i < table.columns.size(); ++i) {
    if (i > table.keys) sql += ", ";
    sql += std::string(table.columns[i].name) + " = excluded." + std::string(table.columns[i].name);
  }
  return sql;
}

// Of rows that are known to be there: half the work of an upsert, which locks each row first.
std::string Update(const Table& table) {
  std::string sql = "update " + std::string(table.name) + " t set ";
  for (std::size_t i = table.keys; i < table.columns.size(); ++i) {
    if (i > table.keys) sql += ", ";
    sql += std::string(table.columns[i].name) + " = k." + std::string(table.columns[i].name);
  }
  sql += " from (" + RowsOf(table, table.columns.size()) + ") k where (" + KeyNames(table, "t.") +
         ") = (" + KeyNames(table, "k.") + ")";
  return sql;
}

// The rows whose keys are given as arrays.
std::string Select(const Table& table, std::string_view condition = "") {
  std::string sql = "select " + table.names("t.") + " from (" + RowsOf(table, table.keys) +
                    ") k join " + std::string(table.name) + " t using (" + KeyNames(table) + ")";
  if (!condition.empty()) sql += " where " + std::string(condition);
  return sql;
}

std::string From(const Table& table) {
  return "select " + table.names() + " from " + std::string(table.name) + " ";
}

std::string DeleteFrom(const Table& table) {
  return "delete from " + std::string(table.name) + " where (" + KeyNames(table) + ") in (" +
         RowsOf(table, table.keys) + ")";
}

// Of a known claim the owner, the attempts and the error stay; a row of another tool becomes ours.
// What is done was claimed, nearly always: so rows are updated, and what was not there is upserted.
std::string PutDone(const Table& claims) {
  const auto set = [](const std::string& from) {
    std::string sql;
    for (const char* column :
         {"aggregate_id", "status", "sequence_number", "processed_at", "aggregate_type"}) {
      sql += std::string(column) + " = " + from + column + ", ";
    }
    return sql + "partition = coalesce(t.partition, 0), generation = coalesce(t.generation, 0)";
  };
  const std::string keys = KeyNames(claims);
  return "with k as materialized (" + RowsOf(claims, claims.columns.size()) +
         "), updated as (update processed_events t set " + set("k.") + " from k where (" +
         KeyNames(claims, "t.") + ") = (" + KeyNames(claims, "k.") + ") returning " +
         KeyNames(claims, "t.") + ") insert into processed_events as t (" + claims.names() +
         ") select * from k where (" + keys + ") not in (select " + keys + " from updated)" +
         OnConflict(claims) + set("excluded.");
}

Table AggregatesTable() {
  return {"aggregate_versions",
          {{"handler", Type::kText},
           {"aggregate_id", Type::kText},
           {"last_sequence", Type::kInt8},
           {"updated_at", Type::kTime},
           {"aggregate_type", Type::kInt2},
           {"accepted_lifecycle", Type::kInt2},
           {"accepted_database", Type::kInt8},
           {"accepted_class", Type::kInt8},
           {"decided_number", Type::kInt8},
           {"decided_lifecycle", Type::kInt2},
           {"decided_database", Type::kInt8},
           {"decided_class", Type::kInt8},
           {"decided_incarnation", Type::kInt8},
           {"outcome_shard", Type::kInt4},
           {"outcome_slot", Type::kInt8},
           {"outcome_ordinal", Type::kInt4},
           {"outcome_offset", Type::kInt8},
           {"outcome_length", Type::kInt4},
           {"outcome_crc32c", Type::kInt4},
           {"pending_batch", Type::kUuid},
           {"pending_number", Type::kInt8},
           {"pending_lifecycle", Type::kInt2},
           {"pending_database", Type::kInt8},
           {"pending_class", Type::kInt8},
           {"mark_event", Type::kUuid},
           {"mark_since", Type::kTime},
           {"mark_expires", Type::kTime}},
          2};
}

Table CommandsTable() {
  return {"event_index",
          {{"event_id", Type::kUuid},
           {"aggregate_type", Type::kInt2},
           {"aggregate_id", Type::kText},
           {"sequence_number", Type::kInt8},
           {"event_type", Type::kInt2},
           {"request_sha256", Type::kBytes},
           {"batch", Type::kUuid},
           {"shard", Type::kInt4},
           {"slot", Type::kInt8},
           {"ordinal", Type::kInt4},
           {"offset_bytes", Type::kInt8},
           {"length_bytes", Type::kInt4},
           {"crc32c", Type::kInt4},
           {"outcome_batch", Type::kUuid},
           {"outcome_shard", Type::kInt4},
           {"outcome_slot", Type::kInt8},
           {"outcome_ordinal", Type::kInt4},
           {"outcome_offset", Type::kInt8},
           {"outcome_length", Type::kInt4},
           {"outcome_crc32c", Type::kInt4},
           {"outcome_rejected", Type::kBool}}};
}

Table ReservationsTable() {
  return {"reservations",
          {{"batch", Type::kUuid},
           {"slot", Type::kInt8},
           {"writer", Type::kText},
           {"reserved_at", Type::kTime},
           {"expires_at", Type::kTime},
           {"resolver", Type::kText},
           {"retry_after", Type::kTime},
           {"aggregates", Type::kBytes},
           {"commands", Type::kBytes},
           {"outcomes", Type::kBytes}}};
}

Table ClaimsTable() {
  return {"processed_events",
          {{"handler", Type::kText},
           {"event_id", Type::kText},
           {"aggregate_id", Type::kText},
           {"sequence_number", Type::kInt8},
           {"status", Type::kText},
           {"started_at", Type::kTime},
           {"owner", Type::kText},
           {"heartbeat_at", Type::kTime},
           {"processed_at", Type::kTime},
           {"attempt_count", Type::kInt4},
           {"last_error", Type::kText},
           {"aggregate_type", Type::kInt2},
           {"partition", Type::kInt4},
           {"generation", Type::kInt8}},
          2};
}

Table ParkedTable() {
  return {"parked_aggregates",
          {{"handler", Type::kText},
           {"aggregate_type", Type::kInt2},
           {"aggregate_id", Type::kText},
           {"first_number", Type::kInt8},
           {"event_id", Type::kUuid},
           {"reason", Type::kText},
           {"parked_at", Type::kTime}},
          3};
}

Table LeasesTable() {
  return {"leases",
          {{"name", Type::kText},
           {"owner", Type::kText},
           {"epoch", Type::kInt8},
           {"expires_at", Type::kTime}}};
}

Table UndecidedTable() {
  return {"undecided",
          {{"shard", Type::kInt4},
           {"slot", Type::kInt8},
           {"ordinal", Type::kInt4},
           {"event_id", Type::kUuid}},
          4};
}

Tables MakeTables() {
  return {AggregatesTable(), CommandsTable(), ReservationsTable(), ClaimsTable(),
          ParkedTable(),     LeasesTable(),   UndecidedTable()};
}

// What both sides need.
void AddFrame(Statements& s) {
  s.begin = {"begin", "begin isolation level read committed"};
  s.begin_snapshot = {"begin_snapshot", "begin isolation level repeatable read"};
  s.begin_reading = {"begin_reading", "begin isolation level repeatable read read only"};
  s.commit = {"commit", "commit"};
  s.commit_unflushed = {"commit_unflushed", "set local synchronous_commit = off"};
  // A transaction of its own, whose COMMIT waits until the log is on disk up to itself.
  s.flush = {"flush", "select pg_logical_emit_message(true, 'saffron', '')"};
  // LOCK takes no snapshot: what is read after it is what the one before has committed.
  s.lock_append = {"lock_append", "lock table append_lock_v2 in exclusive mode"};
  s.lock_claims = {"lock_claims", "lock table claims_lock in exclusive mode"};
  s.unbounded = {"unbounded",
                 "select set_config('statement_timeout', '0', true),"
                 " set_config('lock_timeout', '0', true)"};
  s.notify = {"notify", "select pg_notify($1::text, $2::text)"};
  s.try_fence_lock = {"try_fence_lock", "select pg_try_advisory_lock($1::bigint)"};
}

void AddAppendSide(Statements& s, const Tables& tables) {
  s.control = {"control",
               "select log_id, fenced_incarnation, next_slot, clock_timestamp(),"
               " (select count(*) from reservations),"
               " (select system_identifier from pg_control_system())::text"
               " || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)"
               " || '/' || (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint::text"
               " from registry_control"};
  s.put_control = {"put_control",
                   "update registry_control set log_id = $1::uuid, fenced_incarnation = $2::text,"
                   " next_slot = $3::bigint"};
  s.aggregates = {"aggregates", Select(tables.aggregates, "t.aggregate_type is not null")};
  s.commands = {"commands", Select(tables.commands)};
  s.reservations = {"reservations", Select(tables.reservations)};
  s.members = {
      "members",
      "select count(*) filter (where case when last_sequence = decided_number"
      " then decided_lifecycle = 1 and decided_database = $4::bigint and decided_class = $5::bigint"
      " else accepted_lifecycle = 1 and accepted_database = $4::bigint"
      " and accepted_class = $5::bigint end), count(pending_batch)"
      " from aggregate_versions where handler = $1::text and aggregate_type is not null"
      " and aggregate_id >= $2::text and aggregate_id < $3::text"};
  s.insert_aggregates = {"insert_aggregates", Insert(tables.aggregates)};
  s.insert_commands = {"insert_commands", Insert(tables.commands)};
  s.put_aggregates = {"put_aggregates", Upsert(tables.aggregates)};
  s.put_commands = {"put_commands", Upsert(tables.commands)};
  s.update_aggregates = {"update_aggregates", Update(tables.aggregates)};
  s.update_commands = {"update_commands", Update(tables.commands)};
  s.put_reservations = {"put_reservations", Upsert(tables.reservations)};
  s.delete_commands = {"delete_commands", DeleteFrom(tables.commands)};
  s.delete_reservations = {"delete_reservations", DeleteFrom(tables.reservations)};
  s.insert_undecided = {"insert_undecided", Insert(tables.undecided)};
  s.delete_undecided = {"delete_undecided", DeleteFrom(tables.undecided)};
  s.forget_undecided = {"forget_undecided",
                        "delete from undecided u using event_index e"
                        " where e.event_id = any($1::uuid[]) and (u.shard, u.slot, u.ordinal,"
                        " u.event_id) = (e.shard, e.slot, e.ordinal, e.event_id)"};
  s.put_done = {"put_done", PutDone(tables.claims)};
  s.put_consumed = {
      "put_consumed",
      "insert into aggregate_versions as t"
      " (handler, aggregate_id, last_sequence, updated_at, aggregate_type)"
      " select unnest($1::text[]), unnest($2::text[]), unnest($3::bigint[]), $4::timestamptz,"
      " unnest($5::smallint[])"
      " on conflict (handler, aggregate_id) do update"
      " set last_sequence = greatest(t.last_sequence, excluded.last_sequence),"
      " updated_at = excluded.updated_at, aggregate_type = excluded.aggregate_type"};
  s.all_reservations = {"all_reservations", From(tables.reservations) + "order by slot, batch"};
  s.commands_of = {
      "commands_of",
      From(tables.commands) +
          "where hashtextextended(aggregate_id, aggregate_type) = hashtextextended($2::text,"
          " $1::smallint) and sequence_number between $3::bigint and $4::bigint"
          " and aggregate_type = $1::smallint and aggregate_id = $2::text and slot is not null"
          " order by sequence_number, event_id limit $5::bigint"};
  s.list = {"list", From(tables.aggregates) +
                        "where handler = $1::text and aggregate_id > $2::text"
                        " and aggregate_id >= $3::text and starts_with(aggregate_id, $3::text)"
                        " and ($4::text = '' or aggregate_id < $4::text)"
                        " and aggregate_type is not null order by aggregate_id limit $5::bigint"};
  s.undecided = {"undecided",
                 "select " + tables.commands.names("e.") +
                     " from undecided u join event_index e using (event_id)"
                     " where (u.shard, u.slot, u.ordinal) > ($1::int, $2::bigint, $3::int)"
                     " order by u.shard, u.slot, u.ordinal, u.event_id limit $4::bigint"};
}

void AddClaimSide(Statements& s, const Tables& tables) {
  s.claims = {"claims", Select(tables.claims, "t.aggregate_type is not null")};
  s.parked = {"parked", Select(tables.parked)};
  s.leases = {"leases", Select(tables.leases)};
  s.insert_claims = {"insert_claims", Insert(tables.claims)};
  s.put_claims = {"put_claims", Upsert(tables.claims)};
  s.update_claims = {"update_claims", Update(tables.claims)};
  s.put_parked = {"put_parked", Upsert(tables.parked)};
  s.put_leases = {"put_leases", Upsert(tables.leases)};
  s.delete_parked = {"delete_parked", DeleteFrom(tables.parked)};
  // In the order of keys, as every writer of claims takes them.
  s.heartbeat = {"heartbeat",
                 "with mine as (select handler, event_id from processed_events"
                 " where handler = $1::text and status = 'processing' and owner = $2::text"
                 " and aggregate_type is not null order by handler, event_id for update)"
                 " update processed_events t set heartbeat_at = clock_timestamp() from mine"
                 " where t.handler = mine.handler and t.event_id = mine.event_id"};
  // In flight: by the index of leases, which is of the literal.
  const auto claims_with = [&tables](const std::string& status) {
    return From(tables.claims) + "where handler = $1::text and status = " + status +
           " and aggregate_type is not null order by event_id limit $2::bigint";
  };
  s.claims_in_flight = {"claims_in_flight", claims_with("'processing'")};
  s.claims_with = {"claims_with", claims_with("$3::text")};
  s.all_parked = {"all_parked",
                  From(tables.parked) +
                      "where ($1::text = '' or handler = $1::text) and"
                      " (handler, aggregate_type, aggregate_id) > ($2::text, $3::smallint,"
                      " $4::text) order by handler, aggregate_type, aggregate_id limit $5::bigint"};
  s.put_published = {"put_published",
                     "insert into published (shard, slot, ends)"
                     " values ($1::int, $2::bigint, $3::bytea)"
                     " on conflict (shard, slot) do update set ends = excluded.ends"};
  s.prune_published = {"prune_published",
                       "delete from published where shard = $1::int and slot < $2::bigint"};
  s.published_at = {"published_at",
                    "select slot, ends from published where shard = $1::int"
                    " and slot >= $2::bigint order by slot limit 1"};
  // By pages of the table: no index knows the time, which would make every row dearer, and what was
  // done at one time lies together.
  s.claim_pages = {"claim_pages",
                   "select pg_relation_size('processed_events')"
                   " / current_setting('block_size')::bigint"};
  s.prune = {"prune",
             "delete from processed_events p using aggregate_versions a"
             " where p.ctid >= $3::text::tid and p.ctid < $4::text::tid"
             " and p.status in ('done', 'skipped_stale')"
             " and coalesce(p.processed_at, 'epoch') < $1::timestamptz"
             " and a.handler = ($2::text[])[p.aggregate_type] and a.aggregate_id = p.aggregate_id"
             " and a.aggregate_type is not null and p.sequence_number <= a.decided_number"};
  // Of the tables that other tools write too, our rows alone.
  s.clear = {
      {"clear_aggregates", "delete from aggregate_versions where aggregate_type is not null"},
      {"clear_claims", "delete from processed_events where aggregate_type is not null"},
      {"clear_commands", "truncate event_index, undecided, reservations, parked_aggregates"},
      {"clear_control",
       "update registry_control set log_id = null, fenced_incarnation = '', next_slot = 1"}};
}

Statements MakeStatements() {
  Statements statements;
  AddFrame(statements);
  AddAppendSide(statements, AllTables());
  AddClaimSide(statements, AllTables());
  return statements;
}

}  // namespace

std::vector<Type> Table::types() const {
  std::vector<Type> types;
  for (const TableColumn& column : columns) types.push_back(column.type);
  return types;
}

std::string Table::names(std::string_view qualifier) const {
  std::string out;
  for (const TableColumn& column : columns) {
    if (!out.empty()) out += ", ";
    out += std::string(qualifier) + std::string(column.name);
  }
  return out;
}

const Tables& AllTables() {
  static const Tables tables = MakeTables();
  return tables;
}

const Statements& AllStatements() {
  static const Statements statements = MakeStatements();
  return statements;
}

}  // namespace saffron::postgres
