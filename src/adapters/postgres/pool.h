// A bounded set of connections that are set up alike, and what every call on them shares: the
// deadlines, the repeats, and what a failure means to the caller. Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "adapters/postgres/connection.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/runtime.h"

namespace saffron::postgres {

struct PoolOptions {
  std::string schema;
  std::size_t size = 0;
  std::chrono::milliseconds connect_timeout{0}, statement_timeout{0}, lock_timeout{0},
      pool_timeout{0};
  Metrics* metrics = nullptr;
};

class Pool {
 public:
  Pool(Address address, PoolOptions options, Runtime& runtime, Log& log);
  ~Pool();

  // Lent until destroyed; goes back if it is clean.
  class Lease {
   public:
    Lease(Pool& pool, std::unique_ptr<Connection> connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (connection_) pool_->GiveBack(std::move(connection_));
    }
    Connection* operator->() { return connection_.get(); }
    Connection& operator*() { return *connection_; }

   private:
    Pool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  // What became of one try.
  struct Tried {
    std::optional<Failure> failure;
    bool committing = false;  // a COMMIT may have been applied
  };
  // Calls it with a connection until it succeeds, fails for good or was repeated too often. A lost
  // connection that was lent before is replaced once: nothing was applied.
  Status Perform(const std::function<Tried(Connection&)>& attempt);
  // One trip that changes nothing, or only with its last statement.
  using Plan = std::vector<std::pair<const Statement*, std::vector<Value>>>;
  enum class Effect { kNone, kCommits };
  Result<std::vector<Rows>> Call(Effect effect, const std::function<Plan()>& plan);

  // The end of a transaction that began with commit_unflushed: the writes, COMMIT and the wait for
  // the disk, in one trip. Without writes there is nothing to wait for.
  Tried Commit(Connection& connection, Plan writes);

  // For who keeps one of their own: set up as those of the pool.
  Result<std::unique_ptr<Connection>> NewConnection();
  // One trip with the pool's deadline.
  Answer Run(Connection& connection);
  // Without one: for what takes as long as it takes.
  Answer RunUnbounded(Connection& connection);

  const Address& address() const { return address_; }
  const std::string& schema() const { return options_.schema; }
  std::size_t connections() const;
  std::uint64_t retries() const { return retries_; }
  std::uint64_t round_trips() const { return round_trips_; }
  std::uint64_t reconnects() const { return reconnects_; }

 private:
  Result<Lease> Borrow();
  void GiveBack(std::unique_ptr<Connection> connection);
  // All that lie idle: the server they were connected to is gone.
  void DropIdle();
  // A stop of the process ends it, not the attempts: what is settled last is settled.
  void RestBefore(int attempt);
  void CountRoundTrip();

  const Address address_;
  const PoolOptions options_;
  Runtime& runtime_;
  Metrics::Counter* const trips_;  // null: nobody counts
  Log& log_;
  mutable std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Connection>> idle_;
  std::size_t open_ = 0;  // idle and lent
  std::atomic<std::uint64_t> retries_{0}, round_trips_{0}, reconnects_{0};
};

// What a failure says to the caller.
Error ErrorOf(const Failure& failure, bool committing);

}  // namespace saffron::postgres
