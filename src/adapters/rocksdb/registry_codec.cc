#include "adapters/rocksdb/registry_codec.h"

#include <array>
#include <cstring>
#include <utility>

#include "base/bytes.h"

namespace saffron::registry_codec {

namespace {

constexpr std::size_t kUuidBytes = 16;

// Flags of an aggregate row.
constexpr std::uint8_t kAcceptedPresent = 1;
constexpr std::uint8_t kDecidedPresent = 2;
constexpr std::uint8_t kHasOutcomeLocation = 4;
constexpr std::uint8_t kHasPending = 8;
constexpr std::uint8_t kPendingPresent = 16;
constexpr std::uint8_t kHasMark = 32;
// Flags of a command row.
constexpr std::uint8_t kSettled = 1;
constexpr std::uint8_t kHasBatch = 2;
constexpr std::uint8_t kHasOutcomeBatch = 4;
constexpr std::uint8_t kHasOutcome = 8;
constexpr std::uint8_t kOutcomeRejected = 16;

std::uint8_t Flag(bool set, std::uint8_t flag) { return set ? flag : 0; }
Lifecycle LifecycleOf(bool present) { return present ? Lifecycle::kPresent : Lifecycle::kAbsent; }

void PutTime(std::string& out, std::int64_t ms) {
  const auto bits = static_cast<std::uint64_t>(ms);
  PutVarint(out, bits << 1 ^ (ms < 0 ? ~std::uint64_t{0} : 0));
}

void PutLocation(std::string& out, const EventLocation& location) {
  PutVarint(out, location.position.shard);
  PutVarint(out, location.position.slot.value);
  PutVarint(out, location.position.ordinal);
  PutVarint(out, location.offset_bytes);
  PutVarint(out, location.length_bytes);
  PutU32BigEndian(out, location.crc32c);
}

void PutScope(std::string& out, const Scope& scope) {
  PutVarint(out, scope.database.value);
  PutVarint(out, scope.class_.value);
}

void PutAccepted(std::string& out, const AcceptedState& state) {
  PutVarint(out, state.number.value);
  PutScope(out, state.scope);
}

void PutKey(std::string& out, const AggregateKey& key) {
  PutU8(out, static_cast<std::uint8_t>(key.type));
  PutLengthPrefixed(out, key.id);
}

// Kind 2 bits, aggregate 3 bits, operation 2 bits, rejected 1 bit.
std::uint8_t PackType(const EventType& type) {
  return static_cast<std::uint8_t>(
      static_cast<unsigned>(type.kind) | static_cast<unsigned>(type.aggregate) << 2 |
      static_cast<unsigned>(type.operation) << 5 | (type.rejected ? 0x80U : 0U));
}

bool UnpackType(std::uint8_t packed, EventType& out) {
  const unsigned kind = packed & 3, aggregate = packed >> 2 & 7, operation = packed >> 5 & 3;
  if (kind < 1 || kind > 2 || aggregate < 1 || aggregate > 4 || operation < 1) return false;
  out = {static_cast<EventKind>(kind), static_cast<AggregateType>(aggregate),
         static_cast<Operation>(operation), (packed & 0x80) != 0};
  return true;
}

bool TypeFrom(std::uint8_t raw, AggregateType& out) {
  if (raw < 1 || raw > 4) return false;
  out = static_cast<AggregateType>(raw);
  return true;
}

// Reads fields one after another and remembers whether one was missing, so that a row is read
// without a branch a field at its call sites.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : reader_(bytes) {
    ok_ = reader_.ReadU8(format_) && format_ == kFormat;
  }

  bool Done() const { return ok_ && reader_.AtEnd(); }
  bool ok() const { return ok_; }
  void Fail() { ok_ = false; }

