// RocksdbRegistry: the embedded registry, both ports over one RocksDB database.
//
// Transactions work on rows in memory (HeldRows); a flush writes what the rows have become, all of
// a moment in one batch, every kFlushInterval and before a scan. The log is the truth, so the
// append side may lag it: after the death of the process, as after a power cut, the files hold the
// state of some earlier moment, whole, and the start rolls it forward from the log. What the log
// does not know survives the death of the process as soon as it is acknowledged: claims (through a
// journal), parked rows, leases and published rows. Nothing is synced.
//
// Owned by the process that opened the directory; no second one can. Thread-safe: one mutex
// serializes all transactions, decide function and lookups of rows not held included; scans flush
// first and then read the files beside the transactions. While the files cannot be written every
// transaction is refused; reads by key, CommandsOf and List go on, other scans are kUnavailable.
//
// Where a write names a row twice, the later one wins; deletes come after puts. The derived rows
// (commands by aggregate, the work list, open claims) follow from the rows put, whether or not the
// transaction had read them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "adapters/rocksdb/held_rows.h"
#include "adapters/rocksdb/scan_floor.h"
#include "ports/append_registry.h"
#include "ports/claim_registry.h"

namespace rocksdb {
class Env;
}

namespace saffron {

class RegistryBatch;
class RegistryDatabase;
class RegistryReader;

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
  Info Describe();
  // Everything acknowledged so far is in the files when it returns. kUnavailable, kUnknownOutcome:
  // not, and the next flush tries again.
  Status Flush();

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
  Result<Pruned> Prune(std::int64_t processed_before_ms, std::size_t limit) override;

 private:
  RocksdbRegistry(Options options, std::unique_ptr<RegistryDatabase> database);
  Status Load();
  Status ReplayJournal();
  std::int64_t NowMs();

  // Which of the rows asked for are not held, and so have to be looked up in the files.
  struct Unheld {
    std::vector<AggregateKey> aggregates;
    std::vector<EventId> commands;
    std::vector<ClaimKey> claims;
  };

  // Below: with mutex_ held.
  RegistryRows HeldOf(const RegistryRead& read, Unheld& unheld);
  ClaimRows HeldOf(const ClaimRead& read, Unheld& unheld);
  template <class Key, class Row, class Wanted>
  std::vector<Row> Unwritten(const HeldRows<Key, Row>& held, Wanted wanted);
  static Status LookUp(const RegistryReader& reader, const ClaimRead& read, const Unheld& unheld,
                       ClaimRows& rows);
  Status CountMembers(const RegistryRead& read, RegistryRows& rows);
  Status LookUpUnread(const RegistryRead& read, const RegistryWrite& write, RegistryRows& rows,
                      std::unordered_map<ClaimKey, ClaimRow>& claims);
  void Apply(RegistryRows& rows, RegistryWrite& write,
             std::unordered_map<ClaimKey, ClaimRow>& claims);
  Status Apply(ClaimRows& rows, ClaimWrite& write, RegistryBatch& batch);
  void PutClaim(ClaimRow row, std::unordered_map<ClaimKey, ClaimRow>& rows);
  std::size_t changed() const;
  void WakeFlusher();
  // Deletes those of the claims that may be pruned as they are now; how many.
  Result<std::uint64_t> DeletePrunable(const std::vector<ClaimKey>& keys,
                                       std::int64_t processed_before_ms);

  struct PruneScan {
    std::vector<ClaimKey> keys;
    std::string next;  // where the scan stopped; empty: at the end
  };
  // Candidates among the `limit` rows from a key on.
  Result<PruneScan> FindPrunable(std::string_view from, std::int64_t processed_before_ms,
                                 std::size_t limit);

  // What a flush takes with it beside the rows.
  struct Frozen {
    RegistryControl control;
    std::map<BatchId, Reservation> reservations;
    std::uint64_t journal_end = 0;
  };
  void RunFlusher();
  // With neither mutex held: refuses while the files cannot be written, waits when they lag.
  Status KeepUp();
  // With flush_mutex_ held.
  bool Freeze();  // false: there is nothing to write
  Status WriteFrozen();
  void FillBatch(RegistryBatch& batch) const;

  const Options options_;
  const std::unique_ptr<RegistryDatabase> database_;
  const std::string live_incarnation_;
  const std::shared_ptr<std::atomic<bool>> fence_held_ = std::make_shared<std::atomic<bool>>(false);
  std::atomic<std::int64_t> last_now_ms_{0};
  ScanFloor undecided_floor_;

  std::mutex flush_mutex_;        // before mutex_
  std::optional<Frozen> frozen_;  // set while its rows are not in the files yet
  std::vector<BatchId> reservations_on_file_;
  std::uint64_t journal_begin_ = 0;
  std::atomic<bool> failing_{false};  // the last flush failed

  // Between flush_mutex_ and mutex_: held over a claim transaction and its record. Transactions of
  // the append side go on beside that write, which may have to wait for one of a flush.
  std::mutex journal_mutex_;

  std::mutex mutex_;
  // Under mutex_, as they are now.
  HeldRows<AggregateKey, AggregateRow> aggregates_;
  HeldRows<EventId, CommandRow> commands_;
  HeldRows<ClaimKey, ClaimRow> claims_;
  std::map<BatchId, Reservation> reservations_;  // all
  RegistryControl control_;
  bool control_changed_ = false;  // or a reservation
  std::uint64_t journal_end_ = 0;
  std::string prune_cursor_;  // a key of claims: Prune goes on there

  std::atomic<bool> flush_wanted_{false};
  std::atomic<bool> too_many_changed_{false};
  std::mutex published_mutex_;
  std::map<std::uint32_t, SlotNumber> published_floor_;  // no row of the shard is below

  std::condition_variable flush_due_;
  bool loaded_ = false, closing_ = false;
  std::thread flusher_;
};

}  // namespace saffron
