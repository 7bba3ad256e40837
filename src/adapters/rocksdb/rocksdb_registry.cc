#include "adapters/rocksdb/rocksdb_registry.h"

#include <rocksdb/perf_level.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <tuple>
#include <unordered_set>
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

template <class Map, class Key>
auto* Find(Map& rows, const Key& key) {
  auto found = rows.find(key);
  return found == rows.end() ? nullptr : &found->second;
}

// Rows of the files with the newer ones from memory over them, in order.
template <class Row, class Order>
std::vector<Row> Merged(std::vector<Row> newer, std::vector<Row> on_file, std::size_t limit,
                        Order order) {
  const auto before = [&](const Row& a, const Row& b) { return order(a) < order(b); };
  std::sort(newer.begin(), newer.end(), before);
  std::vector<Row> rows;  // where both have a row, the first range gives it
  std::set_union(std::move_iterator(newer.begin()), std::move_iterator(newer.end()),
                 std::move_iterator(on_file.begin()), std::move_iterator(on_file.end()),
                 std::back_inserter(rows), before);
  if (rows.size() > limit) rows.resize(limit);
  return rows;
}

}  // namespace

// What a scan of the files would miss while they cannot be written.
template <class Key, class Row, class Wanted>
std::vector<Row> RocksdbRegistry::Unwritten(const HeldRows<Key, Row>& held, Wanted wanted) {
  std::lock_guard lock(mutex_);
  std::vector<Row> rows;
  held.ForEachUnwritten([&](const Key&, const auto& entry) {
    if (entry.row && wanted(*entry.row)) rows.push_back(*entry.row);
  });
  return rows;
}

RocksdbRegistry::RocksdbRegistry(Options options, std::unique_ptr<RegistryDatabase> database)
    : options_(std::move(options)),
      database_(std::move(database)),
      live_incarnation_(options_.boot_id + ":" + database_->identity().ToString()) {}

RocksdbRegistry::~RocksdbRegistry() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  flush_due_.notify_all();
  if (flusher_.joinable()) flusher_.join();
  if (loaded_) (void)Flush();  // what it cannot write the log still has
}

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
  for (const Reservation& row : reservations) {
    reservations_on_file_.push_back(row.batch);
    reservations_.emplace(row.batch, row);
  }
  loaded_ = true;
  SAFFRON_TRY(ReplayJournal());
  flusher_ = std::thread([this] { RunFlusher(); });
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

RegistryRows RocksdbRegistry::HeldOf(const RegistryRead& read, Unheld& unheld) {
  RegistryRows rows;
  rows.control = control_;
  rows.live_incarnation = live_incarnation_;
  rows.now_ms = NowMs();
  rows.outstanding = reservations_.size();
  for (const BatchId& batch : read.reservations) {
    if (const Reservation* row = Find(reservations_, batch)) rows.reservations.emplace(batch, *row);
  }
  Gather(aggregates_, read.aggregates, rows.aggregates, unheld.aggregates);
  Gather(commands_, read.commands, rows.commands, unheld.commands);
  return rows;
}

Status RocksdbRegistry::CountMembers(const RegistryRead& read, RegistryRows& rows) {
  if (read.members.empty()) return Ok();
  std::unordered_map<AggregateKey, const AggregateRow*> newer;
  aggregates_.ForEachUnwritten(
      [&](const AggregateKey& key, const auto& entry) { newer.emplace(key, &*entry.row); });
  const RegistryReader reader(*database_, nullptr);
  for (const auto& members : read.members) {
    SAFFRON_ASSIGN(rows.members.emplace_back(), reader.CountMembers(members, newer));
  }
  return Ok();
}

Status RocksdbRegistry::Transact(const RegistryRead& read, const AppendRegistry::Decide& decide) {
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);  // of this thread: counts no comparisons
  SAFFRON_TRY(KeepUp());
  std::lock_guard lock(mutex_);
  Unheld unheld;
  RegistryRows rows = HeldOf(read, unheld);
  const RegistryReader reader(*database_, nullptr);
  SAFFRON_TRY(reader.Aggregates(unheld.aggregates, rows.aggregates));
  SAFFRON_TRY(reader.Commands(unheld.commands, rows.commands));
  SAFFRON_TRY(CountMembers(read, rows));
  RegistryWrite write = decide(rows);
  if (write.empty()) return Ok();
  std::unordered_map<ClaimKey, ClaimRow> claims;
  SAFFRON_TRY(LookUpUnread(read, write, rows, claims));
  Apply(rows, write, claims);
  return Ok();
}

// Rows that are written but were not read, for what they were; nothing can fail after it.
Status RocksdbRegistry::LookUpUnread(const RegistryRead& read, const RegistryWrite& write,
                                     RegistryRows& rows,
                                     std::unordered_map<ClaimKey, ClaimRow>& claims) {
  // Those that were asked for and are not there, too.
  std::unordered_set<EventId> known(read.commands.begin(), read.commands.end());
  known.insert(read.fresh_commands.begin(), read.fresh_commands.end());
  RegistryRead more;
  auto add = [&](const EventId& id) {
    if (!known.contains(id)) more.commands.push_back(id);
  };
  for (const CommandRow& row : write.put_commands) add(row.id);
  for (const EventId& id : write.delete_commands) add(id);
  std::vector<ClaimKey> done;
  for (const DoneClaim& claim : write.done) {
    done.push_back({std::string(claim.handler), claim.event});
  }
  Unheld unheld;
  Gather(commands_, more.commands, rows.commands, unheld.commands);
  Gather(claims_, done, claims, unheld.claims);
  const RegistryReader reader(*database_, nullptr);
  SAFFRON_TRY(reader.Commands(unheld.commands, rows.commands));
  return reader.Claims(unheld.claims, claims);
}