  std::uint8_t Byte() {
    std::uint8_t value = 0;
    ok_ = ok_ && reader_.ReadU8(value);
    return value;
  }
  std::uint64_t Number() {
    std::uint64_t value = 0;
    ok_ = ok_ && reader_.ReadVarint(value);
    return value;
  }
  std::uint32_t Number32() {
    const std::uint64_t value = Number();
    ok_ = ok_ && value <= UINT32_MAX;
    return static_cast<std::uint32_t>(value);
  }
  // A count of things of at least `bytes_each` bytes, so that a bad one cannot ask for memory.
  std::size_t Count(std::size_t bytes_each) {
    const std::uint64_t value = Number();
    ok_ = ok_ && value <= reader_.rest().size() / bytes_each;
    return ok_ ? static_cast<std::size_t>(value) : 0;
  }
  std::int64_t Time() {
    const std::uint64_t value = Number();
    return static_cast<std::int64_t>(value >> 1 ^ (~(value & 1) + 1));
  }
  std::string Text() {
    std::string_view bytes;
    ok_ = ok_ && reader_.ReadLengthPrefixed(bytes);
    return std::string(bytes);
  }
  Uuid Id() {
    std::string_view bytes;
    ok_ = ok_ && reader_.ReadBytes(kUuidBytes, bytes);
    std::array<std::uint8_t, kUuidBytes> raw{};
    if (ok_) std::memcpy(raw.data(), bytes.data(), raw.size());
    return Uuid(raw);
  }
  Sha256Digest Hash() {
    std::string_view bytes;
    Sha256Digest hash{};
    ok_ = ok_ && reader_.ReadBytes(hash.size(), bytes);
    if (ok_) std::memcpy(hash.data(), bytes.data(), hash.size());
    return hash;
  }
  void Key(AggregateKey& out) {
    ok_ = ok_ && TypeFrom(Byte(), out.type);
    out.id = Text();
  }
  Scope ScopeFields() {
    Scope scope;
    scope.database = SequenceNumber(Number());
    scope.class_ = SequenceNumber(Number());
    return scope;
  }
  AcceptedState Accepted(bool present) {
    AcceptedState state;
    state.number = SequenceNumber(Number());
    state.lifecycle = LifecycleOf(present);
    state.scope = ScopeFields();
    return state;
  }
  EventLocation Location() {
    EventLocation location;
    location.position.shard = Number32();
    location.position.slot = SlotNumber(Number());
    location.position.ordinal = Number32();
    location.offset_bytes = Number();
    location.length_bytes = Number32();
    ok_ = ok_ && reader_.ReadU32BigEndian(location.crc32c);
    return location;
  }

 private:
  ByteReader reader_;
  std::uint8_t format_ = 0;
  bool ok_ = true;
};

}  // namespace

void AppendAggregateKey(const AggregateKey& key, std::string& out) {
  out.push_back(static_cast<char>(key.type));
  out.append(key.id);
}

void AppendByAggregatePrefix(const AggregateKey& key, std::string& out) {
  AppendAggregateKey(key, out);
  out.push_back('\0');
}

void AppendByAggregateKey(const CommandRow& row, std::string& out) {
  AppendByAggregatePrefix(row.aggregate, out);
  PutU64BigEndian(out, row.number.value);
  out.append(row.id.bytes());
}

void AppendPosition(const Position& position, std::string& out) {
  PutU32BigEndian(out, position.shard);
  PutU64BigEndian(out, position.slot.value);
  PutU32BigEndian(out, position.ordinal);
}

void AppendUndecidedKey(const CommandRow& row, std::string& out) {
  SAFFRON_ASSERT(row.settled());
  AppendPosition(row.location->position, out);
  out.append(row.id.bytes());
}

void AppendClaimKey(std::string_view handler, const EventId& event, std::string& out) {
  out.append(handler);
  out.push_back('\0');
  out.append(event.bytes());
}

void AppendOpenClaimKey(ClaimStatus status, const ClaimKey& key, std::string& out) {
  out.push_back(static_cast<char>(status));
  AppendClaimKey(key.handler, key.event, out);
}

void AppendParkKey(const ParkKey& key, std::string& out) {
  out.append(key.handler);
  out.push_back('\0');
  AppendAggregateKey(key.aggregate, out);
}

