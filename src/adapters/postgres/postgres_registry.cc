#include "adapters/postgres/postgres_registry.h"

#include <algorithm>
#include <utility>

#include "adapters/postgres/listener.h"
#include "adapters/postgres/reading.h"
#include "adapters/postgres/schema.h"

namespace saffron {

using postgres::AllStatements;
using postgres::Answer;
using postgres::Connection;
using postgres::Fields;
using postgres::Pool;
using postgres::Rows;
using Tried = Pool::Tried;

namespace {

class PostgresFenceLock final : public FenceLock {
 public:
  explicit PostgresFenceLock(std::unique_ptr<Connection> session) : session_(std::move(session)) {}

 private:
  const std::unique_ptr<Connection> session_;  // the server drops the lock with it
};

Status CheckOptions(const PostgresRegistry::Options& options) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  const std::string& schema = options.schema;
  const bool named = !schema.empty() && schema.size() <= 48 &&
                     !(schema[0] >= '0' && schema[0] <= '9') &&
                     std::all_of(schema.begin(), schema.end(), allowed);
  if (!named) return Invalid("the schema must match ^[a-z_][a-z0-9_]{0,47}$");
  if (options.handler_prefix.empty()) return Invalid("the handler prefix must not be empty");
  if (options.pool_size == 0) return Invalid("the pool must have a connection");
  if (options.lock_timeout >= options.statement_timeout) {
    return Invalid("the lock timeout must be below the statement timeout");
  }
  return Ok();
}

void AddAll(Connection& connection, Pool::Plan plan) {
  for (auto& [statement, values] : plan) connection.Add(*statement, std::move(values));
}

// The text that all ids with the prefix are below; empty: none is known.
std::string Below(std::string_view prefix) {
  std::string below(prefix);
  const auto last = below.empty() ? 0x7f : static_cast<unsigned char>(below.back());
  if (last >= 0x7f) return {};  // ids are not cut within a character
  ++below.back();
  return below;
}

constexpr std::size_t kFrame = 3;  // the statements before the reads

// With the lock of the side taken before anything is read.
Pool::Plan Frame(const postgres::Statement& begin, const postgres::Statement& lock) {
  return {{&begin, {}}, {&AllStatements().commit_unflushed, {}}, {&lock, {}}};
}

void Append(Pool::Plan& plan, Pool::Plan more) {
  std::move(more.begin(), more.end(), std::back_inserter(plan));
}

template <class Row, class Decode>
Result<std::vector<Row>> DecodeAll(const Rows& rows, Decode decode) {
  std::vector<Row> all;
  all.reserve(static_cast<std::size_t>(rows.size()));
  for (int i = 0; i < rows.size(); ++i) {
    SAFFRON_ASSIGN(Row row, decode(Fields(rows, i)));
    all.push_back(std::move(row));
  }
  return all;
}

postgres::PoolOptions PoolOptionsOf(const PostgresRegistry::Options& options) {
  return {options.schema,          options.pool_size,
          options.connect_timeout, options.statement_timeout,
          options.lock_timeout,    options.pool_timeout,
          options.metrics};
}

}  // namespace

PostgresRegistry::PostgresRegistry(Options options, postgres::Address address, Runtime& runtime,
                                   Log& log)
    : options_(std::move(options)),
      log_(log),
      pool_(std::make_unique<Pool>(std::move(address), PoolOptionsOf(options_), runtime, log)) {}

PostgresRegistry::~PostgresRegistry() = default;

Result<std::unique_ptr<PostgresRegistry>> PostgresRegistry::Open(Options options, Runtime& runtime,
                                                                 Log& log) {
  SAFFRON_TRY(CheckOptions(options));
  SAFFRON_ASSIGN(postgres::Address address, postgres::Address::Parse(options.url));
  const std::string prefix = options.handler_prefix;
  std::unique_ptr<PostgresRegistry> registry(
      new PostgresRegistry(std::move(options), std::move(address), runtime, log));
  SAFFRON_TRY(postgres::Migrate(*registry->pool_, prefix, log));
  return registry;
}

Result<PostgresRegistry::Look> PostgresRegistry::LookAt(const Options& options, Runtime& runtime,
                                                        Log& log) {
  SAFFRON_TRY(CheckOptions(options));
  SAFFRON_ASSIGN(postgres::Address address, postgres::Address::Parse(options.url));
  Pool pool(std::move(address), PoolOptionsOf(options), runtime, log);
  SAFFRON_ASSIGN(postgres::SchemaLook found, postgres::LookAtSchema(pool));
  return Look{found.version, static_cast<std::uint32_t>(postgres::kSchemaVersion),
              std::move(found.tls_version)};
}

std::string PostgresRegistry::address() const { return pool_->address().ToString(); }

void PostgresRegistry::OnSettled(std::function<void(SlotNumber)> callback) {
  SAFFRON_ASSERT(listener_ == nullptr);
  listener_ = std::make_unique<postgres::Listener>(*pool_, log_, std::move(callback));
}

PostgresRegistry::Info PostgresRegistry::Describe() const {
  return {pool_->connections(), transactions_, pool_->retries(), pool_->round_trips(),
          pool_->reconnects()};
}

