#include "adapters/postgres/pool.h"

#include <algorithm>

#include "adapters/postgres/statements.h"

namespace saffron::postgres {

namespace {

constexpr int kMaxAttempts = 10;
// Above the server's own timeouts, so that its answer comes first.
constexpr std::chrono::milliseconds kGrace{2000};

SteadyTime In(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

// Another transaction was in the way, and this one was rolled back.
bool IsRepeatable(const Failure& failure) {
  return failure.Is("40001") || failure.Is("40P01") || failure.Is("23505");
}

// As every session works: found by its schema, bounded, durable (synchronous_commit is taken back
// within the transactions that flush by themselves), and by index: the planner shall not take the
// small tables of a young registry for a reason to read whole ones.
const Statement kSetUp{
    "set_up",
    "select set_config('search_path', quote_ident($1::text), false),"
    " set_config('statement_timeout', ($2::bigint)::text, false),"
    " set_config('lock_timeout', ($3::bigint)::text, false),"
    " set_config('idle_in_transaction_session_timeout', ($2::bigint)::text, false),"
    " set_config('synchronous_commit', case current_setting('synchronous_commit')"
    " when 'remote_apply' then 'remote_apply' else 'on' end, false),"
    " set_config('default_transaction_isolation', 'read committed', false),"
    " set_config('jit', 'off', false), set_config('plan_cache_mode', 'force_generic_plan', false),"
    " set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false),"
    " set_config('enable_mergejoin', 'off', false), set_config('enable_memoize', 'off', false)"};

Metrics::Counter* CounterOf(Metrics* metrics) {
  if (metrics == nullptr) return nullptr;
  return &metrics->NewCounter("saffron_registry_round_trips_total",
                              "Times that a call waited for PostgreSQL");
}

}  // namespace

Error ErrorOf(const Failure& failure, bool committing) {
  const std::string text =
      failure.message + (failure.state.empty() ? "" : " (SQLSTATE " + failure.state + ")");
  if (committing && failure.lost) return UnknownOutcome(text);
  if (failure.IsOf("XX")) return Corrupt(text);
  if (failure.Is("42501")) return Invalid(text);  // not permitted
  const bool passing = failure.lost || failure.IsOf("40") || failure.IsOf("53") ||
                       failure.IsOf("55") || failure.IsOf("57") || failure.IsOf("58") ||
                       failure.IsOf("28") || failure.Is("25006") || failure.Is("23505") ||
                       failure.Is("25P03");
  return passing ? Unavailable(text) : Internal(text);
}

Pool::Pool(Address address, PoolOptions options, Runtime& runtime, Log& log)
    : address_(std::move(address)),
      options_(std::move(options)),
      runtime_(runtime),
      trips_(CounterOf(options_.metrics)),
      log_(log) {}

Pool::~Pool() = default;

std::size_t Pool::connections() const {
  std::lock_guard lock(mutex_);
  return open_;
}

Result<std::unique_ptr<Connection>> Pool::NewConnection() {
  SAFFRON_ASSIGN(std::unique_ptr<Connection> made,
                 Connection::Connect(address_, In(options_.connect_timeout)));
  made->Add(kSetUp, {Text(options_.schema),
                     Int8(static_cast<std::uint64_t>(options_.statement_timeout.count())),
                     Int8(static_cast<std::uint64_t>(options_.lock_timeout.count()))});
  const Answer set = made->Run(In(options_.connect_timeout));
  if (set.failure) return ErrorOf(*set.failure, false);
  return made;
}

Result<Pool::Lease> Pool::Borrow() {
  std::unique_lock lock(mutex_);
  const auto free = [&] { return !idle_.empty() || open_ < options_.size; };
  if (!returned_.wait_for(lock, options_.pool_timeout, free)) {
    return Unavailable("all " + std::to_string(options_.size) +
                       " connections to the registry are in use");
  }
  if (!idle_.empty()) {
    std::unique_ptr<Connection> connection = std::move(idle_.back());
    idle_.pop_back();
    return Lease(*this, std::move(connection));
  }
  ++open_;
  lock.unlock();
  Result<std::unique_ptr<Connection>> made = NewConnection();
  if (made.ok()) return Lease(*this, std::move(*made));
  lock.lock();
  --open_;
  returned_.notify_one();
  // A password that was changed can be changed back: the caller may try again.
  return Unavailable(made.error().message());
}

void Pool::GiveBack(std::unique_ptr<Connection> connection) {
  const bool clean = connection->clean();
  std::lock_guard lock(mutex_);
  if (clean) {
    idle_.push_back(std::move(connection));
  } else {
    --open_;
  }
  returned_.notify_one();
}

void Pool::DropIdle() {
  std::vector<std::unique_ptr<Connection>> dropped;
  {
    std::lock_guard lock(mutex_);
    dropped.swap(idle_);
    open_ -= dropped.size();
  }
  reconnects_ += dropped.size() + 1;
  returned_.notify_all();
}

void Pool::CountRoundTrip() {
  ++round_trips_;
  if (trips_ != nullptr) trips_->Increment();
}

Answer Pool::Run(Connection& connection) {
  CountRoundTrip();
  return connection.Run(In(options_.statement_timeout + kGrace));
}

Answer Pool::RunUnbounded(Connection& connection) {
  CountRoundTrip();
  return connection.Run(In(std::chrono::hours(24 * 365)));
}

void Pool::RestBefore(int attempt) {
  const Duration ceiling = milliseconds(std::min(50, 1 << attempt));
  const auto most = static_cast<std::uint64_t>(ceiling.count());
  (void)runtime_.SleepFor(Duration(static_cast<Duration::rep>(runtime_.RandomBelow(most))));
}

Status Pool::Perform(const std::function<Tried(Connection&)>& attempt) {
  static const Statement kRollback{"rollback", "rollback"};
  bool replaced = false;
  for (int tries = 1;; ++tries) {
    SAFFRON_ASSIGN(Lease lease, Borrow());
    const bool fresh = lease->fresh();
    const Tried tried = attempt(*lease);
    if (!tried.failure) return Ok();
    const Failure& failure = *tried.failure;
    if (failure.lost) {
      DropIdle();
      log_.Warning("registry_connection_lost",
                   {{"server", address_.ToString()}, {"error", failure.message}});
      if (tried.committing || fresh || replaced) return ErrorOf(failure, tried.committing);
      replaced = true;
      continue;
    }
    if (!lease->clean()) {
      lease->Add(kRollback);
      (void)Run(*lease);
    }
    if (failure.Is("25006")) {  // it was the primary: whoever is now is found by connecting again
      lease->Abandon();
      DropIdle();
    }
    if (!IsRepeatable(failure) || tries == kMaxAttempts) return ErrorOf(failure, false);
    ++retries_;
    RestBefore(tries);
  }
}

Pool::Tried Pool::Commit(Connection& connection, Plan writes) {
  const bool changes = !writes.empty();
  const std::size_t flush_at = writes.size() + 1;
  for (auto& [statement, values] : writes) connection.Add(*statement, std::move(values));
  connection.Add(AllStatements().commit);
  if (changes) connection.Add(AllStatements().flush);
  Answer answer = Run(connection);
  // COMMIT was through and the disk is in doubt: as if the answer had been lost.
  if (answer.failure && answer.failure->at == flush_at) answer.failure->lost = true;
  return {std::move(answer.failure), changes};
}

Result<std::vector<Rows>> Pool::Call(Effect effect, const std::function<Plan()>& plan) {
  std::vector<Rows> rows;
  SAFFRON_TRY(Perform([&](Connection& connection) {
    for (auto& [statement, values] : plan()) connection.Add(*statement, std::move(values));
    Answer answer = Run(connection);
    rows = std::move(answer.rows);
    return Tried{std::move(answer.failure), effect == Effect::kCommits};
  }));
  return rows;
}

}  // namespace saffron::postgres
