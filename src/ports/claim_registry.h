// ClaimRegistry: who is working on what. Claims (processed_events), parked aggregates, leases and
// the publisher's progress. Same transaction shape as AppendRegistry, and the same engine: the
// rules are pure functions in services/worker.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "domain/names.h"
#include "ports/append_registry.h"

namespace saffron {

enum class ClaimStatus : std::uint8_t {
  kProcessing = 1,
  kDone = 2,
  kFailed = 3,
  kSkippedStale = 4
};

struct ClaimKey {
  std::string handler;
  EventId event;
  friend auto operator<=>(const ClaimKey&, const ClaimKey&) = default;
};

}  // namespace saffron

template <>
struct std::hash<saffron::ClaimKey> {
  std::size_t operator()(const saffron::ClaimKey& key) const noexcept {
    return std::hash<saffron::EventId>()(key.event) ^ key.handler.size();
  }
};

namespace saffron {

// One row of processed_events.
struct ClaimRow {
  ClaimKey key;
  AggregateKey aggregate;
  SequenceNumber number;
  ClaimStatus status = ClaimStatus::kProcessing;
  std::string owner;  // empty: released
  std::int64_t started_ms = 0;
  std::int64_t heartbeat_ms = 0;
  std::int64_t processed_ms = 0;
  std::uint32_t attempt_count = 0;
  std::string last_error;
  std::uint32_t partition = 0;
  std::uint64_t generation = 0;
  friend bool operator==(const ClaimRow&, const ClaimRow&) = default;
};

struct ParkKey {
  std::string handler;
  AggregateKey aggregate;
  friend auto operator<=>(const ParkKey&, const ParkKey&) = default;
};

// An aggregate whose next event failed for good and waits for an operator.
struct ParkedRow {
  ParkKey key;
  SequenceNumber first;  // the number that failed
  EventId event;
  std::string reason;
  std::int64_t parked_ms = 0;
  friend bool operator==(const ParkedRow&, const ParkedRow&) = default;
};

struct LeaseRow {
  std::string name;
  std::string owner;
  std::uint64_t epoch = 0;  // rises with every change of owner
  std::int64_t expires_ms = 0;
  friend bool operator==(const LeaseRow&, const LeaseRow&) = default;
};

// After slot `slot` of a shard was acknowledged, the ends of the partitions were these.
struct PublishedRow {
  std::uint32_t shard = 0;
  SlotNumber slot;
  std::map<std::pair<std::string, std::uint32_t>, std::uint64_t> ends;  // (topic, partition)
  friend bool operator==(const PublishedRow&, const PublishedRow&) = default;
};

// In PublishedRow::ends, beside the topics ('#' is in no topic's name): which republish the ends
// belong to. Ends of another one say nothing about the bus as it is now; nor does an empty map.
inline const std::pair<std::string, std::uint32_t> kRepublishMark{"#republish", 0};
// And, for each (topic, partition), where the log has what lies just before that end: the slot's
// number times 2^16, and the event's ordinal in it. Missing: not known.
inline const std::string kLastMark = "#last/";
inline bool IsMark(const std::pair<std::string, std::uint32_t>& key) {
  return key.first.starts_with('#');
}

// Of one call of Prune.
struct Pruned {
  std::uint64_t rows = 0;  // deleted
  bool more = false;       // it has not come to the end: the next call goes on
};

struct ClaimRead {
  std::vector<ClaimKey> claims;
  std::vector<ParkKey> parked;
  std::vector<std::string> leases;
  std::vector<AggregateKey> aggregates;  // locked: the allocator's rows
  std::vector<EventId> commands;
};

struct ClaimRows {
  std::int64_t now_ms = 0;
  std::unordered_map<ClaimKey, ClaimRow> claims;
  std::map<ParkKey, ParkedRow> parked;
  std::map<std::string, LeaseRow> leases;
  std::unordered_map<AggregateKey, AggregateRow> aggregates;
  std::unordered_map<EventId, CommandRow> commands;
};

struct ClaimWrite {
  std::vector<ClaimRow> put_claims;
  std::vector<ParkedRow> put_parked;
  std::vector<ParkKey> delete_parked;
  std::vector<LeaseRow> put_leases;
};

// Thread-safe. Errors as in AppendRegistry.
class ClaimRegistry {
 public:
  virtual ~ClaimRegistry() = default;

  using Decide = std::function<ClaimWrite(const ClaimRows&)>;
  virtual Status Transact(const ClaimRead& read, const Decide& decide) = 0;
  virtual Result<ClaimRows> Read(const ClaimRead& read) = 0;
  // Sets heartbeat_ms of every `processing` row of the owner; how many.
  virtual Result<std::uint64_t> Heartbeat(const std::string& handler, const std::string& owner) = 0;
  // Rows with the status ("processing": all in flight), at most `limit`, ordered by key.
  virtual Result<std::vector<ClaimRow>> ClaimsWith(const std::string& handler, ClaimStatus status,
                                                   std::size_t limit) = 0;
  // All handlers when `handler` is empty; ordered by key, above `after`.
  virtual Result<std::vector<ParkedRow>> Parked(const std::string& handler,
                                                const std::optional<ParkKey>& after,
                                                std::size_t limit) = 0;
  // Adds a row and deletes those of the shard below `prune_below`.
  virtual Status PutPublished(const PublishedRow& row, SlotNumber prune_below) = 0;
  // The first row of the shard at or above the slot; nothing: not published yet.
  virtual Result<std::optional<PublishedRow>> PublishedAt(std::uint32_t shard, SlotNumber slot) = 0;
  // Deletes done and skipped_stale rows older than the time whose number the aggregate's decided
  // state has passed. Looks at about as many rows as `limit` says, whatever there is, and goes on
  // where the last call stopped: a pass through all rows is several calls.
  virtual Result<Pruned> Prune(std::int64_t processed_before_ms, std::size_t limit) = 0;
};

}  // namespace saffron
