// RegistryReader: the rows of the embedded registry, at one snapshot or as they are now.
//
// A value for one call: it borrows the database and the snapshot. Every read gives kCorrupt for a
// row that does not parse, kUnavailable when the files cannot be read.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "adapters/rocksdb/registry_database.h"
#include "ports/append_registry.h"
#include "ports/claim_registry.h"

namespace saffron {

class RegistryReader {
 public:
  // `snapshot` null: the newest rows; then the caller keeps writers away.
  RegistryReader(RegistryDatabase& database, const rocksdb::Snapshot* snapshot);

  // Lookups: rows that exist are added to `out`. Keys may repeat, in any order.
  Result<registry_codec::ControlValue> Control() const;
  Status Aggregates(const std::vector<AggregateKey>& keys,
                    std::unordered_map<AggregateKey, AggregateRow>& out) const;
  Status Commands(const std::vector<EventId>& ids,
                  std::unordered_map<EventId, CommandRow>& out) const;
  Status Claims(const std::vector<ClaimKey>& keys,
                std::unordered_map<ClaimKey, ClaimRow>& out) const;
  Status Parked(const std::vector<ParkKey>& keys, std::map<ParkKey, ParkedRow>& out) const;
  Status Leases(const std::vector<std::string>& names, std::map<std::string, LeaseRow>& out) const;

  // Scans, in key order. The time of CountMembers grows with the class; rows in `newer` stand for
  // those of the files.
  Result<MemberCount> CountMembers(
      const RegistryRead::Members& members,
      const std::unordered_map<AggregateKey, const AggregateRow*>& newer) const;
  Result<std::vector<Reservation>> AllReservations() const;  // in order of slot
  Result<std::vector<CommandRow>> CommandsOf(const AggregateKey& aggregate, SequenceNumber from,
                                             SequenceNumber to, std::size_t limit) const;
  Result<std::vector<AggregateRow>> List(AggregateType type, std::string_view id_prefix,
                                         std::string_view after, std::size_t limit) const;
  // At or above the key `from`. `first_key`: the key of the first row there, empty if none.
  Result<std::vector<CommandRow>> Undecided(std::string_view from, std::size_t limit,
                                            std::string& first_key) const;
  Result<std::vector<ClaimRow>> ClaimsWith(std::string_view handler, ClaimStatus status,
                                           std::size_t limit) const;
  Result<std::vector<ParkedRow>> ParkedAfter(std::string_view handler,
                                             const std::optional<ParkKey>& after,
                                             std::size_t limit) const;
  // The claims of the journal, oldest first, and the numbers of its first and next record.
  struct Journal {
    std::vector<ClaimRow> claims;
    std::uint64_t begin = 0, end = 0;
  };
  Result<Journal> ClaimJournal() const;
  Result<std::optional<PublishedRow>> PublishedAt(std::uint32_t shard, SlotNumber slot) const;

 private:
  template <class Key, class AppendKey, class OnRow>
  Status Lookup(Family family, const std::vector<Key>& keys, AppendKey append_key,
                OnRow on_row) const;
  Result<std::vector<CommandRow>> CommandsInOrder(const std::vector<EventId>& ids) const;
  Result<std::vector<ClaimRow>> OpenClaims(std::string_view handler, ClaimStatus status,
                                           std::size_t limit) const;

  RegistryDatabase& database_;
  rocksdb::ReadOptions options_;
};

// Rows of one family with lower <= key < upper, in order.
class RegistryScan {
 public:
  RegistryScan(RegistryDatabase& database, rocksdb::ReadOptions options, Family family,
               std::string lower, std::string upper);
  bool Valid() const { return rows_->Valid(); }
  void Next() { rows_->Next(); }
  std::string_view key() const { return AsView(rows_->key()); }
  std::string_view value() const { return AsView(rows_->value()); }
  // After the last row: was it the last?
  Status status() const;

 private:
  RegistryDatabase& database_;
  const std::string upper_;
  const rocksdb::Slice upper_slice_;
  std::unique_ptr<rocksdb::Iterator> rows_;
};

// The first key after all that start with the prefix.
std::string AfterPrefix(std::string prefix);
// Above every key of the registry.
std::string AfterAllKeys();

}  // namespace saffron