void AppendPublishedKey(std::uint32_t shard, SlotNumber slot, std::string& out) {
  PutU32BigEndian(out, shard);
  PutU64BigEndian(out, slot.value);
}

void AppendControl(const ControlValue& value, std::string& out) {
  PutU8(out, kFormat);
  out.append(value.control.log.bytes());
  PutLengthPrefixed(out, value.control.fenced_incarnation);
  PutVarint(out, value.control.next_slot.value);
  PutVarint(out, value.outstanding);
}

void AppendAggregate(const AggregateRow& row, std::string& out) {
  const bool has_outcome = row.decided.outcome != EventLocation{};
  const bool pending_present = row.pending && row.pending->state.lifecycle == Lifecycle::kPresent;
  PutU8(out, kFormat);
  PutU8(out, Flag(row.accepted.lifecycle == Lifecycle::kPresent, kAcceptedPresent) |
                 Flag(row.decided.lifecycle == Lifecycle::kPresent, kDecidedPresent) |
                 Flag(has_outcome, kHasOutcomeLocation) |
                 Flag(row.pending.has_value(), kHasPending) |
                 Flag(pending_present, kPendingPresent) | Flag(row.mark.has_value(), kHasMark));
  PutAccepted(out, row.accepted);
  PutVarint(out, row.decided.number.value);
  PutScope(out, row.decided.scope);
  PutVarint(out, row.decided.incarnation.value);
  if (has_outcome) PutLocation(out, row.decided.outcome);
  if (row.pending) {
    out.append(row.pending->batch.bytes());
    PutAccepted(out, row.pending->state);
  }
  if (row.mark) {
    out.append(row.mark->by.bytes());
    PutTime(out, row.mark->since_ms);
    PutTime(out, row.mark->expires_ms);
  }
}

bool ParseAggregate(std::string_view bytes, AggregateRow& out) {
  Fields fields(bytes);
  const std::uint8_t flags = fields.Byte();
  out.accepted = fields.Accepted(flags & kAcceptedPresent);
  out.decided.number = SequenceNumber(fields.Number());
  out.decided.lifecycle = LifecycleOf(flags & kDecidedPresent);
  out.decided.scope = fields.ScopeFields();
  out.decided.incarnation = SequenceNumber(fields.Number());
  if (flags & kHasOutcomeLocation) out.decided.outcome = fields.Location();
  if (flags & kHasPending) {
    out.pending.emplace();
    out.pending->batch = BatchId{fields.Id()};
    out.pending->state = fields.Accepted(flags & kPendingPresent);
  }
  if (flags & kHasMark) {
    out.mark.emplace();
    out.mark->by = EventId{fields.Id()};
    out.mark->since_ms = fields.Time();
    out.mark->expires_ms = fields.Time();
  }
  return fields.Done() && flags < kHasMark * 2;
}

void AppendCommand(const CommandRow& row, std::string& out) {
  PutU8(out, kFormat);
  PutU8(out, Flag(row.settled(), kSettled) | Flag(!row.batch.uuid.is_nil(), kHasBatch) |
                 Flag(!row.outcome_batch.uuid.is_nil(), kHasOutcomeBatch) |
                 Flag(row.outcome.has_value(), kHasOutcome) |
                 Flag(row.outcome_rejected, kOutcomeRejected));
  PutU8(out, PackType(row.type));
  PutKey(out, row.aggregate);
  PutVarint(out, row.number.value);
  out.append(reinterpret_cast<const char*>(row.request_sha256.data()), row.request_sha256.size());
  if (!row.batch.uuid.is_nil()) out.append(row.batch.bytes());
  if (row.location) PutLocation(out, *row.location);
  if (!row.outcome_batch.uuid.is_nil()) out.append(row.outcome_batch.bytes());
  if (row.outcome) PutLocation(out, *row.outcome);
}

