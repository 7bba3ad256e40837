// MemoryRegistry: both registry ports over ordered maps, written to be read as their specification.
//
// For the simulation and for tests. One object stands for the engine; all simulated processes share
// it. Thread-safe by one mutex around each call; no call waits or is a scheduling point inside, so
// fibers may call it. Nothing survives the object, except what Snapshot() took.
//
// Both Transacts run one after another, whole. Where a write names a row twice, the later one wins;
// deletes come after puts.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "ports/append_registry.h"
#include "ports/claim_registry.h"

namespace saffron {

class MemoryRegistry final : public AppendRegistry, public ClaimRegistry {
 public:
  struct Options {
    std::function<std::int64_t()> now_ms;  // required
    std::string live_incarnation = "memory-1";
    // Told the highest slot of those that a Transact has settled, after it.
    std::function<void(SlotNumber)> settled = nullptr;
  };
  explicit MemoryRegistry(Options options);

  // What a restart or a failover of the engine changes.
  void SetLiveIncarnation(std::string incarnation);

  // A backup of all rows, and the way back to it. The live incarnation and a held fence lock are
  // the engine's, not rows: they stay as they are.
  struct Rows;
  using Backup = std::shared_ptr<const Rows>;
  Backup Snapshot() const;
  void Restore(const Backup& backup);
  // What `look` makes of all rows, without a copy of them. It must not call the registry.
  template <class Look>
  auto Inspect(const Look& look) const {
    std::lock_guard lock(mutex_);
    return look(rows_);
  }

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
  // not fenced). Leases (their epochs only rise) and published rows stay.
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

  struct Rows {
    RegistryControl control;
    std::map<AggregateKey, AggregateRow> aggregates;
    std::map<EventId, CommandRow> commands;
    std::map<BatchId, Reservation> reservations;
    std::map<ClaimKey, ClaimRow> claims;
    std::map<ParkKey, ParkedRow> parked;
    std::map<std::string, LeaseRow> leases;
    std::map<std::pair<std::uint32_t, SlotNumber>, PublishedRow> published;
    // Derived from `commands`: settled ones by aggregate, and those without an outcome.
    std::set<std::tuple<AggregateKey, SequenceNumber, EventId>> by_aggregate;
    std::set<std::pair<Position, EventId>> undecided;

    void PutCommand(const CommandRow& row);
    void DeleteCommand(const EventId& id);
  };

 private:
  RegistryRows Select(const RegistryRead& read) const;
  ClaimRows Select(const ClaimRead& read) const;
  MemberCount Count(const RegistryRead::Members& members) const;
  void Apply(const RegistryWrite& write, std::int64_t now_ms);
  void Apply(const DoneClaim& done, std::int64_t now_ms);

  const std::function<std::int64_t()> now_ms_;
  const std::function<void(SlotNumber)> settled_;
  // Shared with the locks given out, which may outlive the registry.
  const std::shared_ptr<std::atomic<bool>> fence_held_ = std::make_shared<std::atomic<bool>>(false);
  mutable std::mutex mutex_;
  std::string live_incarnation_;
  Rows rows_;
  ClaimKey prune_from_;  // Prune goes on there
};

}  // namespace saffron
