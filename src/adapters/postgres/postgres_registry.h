// PostgresRegistry: both registry ports over one schema of a PostgreSQL database, shared by any
// number of processes.
//
// Thread-safe: every call takes a connection of a bounded pool for its duration. What was answered
// survives the server: a transaction commits asynchronously, so that its locks are not held over
// the disk, and the answer waits until the server has flushed it (docs/adr/0011).
//
// Isolation: transactions of the append side run one after another (a table lock that nothing else
// takes), so do those of the claim side (another one); between the sides a claim transaction reads
// one snapshot and is repeated when a row it writes has changed since. Together: serializable.
//
// Where a write names a row twice, the later one wins; deletes come after puts.
//
// Errors: kUnavailable (nothing was written), kUnknownOutcome (the connection was lost while a
// COMMIT was under way), kInternal (the server refused a statement of ours). No message has the
// password in it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "base/runtime.h"
#include "ports/append_registry.h"
#include "ports/claim_registry.h"

namespace saffron {

namespace postgres {
class Address;
class Listener;
class Pool;
}  // namespace postgres

class PostgresRegistry final : public AppendRegistry, public ClaimRegistry {
 public:
  struct Options {
    std::string url;  // as libpq takes it: postgresql://user:password@host:port/db?sslmode=...
    std::string schema = "spice_event_registry";
    std::string handler_prefix = "write_side";  // of the allocator's rows in aggregate_versions
    std::size_t pool_size = 8;                  // connections; LISTEN and a fence take one more
    std::chrono::milliseconds connect_timeout{5000};
    std::chrono::milliseconds statement_timeout{10'000};  // the server's, and how long we wait
    std::chrono::milliseconds lock_timeout{5000};         // must be smaller
    std::chrono::milliseconds pool_timeout{5000};         // for a free connection
    Metrics* metrics = nullptr;                           // null: none; outlives the registry
  };
  // Makes or migrates the schema. kInvalid: the options, the user or the password are wrong, or the
  // schema was made by a newer version or with another prefix. kUnavailable: not reachable now.
  static Result<std::unique_ptr<PostgresRegistry>> Open(Options options, Runtime& runtime,
                                                        Log& log);
  ~PostgresRegistry() override;

  // What lies at an address, for who must not change it.
  struct Look {
    std::uint32_t schema_version = 0;  // 0: there is no registry
    std::uint32_t known_version = 0;   // that this program works with
    std::string tls_version;           // of a connection: "TLSv1.3"; empty: plain text
  };
  static Result<Look> LookAt(const Options& options, Runtime& runtime, Log& log);

  // Calls it after a transaction of any process has settled something, with the highest slot it
  // settled; from one thread, which this starts. A hint: notices are lost while the connection is.
  // At most once.
  void OnSettled(std::function<void(SlotNumber)> callback);

  // "host:port/database", without user and password.
  std::string address() const;

  // For metrics.
  struct Info {
    std::size_t connections = 0;     // open now
    std::uint64_t transactions = 0;  // of both ports, as answered
    std::uint64_t retries = 0;       // after a serialization failure or deadlock
    std::uint64_t round_trips = 0;   // to the server, of all calls
    std::uint64_t reconnects = 0;    // connections that replaced a lost one
  };
  Info Describe() const;

  // AppendRegistry
  Status Transact(const RegistryRead& read, const AppendRegistry::Decide& decide) override;
  Result<RegistryRows> Read(const RegistryRead& read) override;
  Result<std::vector<Reservation>> Reservations() override;
  Result<std::vector<CommandRow>> CommandsOf(const AggregateKey& aggregate, SequenceNumber from,
                                             SequenceNumber to, std::size_t limit) override;
  Result<std::vector<AggregateRow>> List(AggregateType type, std::string_view id_prefix,
                                         std::string_view after, std::size_t limit) override;
  Result<std::vector<CommandRow>> Undecided(const Position& after, std::size_t limit) override;
  Result<std::unique_ptr<FenceLock>> LockFence() override;
  // Drops aggregates, commands, reservations, all claims and all parked rows, but no row that
  // another tool wrote. Leases (their epochs only rise) and published rows stay.
  Status Clear() override;

  // ClaimRegistry
  Status Transact(const ClaimRead& read, const ClaimRegistry::Decide& decide) override;
  Result<ClaimRows> Read(const ClaimRead& read) override;
  Result<std::uint64_t> Heartbeat(const std::string& handler, const std::string& owner) override;
  Result<std::vector<ClaimRow>> ClaimsWith(const std::string& handler, ClaimStatus status,
                                           std::size_t limit) override;
  Result<std::vector<ParkedRow>> Parked(const std::string& handler,
                                        const std::optional<ParkKey>& after,
                                        std::size_t limit) override;
  Status PutPublished(const PublishedRow& row, SlotNumber prune_below) override;
  Result<std::optional<PublishedRow>> PublishedAt(std::uint32_t shard, SlotNumber slot) override;
  Result<Pruned> Prune(std::int64_t processed_before_ms, std::size_t limit) override;

 private:
  PostgresRegistry(Options options, postgres::Address address, Runtime& runtime, Log& log);

  const Options options_;
  Log& log_;
  std::atomic<std::uint64_t> transactions_{0};
  std::atomic<std::uint64_t> prune_page_{0};  // of processed_events: Prune goes on there
  const std::unique_ptr<postgres::Pool> pool_;
  std::unique_ptr<postgres::Listener> listener_;
};

}  // namespace saffron
