// RegistryBatch: what one transaction writes, with the derived rows that follow from it: the
// indexes by_aggregate, undecided and open_claims.
//
// A value for one call. Derived rows are taken from the row as it was (`old`, null when there was
// none) and as it becomes, so an index never outlives its row.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapters/rocksdb/registry_database.h"
#include "ports/append_registry.h"
#include "ports/claim_registry.h"

namespace saffron {

class RegistryBatch {
 public:
  explicit RegistryBatch(RegistryDatabase& database) : database_(database) {}

  void PutControl(const RegistryControl& control, std::uint64_t outstanding);
  void PutAggregate(const AggregateRow& row);
  void PutCommand(const CommandRow& row, const CommandRow* old);
  void DeleteCommand(const CommandRow& old);
  void PutReservation(const Reservation& row);
  void DeleteReservation(const BatchId& batch);
  void PutClaim(const ClaimRow& row, const ClaimRow* old);
  void DeleteClaim(const ClaimRow& old);
  void PutParked(const ParkedRow& row);
  void DeleteParked(const ParkKey& key);
  void PutLease(const LeaseRow& row);
  void PutPublished(const PublishedRow& row);
  void PutJournal(std::uint64_t record, const std::vector<ClaimRow>& claims);
  void DeleteJournal(std::uint64_t record);
  void DeleteRange(Family family, std::string_view from, std::string_view to);
  void Delete(Family family, std::string_view key);

  bool empty() const { return batch_.Count() == 0; }
  // The lowest key put into `undecided`, if any was.
  const std::optional<std::string>& lowest_undecided() const { return lowest_undecided_; }
  Status Write() { return database_.Write(batch_); }

 private:
  void Put(Family family, std::string_view key, std::string_view value);

  RegistryDatabase& database_;
  rocksdb::WriteBatch batch_;
  std::optional<std::string> lowest_undecided_;
  std::string key_, old_key_, value_;  // scratch
};

}  // namespace saffron
