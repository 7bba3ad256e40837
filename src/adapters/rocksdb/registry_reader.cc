#include "adapters/rocksdb/registry_reader.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/bytes.h"

namespace saffron {

namespace codec = registry_codec;

namespace {

// The order of std::string is that of the keys' bytes; so is that of ids and of the pairs.
template <class Key>
std::vector<const Key*> SortedUnique(const std::vector<Key>& keys) {
  std::vector<const Key*> sorted;
  sorted.reserve(keys.size());
  for (const Key& key : keys) sorted.push_back(&key);
  std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return *a < *b; });
  auto end = std::unique(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return *a == *b; });
  sorted.erase(end, sorted.end());
  return sorted;
}

}  // namespace

std::string AfterPrefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (prefix.empty()) return AfterAllKeys();
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

// No key starts with so many: ids end after 16 bytes, positions after 16, others with text.
std::string AfterAllKeys() { return std::string(64, '\xff'); }

RegistryScan::RegistryScan(RegistryDatabase& database, rocksdb::ReadOptions options, Family family,
                           std::string lower, std::string upper)
    : database_(database), upper_(std::move(upper)), upper_slice_(upper_) {
  options.iterate_upper_bound = &upper_slice_;
  rows_.reset(database_.db().NewIterator(options, database_.Handle(family)));
  rows_->Seek(lower);
}

Status RegistryScan::status() const {
  if (!rows_->status().ok()) return database_.ReadFailure(rows_->status());
  return Ok();
}

RegistryReader::RegistryReader(RegistryDatabase& database, const rocksdb::Snapshot* snapshot)
    : database_(database) {
  options_.snapshot = snapshot;
}

// Looks the keys up in one call and gives each row that exists to `on_row(key, bytes)`, in key
// order, which says whether it could be parsed.
template <class Key, class AppendKey, class OnRow>
Status RegistryReader::Lookup(Family family, const std::vector<Key>& keys, AppendKey append_key,
                              OnRow on_row) const {
  if (keys.empty()) return Ok();
  const std::vector<const Key*> sorted = SortedUnique(keys);
  std::string bytes;
  std::vector<std::size_t> ends;
  ends.reserve(sorted.size());
  for (const Key* key : sorted) {
    append_key(*key, bytes);
    ends.push_back(bytes.size());
  }
  std::vector<rocksdb::Slice> slices;
  slices.reserve(sorted.size());
  for (std::size_t i = 0, start = 0; i < ends.size(); start = ends[i++]) {
    slices.emplace_back(bytes.data() + start, ends[i] - start);
  }
  std::vector<rocksdb::PinnableSlice> values(sorted.size());
  std::vector<rocksdb::Status> statuses(sorted.size());
  database_.db().MultiGet(options_, database_.Handle(family), slices.size(), slices.data(),
                          values.data(), statuses.data(), true);
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (statuses[i].IsNotFound()) continue;
    if (!statuses[i].ok()) return database_.ReadFailure(statuses[i]);
    if (!on_row(*sorted[i], AsView(values[i]))) return database_.BadRow(family);
  }
  return Ok();
}

Result<codec::ControlValue> RegistryReader::Control() const {
  std::string bytes;
  const rocksdb::Status found =
      database_.db().Get(options_, database_.Handle(Family::kControl), "control", &bytes);
  if (found.IsNotFound()) return database_.BadRow(Family::kControl);
  if (!found.ok()) return database_.ReadFailure(found);
  codec::ControlValue value;
  if (!codec::ParseControl(bytes, value)) return database_.BadRow(Family::kControl);
  return value;
}

Status RegistryReader::Aggregates(const std::vector<AggregateKey>& keys,
                                  std::unordered_map<AggregateKey, AggregateRow>& out) const {
  return Lookup(Family::kAggregates, keys, codec::AppendAggregateKey,
                [&](const AggregateKey& key, std::string_view bytes) {
                  AggregateRow& row = out[key];
                  row.key = key;
                  return codec::ParseAggregate(bytes, row);
                });
}

Status RegistryReader::Commands(const std::vector<EventId>& ids,
                                std::unordered_map<EventId, CommandRow>& out) const {
  out.reserve(out.size() + ids.size());
  return Lookup(
      Family::kCommands, ids, [](const EventId& id, std::string& key) { key.append(id.bytes()); },
      [&](const EventId& id, std::string_view bytes) {
        CommandRow& row = out[id];
        row = CommandRow();
        row.id = id;
        return codec::ParseCommand(bytes, row);
      });
}

Status RegistryReader::Claims(const std::vector<ClaimKey>& keys,
                              std::unordered_map<ClaimKey, ClaimRow>& out) const {
  return Lookup(
      Family::kClaims, keys,
      [](const ClaimKey& key, std::string& bytes) {
        codec::AppendClaimKey(key.handler, key.event, bytes);
      },
      [&](const ClaimKey& key, std::string_view bytes) {
        ClaimRow& row = out[key];
        row = ClaimRow();
        row.key = key;
        return codec::ParseClaim(bytes, row);
      });
}

