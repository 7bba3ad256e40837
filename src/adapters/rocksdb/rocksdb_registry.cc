#include "adapters/rocksdb/rocksdb_registry.h"

#include <rocksdb/perf_level.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <utility>

#include "adapters/rocksdb/registry_batch.h"
#include "adapters/rocksdb/registry_database.h"
#include "adapters/rocksdb/registry_reader.h"

namespace saffron {

namespace codec = registry_codec;

namespace {

class RocksdbFenceLock final : public FenceLock {
 public:
  explicit RocksdbFenceLock(std::shared_ptr<std::atomic<bool>> held) : held_(std::move(held)) {}
  ~RocksdbFenceLock() override { held_->store(false); }

 private:
  const std::shared_ptr<std::atomic<bool>> held_;
};

Result<std::string> KernelBootId() {
  std::string id;
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  if (!std::getline(file, id) || id.empty()) {
    return Unavailable("registry: cannot read /proc/sys/kernel/random/boot_id");
  }
  return id;
}

// The keys of `wanted` that are not among those read, whose rows are therefore not known.
template <class Key>
std::vector<Key> NotRead(const std::vector<Key>& read, std::vector<Key> wanted) {
  std::vector<Key> sorted = read;
  std::sort(sorted.begin(), sorted.end());
  std::erase_if(wanted, [&](const Key& key) {
    return std::binary_search(sorted.begin(), sorted.end(), key);
  });
  return wanted;
}

template <class Map, class Key>
auto* Find(Map& rows, const Key& key) {
  auto found = rows.find(key);
  return found == rows.end() ? nullptr : &found->second;
}

}  // namespace

RocksdbRegistry::RocksdbRegistry(Options options, std::unique_ptr<RegistryDatabase> database)
    : options_(std::move(options)),
      database_(std::move(database)),
      live_incarnation_(options_.boot_id + ":" + database_->identity().ToString()) {}

RocksdbRegistry::~RocksdbRegistry() = default;

Result<std::unique_ptr<RocksdbRegistry>> RocksdbRegistry::Open(Options options) {
  if (options.boot_id.empty()) {
    SAFFRON_ASSIGN(options.boot_id, KernelBootId());
  }
  SAFFRON_ASSIGN(auto database,
                 RegistryDatabase::Open({options.directory, options.write_buffer_bytes,
                                         options.block_cache_bytes, options.env}));
  std::unique_ptr<RocksdbRegistry> registry(
      new RocksdbRegistry(std::move(options), std::move(database)));
  SAFFRON_TRY(registry->Load());
  return registry;
}

Status RocksdbRegistry::Load() {
  const RegistryReader reader(*database_, nullptr);
  SAFFRON_ASSIGN(const codec::ControlValue control, reader.Control());
  SAFFRON_ASSIGN(const std::vector<Reservation> reservations, reader.AllReservations());
  if (reservations.size() != control.outstanding) return database_->BadRow(Family::kReservations);
  control_ = control.control;
  outstanding_ = control.outstanding;
  return Ok();
}

std::int64_t RocksdbRegistry::NowMs() {
  const std::int64_t now = options_.now_ms
                               ? options_.now_ms()
                               : std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count();
  std::int64_t last = last_now_ms_.load();
  while (last < now && !last_now_ms_.compare_exchange_weak(last, now)) {
  }
  return std::max(last, now);
}

// The floor of the work list is lowered before the rows are there, see ScanFloor.
Status RocksdbRegistry::Commit(RegistryBatch& batch) {
  if (batch.empty()) return Ok();
  const auto& lowest = batch.lowest_undecided();
  if (lowest) undecided_floor_.BeginInsert(*lowest);
  Status written = batch.Write();
  if (lowest) undecided_floor_.EndInsert();
  return written;
}

Status RocksdbRegistry::Transact(const RegistryRead& read, const AppendRegistry::Decide& decide) {
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);  // of this thread: counts no comparisons
  std::lock_guard lock(mutex_);
  const RegistryReader reader(*database_, nullptr);
  RegistryRows rows;
  rows.control = control_;
  rows.live_incarnation = live_incarnation_;
  rows.now_ms = NowMs();
  rows.outstanding = outstanding_;
  SAFFRON_TRY(reader.Aggregates(read.aggregates, rows.aggregates));
  SAFFRON_TRY(reader.Commands(read.commands, rows.commands));
  SAFFRON_TRY(reader.Reservations(read.reservations, rows.reservations));
  for (const auto& members : read.members) {
    SAFFRON_ASSIGN(rows.members.emplace_back(), reader.CountMembers(members));
  }
  RegistryWrite write = decide(rows);
  if (write.empty()) return Ok();
  return Apply(read, rows, write);
}

