#include "testing/contract/registry_home.h"

#include <array>
#include <utility>

#include "base/random.h"

namespace saffron::registry_rows {

Uuid TestUuid(std::uint32_t kind, std::uint64_t number) {
  std::uint64_t state = number * 16 + kind;
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < bytes.size(); i += 8) {
    const std::uint64_t word = SplitMix64(state);
    for (std::size_t j = 0; j < 8; ++j) bytes[i + j] = static_cast<std::uint8_t>(word >> 8 * j);
  }
  return Uuid(bytes);
}

EventId Event(std::uint64_t number) { return EventId{TestUuid(1, number)}; }
BatchId Batch(std::uint64_t number) { return BatchId{TestUuid(2, number)}; }

EventLocation Location(std::uint64_t slot, std::uint32_t ordinal) {
  EventLocation location;
  location.position = {0, SlotNumber(slot), ordinal};
  location.offset_bytes = 1000 + 300 * ordinal;
  location.length_bytes = 300;
  location.crc32c = 0x80000000u + ordinal;
  return location;
}

AggregateRow Aggregate(const AggregateKey& key, std::uint64_t number) {
  AggregateRow row;
  row.key = key;
  row.accepted.number = SequenceNumber(number);
  row.accepted.lifecycle = Lifecycle::kPresent;
  return row;
}

AggregateRow PresentInstance(std::string_view class_id, std::string_view instance, Scope scope) {
  AggregateRow row;
  row.key = {AggregateType::kInstance, "db:main:" + std::string(class_id) + ":"};
  row.key.id += instance;
  row.accepted = {SequenceNumber(1), Lifecycle::kPresent, scope};
  row.decided.number = SequenceNumber(1);
  row.decided.lifecycle = Lifecycle::kPresent;
  row.decided.scope = scope;
  row.decided.incarnation = SequenceNumber(1);
  return row;
}

CommandRow Reserved(std::uint64_t event, const AggregateKey& aggregate, std::uint64_t number) {
  CommandRow row;
  row.id = Event(event);
  row.aggregate = aggregate;
  row.number = SequenceNumber(number);
  row.type = {EventKind::kCommand, aggregate.type, Operation::kCreate, false};
  row.request_sha256.fill(static_cast<std::uint8_t>(event));
  row.batch = Batch(event);
  return row;
}

CommandRow Settled(CommandRow row, std::uint64_t slot, std::uint32_t ordinal) {
  row.batch = BatchId();
  row.location = Location(slot, ordinal);
  return row;
}

CommandRow Recorded(CommandRow row, std::uint64_t slot, std::uint32_t ordinal) {
  row.outcome_batch = BatchId();
  row.outcome = Location(slot, ordinal);
  return row;
}

Reservation Reserve(std::uint64_t batch, std::uint64_t slot) {
  Reservation row;
  row.batch = Batch(batch);
  row.slot = SlotNumber(slot);
  row.writer = "writer";
  row.reserved_ms = 100;
  row.expires_ms = 5100;
  return row;
}

ClaimRow Claim(std::string handler, std::uint64_t event, ClaimStatus status) {
  ClaimRow row;
  row.key = {std::move(handler), Event(event)};
  row.aggregate = {AggregateType::kInstance, "db:main:Order:1"};
  row.number = SequenceNumber(event);
  row.status = status;
  row.owner = "owner";
  row.started_ms = 10;
  row.heartbeat_ms = 20;
  row.attempt_count = 1;
  return row;
}

Status Put(AppendRegistry& registry, const RegistryWrite& write) {
  return registry.Transact(RegistryRead(), [&](const RegistryRows&) { return write; });
}

Status Put(ClaimRegistry& registry, const ClaimWrite& write) {
  return registry.Transact(ClaimRead(), [&](const ClaimRows&) { return write; });
}

std::vector<EventId> Ids(const std::vector<CommandRow>& rows) {
  std::vector<EventId> ids;
  for (const auto& row : rows) ids.push_back(row.id);
  return ids;
}

}  // namespace saffron::registry_rows
