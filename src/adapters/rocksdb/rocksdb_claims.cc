// The ClaimRegistry side of RocksdbRegistry.
#include <algorithm>
#include <utility>

#include "adapters/rocksdb/registry_batch.h"
#include "adapters/rocksdb/registry_database.h"
#include "adapters/rocksdb/registry_reader.h"
#include "adapters/rocksdb/rocksdb_registry.h"
#include "base/step.h"

namespace saffron {

namespace codec = registry_codec;

namespace {

// The NUL ends a handler in the keys.
Status CheckHandler(std::string_view handler) {
  if (handler.find('\0') == std::string_view::npos) return Ok();
  return Invalid("registry: a handler must not contain a NUL character");
}

Status CheckHandlers(const ClaimRead& read) {
  for (const auto& key : read.claims) SAFFRON_TRY(CheckHandler(key.handler));
  for (const auto& key : read.parked) SAFFRON_TRY(CheckHandler(key.handler));
  return Ok();
}

bool MayPrune(const ClaimRow& row, std::int64_t processed_before_ms) {
  const bool over = row.status == ClaimStatus::kDone || row.status == ClaimStatus::kSkippedStale;
  return over && row.processed_ms < processed_before_ms;
}

}  // namespace

// Claims, and the allocator's rows beside them, as far as they are held.
ClaimRows RocksdbRegistry::HeldOf(const ClaimRead& read, Unheld& unheld) {
  ClaimRows rows;
  rows.now_ms = NowMs();
  Gather(claims_, read.claims, rows.claims, unheld.claims);
  Gather(aggregates_, read.aggregates, rows.aggregates, unheld.aggregates);
  Gather(commands_, read.commands, rows.commands, unheld.commands);
  return rows;
}

Status RocksdbRegistry::LookUp(const RegistryReader& reader, const ClaimRead& read,
                               const Unheld& unheld, ClaimRows& rows) {
  SAFFRON_TRY(reader.Claims(unheld.claims, rows.claims));
  SAFFRON_TRY(reader.Parked(read.parked, rows.parked));
  SAFFRON_TRY(reader.Leases(read.leases, rows.leases));
  SAFFRON_TRY(reader.Aggregates(unheld.aggregates, rows.aggregates));
  return reader.Commands(unheld.commands, rows.commands);
}

Status RocksdbRegistry::Transact(const ClaimRead& read, const ClaimRegistry::Decide& decide) {
  SAFFRON_TRY(CheckHandlers(read));
  SAFFRON_TRY(KeepUp());
  std::lock_guard journaling(journal_mutex_);
  RegistryBatch batch(*database_);
  {
    std::lock_guard lock(mutex_);
    Unheld unheld;
    ClaimRows rows = HeldOf(read, unheld);
    SAFFRON_TRY(LookUp(RegistryReader(*database_, nullptr), read, unheld, rows));
    ClaimWrite write = decide(rows);
    SAFFRON_TRY(Apply(rows, write, batch));
  }
  if (batch.empty()) return Ok();
  SAFFRON_STEP("registry.journal.before");
  Status written = batch.Write();
  SAFFRON_STEP("registry.journal.after");
  if (written.ok()) return Ok();
  // Not in the journal, but already what others see.
  failing_.store(true);
  return UnknownOutcome(written.error().message());
}

// The journal holds the claims until a flush has written their rows.
Status RocksdbRegistry::Apply(ClaimRows& rows, ClaimWrite& write, RegistryBatch& batch) {
  std::vector<ClaimKey> keys;
  for (const auto& row : write.put_claims) {
    SAFFRON_TRY(CheckHandler(row.key.handler));
    keys.push_back(row.key);
  }
  Unheld unread;
  Gather(claims_, keys, rows.claims, unread.claims);
  SAFFRON_TRY(RegistryReader(*database_, nullptr).Claims(unread.claims, rows.claims));
  for (const auto& row : write.put_parked) SAFFRON_TRY(CheckHandler(row.key.handler));
  if (!write.put_claims.empty()) batch.PutJournal(journal_end_, write.put_claims);
  for (const auto& row : write.put_parked) batch.PutParked(row);
  for (const auto& key : write.delete_parked) batch.DeleteParked(key);
  for (const auto& row : write.put_leases) batch.PutLease(row);
  if (write.put_claims.empty()) return Ok();
  ++journal_end_;
  for (auto& row : write.put_claims) PutClaim(std::move(row), rows.claims);
  WakeFlusher();
  return Ok();
}

Result<ClaimRows> RocksdbRegistry::Read(const ClaimRead& read) {
  SAFFRON_TRY(CheckHandlers(read));
  Unheld unheld;
  std::lock_guard journaling(journal_mutex_);  // parked rows and leases are those of the files
  std::unique_lock lock(mutex_);
  ClaimRows rows = HeldOf(read, unheld);
  rocksdb::ManagedSnapshot snapshot(&database_->db());
  lock.unlock();
  SAFFRON_TRY(LookUp(RegistryReader(*database_, snapshot.snapshot()), read, unheld, rows));
  return rows;
}

// Looks for the rows without the mutex, and at each again under it.
Result<std::uint64_t> RocksdbRegistry::Heartbeat(const std::string& handler,
                                                 const std::string& owner) {
  SAFFRON_ASSIGN(const std::vector<ClaimRow> found,
                 ClaimsWith(handler, ClaimStatus::kProcessing, SIZE_MAX));
  ClaimRead read;
  for (const auto& row : found) {
    if (row.owner == owner) read.claims.push_back(row.key);
  }
  if (read.claims.empty()) return std::uint64_t{0};
  std::uint64_t beaten = 0;
  SAFFRON_TRY(Transact(read, [&](const ClaimRows& rows) {
    ClaimWrite write;
    for (const auto& [key, row] : rows.claims) {
      if (row.status != ClaimStatus::kProcessing || row.owner != owner) continue;
      write.put_claims.push_back(row);
      write.put_claims.back().heartbeat_ms = rows.now_ms;
    }
    beaten = write.put_claims.size();
    return write;
  }));
  return beaten;
}

Result<std::vector<ClaimRow>> RocksdbRegistry::ClaimsWith(const std::string& handler,
                                                          ClaimStatus status, std::size_t limit) {
  SAFFRON_TRY(CheckHandler(handler));
  SAFFRON_TRY(Flush());
  rocksdb::ManagedSnapshot snapshot(&database_->db());
  return RegistryReader(*database_, snapshot.snapshot()).ClaimsWith(handler, status, limit);
}

Result<std::vector<ParkedRow>> RocksdbRegistry::Parked(const std::string& handler,
                                                       const std::optional<ParkKey>& after,
                                                       std::size_t limit) {
  SAFFRON_TRY(CheckHandler(handler));
  rocksdb::ManagedSnapshot snapshot(&database_->db());
  return RegistryReader(*database_, snapshot.snapshot()).ParkedAfter(handler, after, limit);
}

Status RocksdbRegistry::PutPublished(const PublishedRow& row, SlotNumber prune_below) {
  std::lock_guard lock(published_mutex_);
  RegistryBatch batch(*database_);
  batch.PutPublished(row);
  // The first time from the beginning; then from where the last call stopped, so that the rows it
  // deleted are not stepped over again.
  SlotNumber& floor = published_floor_[row.shard];
  floor = std::min(floor, row.slot);
  std::string lower, upper;
  codec::AppendPublishedKey(row.shard, floor, lower);
  codec::AppendPublishedKey(row.shard, prune_below, upper);
  if (lower < upper) {
    RegistryScan scan(*database_, rocksdb::ReadOptions(), Family::kPublished, lower, upper);
    for (; scan.Valid(); scan.Next()) batch.Delete(Family::kPublished, scan.key());
    SAFFRON_TRY(scan.status());
  }
  if (row.slot < prune_below) {
    lower.clear();
    codec::AppendPublishedKey(row.shard, row.slot, lower);
    batch.Delete(Family::kPublished, lower);
  }
  SAFFRON_TRY(batch.Write());
  floor = std::max(floor, prune_below);
  return Ok();
}

Result<std::optional<PublishedRow>> RocksdbRegistry::PublishedAt(std::uint32_t shard,
                                                                 SlotNumber slot) {
  rocksdb::ManagedSnapshot snapshot(&database_->db());
  return RegistryReader(*database_, snapshot.snapshot()).PublishedAt(shard, slot);
}

Result<Pruned> RocksdbRegistry::Prune(std::int64_t processed_before_ms, std::size_t limit) {
  SAFFRON_TRY(Flush());
  std::string from;
  {
    std::lock_guard lock(mutex_);
    from = prune_cursor_;
  }
  SAFFRON_ASSIGN(const PruneScan scan, FindPrunable(from, processed_before_ms, limit));
  Pruned pruned;
  pruned.more = !scan.next.empty();
  std::lock_guard lock(mutex_);
  SAFFRON_ASSIGN(pruned.rows, DeletePrunable(scan.keys, processed_before_ms));
  prune_cursor_ = scan.next;
  return pruned;
}

Result<RocksdbRegistry::PruneScan> RocksdbRegistry::FindPrunable(std::string_view from,
                                                                 std::int64_t processed_before_ms,
                                                                 std::size_t limit) {
  rocksdb::ManagedSnapshot snapshot(&database_->db());
  rocksdb::ReadOptions options;
  options.snapshot = snapshot.snapshot();
  options.fill_cache = false;
  PruneScan found;
  RegistryScan scan(*database_, options, Family::kClaims, std::string(from), AfterAllKeys());
  for (std::size_t looked = 0; scan.Valid(); scan.Next(), ++looked) {
    if (looked == limit) {
      found.next = scan.key();
      break;
    }
    ClaimRow row;
    if (!codec::ParseClaimKey(scan.key(), row.key) || !codec::ParseClaim(scan.value(), row)) {
      return database_->BadRow(Family::kClaims);
    }
    if (MayPrune(row, processed_before_ms)) found.keys.push_back(std::move(row.key));
  }
  SAFFRON_TRY(scan.status());
  return found;
}

Result<std::uint64_t> RocksdbRegistry::DeletePrunable(const std::vector<ClaimKey>& keys,
                                                      std::int64_t processed_before_ms) {
  const RegistryReader reader(*database_, nullptr);
  Unheld unheld;
  std::unordered_map<ClaimKey, ClaimRow> claims;
  Gather(claims_, keys, claims, unheld.claims);
  SAFFRON_TRY(reader.Claims(unheld.claims, claims));
  std::vector<AggregateKey> of_claims;
  for (const auto& [key, row] : claims) of_claims.push_back(row.aggregate);
  std::unordered_map<AggregateKey, AggregateRow> aggregates;
  Gather(aggregates_, of_claims, aggregates, unheld.aggregates);
  SAFFRON_TRY(reader.Aggregates(unheld.aggregates, aggregates));
  std::uint64_t deleted = 0;
  for (const auto& [key, row] : claims) {
    if (!MayPrune(row, processed_before_ms)) continue;
    auto aggregate = aggregates.find(row.aggregate);
    if (aggregate == aggregates.end()) continue;
    if (row.number > aggregate->second.decided.number) continue;
    claims_.Delete(key, &row);
    ++deleted;
  }
  WakeFlusher();
  return deleted;
}

}  // namespace saffron