Status RocksdbRegistry::Apply(const RegistryRead& read, RegistryRows& rows, RegistryWrite& write) {
  RegistryBatch batch(*database_);
  std::uint64_t outstanding = outstanding_;
  for (const auto& row : write.put_aggregates) batch.PutAggregate(row);
  SAFFRON_TRY(AddCommands(read, rows, write, batch));
  SAFFRON_TRY(AddReservations(read, rows, write, batch, outstanding));
  SAFFRON_TRY(AddDone(write, rows.now_ms, batch));
  const RegistryControl& control = write.control ? *write.control : control_;
  if (write.control || outstanding != outstanding_) batch.PutControl(control, outstanding);
  SAFFRON_TRY(Commit(batch));
  if (write.control) control_ = std::move(*write.control);
  outstanding_ = outstanding;
  return Ok();
}

// Keeps rows.commands as the rows become, so that a row named twice is indexed once.
Status RocksdbRegistry::AddCommands(const RegistryRead& read, RegistryRows& rows,
                                    RegistryWrite& write, RegistryBatch& batch) {
  std::vector<EventId> touched = write.delete_commands;
  touched.reserve(touched.size() + write.put_commands.size());
  for (const auto& row : write.put_commands) touched.push_back(row.id);
  const RegistryReader reader(*database_, nullptr);
  SAFFRON_TRY(reader.Commands(NotRead(read.commands, std::move(touched)), rows.commands));
  for (auto& row : write.put_commands) {
    auto [old, is_new] = rows.commands.try_emplace(row.id);
    batch.PutCommand(row, is_new ? nullptr : &old->second);
    old->second = std::move(row);
  }
  for (const auto& id : write.delete_commands) {
    auto old = rows.commands.find(id);
    if (old == rows.commands.end()) continue;
    batch.DeleteCommand(old->second);
    rows.commands.erase(old);
  }
  return Ok();
}

Status RocksdbRegistry::AddReservations(const RegistryRead& read, RegistryRows& rows,
                                        RegistryWrite& write, RegistryBatch& batch,
                                        std::uint64_t& outstanding) {
  std::vector<BatchId> touched = write.delete_reservations;
  for (const auto& row : write.put_reservations) touched.push_back(row.batch);
  const RegistryReader reader(*database_, nullptr);
  SAFFRON_TRY(
      reader.Reservations(NotRead(read.reservations, std::move(touched)), rows.reservations));
  for (const auto& row : write.put_reservations) {
    if (rows.reservations.try_emplace(row.batch).second) ++outstanding;
    batch.PutReservation(row);
  }
  for (const auto& id : write.delete_reservations) {
    if (rows.reservations.erase(id) == 0) continue;
    batch.DeleteReservation(id);
    --outstanding;
  }
  return Ok();
}

Status RocksdbRegistry::AddDone(const RegistryWrite& write, std::int64_t now_ms,
                                RegistryBatch& batch) {
  std::vector<ClaimKey> keys;
  keys.reserve(write.done.size());
  for (const auto& done : write.done) keys.push_back({std::string(done.handler), done.event});
  std::map<ClaimKey, ClaimRow> claims;
  SAFFRON_TRY(RegistryReader(*database_, nullptr).Claims(keys, claims));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const ClaimRow* old = Find(claims, keys[i]);
    ClaimRow row;
    if (old != nullptr) {
      row = *old;
    } else {
      row.key = keys[i];
      row.attempt_count = 1;
      row.started_ms = now_ms;
    }
    row.aggregate = write.done[i].aggregate;
    row.number = write.done[i].number;
    row.status = ClaimStatus::kDone;
    row.processed_ms = now_ms;
    batch.PutClaim(row, old);
    claims.insert_or_assign(keys[i], std::move(row));
  }
  return Ok();
}

