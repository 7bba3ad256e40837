// How the rows of RocksdbRegistry get into the files.
#include <pthread.h>

#include <chrono>
#include <tuple>
#include <utility>

#include "adapters/rocksdb/registry_batch.h"
#include "adapters/rocksdb/registry_database.h"
#include "adapters/rocksdb/registry_reader.h"
#include "adapters/rocksdb/rocksdb_registry.h"
#include "base/step.h"

namespace saffron {

namespace {

// How far the files lag at most while they can be written. A row that changes again within this
// time is written once.
constexpr std::chrono::milliseconds kFlushInterval{100};
// Rows changed that are flushed before that: bounds what one write holds up.
constexpr std::size_t kFlushRows = 16'000;
// Transactions wait for the files above it: bounds the memory.
constexpr std::size_t kMaxChangedRows = 40'000;

}  // namespace

// The claims of the journal were acknowledged; their rows may not have been flushed.
Status RocksdbRegistry::ReplayJournal() {
  const RegistryReader reader(*database_, nullptr);
  SAFFRON_ASSIGN(RegistryReader::Journal journal, reader.ClaimJournal());
  std::vector<ClaimKey> keys;
  for (const ClaimRow& row : journal.claims) keys.push_back(row.key);
  std::unordered_map<ClaimKey, ClaimRow> before;
  SAFFRON_TRY(reader.Claims(keys, before));
  for (ClaimRow& row : journal.claims) PutClaim(std::move(row), before);
  journal_begin_ = journal.begin;
  journal_end_ = journal.end;
  return Flush();
}

std::size_t RocksdbRegistry::changed() const {
  return aggregates_.changed() + commands_.changed() + claims_.changed();
}

// With mutex_ held.
void RocksdbRegistry::WakeFlusher() {
  const std::size_t rows = changed();
  const bool first = !flush_wanted_.exchange(true);
  if (first || rows >= kFlushRows) flush_due_.notify_one();
  too_many_changed_.store(rows >= kMaxChangedRows);
}

void RocksdbRegistry::RunFlusher() {
  ::pthread_setname_np(::pthread_self(), "registry-flush");
  std::unique_lock lock(mutex_);
  while (!closing_) {
    flush_due_.wait(lock, [&] { return closing_ || flush_wanted_.load(); });
    flush_due_.wait_for(lock, kFlushInterval,
                        [&] { return closing_ || (changed() >= kFlushRows && !failing_.load()); });
    lock.unlock();
    (void)Flush();  // a failure is told to the next transaction
    lock.lock();
  }
}

Status RocksdbRegistry::KeepUp() {
  if (!failing_.load() && !too_many_changed_.load()) return Ok();
  return Flush();
}

Status RocksdbRegistry::Flush() {
  std::lock_guard lock(flush_mutex_);
  if (frozen_) SAFFRON_TRY(WriteFrozen());
  return Freeze() ? WriteFrozen() : Ok();
}

bool RocksdbRegistry::Freeze() {
  std::lock_guard journaling(journal_mutex_);  // a record numbered below its end is written
  std::lock_guard lock(mutex_);
  flush_wanted_.store(false);
  if (changed() == 0 && !control_changed_) return false;
  aggregates_.BeginWriting();
  commands_.BeginWriting();
  claims_.BeginWriting();
  control_changed_ = false;
  too_many_changed_.store(false);
  frozen_ = Frozen{control_, reservations_, journal_end_};
  return true;
}

// In the order of the keys on file, so that each row is inserted beside the one before it.
void RocksdbRegistry::FillBatch(RegistryBatch& batch) const {
  for (const auto* held : aggregates_.Writing([](const auto& row) -> auto& { return row.first; })) {
    batch.PutAggregate(*held->second.row);
  }
  const auto by_aggregate = [](const auto& row) {
    const CommandRow& command = row.second.row ? *row.second.row : *row.second.before;
    return std::tie(command.aggregate, command.number);
  };
  for (const auto* held : commands_.Writing(by_aggregate)) {
    if (held->second.row) {
      batch.PutCommand(*held->second.row, held->second.before.get());
    } else {
      batch.DeleteCommand(*held->second.before);
    }
  }
  for (const auto* held : claims_.Writing([](const auto& row) -> auto& { return row.first; })) {
    if (held->second.row) {
      batch.PutClaim(*held->second.row, held->second.before.get());
    } else {
      batch.DeleteClaim(*held->second.before);
    }
  }
  for (const BatchId& old : reservations_on_file_) {
    if (!frozen_->reservations.contains(old)) batch.DeleteReservation(old);
  }
  for (const auto& [id, row] : frozen_->reservations) batch.PutReservation(row);
  for (std::uint64_t i = journal_begin_; i < frozen_->journal_end; ++i) batch.DeleteJournal(i);
  batch.PutControl(frozen_->control, frozen_->reservations.size());
}

// Written again as it is after a failure: whether or not it was applied then.
Status RocksdbRegistry::WriteFrozen() {
  Status written = database_->ResumeIfPaused();
  if (written.ok()) {
    RegistryBatch batch(*database_);
    FillBatch(batch);
    // The floor of the work list is lowered before the rows are there, see ScanFloor.
    const auto& lowest = batch.lowest_undecided();
    if (lowest) undecided_floor_.BeginInsert(*lowest);
    SAFFRON_STEP("registry.flush.before");
    written = batch.Write();
    SAFFRON_STEP("registry.flush.after");
    if (lowest) undecided_floor_.EndInsert();
  }
  failing_.store(!written.ok());
  if (!written.ok()) return Unavailable(written.error().message());
  reservations_on_file_.clear();
  for (const auto& [id, row] : frozen_->reservations) reservations_on_file_.push_back(id);
  journal_begin_ = frozen_->journal_end;
  frozen_.reset();
  std::lock_guard lock(mutex_);
  aggregates_.Written();
  commands_.Written();
  claims_.Written();
  return Ok();
}

Status RocksdbRegistry::Clear() {
  constexpr Family kCleared[] = {Family::kAggregates, Family::kCommands,     Family::kByAggregate,
                                 Family::kUndecided,  Family::kReservations, Family::kClaims,
                                 Family::kOpenClaims, Family::kParked,       Family::kClaimJournal};
  {
    std::lock_guard flushing(flush_mutex_);
    std::lock_guard journaling(journal_mutex_);
    std::lock_guard lock(mutex_);
    RegistryBatch batch(*database_);
    for (Family family : kCleared) batch.DeleteRange(family, "", AfterAllKeys());
    batch.PutControl(RegistryControl(), 0);
    SAFFRON_TRY(batch.Write());
    aggregates_.Clear();
    commands_.Clear();
    claims_.Clear();
    reservations_.clear();
    reservations_on_file_.clear();
    control_ = RegistryControl();
    journal_begin_ = journal_end_;
    frozen_.reset();
  }
  // Range deletions slow reads down until they are compacted away; it is done as a courtesy.
  for (Family family : kCleared) {
    const auto compacted = database_->db().CompactRange(
        rocksdb::CompactRangeOptions(), database_->Handle(family), nullptr, nullptr);
    if (!compacted.ok()) break;
  }
  return Ok();
}

RocksdbRegistry::Info RocksdbRegistry::Describe() {
  (void)Flush();  // what is not in the files is not counted
  rocksdb::DB& db = database_->db();
  auto property = [&](Family family, const std::string& name) {
    std::uint64_t value = 0;
    db.GetIntProperty(database_->Handle(family), name, &value);
    return value;
  };
  const std::string& keys = rocksdb::DB::Properties::kEstimateNumKeys;
  Info info;
  info.aggregates = property(Family::kAggregates, keys);
  info.commands = property(Family::kCommands, keys);
  info.undecided = property(Family::kUndecided, keys);
  info.claims = property(Family::kClaims, keys);
  info.parked = property(Family::kParked, keys);
  {
    std::lock_guard lock(mutex_);
    info.outstanding = reservations_.size();
  }
  for (std::size_t i = 0; i < kFamilyCount; ++i) {
    const auto family = static_cast<Family>(i);
    info.disk_bytes += property(family, rocksdb::DB::Properties::kTotalSstFilesSize);
    info.memory_bytes += property(family, rocksdb::DB::Properties::kSizeAllMemTables);
  }
  info.memory_bytes += property(Family::kCommands, rocksdb::DB::Properties::kBlockCacheUsage);
  rocksdb::VectorLogPtr logs;
  if (db.GetSortedWalFiles(logs).ok()) {
    for (const auto& log : logs) info.disk_bytes += log->SizeFileBytes();
  }
  return info;
}

}  // namespace saffron