Status PostgresRegistry::Transact(const RegistryRead& read, const AppendRegistry::Decide& decide) {
  Status decoded;
  postgres::Puts puts = postgres::Puts::kInsert;
  const Status done = pool_->Perform([&](Connection& connection) -> Tried {
    Pool::Plan plan = Frame(AllStatements().begin, AllStatements().lock_append);
    Append(plan, postgres::PlanOf(options_.handler_prefix, read));
    AddAll(connection, std::move(plan));
    Answer answer = pool_->Run(connection);
    if (answer.failure) return {std::move(answer.failure)};
    Result<RegistryRows> rows = postgres::Decode(read, answer.rows, kFrame);
    decoded = rows.ok() ? Ok() : Status(rows.error());
    if (!rows.ok()) return pool_->Commit(connection, {});
    const RegistryWrite write = decide(*rows);
    Pool::Plan writes = postgres::PlanOf(options_.handler_prefix, *rows, write, puts);
    if (std::optional<SlotNumber> slot = postgres::Settles(*rows, write)) {
      writes.push_back({&AllStatements().notify,
                        {postgres::Text(postgres::ChannelOf(options_.schema)),
                         postgres::Text(std::to_string(slot->value))}});
    }
    Tried tried = pool_->Commit(connection, std::move(writes));
    puts = postgres::NextPuts(tried.failure, puts);
    return tried;
  });
  ++transactions_;
  SAFFRON_TRY(std::move(decoded));
  return done;
}

Result<RegistryRows> PostgresRegistry::Read(const RegistryRead& read) {
  // Who asks for a reservation asks whether a lost answer was a yes: then it must be on disk.
  const bool flush = !read.reservations.empty();
  SAFFRON_ASSIGN(std::vector<Rows> answers, pool_->Call(Pool::Effect::kNone, [&] {
    Pool::Plan plan = {{&AllStatements().begin_reading, {}}};
    Append(plan, postgres::PlanOf(options_.handler_prefix, read));
    plan.push_back({&AllStatements().commit, {}});
    if (flush) plan.push_back({&AllStatements().flush, {}});
    return plan;
  }));
  return postgres::Decode(read, answers, 1);
}

Result<std::vector<Reservation>> PostgresRegistry::Reservations() {
  SAFFRON_ASSIGN(std::vector<Rows> answers, pool_->Call(Pool::Effect::kNone, [] {
    return Pool::Plan{{&AllStatements().all_reservations, {}}};
  }));
  return DecodeAll<Reservation>(answers[0], &postgres::DecodeReservation);
}

Result<std::vector<CommandRow>> PostgresRegistry::CommandsOf(const AggregateKey& aggregate,
                                                             SequenceNumber from, SequenceNumber to,
                                                             std::size_t limit) {
  SAFFRON_ASSIGN(std::vector<Rows> answers, pool_->Call(Pool::Effect::kNone, [&] {
    return Pool::Plan{
        {&AllStatements().commands_of,
         {postgres::Int2(static_cast<std::uint16_t>(aggregate.type)), postgres::Text(aggregate.id),
          postgres::Limit(from.value), postgres::Limit(to.value), postgres::Limit(limit)}}};
  }));
  return DecodeAll<CommandRow>(answers[0], &postgres::DecodeCommand);
}

Result<std::vector<AggregateRow>> PostgresRegistry::List(AggregateType type,
                                                         std::string_view id_prefix,
                                                         std::string_view after,
                                                         std::size_t limit) {
  SAFFRON_ASSIGN(std::vector<Rows> answers, pool_->Call(Pool::Effect::kNone, [&] {
    return Pool::Plan{{&AllStatements().list,
                       {postgres::Text(postgres::AllocatorHandler(options_.handler_prefix, type)),
                        postgres::Text(after), postgres::Text(id_prefix),
                        postgres::Text(Below(id_prefix)), postgres::Limit(limit)}}};
  }));
  return DecodeAll<AggregateRow>(answers[0], &postgres::DecodeAggregate);
}

Result<std::vector<CommandRow>> PostgresRegistry::Undecided(const Position& after,
                                                            std::size_t limit) {
  SAFFRON_ASSIGN(std::vector<Rows> answers, pool_->Call(Pool::Effect::kNone, [&] {
    return Pool::Plan{{&AllStatements().undecided,
                       {postgres::Int4(after.shard), postgres::Limit(after.slot.value),
                        postgres::Int4(after.ordinal), postgres::Limit(limit)}}};
  }));
  return DecodeAll<CommandRow>(answers[0], &postgres::DecodeCommand);
}

Result<std::unique_ptr<FenceLock>> PostgresRegistry::LockFence() {
  SAFFRON_ASSIGN(std::unique_ptr<Connection> session, pool_->NewConnection());
  session->Add(AllStatements().try_fence_lock,
               {postgres::Int8(postgres::LockKey(options_.schema, "fence"))});
  const Answer answer = pool_->Run(*session);
  if (answer.failure) return postgres::ErrorOf(*answer.failure, false);
  if (!Fields(answer.rows[0], 0).Bool()) return Unavailable("another process holds the fence lock");
  return std::unique_ptr<FenceLock>(std::make_unique<PostgresFenceLock>(std::move(session)));
}

Status PostgresRegistry::Clear() {
  return pool_->Perform([&](Connection& connection) -> Tried {
    const postgres::Statements& s = AllStatements();
    for (const postgres::Statement* statement :
         {&s.begin, &s.unbounded, &s.lock_append, &s.lock_claims}) {
      connection.Add(*statement);
    }
    for (const postgres::Statement& statement : s.clear) connection.Add(statement);
    connection.Add(s.commit);
    return {pool_->RunUnbounded(connection).failure, true};
  });
}

}  // namespace saffron