Result<RegistryRows> RocksdbRegistry::Read(const RegistryRead& read) {
  rocksdb::ManagedSnapshot snapshot(&database_->db());
  const RegistryReader reader(*database_, snapshot.snapshot());
  SAFFRON_ASSIGN(codec::ControlValue control, reader.Control());
  RegistryRows rows;
  rows.control = std::move(control.control);
  rows.live_incarnation = live_incarnation_;
  rows.now_ms = NowMs();
  rows.outstanding = control.outstanding;
  SAFFRON_TRY(reader.Aggregates(read.aggregates, rows.aggregates));
  SAFFRON_TRY(reader.Commands(read.commands, rows.commands));
  SAFFRON_TRY(reader.Reservations(read.reservations, rows.reservations));
  for (const auto& members : read.members) {
    SAFFRON_ASSIGN(rows.members.emplace_back(), reader.CountMembers(members));
  }
  return rows;
}

Result<std::vector<Reservation>> RocksdbRegistry::Reservations() {
  rocksdb::ManagedSnapshot snapshot(&database_->db());
  return RegistryReader(*database_, snapshot.snapshot()).AllReservations();
}

Result<std::vector<CommandRow>> RocksdbRegistry::CommandsOf(const AggregateKey& aggregate,
                                                            SequenceNumber from, SequenceNumber to,
                                                            std::size_t limit) {
  rocksdb::ManagedSnapshot snapshot(&database_->db());
  const RegistryReader reader(*database_, snapshot.snapshot());
  return reader.CommandsOf(aggregate, from, to, limit);
}

Result<std::vector<AggregateRow>> RocksdbRegistry::List(AggregateType type,
                                                        std::string_view id_prefix,
                                                        std::string_view after, std::size_t limit) {
  rocksdb::ManagedSnapshot snapshot(&database_->db());
  return RegistryReader(*database_, snapshot.snapshot()).List(type, id_prefix, after, limit);
}

Result<std::vector<CommandRow>> RocksdbRegistry::Undecided(const Position& after,
                                                           std::size_t limit) {
  std::string from;
  codec::AppendPosition(after, from);
  from = AfterPrefix(std::move(from));  // every key of that position is left out
  const ScanFloor::Start start = undecided_floor_.BeginScan();
  std::string first;
  Result<std::vector<CommandRow>> rows = [&]() -> Result<std::vector<CommandRow>> {
    rocksdb::ManagedSnapshot snapshot(&database_->db());
    const RegistryReader reader(*database_, snapshot.snapshot());
    return reader.Undecided(std::max(from, start.floor), limit, first);
  }();
  if (start.raises) {
    const bool knows_first = rows.ok() && (from <= start.floor || after == Position());
    if (first.empty()) first = AfterAllKeys();
    undecided_floor_.EndScan(knows_first ? std::optional(first) : std::nullopt);
  }
  return rows;
}

Result<std::unique_ptr<FenceLock>> RocksdbRegistry::LockFence() {
  // The directory belongs to this process, so the lock is among its own threads.
  if (fence_held_->exchange(true)) return Unavailable("the fence lock is held");
  return std::unique_ptr<FenceLock>(std::make_unique<RocksdbFenceLock>(fence_held_));
}

Status RocksdbRegistry::Clear() {
  constexpr Family kCleared[] = {Family::kAggregates, Family::kCommands,     Family::kByAggregate,
                                 Family::kUndecided,  Family::kReservations, Family::kClaims,
                                 Family::kOpenClaims, Family::kParked};
  {
    std::lock_guard lock(mutex_);
    RegistryBatch batch(*database_);
    for (Family family : kCleared) batch.DeleteRange(family, "", AfterAllKeys());
    batch.PutControl(RegistryControl(), 0);
    SAFFRON_TRY(Commit(batch));
    control_ = RegistryControl();
    outstanding_ = 0;
  }
  // Range deletions slow reads down until they are compacted away; it is done as a courtesy.
  for (Family family : kCleared) {
    const auto compacted = database_->db().CompactRange(
        rocksdb::CompactRangeOptions(), database_->Handle(family), nullptr, nullptr);
    if (!compacted.ok()) break;
  }
  return Ok();
}

RocksdbRegistry::Info RocksdbRegistry::Describe() const {
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
  info.outstanding = outstanding_;
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