bool ParseCommand(std::string_view bytes, CommandRow& out) {
  Fields fields(bytes);
  const std::uint8_t flags = fields.Byte();
  if (!UnpackType(fields.Byte(), out.type)) return false;
  fields.Key(out.aggregate);
  out.number = SequenceNumber(fields.Number());
  out.request_sha256 = fields.Hash();
  if (flags & kHasBatch) out.batch = BatchId{fields.Id()};
  if (flags & kSettled) out.location = fields.Location();
  if (flags & kHasOutcomeBatch) out.outcome_batch = BatchId{fields.Id()};
  if (flags & kHasOutcome) out.outcome = fields.Location();
  out.outcome_rejected = flags & kOutcomeRejected;
  return fields.Done() && flags < kOutcomeRejected * 2;
}

void AppendReservation(const Reservation& row, std::string& out) {
  PutU8(out, kFormat);
  PutVarint(out, row.slot.value);
  PutLengthPrefixed(out, row.writer);
  PutTime(out, row.reserved_ms);
  PutTime(out, row.expires_ms);
  PutLengthPrefixed(out, row.resolver);
  PutTime(out, row.retry_after_ms);
  PutVarint(out, row.aggregates.size());
  for (const auto& key : row.aggregates) PutKey(out, key);
  for (const auto* ids : {&row.commands, &row.outcomes}) {
    PutVarint(out, ids->size());
    for (const auto& id : *ids) out.append(id.bytes());
  }
}

bool ParseReservation(std::string_view bytes, Reservation& out) {
  Fields fields(bytes);
  out.slot = SlotNumber(fields.Number());
  out.writer = fields.Text();
  out.reserved_ms = fields.Time();
  out.expires_ms = fields.Time();
  out.resolver = fields.Text();
  out.retry_after_ms = fields.Time();
  out.aggregates.resize(fields.Count(2));
  for (auto& key : out.aggregates) fields.Key(key);
  for (auto* ids : {&out.commands, &out.outcomes}) {
    ids->resize(fields.Count(kUuidBytes));
    for (auto& id : *ids) id = EventId{fields.Id()};
  }
  return fields.Done();
}

void AppendClaim(const ClaimRow& row, std::string& out) {
  PutU8(out, kFormat);
  PutU8(out, static_cast<std::uint8_t>(row.status));
  PutKey(out, row.aggregate);
  PutVarint(out, row.number.value);
  PutLengthPrefixed(out, row.owner);
  PutTime(out, row.started_ms);
  PutTime(out, row.heartbeat_ms);
  PutTime(out, row.processed_ms);
  PutVarint(out, row.attempt_count);
  PutLengthPrefixed(out, row.last_error);
  PutVarint(out, row.partition);
  PutVarint(out, row.generation);
}

bool ParseClaim(std::string_view bytes, ClaimRow& out) {
  Fields fields(bytes);
  const std::uint8_t status = fields.Byte();
  if (status < 1 || status > 4) return false;
  out.status = static_cast<ClaimStatus>(status);
  fields.Key(out.aggregate);
  out.number = SequenceNumber(fields.Number());
  out.owner = fields.Text();
  out.started_ms = fields.Time();
  out.heartbeat_ms = fields.Time();
  out.processed_ms = fields.Time();
  out.attempt_count = fields.Number32();
  out.last_error = fields.Text();
  out.partition = fields.Number32();
  out.generation = fields.Number();
  return fields.Done();
}

void AppendParked(const ParkedRow& row, std::string& out) {
  PutU8(out, kFormat);
  PutVarint(out, row.first.value);
  out.append(row.event.bytes());
  PutLengthPrefixed(out, row.reason);
  PutTime(out, row.parked_ms);
}

bool ParseParked(std::string_view bytes, ParkedRow& out) {
  Fields fields(bytes);
  out.first = SequenceNumber(fields.Number());
  out.event = EventId{fields.Id()};
  out.reason = fields.Text();
  out.parked_ms = fields.Time();
  return fields.Done();
}