Status RegistryReader::Parked(const std::vector<ParkKey>& keys,
                              std::map<ParkKey, ParkedRow>& out) const {
  return Lookup(Family::kParked, keys, codec::AppendParkKey,
                [&](const ParkKey& key, std::string_view bytes) {
                  ParkedRow& row = out[key];
                  row.key = key;
                  return codec::ParseParked(bytes, row);
                });
}

Status RegistryReader::Leases(const std::vector<std::string>& names,
                              std::map<std::string, LeaseRow>& out) const {
  return Lookup(
      Family::kLeases, names, [](const std::string& name, std::string& key) { key.append(name); },
      [&](const std::string& name, std::string_view bytes) {
        LeaseRow& row = out[name];
        row.name = name;
        return codec::ParseLease(bytes, row);
      });
}

Result<MemberCount> RegistryReader::CountMembers(
    const RegistryRead::Members& members,
    const std::unordered_map<AggregateKey, const AggregateRow*>& newer) const {
  MemberCount count;
  const auto add = [&](const AggregateRow& row) {
    if (PresentIn(row, members.scope)) ++count.present;
    if (row.pending) ++count.pending;
  };
  const AggregateKey lowest{AggregateType::kInstance, members.class_key.id + ":"};
  for (const auto& [key, row] : newer) {
    if (key.type == lowest.type && key.id.starts_with(lowest.id)) add(*row);
  }
  std::string prefix;
  codec::AppendAggregateKey(lowest, prefix);
  rocksdb::ReadOptions options = options_;
  options.fill_cache = false;
  RegistryScan scan(database_, options, Family::kAggregates, prefix, AfterPrefix(prefix));
  for (; scan.Valid(); scan.Next()) {
    AggregateRow row;
    if (!codec::ParseAggregateKey(scan.key(), row.key) ||
        !codec::ParseAggregate(scan.value(), row)) {
      return database_.BadRow(Family::kAggregates);
    }
    if (!newer.contains(row.key)) add(row);
  }
  SAFFRON_TRY(scan.status());
  return count;
}

Result<std::vector<Reservation>> RegistryReader::AllReservations() const {
  std::vector<Reservation> all;
  RegistryScan scan(database_, options_, Family::kReservations, "", AfterAllKeys());
  for (; scan.Valid(); scan.Next()) {
    Reservation& row = all.emplace_back();
    const auto batch = Uuid::FromBytes(scan.key());
    if (!batch || !codec::ParseReservation(scan.value(), row)) {
      return database_.BadRow(Family::kReservations);
    }
    row.batch = BatchId{*batch};
  }
  SAFFRON_TRY(scan.status());
  std::stable_sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.slot < b.slot; });
  return all;
}

// An index names the ids; a row that is missing means that index and rows disagree.
Result<std::vector<CommandRow>> RegistryReader::CommandsInOrder(
    const std::vector<EventId>& ids) const {
  std::unordered_map<EventId, CommandRow> rows;
  SAFFRON_TRY(Commands(ids, rows));
  std::vector<CommandRow> ordered;
  ordered.reserve(ids.size());
  for (const EventId& id : ids) {
    auto found = rows.find(id);
    if (found == rows.end()) return database_.BadRow(Family::kCommands);
    ordered.push_back(std::move(found->second));
  }
  return ordered;
}

Result<std::vector<CommandRow>> RegistryReader::CommandsOf(const AggregateKey& aggregate,
                                                           SequenceNumber from, SequenceNumber to,
                                                           std::size_t limit) const {
  std::string lower;
  codec::AppendByAggregatePrefix(aggregate, lower);
  const std::size_t key_bytes = lower.size() + 8 + 16;
  std::string upper = lower;
  PutU64BigEndian(lower, from.value);
  PutU64BigEndian(upper, to.value);
  std::vector<EventId> ids;
  RegistryScan scan(database_, options_, Family::kByAggregate, lower, AfterPrefix(upper));
  for (; scan.Valid() && ids.size() < limit; scan.Next()) {
    if (scan.key().size() != key_bytes) continue;  // of a longer id
    if (!codec::ParseLastEventId(scan.key(), ids.emplace_back())) {
      return database_.BadRow(Family::kByAggregate);
    }
  }
  SAFFRON_TRY(scan.status());
  return CommandsInOrder(ids);
}

Result<std::vector<AggregateRow>> RegistryReader::List(AggregateType type,
                                                       std::string_view id_prefix,
                                                       std::string_view after,
                                                       std::size_t limit) const {
  std::string prefix, lower;
  codec::AppendAggregateKey({type, std::string(id_prefix)}, prefix);
  codec::AppendAggregateKey({type, std::string(std::max(id_prefix, after))}, lower);
  std::vector<AggregateRow> rows;
  RegistryScan scan(database_, options_, Family::kAggregates, lower, AfterPrefix(prefix));
  for (; scan.Valid() && rows.size() < limit; scan.Next()) {
    if (scan.key().substr(1) <= after) continue;
    AggregateRow& row = rows.emplace_back();
    if (!codec::ParseAggregateKey(scan.key(), row.key) ||
        !codec::ParseAggregate(scan.value(), row)) {
      return database_.BadRow(Family::kAggregates);
    }
  }
  SAFFRON_TRY(scan.status());
  return rows;
}

