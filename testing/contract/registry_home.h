// What the registry suites ask of an engine under test, and rows to write into it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ports/append_registry.h"
#include "ports/claim_registry.h"

namespace saffron {

struct OpenRegistry {
  std::shared_ptr<AppendRegistry> append;
  std::shared_ptr<ClaimRegistry> claims;  // the same engine
};

// A place for one registry, empty at first, that outlives the objects opened on it.
class RegistryHome {
 public:
  virtual ~RegistryHome() = default;
  // Called again only when those before are gone.
  virtual OpenRegistry Open() = 0;
  // What a reboot or a failover does to the live incarnation; called while nothing is open.
  virtual void ChangeIncarnation() = 0;
};

// Null: its server cannot be had here: the test is skipped, or fails where servers are required.
using RegistryHomeMaker = std::function<std::shared_ptr<RegistryHome>()>;

namespace registry_rows {

// Distinct ids for distinct (kind, number).
Uuid TestUuid(std::uint32_t kind, std::uint64_t number);
EventId Event(std::uint64_t number);
BatchId Batch(std::uint64_t number);
EventLocation Location(std::uint64_t slot, std::uint32_t ordinal);

AggregateRow Aggregate(const AggregateKey& key, std::uint64_t number);
// A present instance of the scope, decided and settled.
AggregateRow PresentInstance(std::string_view class_id, std::string_view instance, Scope scope);
// Reserved, not settled.
CommandRow Reserved(std::uint64_t event, const AggregateKey& aggregate, std::uint64_t number);
CommandRow Settled(CommandRow row, std::uint64_t slot, std::uint32_t ordinal);
CommandRow Recorded(CommandRow row, std::uint64_t slot, std::uint32_t ordinal);
Reservation Reserve(std::uint64_t batch, std::uint64_t slot);
ClaimRow Claim(std::string handler, std::uint64_t event, ClaimStatus status);

// Writes without reading.
Status Put(AppendRegistry& registry, const RegistryWrite& write);
Status Put(ClaimRegistry& registry, const ClaimWrite& write);
std::vector<EventId> Ids(const std::vector<CommandRow>& rows);

}  // namespace registry_rows
}  // namespace saffron