void RocksdbRegistry::Apply(RegistryRows& rows, RegistryWrite& write,
                            std::unordered_map<ClaimKey, ClaimRow>& claims) {
  for (AggregateRow& row : write.put_aggregates) {
    const AggregateKey key = row.key;
    aggregates_.Put(key, std::move(row), nullptr);
  }
  for (CommandRow& row : write.put_commands) {
    const EventId id = row.id;
    commands_.Put(id, std::move(row), Find(rows.commands, id));
  }
  for (const EventId& id : write.delete_commands) {
    commands_.Delete(id, Find(rows.commands, id));
  }
  for (const DoneClaim& done : write.done) {
    ClaimRow row;
    row.key = {std::string(done.handler), done.event};
    if (const ClaimRow* old = Find(claims, row.key)) {
      row = *old;
    } else {
      row.attempt_count = 1;
      row.started_ms = rows.now_ms;
    }
    row.aggregate = done.aggregate;
    row.number = done.number;
    row.status = ClaimStatus::kDone;
    row.processed_ms = rows.now_ms;
    PutClaim(std::move(row), claims);
  }
  for (Reservation& row : write.put_reservations) {
    const BatchId batch = row.batch;
    reservations_.insert_or_assign(batch, std::move(row));
  }
  for (const BatchId& batch : write.delete_reservations) reservations_.erase(batch);
  if (write.control) control_ = std::move(*write.control);
  control_changed_ = true;
  WakeFlusher();
}

void RocksdbRegistry::PutClaim(ClaimRow row, std::unordered_map<ClaimKey, ClaimRow>& rows) {
  const ClaimKey key = row.key;
  claims_.Put(key, std::move(row), Find(rows, key));
}

Result<RegistryRows> RocksdbRegistry::Read(const RegistryRead& read) {
  Unheld unheld;
  RegistryRows rows;
  std::unique_lock lock(mutex_);
  rows = HeldOf(read, unheld);
  SAFFRON_TRY(CountMembers(read, rows));
  if (unheld.aggregates.empty() && unheld.commands.empty()) return rows;
  rocksdb::ManagedSnapshot snapshot(&database_->db());
  lock.unlock();
  const RegistryReader reader(*database_, snapshot.snapshot());
  SAFFRON_TRY(reader.Aggregates(unheld.aggregates, rows.aggregates));
  SAFFRON_TRY(reader.Commands(unheld.commands, rows.commands));
  return rows;
}

Result<std::vector<Reservation>> RocksdbRegistry::Reservations() {
  std::lock_guard lock(mutex_);
  std::vector<Reservation> all;
  for (const auto& [batch, row] : reservations_) all.push_back(row);
  std::stable_sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.slot < b.slot; });
  return all;
}

Result<std::vector<CommandRow>> RocksdbRegistry::CommandsOf(const AggregateKey& aggregate,
                                                            SequenceNumber from, SequenceNumber to,
                                                            std::size_t limit) {
  const bool flushed = Flush().ok();
  std::vector<CommandRow> newer;
  if (!flushed) {
    newer = Unwritten(commands_, [&](const CommandRow& row) {
      return row.settled() && row.aggregate == aggregate && from <= row.number && row.number <= to;
    });
  }
  rocksdb::ManagedSnapshot snapshot(&database_->db());
  const RegistryReader reader(*database_, snapshot.snapshot());
  SAFFRON_ASSIGN(auto rows, reader.CommandsOf(aggregate, from, to, limit));
  if (flushed) return rows;
  return Merged(std::move(newer), std::move(rows), limit,
                [](const CommandRow& row) { return std::tie(row.number, row.id); });
}

Result<std::vector<AggregateRow>> RocksdbRegistry::List(AggregateType type,
                                                        std::string_view id_prefix,
                                                        std::string_view after, std::size_t limit) {
  const bool flushed = Flush().ok();
  std::vector<AggregateRow> newer;
  if (!flushed) {
    newer = Unwritten(aggregates_, [&](const AggregateRow& row) {
      return row.key.type == type && row.key.id.starts_with(id_prefix) && row.key.id > after;
    });
  }
  rocksdb::ManagedSnapshot snapshot(&database_->db());
  const RegistryReader reader(*database_, snapshot.snapshot());
  SAFFRON_ASSIGN(auto rows, reader.List(type, id_prefix, after, limit));
  if (flushed) return rows;
  return Merged(std::move(newer), std::move(rows), limit,
                [](const AggregateRow& row) { return std::tie(row.key); });
}

Result<std::vector<CommandRow>> RocksdbRegistry::Undecided(const Position& after,
                                                           std::size_t limit) {
  SAFFRON_TRY(Flush());
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

}  // namespace saffron