void AppendLease(const LeaseRow& row, std::string& out) {
  PutU8(out, kFormat);
  PutLengthPrefixed(out, row.owner);
  PutVarint(out, row.epoch);
  PutTime(out, row.expires_ms);
}

bool ParseLease(std::string_view bytes, LeaseRow& out) {
  Fields fields(bytes);
  out.owner = fields.Text();
  out.epoch = fields.Number();
  out.expires_ms = fields.Time();
  return fields.Done();
}

void AppendPublished(const PublishedRow& row, std::string& out) {
  PutU8(out, kFormat);
  PutVarint(out, row.ends.size());
  for (const auto& [partition, end] : row.ends) {
    PutLengthPrefixed(out, partition.first);
    PutVarint(out, partition.second);
    PutVarint(out, end);
  }
}

bool ParsePublished(std::string_view bytes, PublishedRow& out) {
  Fields fields(bytes);
  const std::size_t count = fields.Count(3);
  for (std::size_t i = 0; i < count && fields.ok(); ++i) {
    std::string topic = fields.Text();
    const std::uint32_t partition = fields.Number32();
    out.ends[{std::move(topic), partition}] = fields.Number();
  }
  return fields.Done() && out.ends.size() == count;
}

void AppendJournal(const std::vector<ClaimRow>& claims, std::string& out) {
  PutU8(out, kFormat);
  std::string part;
  for (const ClaimRow& claim : claims) {
    part.clear();
    AppendClaimKey(claim.key.handler, claim.key.event, part);
    PutLengthPrefixed(out, part);
    part.clear();
    AppendClaim(claim, part);
    PutLengthPrefixed(out, part);
  }
}

bool ParseJournal(std::string_view bytes, std::vector<ClaimRow>& out) {
  ByteReader reader(bytes);
  std::uint8_t format = 0;
  if (!reader.ReadU8(format) || format != kFormat) return false;
  while (!reader.AtEnd()) {
    std::string_view key, value;
    if (!reader.ReadLengthPrefixed(key) || !reader.ReadLengthPrefixed(value)) return false;
    ClaimRow& claim = out.emplace_back();
    if (!ParseClaimKey(key, claim.key) || !ParseClaim(value, claim)) return false;
  }
  return true;
}

bool ParseControl(std::string_view bytes, ControlValue& out) {
  Fields fields(bytes);
  out.control.log = LogId{fields.Id()};
  out.control.fenced_incarnation = fields.Text();
  out.control.next_slot = SlotNumber(fields.Number());
  out.outstanding = fields.Number();
  return fields.Done();
}

bool ParseAggregateKey(std::string_view bytes, AggregateKey& out) {
  if (bytes.empty() || !TypeFrom(static_cast<std::uint8_t>(bytes[0]), out.type)) return false;
  out.id = bytes.substr(1);
  return true;
}

bool ParseLastEventId(std::string_view bytes, EventId& out) {
  if (bytes.size() < kUuidBytes) return false;
  out = EventId{*Uuid::FromBytes(bytes.substr(bytes.size() - kUuidBytes))};
  return true;
}

bool ParseClaimKey(std::string_view bytes, ClaimKey& out) {
  const std::size_t end = bytes.find('\0');
  if (end == std::string_view::npos || bytes.size() != end + 1 + kUuidBytes) return false;
  out.handler = bytes.substr(0, end);
  return ParseLastEventId(bytes, out.event);
}

bool ParseParkKey(std::string_view bytes, ParkKey& out) {
  const std::size_t end = bytes.find('\0');
  if (end == std::string_view::npos) return false;
  out.handler = bytes.substr(0, end);
  return ParseAggregateKey(bytes.substr(end + 1), out.aggregate);
}

bool ParsePublishedKey(std::string_view bytes, std::uint32_t& shard, SlotNumber& slot) {
  ByteReader reader(bytes);
  return reader.ReadU32BigEndian(shard) && reader.ReadU64BigEndian(slot.value) && reader.AtEnd();
}

}  // namespace saffron::registry_codec