Result<std::vector<CommandRow>> RegistryReader::Undecided(std::string_view from, std::size_t limit,
                                                          std::string& first_key) const {
  first_key.clear();
  std::vector<EventId> ids;
  RegistryScan scan(database_, options_, Family::kUndecided, std::string(from), AfterAllKeys());
  if (scan.Valid()) first_key = scan.key();
  for (; scan.Valid() && ids.size() < limit; scan.Next()) {
    if (!codec::ParseLastEventId(scan.key(), ids.emplace_back())) {
      return database_.BadRow(Family::kUndecided);
    }
  }
  SAFFRON_TRY(scan.status());
  return CommandsInOrder(ids);
}

Result<std::vector<ClaimRow>> RegistryReader::OpenClaims(std::string_view handler,
                                                         ClaimStatus status,
                                                         std::size_t limit) const {
  std::string prefix(1, static_cast<char>(status));
  prefix.append(handler);
  prefix.push_back('\0');
  std::vector<ClaimKey> keys;
  RegistryScan scan(database_, options_, Family::kOpenClaims, prefix, AfterPrefix(prefix));
  for (; scan.Valid() && keys.size() < limit; scan.Next()) {
    if (!codec::ParseClaimKey(scan.key().substr(1), keys.emplace_back())) {
      return database_.BadRow(Family::kOpenClaims);
    }
  }
  SAFFRON_TRY(scan.status());
  std::unordered_map<ClaimKey, ClaimRow> found;
  SAFFRON_TRY(Claims(keys, found));
  std::vector<ClaimRow> rows;
  for (const ClaimKey& key : keys) {
    if (auto row = found.find(key); row != found.end()) rows.push_back(std::move(row->second));
  }
  return rows;
}

Result<std::vector<ClaimRow>> RegistryReader::ClaimsWith(std::string_view handler,
                                                         ClaimStatus status,
                                                         std::size_t limit) const {
  if (status == ClaimStatus::kProcessing || status == ClaimStatus::kFailed) {
    return OpenClaims(handler, status, limit);
  }
  std::string prefix(handler);
  prefix.push_back('\0');
  std::vector<ClaimRow> rows;
  RegistryScan scan(database_, options_, Family::kClaims, prefix, AfterPrefix(prefix));
  for (; scan.Valid() && rows.size() < limit; scan.Next()) {
    ClaimRow row;
    if (!codec::ParseClaimKey(scan.key(), row.key) || !codec::ParseClaim(scan.value(), row)) {
      return database_.BadRow(Family::kClaims);
    }
    if (row.status == status) rows.push_back(std::move(row));
  }
  SAFFRON_TRY(scan.status());
  return rows;
}

Result<RegistryReader::Journal> RegistryReader::ClaimJournal() const {
  Journal journal;
  RegistryScan scan(database_, options_, Family::kClaimJournal, "", AfterAllKeys());
  for (; scan.Valid(); scan.Next()) {
    std::uint64_t record = 0;
    if (!ByteReader(scan.key()).ReadU64BigEndian(record) ||
        !codec::ParseJournal(scan.value(), journal.claims)) {
      return database_.BadRow(Family::kClaimJournal);
    }
    if (journal.end == 0) journal.begin = record;
    journal.end = record + 1;
  }
  SAFFRON_TRY(scan.status());
  return journal;
}

Result<std::vector<ParkedRow>> RegistryReader::ParkedAfter(std::string_view handler,
                                                           const std::optional<ParkKey>& after,
                                                           std::size_t limit) const {
  std::string prefix, lower;
  if (!handler.empty()) prefix.append(handler).push_back('\0');
  if (after) codec::AppendParkKey(*after, lower);
  std::vector<ParkedRow> rows;
  RegistryScan scan(database_, options_, Family::kParked, std::max(prefix, lower),
                    AfterPrefix(prefix));
  for (; scan.Valid() && rows.size() < limit; scan.Next()) {
    if (after && scan.key() == lower) continue;
    ParkedRow& row = rows.emplace_back();
    if (!codec::ParseParkKey(scan.key(), row.key) || !codec::ParseParked(scan.value(), row)) {
      return database_.BadRow(Family::kParked);
    }
  }
  SAFFRON_TRY(scan.status());
  return rows;
}

Result<std::optional<PublishedRow>> RegistryReader::PublishedAt(std::uint32_t shard,
                                                                SlotNumber slot) const {
  std::string lower, shard_prefix;
  codec::AppendPublishedKey(shard, slot, lower);
  PutU32BigEndian(shard_prefix, shard);
  RegistryScan scan(database_, options_, Family::kPublished, lower, AfterPrefix(shard_prefix));
  std::optional<PublishedRow> row;
  if (scan.Valid()) {
    row.emplace();
    if (!codec::ParsePublishedKey(scan.key(), row->shard, row->slot) ||
        !codec::ParsePublished(scan.value(), *row)) {
      return database_.BadRow(Family::kPublished);
    }
  }
  SAFFRON_TRY(scan.status());
  return row;
}

}  // namespace saffron
