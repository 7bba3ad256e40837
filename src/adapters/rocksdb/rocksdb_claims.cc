// The ClaimRegistry side of RocksdbRegistry.
#include <algorithm>
#include <utility>

#include "adapters/rocksdb/registry_batch.h"
#include "adapters/rocksdb/registry_database.h"
#include "adapters/rocksdb/registry_reader.h"
#include "adapters/rocksdb/rocksdb_registry.h"

namespace saffron {

namespace codec = registry_codec;

namespace {

// Rows looked for and deleted in one go, so that no other transaction waits long.
constexpr std::size_t kPruneBatch = 1000;

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

Result<ClaimRows> Select(const RegistryReader& reader, const ClaimRead& read) {
  ClaimRows rows;
  SAFFRON_TRY(reader.Claims(read.claims, rows.claims));
  SAFFRON_TRY(reader.Parked(read.parked, rows.parked));
  SAFFRON_TRY(reader.Leases(read.leases, rows.leases));
  SAFFRON_TRY(reader.Aggregates(read.aggregates, rows.aggregates));
  SAFFRON_TRY(reader.Commands(read.commands, rows.commands));
  return rows;
}

bool MayPrune(const ClaimRow& row, std::int64_t processed_before_ms) {
  const bool over = row.status == ClaimStatus::kDone || row.status == ClaimStatus::kSkippedStale;
  return over && row.processed_ms < processed_before_ms;
}

}  // namespace

Status RocksdbRegistry::Transact(const ClaimRead& read, const ClaimRegistry::Decide& decide) {
  SAFFRON_TRY(CheckHandlers(read));
  std::lock_guard lock(mutex_);
  SAFFRON_ASSIGN(ClaimRows rows, Select(RegistryReader(*database_, nullptr), read));
  rows.now_ms = NowMs();
  ClaimWrite write = decide(rows);
  return Apply(rows, write);
}

// A row that was put but not read, or not there when it was, is looked up for what it was.
Status RocksdbRegistry::Apply(ClaimRows& rows, ClaimWrite& write) {
  std::vector<ClaimKey> unread;
  for (const auto& row : write.put_claims) {
    SAFFRON_TRY(CheckHandler(row.key.handler));
    if (!rows.claims.contains(row.key)) unread.push_back(row.key);
  }
  SAFFRON_TRY(RegistryReader(*database_, nullptr).Claims(unread, rows.claims));
  RegistryBatch batch(*database_);
  for (auto& row : write.put_claims) {
    auto [old, is_new] = rows.claims.try_emplace(row.key);
    batch.PutClaim(row, is_new ? nullptr : &old->second);
    old->second = std::move(row);
  }
  for (const auto& row : write.put_parked) {
    SAFFRON_TRY(CheckHandler(row.key.handler));
    batch.PutParked(row);
  }
  for (const auto& key : write.delete_parked) batch.DeleteParked(key);
  for (const auto& row : write.put_leases) batch.PutLease(row);
  return Commit(batch);
}

Result<ClaimRows> RocksdbRegistry::Read(const ClaimRead& read) {
  SAFFRON_TRY(CheckHandlers(read));
  rocksdb::ManagedSnapshot snapshot(&database_->db());
  SAFFRON_ASSIGN(ClaimRows rows, Select(RegistryReader(*database_, snapshot.snapshot()), read));
  rows.now_ms = NowMs();
  return rows;
}

// Looks for the rows without the mutex, and at each again under it.
Result<std::uint64_t> RocksdbRegistry::Heartbeat(const std::string& handler,
                                                 const std::string& owner) {
  SAFFRON_ASSIGN(const std::vector<ClaimRow> found,
                 ClaimsWith(handler, ClaimStatus::kProcessing, SIZE_MAX));
  std::vector<ClaimKey> keys;
  for (const auto& row : found) {
    if (row.owner == owner) keys.push_back(row.key);
  }
  if (keys.empty()) return std::uint64_t{0};
  std::lock_guard lock(mutex_);
  std::map<ClaimKey, ClaimRow> rows;
  SAFFRON_TRY(RegistryReader(*database_, nullptr).Claims(keys, rows));
  const std::int64_t now = NowMs();
  RegistryBatch batch(*database_);
  std::uint64_t beaten = 0;
  for (auto& [key, row] : rows) {
    if (row.status != ClaimStatus::kProcessing || row.owner != owner) continue;
    row.heartbeat_ms = now;
    batch.PutClaim(row, &row);
    ++beaten;
  }
  SAFFRON_TRY(Commit(batch));
  return beaten;
}

Result<std::vector<ClaimRow>> RocksdbRegistry::ClaimsWith(const std::string& handler,
                                                          ClaimStatus status, std::size_t limit) {
  SAFFRON_TRY(CheckHandler(handler));
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
  std::lock_guard lock(mutex_);
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
  SAFFRON_TRY(Commit(batch));
  floor = std::max(floor, prune_below);
  return Ok();
}

Result<std::optional<PublishedRow>> RocksdbRegistry::PublishedAt(std::uint32_t shard,
                                                                 SlotNumber slot) {
  rocksdb::ManagedSnapshot snapshot(&database_->db());
  return RegistryReader(*database_, snapshot.snapshot()).PublishedAt(shard, slot);
}

// Goes on where the last call stopped, so that calls with a small limit get through a table whose
// first rows stay; one call looks at each row at most once.
Result<std::uint64_t> RocksdbRegistry::Prune(std::int64_t processed_before_ms, std::size_t limit) {
  std::string start;
  {
    std::lock_guard lock(mutex_);
    start = prune_cursor_;
  }
  std::uint64_t pruned = 0;
  std::string from = start;
  for (bool wrapped = start.empty(); pruned < limit;) {
    const std::string to = wrapped && !start.empty() ? start : AfterAllKeys();
    const std::size_t batch = std::min<std::size_t>(limit - pruned, kPruneBatch);
    SAFFRON_ASSIGN(PruneScan scan, FindPrunable(from, to, processed_before_ms, batch));
    std::lock_guard lock(mutex_);
    SAFFRON_ASSIGN(const std::uint64_t deleted, DeletePrunable(scan.keys, processed_before_ms));
    pruned += deleted;
    prune_cursor_ = from = scan.next;
    if (!scan.next.empty()) continue;
    if (wrapped) break;
    wrapped = true;
  }
  return pruned;
}

Result<RocksdbRegistry::PruneScan> RocksdbRegistry::FindPrunable(std::string_view from,
                                                                 std::string_view to,
                                                                 std::int64_t processed_before_ms,
                                                                 std::size_t limit) {
  rocksdb::ManagedSnapshot snapshot(&database_->db());
  rocksdb::ReadOptions options;
  options.snapshot = snapshot.snapshot();
  options.fill_cache = false;
  PruneScan found;
  RegistryScan scan(*database_, options, Family::kClaims, std::string(from), std::string(to));
  for (; scan.Valid(); scan.Next()) {
    if (found.keys.size() == limit) {
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
  std::map<ClaimKey, ClaimRow> claims;
  std::map<AggregateKey, AggregateRow> aggregates;
  SAFFRON_TRY(reader.Claims(keys, claims));
  std::vector<AggregateKey> of_claims;
  for (const auto& [key, row] : claims) of_claims.push_back(row.aggregate);
  SAFFRON_TRY(reader.Aggregates(of_claims, aggregates));
  RegistryBatch batch(*database_);
  std::uint64_t deleted = 0;
  for (const auto& [key, row] : claims) {
    if (!MayPrune(row, processed_before_ms)) continue;
    auto aggregate = aggregates.find(row.aggregate);
    if (aggregate == aggregates.end()) continue;
    if (row.number > aggregate->second.decided.number) continue;
    batch.DeleteClaim(row);
    ++deleted;
  }
  SAFFRON_TRY(Commit(batch));
  return deleted;
}

}  // namespace saffron
