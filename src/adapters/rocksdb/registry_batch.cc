#include "adapters/rocksdb/registry_batch.h"

#include "base/bytes.h"

namespace saffron {

namespace codec = registry_codec;

namespace {

bool IsUndecided(const CommandRow& row) { return row.settled() && !row.outcome; }
bool IsOpen(const ClaimRow& row) {
  return row.status == ClaimStatus::kProcessing || row.status == ClaimStatus::kFailed;
}

}  // namespace

void RegistryBatch::Put(Family family, std::string_view key, std::string_view value) {
  const auto status = batch_.Put(database_.Handle(family), AsSlice(key), AsSlice(value));
  SAFFRON_ASSERT(status.ok());
}

void RegistryBatch::Delete(Family family, std::string_view key) {
  const auto status = batch_.Delete(database_.Handle(family), AsSlice(key));
  SAFFRON_ASSERT(status.ok());
}

void RegistryBatch::DeleteRange(Family family, std::string_view from, std::string_view to) {
  const auto status = batch_.DeleteRange(database_.Handle(family), AsSlice(from), AsSlice(to));
  SAFFRON_ASSERT(status.ok());
}

void RegistryBatch::PutControl(const RegistryControl& control, std::uint64_t outstanding) {
  value_.clear();
  codec::AppendControl({control, outstanding}, value_);
  Put(Family::kControl, "control", value_);
}

void RegistryBatch::PutAggregate(const AggregateRow& row) {
  key_.clear();
  value_.clear();
  codec::AppendAggregateKey(row.key, key_);
  codec::AppendAggregate(row, value_);
  Put(Family::kAggregates, key_, value_);
}

void RegistryBatch::PutCommand(const CommandRow& row, const CommandRow* old) {
  value_.clear();
  codec::AppendCommand(row, value_);
  Put(Family::kCommands, row.id.bytes(), value_);

  const bool was_settled = old != nullptr && old->settled();
  bool is_indexed = false;
  if (was_settled) {
    is_indexed = row.settled() && old->aggregate == row.aggregate && old->number == row.number;
    if (!is_indexed) {
      old_key_.clear();
      codec::AppendByAggregateKey(*old, old_key_);
      Delete(Family::kByAggregate, old_key_);
    }
  }
  if (row.settled() && !is_indexed) {
    key_.clear();
    codec::AppendByAggregateKey(row, key_);
    Put(Family::kByAggregate, key_, {});
  }

  const bool was_undecided = was_settled && IsUndecided(*old);
  const bool same_place =
      was_undecided && IsUndecided(row) && old->location->position == row.location->position;
  if (was_undecided && !same_place) {
    old_key_.clear();
    codec::AppendUndecidedKey(*old, old_key_);
    Delete(Family::kUndecided, old_key_);
  }
  if (IsUndecided(row) && !same_place) {
    key_.clear();
    codec::AppendUndecidedKey(row, key_);
    Put(Family::kUndecided, key_, {});
    if (!lowest_undecided_ || key_ < *lowest_undecided_) lowest_undecided_ = key_;
  }
}

void RegistryBatch::DeleteCommand(const CommandRow& old) {
  Delete(Family::kCommands, old.id.bytes());
  if (!old.settled()) return;
  old_key_.clear();
  codec::AppendByAggregateKey(old, old_key_);
  Delete(Family::kByAggregate, old_key_);
  if (old.outcome) return;
  old_key_.clear();
  codec::AppendUndecidedKey(old, old_key_);
  Delete(Family::kUndecided, old_key_);
}

void RegistryBatch::PutReservation(const Reservation& row) {
  value_.clear();
  codec::AppendReservation(row, value_);
  Put(Family::kReservations, row.batch.bytes(), value_);
}

void RegistryBatch::DeleteReservation(const BatchId& batch) {
  Delete(Family::kReservations, batch.bytes());
}

void RegistryBatch::PutClaim(const ClaimRow& row, const ClaimRow* old) {
  key_.clear();
  value_.clear();
  codec::AppendClaimKey(row.key.handler, row.key.event, key_);
  codec::AppendClaim(row, value_);
  Put(Family::kClaims, key_, value_);

  const bool was_open = old != nullptr && IsOpen(*old);
  if (was_open && old->status == row.status) return;
  if (was_open) {
    old_key_.clear();
    codec::AppendOpenClaimKey(old->status, old->key, old_key_);
    Delete(Family::kOpenClaims, old_key_);
  }
  if (IsOpen(row)) {
    key_.clear();
    codec::AppendOpenClaimKey(row.status, row.key, key_);
    Put(Family::kOpenClaims, key_, {});
  }
}

void RegistryBatch::DeleteClaim(const ClaimRow& old) {
  key_.clear();
  codec::AppendClaimKey(old.key.handler, old.key.event, key_);
  Delete(Family::kClaims, key_);
  if (!IsOpen(old)) return;
  old_key_.clear();
  codec::AppendOpenClaimKey(old.status, old.key, old_key_);
  Delete(Family::kOpenClaims, old_key_);
}

void RegistryBatch::PutParked(const ParkedRow& row) {
  key_.clear();
  value_.clear();
  codec::AppendParkKey(row.key, key_);
  codec::AppendParked(row, value_);
  Put(Family::kParked, key_, value_);
}

void RegistryBatch::DeleteParked(const ParkKey& key) {
  key_.clear();
  codec::AppendParkKey(key, key_);
  Delete(Family::kParked, key_);
}

void RegistryBatch::PutLease(const LeaseRow& row) {
  value_.clear();
  codec::AppendLease(row, value_);
  Put(Family::kLeases, row.name, value_);
}

void RegistryBatch::PutPublished(const PublishedRow& row) {
  key_.clear();
  value_.clear();
  codec::AppendPublishedKey(row.shard, row.slot, key_);
  codec::AppendPublished(row, value_);
  Put(Family::kPublished, key_, value_);
}

void RegistryBatch::PutJournal(std::uint64_t record, const std::vector<ClaimRow>& claims) {
  key_.clear();
  value_.clear();
  PutU64BigEndian(key_, record);
  codec::AppendJournal(claims, value_);
  Put(Family::kClaimJournal, key_, value_);
}

void RegistryBatch::DeleteJournal(std::uint64_t record) {
  key_.clear();
  PutU64BigEndian(key_, record);
  Delete(Family::kClaimJournal, key_);
}

}  // namespace saffron
