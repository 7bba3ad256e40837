#include "adapters/memory/memory_registry.h"

#include <algorithm>

namespace saffron {

namespace {

class MemoryFenceLock final : public FenceLock {
 public:
  explicit MemoryFenceLock(std::shared_ptr<std::atomic<bool>> held) : held_(std::move(held)) {}
  ~MemoryFenceLock() override { held_->store(false); }

 private:
  const std::shared_ptr<std::atomic<bool>> held_;
};

template <class Map, class Keys>
void Pick(const Map& rows, const Keys& keys, auto& out) {
  for (const auto& key : keys) {
    if (auto found = rows.find(key); found != rows.end()) out.emplace(key, found->second);
  }
}

}  // namespace

void MemoryRegistry::Rows::PutCommand(const CommandRow& row) {
  DeleteCommand(row.id);
  commands.emplace(row.id, row);
  if (!row.settled()) return;
  by_aggregate.emplace(row.aggregate, row.number, row.id);
  if (!row.outcome) undecided.emplace(row.location->position, row.id);
}

void MemoryRegistry::Rows::DeleteCommand(const EventId& id) {
  auto found = commands.find(id);
  if (found == commands.end()) return;
  const CommandRow& row = found->second;
  if (row.settled()) {
    by_aggregate.erase({row.aggregate, row.number, id});
    undecided.erase({row.location->position, id});
  }
  commands.erase(found);
}

MemoryRegistry::MemoryRegistry(Options options)
    : now_ms_(std::move(options.now_ms)),
      settled_(std::move(options.settled)),
      live_incarnation_(std::move(options.live_incarnation)) {
  SAFFRON_ASSERT(now_ms_ != nullptr);
}

void MemoryRegistry::SetLiveIncarnation(std::string incarnation) {
  std::lock_guard lock(mutex_);
  live_incarnation_ = std::move(incarnation);
}

MemoryRegistry::Backup MemoryRegistry::Snapshot() const {
  std::lock_guard lock(mutex_);
  return std::make_shared<const Rows>(rows_);
}

void MemoryRegistry::Restore(const Backup& backup) {
  std::lock_guard lock(mutex_);
  rows_ = *backup;
}

MemberCount MemoryRegistry::Count(const RegistryRead::Members& members) const {
  MemberCount count;
  const AggregateKey first{AggregateType::kInstance, members.class_key.id + ":"};
  for (auto row = rows_.aggregates.lower_bound(first); row != rows_.aggregates.end(); ++row) {
    if (row->first.type != first.type || !row->first.id.starts_with(first.id)) break;
    if (PresentIn(row->second, members.scope)) ++count.present;
    if (row->second.pending) ++count.pending;
  }
  return count;
}

RegistryRows MemoryRegistry::Select(const RegistryRead& read) const {
  RegistryRows rows;
  rows.control = rows_.control;
  rows.live_incarnation = live_incarnation_;
  rows.now_ms = now_ms_();
  rows.outstanding = rows_.reservations.size();
  Pick(rows_.aggregates, read.aggregates, rows.aggregates);
  Pick(rows_.commands, read.commands, rows.commands);
  Pick(rows_.reservations, read.reservations, rows.reservations);
  for (const auto& members : read.members) rows.members.push_back(Count(members));
  return rows;
}

ClaimRows MemoryRegistry::Select(const ClaimRead& read) const {
  ClaimRows rows;
  rows.now_ms = now_ms_();
  Pick(rows_.claims, read.claims, rows.claims);
  Pick(rows_.parked, read.parked, rows.parked);
  Pick(rows_.leases, read.leases, rows.leases);
  Pick(rows_.aggregates, read.aggregates, rows.aggregates);
  Pick(rows_.commands, read.commands, rows.commands);
  return rows;
}

void MemoryRegistry::Apply(const DoneClaim& done, std::int64_t now_ms) {
  const ClaimKey key{std::string(done.handler), done.event};
  auto [row, is_new] = rows_.claims.try_emplace(key);
  ClaimRow& claim = row->second;
  if (is_new) {
    claim.key = key;
    claim.attempt_count = 1;
    claim.started_ms = now_ms;
  }
  claim.aggregate = done.aggregate;
  claim.number = done.number;
  claim.status = ClaimStatus::kDone;
  claim.processed_ms = now_ms;
}

void MemoryRegistry::Apply(const RegistryWrite& write, std::int64_t now_ms) {
  if (write.control) rows_.control = *write.control;
  for (const auto& row : write.put_aggregates) rows_.aggregates.insert_or_assign(row.key, row);
  for (const auto& row : write.put_commands) rows_.PutCommand(row);
  for (const auto& id : write.delete_commands) rows_.DeleteCommand(id);
  for (const auto& row : write.put_reservations)
    rows_.reservations.insert_or_assign(row.batch, row);
  for (const auto& batch : write.delete_reservations) rows_.reservations.erase(batch);
  for (const auto& done : write.done) Apply(done, now_ms);
}

Status MemoryRegistry::Transact(const RegistryRead& read, const AppendRegistry::Decide& decide) {
  SlotNumber settled;
  {
    std::lock_guard lock(mutex_);
    for (const EventId& id : read.fresh_commands) SAFFRON_ASSERT(!rows_.commands.contains(id));
    const RegistryRows rows = Select(read);
    const RegistryWrite write = decide(rows);
    for (const BatchId& batch : write.delete_reservations) {
      const auto row = rows_.reservations.find(batch);
      if (row != rows_.reservations.end()) settled = std::max(settled, row->second.slot);
    }
    Apply(write, rows.now_ms);
  }
  if (settled_ && settled > SlotNumber()) settled_(settled);
  return Ok();
}

Result<RegistryRows> MemoryRegistry::Read(const RegistryRead& read) {
  std::lock_guard lock(mutex_);
  return Select(read);
}

Result<std::vector<Reservation>> MemoryRegistry::Reservations() {
  std::lock_guard lock(mutex_);
  std::vector<Reservation> all;
  for (const auto& [batch, row] : rows_.reservations) all.push_back(row);
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.slot < b.slot; });
  return all;
}

