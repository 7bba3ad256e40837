#include "adapters/postgres/rows.h"

#include <algorithm>
#include <map>

#include "base/bytes.h"

namespace saffron::postgres {

namespace {

template <class T>
void SortOnce(std::vector<T>& keys) {
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
}

// Pointers to the last row of each key, in order of keys.
template <class Row, class KeyOf>
auto InOrder(const std::vector<Row>& rows, KeyOf key_of) {
  std::map<decltype(key_of(rows.front())), const Row*> order;
  for (const Row& row : rows) order.insert_or_assign(key_of(row), &row);
  return order;
}

std::uint16_t Number(AggregateType type) { return static_cast<std::uint16_t>(type); }
std::uint16_t Number(Lifecycle lifecycle) { return static_cast<std::uint16_t>(lifecycle); }
AggregateType TakeType(Fields& in) {
  const std::uint16_t number = in.Int2();
  if (number < 1 || number > 4) in.Damaged();
  return static_cast<AggregateType>(number);
}
Lifecycle TakeLifecycle(Fields& in) {
  const std::uint16_t number = in.Int2();
  if (number > 1) in.Damaged();
  return static_cast<Lifecycle>(number);
}

// Four bits each: kind, aggregate, operation, rejected.
std::uint16_t Packed(EventType type) {
  return static_cast<std::uint16_t>(
      static_cast<unsigned>(type.kind) << 12 | static_cast<unsigned>(type.aggregate) << 8 |
      static_cast<unsigned>(type.operation) << 4 | (type.rejected ? 1u : 0u));
}
EventType TakeEventType(Fields& in) {
  const unsigned bits = in.Int2();
  const unsigned kind = bits >> 12, aggregate = bits >> 8 & 15, operation = bits >> 4 & 15;
  const bool known = kind >= 1 && kind <= 2 && aggregate >= 1 && aggregate <= 4 && operation >= 1 &&
                     operation <= 3 && (bits & 15) <= 1;
  if (!known) in.Damaged();
  return {static_cast<EventKind>(kind), static_cast<AggregateType>(aggregate),
          static_cast<Operation>(operation), (bits & 1) != 0};
}

void PutLocation(Arrays& out, const EventLocation* at) {
  if (at == nullptr) {
    out.Null(6);
    return;
  }
  out.Int4(at->position.shard).Int8(at->position.slot.value).Int4(at->position.ordinal);
  out.Int8(at->offset_bytes).Int4(at->length_bytes).Int4(at->crc32c);
}

std::optional<EventLocation> TakeLocation(Fields& in) {
  if (in.IsNull()) {
    in.Skip(6);
    return std::nullopt;
  }
  EventLocation at;
  at.position.shard = in.Int4();
  at.position.slot = SlotNumber(in.Int8());
  at.position.ordinal = in.Int4();
  at.offset_bytes = in.Int8();
  at.length_bytes = in.Int4();
  at.crc32c = in.Int4();
  return at;
}

void PutUuid(Arrays& out, const Uuid& id) {
  if (id.is_nil()) {
    out.Null();
  } else {
    out.Uuid(id);
  }
}

Uuid TakeUuid(Fields& in) {
  if (!in.IsNull()) return in.Uuid();
  in.Skip(1);
  return Uuid();
}

void PutText(Arrays& out, std::string_view text) {
  if (text.empty()) {
    out.Null();
  } else {
    out.Text(text);
  }
}

AcceptedState TakeAccepted(Fields& in, std::uint64_t number) {
  AcceptedState state;
  state.number = SequenceNumber(number);
  state.lifecycle = TakeLifecycle(in);
  state.scope.database = SequenceNumber(in.Int8());
  state.scope.class_ = SequenceNumber(in.Int8());
  return state;
}

template <class Id>
std::string PackedIds(const std::vector<Id>& ids) {
  std::string out;
  out.reserve(16 * ids.size());
  for (const Id& id : ids) out += id.bytes();
  return out;
}

template <class Id>
bool UnpackIds(std::string_view bytes, std::vector<Id>& ids) {
  for (; bytes.size() >= 16; bytes.remove_prefix(16)) {
    ids.push_back(Id{*Uuid::FromBytes(bytes.substr(0, 16))});
  }
  return bytes.empty();
}

std::string PackedKeys(const std::vector<AggregateKey>& keys) {
  std::string out;
  for (const AggregateKey& key : keys) {
    PutU8(out, static_cast<std::uint8_t>(key.type));
    PutLengthPrefixed(out, key.id);
  }
  return out;
}

bool UnpackKeys(std::string_view bytes, std::vector<AggregateKey>& keys) {
  ByteReader reader(bytes);
  while (!reader.AtEnd()) {
    std::uint8_t type = 0;
    std::string_view id;
    if (!reader.ReadU8(type) || type < 1 || type > 4 || !reader.ReadLengthPrefixed(id))
      return false;
    keys.push_back({static_cast<AggregateType>(type), std::string(id)});
  }
  return true;
}

// The row, if all of it was read.
template <class Row>
Result<Row> Whole(Fields& in, Row row, std::string_view what) {
  if (in.whole()) return row;
  return Corrupt("a row of " + std::string(what) + " cannot be read");
}

constexpr std::string_view kStatusNames[] = {"", "processing", "done", "failed", "skipped_stale"};

}  // namespace

std::string_view StatusName(ClaimStatus status) { return kStatusNames[static_cast<int>(status)]; }

std::string AllocatorHandler(std::string_view prefix, AggregateType type) {
  return std::string(prefix) + ":" + std::string(AggregateTypeName(type));
}

std::vector<Value> KeysOf(std::string_view prefix, std::vector<AggregateKey> keys) {
  SortOnce(keys);
  Arrays out({Type::kText, Type::kText});
  for (const AggregateKey& key : keys) out.Text(AllocatorHandler(prefix, key.type)).Text(key.id);
  return out.Take();
}

std::vector<Value> KeysOf(std::vector<EventId> ids) {
  SortOnce(ids);
  Arrays out({Type::kUuid});
  for (const EventId& id : ids) out.Uuid(id.uuid);
  return out.Take();
}

std::vector<Value> KeysOf(std::vector<BatchId> ids) {
  SortOnce(ids);
  Arrays out({Type::kUuid});
  for (const BatchId& id : ids) out.Uuid(id.uuid);
  return out.Take();
}

std::vector<Value> KeysOf(std::vector<ClaimKey> keys) {
  SortOnce(keys);
  Arrays out({Type::kText, Type::kText});
  for (const ClaimKey& key : keys) out.Text(key.handler).Text(key.event.ToString());
  return out.Take();
}

std::vector<Value> KeysOf(std::vector<ParkKey> keys) {
  SortOnce(keys);
  Arrays out({Type::kText, Type::kInt2, Type::kText});
  for (const ParkKey& key : keys) {
    out.Text(key.handler).Int2(Number(key.aggregate.type)).Text(key.aggregate.id);
  }
  return out.Take();
}

std::vector<Value> KeysOf(std::vector<std::string> names) {
  SortOnce(names);
  Arrays out({Type::kText});
  for (const std::string& name : names) out.Text(name);
  return out.Take();
}

std::vector<Value> Encode(std::string_view prefix, const std::vector<AggregateRow>& rows,
                          std::int64_t now_ms) {
  Arrays out(AllTables().aggregates.types());
  for (const auto& [key, row] : InOrder(rows, [](const auto& r) { return r.key; })) {
    out.Text(AllocatorHandler(prefix, key.type)).Text(key.id);
    out.Int8(row->accepted.number.value).Time(now_ms).Int2(Number(key.type));
    out.Int2(Number(row->accepted.lifecycle));
    out.Int8(row->accepted.scope.database.value).Int8(row->accepted.scope.class_.value);
    out.Int8(row->decided.number.value).Int2(Number(row->decided.lifecycle));
    out.Int8(row->decided.scope.database.value).Int8(row->decided.scope.class_.value);
    out.Int8(row->decided.incarnation.value);
    PutLocation(out, row->decided.outcome == EventLocation() ? nullptr : &row->decided.outcome);
    if (row->pending) {
      const AcceptedState& state = row->pending->state;
      out.Uuid(row->pending->batch.uuid).Int8(state.number.value).Int2(Number(state.lifecycle));
      out.Int8(state.scope.database.value).Int8(state.scope.class_.value);
    } else {
      out.Null(5);
    }
    if (row->mark) {
      out.Uuid(row->mark->by.uuid).Time(row->mark->since_ms).Time(row->mark->expires_ms);
    } else {
      out.Null(3);
    }
  }
  return out.Take();
}

Result<AggregateRow> DecodeAggregate(Fields in) {
  AggregateRow row;
  in.Skip(1);
  row.key.id = in.Text();
  const std::uint64_t accepted = in.Int8();
  in.Skip(1);
  row.key.type = TakeType(in);
  row.accepted = TakeAccepted(in, accepted);
  row.decided.number = SequenceNumber(in.Int8());
  row.decided.lifecycle = TakeLifecycle(in);
  row.decided.scope.database = SequenceNumber(in.Int8());
  row.decided.scope.class_ = SequenceNumber(in.Int8());
  row.decided.incarnation = SequenceNumber(in.Int8());
  row.decided.outcome = TakeLocation(in).value_or(EventLocation());
  if (in.IsNull()) {
    in.Skip(5);
  } else {
    const BatchId batch{in.Uuid()};
    const std::uint64_t number = in.Int8();
    row.pending = PendingState{batch, TakeAccepted(in, number)};
  }
  if (!in.IsNull()) {
    AdmissionMark& mark = row.mark.emplace();
    mark.by = EventId{in.Uuid()};
    mark.since_ms = in.Time();
    mark.expires_ms = in.Time();
  }
  return Whole(in, std::move(row), AllTables().aggregates.name);
}

std::vector<Value> Encode(const std::vector<CommandRow>& rows) {
  Arrays out(AllTables().commands.types());
  for (const auto& [id, row] : InOrder(rows, [](const auto& r) { return r.id; })) {
    out.Uuid(id.uuid).Int2(Number(row->aggregate.type)).Text(row->aggregate.id);
    out.Int8(row->number.value).Int2(Packed(row->type));
    out.Bytes(
        {reinterpret_cast<const char*>(row->request_sha256.data()), row->request_sha256.size()});
    PutUuid(out, row->batch.uuid);
    PutLocation(out, row->location ? &*row->location : nullptr);
    PutUuid(out, row->outcome_batch.uuid);
    PutLocation(out, row->outcome ? &*row->outcome : nullptr);
    out.Bool(row->outcome_rejected);
  }
  return out.Take();
}

std::vector<Value> EncodeUndecided(const std::vector<CommandRow>& rows) {
  Arrays out(AllTables().undecided.types());
  const auto key = [](const CommandRow& row) { return std::pair(row.location->position, row.id); };
  for (const auto& [at, row] : InOrder(rows, key)) {
    out.Int4(at.first.shard).Int8(at.first.slot.value).Int4(at.first.ordinal).Uuid(at.second.uuid);
  }
  return out.Take();
}

Result<CommandRow> DecodeCommand(Fields in) {
  CommandRow row;
  row.id = EventId{in.Uuid()};
  row.aggregate.type = TakeType(in);
  row.aggregate.id = in.Text();
  row.number = SequenceNumber(in.Int8());
  row.type = TakeEventType(in);
  const std::string_view digest = in.View();
  if (digest.size() != row.request_sha256.size()) in.Damaged();
  std::copy_n(digest.begin(), std::min(digest.size(), row.request_sha256.size()),
              row.request_sha256.begin());
  row.batch = BatchId{TakeUuid(in)};
  row.location = TakeLocation(in);
  row.outcome_batch = BatchId{TakeUuid(in)};
  row.outcome = TakeLocation(in);
  row.outcome_rejected = in.Bool();
  return Whole(in, std::move(row), AllTables().commands.name);
}

std::vector<Value> Encode(const std::vector<Reservation>& rows) {
  Arrays out(AllTables().reservations.types());
  for (const auto& [batch, row] : InOrder(rows, [](const auto& r) { return r.batch; })) {
    out.Uuid(batch.uuid).Int8(row->slot.value).Text(row->writer);
    out.Time(row->reserved_ms).Time(row->expires_ms);
    out.Text(row->resolver).Time(row->retry_after_ms);
    out.Bytes(PackedKeys(row->aggregates));
    out.Bytes(PackedIds(row->commands)).Bytes(PackedIds(row->outcomes));
  }
  return out.Take();
}

Result<Reservation> DecodeReservation(Fields in) {
  Reservation row;
  row.batch = BatchId{in.Uuid()};
  row.slot = SlotNumber(in.Int8());
  row.writer = in.Text();
  row.reserved_ms = in.Time();
  row.expires_ms = in.Time();
  row.resolver = in.Text();
  row.retry_after_ms = in.Time();
  const bool whole = UnpackKeys(in.View(), row.aggregates) && UnpackIds(in.View(), row.commands) &&
                     UnpackIds(in.View(), row.outcomes);
  if (!whole) in.Damaged();
  return Whole(in, std::move(row), AllTables().reservations.name);
}

std::vector<Value> Encode(const std::vector<ClaimRow>& rows) {
  Arrays out(AllTables().claims.types());
  for (const auto& [key, row] : InOrder(rows, [](const auto& r) { return r.key; })) {
    out.Text(key.handler).Text(key.event.ToString()).Text(row->aggregate.id);
    out.Int8(row->number.value).Text(StatusName(row->status)).Time(row->started_ms);
    PutText(out, row->owner);
    out.Time(row->heartbeat_ms);
    if (row->processed_ms == 0) {
      out.Null();
    } else {
      out.Time(row->processed_ms);
    }
    out.Int4(row->attempt_count);
    PutText(out, StorableText(row->last_error));
    out.Int2(Number(row->aggregate.type)).Int4(row->partition).Int8(row->generation);
  }
  return out.Take();
}

Result<ClaimRow> DecodeClaim(Fields in) {
  ClaimRow row;
  row.key.handler = in.Text();
  const auto event = Uuid::Parse(in.View());
  if (!event) in.Damaged();
  row.key.event = EventId{event.value_or(Uuid())};
  row.aggregate.id = in.Text();
  row.number = SequenceNumber(in.Int8());
  const auto status = std::find(std::begin(kStatusNames) + 1, std::end(kStatusNames), in.View());
  if (status == std::end(kStatusNames)) in.Damaged();
  row.status = static_cast<ClaimStatus>(status - std::begin(kStatusNames));
  row.started_ms = in.Time();
  row.owner = in.Text();
  row.heartbeat_ms = in.Time();
  row.processed_ms = in.Time();
  row.attempt_count = in.Int4();
  row.last_error = in.Text();
  row.aggregate.type = TakeType(in);
  row.partition = in.Int4();
  row.generation = in.Int8();
  return Whole(in, std::move(row), AllTables().claims.name);
}

std::vector<Value> Encode(const std::vector<DoneClaim>& rows, std::int64_t now_ms) {
  std::vector<ClaimRow> claims;
  for (const DoneClaim& done : rows) {
    ClaimRow& claim = claims.emplace_back();
    claim.key = {std::string(done.handler), done.event};
    claim.aggregate = done.aggregate;
    claim.number = done.number;
    claim.status = ClaimStatus::kDone;
    claim.started_ms = now_ms;
    claim.processed_ms = now_ms;
    claim.attempt_count = 1;
  }
  return Encode(claims);
}

std::vector<Value> EncodeConsumed(const std::vector<DoneClaim>& rows, std::int64_t now_ms) {
  std::map<std::pair<std::string_view, std::string_view>, DoneClaim> highest;
  for (const DoneClaim& done : rows) {
    auto [at, is_new] = highest.try_emplace({done.handler, done.aggregate.id}, done);
    if (!is_new && at->second.number < done.number) at->second = done;
  }
  Arrays out({Type::kText, Type::kText, Type::kInt8, Type::kInt2});
  for (const auto& [key, done] : highest) {
    out.Text(key.first).Text(key.second).Int8(done.number.value).Int2(Number(done.aggregate.type));
  }
  std::vector<Value> values = out.Take();
  values.insert(values.begin() + 3, TimeOf(now_ms));
  return values;
}

std::vector<Value> Encode(const std::vector<ParkedRow>& rows) {
  Arrays out(AllTables().parked.types());
  for (const auto& [key, row] : InOrder(rows, [](const auto& r) { return r.key; })) {
    out.Text(key.handler).Int2(Number(key.aggregate.type)).Text(key.aggregate.id);
    out.Int8(row->first.value).Uuid(row->event.uuid).Text(StorableText(row->reason));
    out.Time(row->parked_ms);
  }
  return out.Take();
}

Result<ParkedRow> DecodeParked(Fields in) {
  ParkedRow row;
  row.key.handler = in.Text();
  row.key.aggregate.type = TakeType(in);
  row.key.aggregate.id = in.Text();
  row.first = SequenceNumber(in.Int8());
  row.event = EventId{in.Uuid()};
  row.reason = in.Text();
  row.parked_ms = in.Time();
  return Whole(in, std::move(row), AllTables().parked.name);
}

std::vector<Value> Encode(const std::vector<LeaseRow>& rows) {
  Arrays out(AllTables().leases.types());
  for (const auto& [name, row] : InOrder(rows, [](const auto& r) { return r.name; })) {
    out.Text(name).Text(row->owner).Int8(row->epoch).Time(row->expires_ms);
  }
  return out.Take();
}

Result<LeaseRow> DecodeLease(Fields in) {
  LeaseRow row;
  row.name = in.Text();
  row.owner = in.Text();
  row.epoch = in.Int8();
  row.expires_ms = in.Time();
  return Whole(in, std::move(row), AllTables().leases.name);
}

Value EncodeEnds(const PublishedRow& row) {
  Value value;
  for (const auto& [partition, end] : row.ends) {
    PutLengthPrefixed(value.bytes, partition.first);
    PutVarint(value.bytes, partition.second);
    PutVarint(value.bytes, end);
  }
  return value;
}

Result<PublishedRow> DecodePublished(std::uint32_t shard, Fields in) {
  PublishedRow row{shard, SlotNumber(in.Int8()), {}};
  ByteReader reader(in.View());
  while (in.whole() && !reader.AtEnd()) {
    std::string_view topic;
    std::uint64_t partition = 0, end = 0;
    if (!reader.ReadLengthPrefixed(topic) || !reader.ReadVarint(partition) ||
        partition > UINT32_MAX || !reader.ReadVarint(end)) {
      in.Damaged();
      break;
    }
    row.ends[{std::string(topic), static_cast<std::uint32_t>(partition)}] = end;
  }
  return Whole(in, std::move(row), "published");
}

}  // namespace saffron::postgres
