#include "tests/sim/extra_checks.h"

#include <set>
#include <string_view>

#include "services/publisher/checkpoint.h"
#include "tests/sim/pipeline_world.h"

namespace saffron {
namespace {

// Rows of the workers, which decide; the projection's are for people.
bool Decides(const ClaimKey& key) { return !key.handler.starts_with("projection_worker:"); }

std::string NameOf(const ClaimRow& row) {
  return row.aggregate.ToString() + " " + std::to_string(row.number.value);
}

}  // namespace

Violations CheckClaims(const MemoryRegistry& registry) {
  return registry.Inspect([](const MemoryRegistry::Rows& rows) {
    Violations violations;
    for (const auto& [key, row] : rows.claims) {
      if (!Decides(key) || row.status != ClaimStatus::kDone) continue;
      auto command = rows.commands.find(key.event);
      if (command == rows.commands.end() || !command->second.outcome) {
        violations.push_back("claims: done without a recorded outcome: " + NameOf(row));
      }
    }
    return violations;
  });
}

Violations CheckEconomy(MemoryObjectStore& store, const EventLogFormat& format,
                        const MemoryRegistry& registry) {
  Violations violations;
  for (const auto& [key, object] : store.Snapshot()) {
    std::optional<SlotNumber> number = SlotOfKey(0, key);
    if (!number) continue;
    Result<Slot> slot = DecodeSlot(*object.bytes, format.log, 0, *number);
    if (slot.ok() && slot->header.tombstone && !slot->header.batch.uuid.is_nil()) {
      violations.push_back("economy: a batch was undone in slot " + std::to_string(number->value));
    }
  }
  const MemoryRegistry::Backup rows = registry.Snapshot();
  for (const auto& [name, row] : rows->leases) {
    if (row.epoch > 1) violations.push_back("economy: the lease changed hands: " + name);
  }
  Result<StoredObject> stored = store.Get(kPipelineCheckpoint);
  Result<PublisherCheckpoint> checkpoint =
      stored.ok() ? DecodeCheckpoint(stored->bytes) : Result<PublisherCheckpoint>(stored.error());
  if (!checkpoint.ok() || checkpoint->epoch > 1) {
    violations.push_back("economy: the publisher changed");
  }
  return violations;
}

Violations CheckByDate(MemoryObjectStore& store) {
  constexpr std::string_view kName = R"("key":")";
  std::set<std::string_view> named;
  const auto objects = store.Snapshot();
  for (const auto& [key, object] : objects) {
    if (!key.starts_with("indexes/by-date/")) continue;
    const std::string_view entry = *object.bytes;
    for (std::size_t at = entry.find(kName); at != entry.npos; at = entry.find(kName, at)) {
      at += kName.size();
      named.insert(entry.substr(at, entry.find('"', at) - at));
    }
  }
  Violations violations;
  const Result<StoredObject> stored = store.Get(kPipelineCheckpoint);
  if (!stored.ok()) return violations;  // removed, and not yet written again
  const Result<PublisherCheckpoint> checkpoint = DecodeCheckpoint(stored->bytes);
  const auto passed = checkpoint->shards.find(0);
  if (passed == checkpoint->shards.end()) return violations;
  for (SlotNumber slot(1); slot <= passed->second; slot = slot.Next()) {
    if (named.contains(SlotKey(0, slot))) continue;
    violations.push_back("published and in no entry by date: slot " + std::to_string(slot.value));
  }
  return violations;
}

}  // namespace saffron