Result<std::vector<CommandRow>> MemoryRegistry::CommandsOf(const AggregateKey& aggregate,
                                                           SequenceNumber from, SequenceNumber to,
                                                           std::size_t limit) {
  std::lock_guard lock(mutex_);
  std::vector<CommandRow> found;
  for (auto at = rows_.by_aggregate.lower_bound({aggregate, from, EventId()});
       at != rows_.by_aggregate.end() && found.size() < limit; ++at) {
    const auto& [key, number, id] = *at;
    if (key != aggregate || number > to) break;
    found.push_back(rows_.commands.at(id));
  }
  return found;
}

Result<std::vector<AggregateRow>> MemoryRegistry::List(AggregateType type,
                                                       std::string_view id_prefix,
                                                       std::string_view after, std::size_t limit) {
  std::lock_guard lock(mutex_);
  std::vector<AggregateRow> found;
  const AggregateKey first{type, std::string(std::max(id_prefix, after))};
  for (auto at = rows_.aggregates.lower_bound(first);
       at != rows_.aggregates.end() && found.size() < limit; ++at) {
    if (at->first.type != type || !at->first.id.starts_with(id_prefix)) break;
    if (at->first.id > after) found.push_back(at->second);
  }
  return found;
}

Result<std::vector<CommandRow>> MemoryRegistry::Undecided(const Position& after,
                                                          std::size_t limit) {
  std::lock_guard lock(mutex_);
  std::vector<CommandRow> found;
  for (auto at = rows_.undecided.lower_bound({after, EventId()});
       at != rows_.undecided.end() && found.size() < limit; ++at) {
    if (at->first > after) found.push_back(rows_.commands.at(at->second));
  }
  return found;
}

Result<std::unique_ptr<FenceLock>> MemoryRegistry::LockFence() {
  if (fence_held_->exchange(true)) return Unavailable("another process holds the fence lock");
  return std::unique_ptr<FenceLock>(std::make_unique<MemoryFenceLock>(fence_held_));
}

Status MemoryRegistry::Clear() {
  std::lock_guard lock(mutex_);
  Rows kept;
  kept.leases = std::move(rows_.leases);
  kept.published = std::move(rows_.published);
  rows_ = std::move(kept);
  return Ok();
}

