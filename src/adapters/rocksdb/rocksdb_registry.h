// RocksdbRegistry: the embedded registry, both ports over one RocksDB database.
//
// Owned by the process that opened the directory; no second one can. Thread-safe: one mutex
// serializes all transactions, decide function and file writes included; Read and the scans take a
// snapshot instead and never wait for it. An acknowledged transaction survives the death of the
// process. It is not synced: a power cut may take the newest ones, in order and never by halves,
// and the next start, in another boot, rolls the registry forward from the log.
//
// Where a write names a row twice, the later one wins; deletes come after puts. The derived rows
// (commands by aggregate, the work list, open claims) follow from the rows put, whether or not the
// transaction had read them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "adapters/rocksdb/scan_floor.h"
#include "ports/append_registry.h"
#include "ports/claim_registry.h"

namespace rocksdb {
class Env;
}

namespace saffron {

class RegistryBatch;
class RegistryDatabase;

class RocksdbRegistry final : public AppendRegistry, public ClaimRegistry {
 public:
  struct Options {
    std::string directory;
    std::size_t write_buffer_bytes = std::size_t{32} << 20;  // of all tables together
    std::size_t block_cache_bytes = std::size_t{32} << 20;
    std::function<std::int64_t()> now_ms;  // empty: the machine's clock, never going back
    std::string boot_id;                   // empty: the kernel's
    rocksdb::Env* env = nullptr;           // null: the machine's files
  };
  // kUnavailable: another process has the directory open, or it cannot be read or written now.
  // kInvalid: made by a newer version. kCorrupt: `saffron rebuild registry`.
  static Result<std::unique_ptr<RocksdbRegistry>> Open(Options options);
  ~RocksdbRegistry() override;

  // For metrics: approximate but cheap.
  struct Info {
    std::uint64_t aggregates = 0;
    std::uint64_t commands = 0;
    std::uint64_t undecided = 0;
    std::uint64_t claims = 0;
    std::uint64_t parked = 0;
    std::uint64_t outstanding = 0;   // exact
    std::uint64_t disk_bytes = 0;    // tables and logs
    std::uint64_t memory_bytes = 0;  // write buffers and block cache
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
  // Drops aggregates, commands, reservations, all claims and all parked rows: a rebuild brings back
  // what the log knows. The control row becomes that of an empty registry (no log id, next slot 1,
  // not fenced). Leases (their epochs only rise) and published rows stay, and so does the identity
  // of the files.
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
  Result<std::uint64_t> Prune(std::int64_t processed_before_ms, std::size_t limit) override;

 private:
  RocksdbRegistry(Options options, std::unique_ptr<RegistryDatabase> database);
  Status Load();
  std::int64_t NowMs();

  // Below: with mutex_ held.
  Status Apply(const RegistryRead& read, RegistryRows& rows, RegistryWrite& write);
  Status AddCommands(const RegistryRead& read, RegistryRows& rows, RegistryWrite& write,
                     RegistryBatch& batch);
  Status AddReservations(const RegistryRead& read, RegistryRows& rows, RegistryWrite& write,
                         RegistryBatch& batch, std::uint64_t& outstanding);
  Status AddDone(const RegistryWrite& write, std::int64_t now_ms, RegistryBatch& batch);
  Status Apply(ClaimRows& rows, ClaimWrite& write);
  Status Commit(RegistryBatch& batch);
  // Deletes those of the claims that may be pruned as they are now; how many.
  Result<std::uint64_t> DeletePrunable(const std::vector<ClaimKey>& keys,
                                       std::int64_t processed_before_ms);

  struct PruneScan {
    std::vector<ClaimKey> keys;
    std::string next;  // where the scan stopped; empty: at the end
  };
  // Candidates with from <= key < to, of which `limit`.
  Result<PruneScan> FindPrunable(std::string_view from, std::string_view to,
                                 std::int64_t processed_before_ms, std::size_t limit);

  const Options options_;
  const std::unique_ptr<RegistryDatabase> database_;
  const std::string live_incarnation_;
  const std::shared_ptr<std::atomic<bool>> fence_held_ = std::make_shared<std::atomic<bool>>(false);
  std::atomic<std::int64_t> last_now_ms_{0};
  ScanFloor undecided_floor_;

  std::mutex mutex_;
  // Under mutex_, as written.
  RegistryControl control_;
  std::atomic<std::uint64_t> outstanding_{0};
  std::map<std::uint32_t, SlotNumber> published_floor_;  // no row of the shard is below
  std::string prune_cursor_;                             // a key of claims: Prune goes on there
};

}  // namespace saffron