Status MemoryRegistry::Transact(const ClaimRead& read, const ClaimRegistry::Decide& decide) {
  std::lock_guard lock(mutex_);
  const ClaimWrite write = decide(Select(read));
  for (const auto& row : write.put_claims) rows_.claims.insert_or_assign(row.key, row);
  for (const auto& row : write.put_parked) rows_.parked.insert_or_assign(row.key, row);
  for (const auto& key : write.delete_parked) rows_.parked.erase(key);
  for (const auto& row : write.put_leases) rows_.leases.insert_or_assign(row.name, row);
  return Ok();
}

Result<ClaimRows> MemoryRegistry::Read(const ClaimRead& read) {
  std::lock_guard lock(mutex_);
  return Select(read);
}

Result<std::uint64_t> MemoryRegistry::Heartbeat(const std::string& handler,
                                                const std::string& owner) {
  std::lock_guard lock(mutex_);
  std::uint64_t beaten = 0;
  const std::int64_t now = now_ms_();
  for (auto at = rows_.claims.lower_bound({handler, EventId()});
       at != rows_.claims.end() && at->first.handler == handler; ++at) {
    ClaimRow& row = at->second;
    if (row.status != ClaimStatus::kProcessing || row.owner != owner) continue;
    row.heartbeat_ms = now;
    ++beaten;
  }
  return beaten;
}

Result<std::vector<ClaimRow>> MemoryRegistry::ClaimsWith(const std::string& handler,
                                                         ClaimStatus status, std::size_t limit) {
  std::lock_guard lock(mutex_);
  std::vector<ClaimRow> found;
  for (auto at = rows_.claims.lower_bound({handler, EventId()});
       at != rows_.claims.end() && at->first.handler == handler && found.size() < limit; ++at) {
    if (at->second.status == status) found.push_back(at->second);
  }
  return found;
}

Result<std::vector<ParkedRow>> MemoryRegistry::Parked(const std::string& handler,
                                                      const std::optional<ParkKey>& after,
                                                      std::size_t limit) {
  std::lock_guard lock(mutex_);
  std::vector<ParkedRow> found;
  for (const auto& [key, row] : rows_.parked) {
    if (found.size() == limit) break;
    if (!handler.empty() && key.handler != handler) continue;
    if (!after || key > *after) found.push_back(row);
  }
  return found;
}

Status MemoryRegistry::PutPublished(const PublishedRow& row, SlotNumber prune_below) {
  std::lock_guard lock(mutex_);
  rows_.published.insert_or_assign({row.shard, row.slot}, row);
  rows_.published.erase(rows_.published.lower_bound({row.shard, SlotNumber(0)}),
                        rows_.published.lower_bound({row.shard, prune_below}));
  return Ok();
}

Result<std::optional<PublishedRow>> MemoryRegistry::PublishedAt(std::uint32_t shard,
                                                                SlotNumber slot) {
  std::lock_guard lock(mutex_);
  auto found = rows_.published.lower_bound({shard, slot});
  if (found == rows_.published.end() || found->first.first != shard) return {std::nullopt};
  return {found->second};
}

Result<Pruned> MemoryRegistry::Prune(std::int64_t processed_before_ms, std::size_t limit) {
  std::lock_guard lock(mutex_);
  Pruned pruned;
  auto at = rows_.claims.lower_bound(prune_from_);
  for (std::size_t looked = 0; at != rows_.claims.end() && looked < limit; ++looked) {
    const ClaimRow& row = at->second;
    auto aggregate = rows_.aggregates.find(row.aggregate);
    const bool passed =
        aggregate != rows_.aggregates.end() && row.number <= aggregate->second.decided.number;
    const bool over = row.status == ClaimStatus::kDone || row.status == ClaimStatus::kSkippedStale;
    if (over && passed && row.processed_ms < processed_before_ms) {
      at = rows_.claims.erase(at);
      ++pruned.rows;
    } else {
      ++at;
    }
  }
  pruned.more = at != rows_.claims.end();
  prune_from_ = pruned.more ? at->first : ClaimKey();
  return pruned;
}

}  // namespace saffron
