#include "services/oms/progress.h"

#include "eventlog/mutation.h"
namespace saffron {
namespace {

constexpr std::size_t kPageRows = 1000;
// A database with more undecided commands is not waited for.
constexpr int kMaxPages = 50;

bool OfDatabase(const AggregateKey& aggregate, std::string_view db) {
  Result<AggregateParts> parts = SplitAggregateId(aggregate);
  return parts.ok() && parts->db == db;
}

// Else its rows are of another moment than the log: an older one, or none at all.
bool Fenced(const RegistryRows& rows) {
  return rows.control.fenced_incarnation == rows.live_incarnation;
}

}  // namespace

Result<bool> SinkProgress::Has(ReadStore store, const AggregateKey& aggregate,
                               SequenceNumber number) {
  switch (store) {
    case ReadStore::kGraph: {
      SAFFRON_ASSIGN(auto nodes, graph_.Get({aggregate}));
      return !nodes.empty() && nodes.begin()->second.version >= number;
    }
    case ReadStore::kSearch: {
      SAFFRON_ASSIGN(auto documents, search_.Get({aggregate}));
      return !documents.empty() && documents.begin()->second.version >= number;
    }
    case ReadStore::kRegistry: {
      RegistryRead read;
      read.aggregates = {aggregate};
      SAFFRON_ASSIGN(RegistryRows rows, context_.registry.Read(read));
      return !rows.aggregates.empty() && rows.aggregates.begin()->second.decided.number >= number;
    }
  }
  return false;
}

Result<bool> SinkProgress::Passed(ReadStore store, SlotNumber slot) {
  if (store == ReadStore::kRegistry || slot == SlotNumber()) return true;
  if (store == ReadStore::kSearch) return search_passed_(slot);
  SAFFRON_ASSIGN(GraphState state, graph_.State());
  return state.position.slot >= slot;
}

Result<bool> ReadGate::Pass() {
  if (conditions_.min_seq && conditions_.aggregate) {
    SAFFRON_ASSIGN(bool has,
                   progress_.Has(conditions_.store, *conditions_.aggregate, *conditions_.min_seq));
    if (!has) return false;
  }
  if (!conditions_.min_position) return true;
  if (!target_) {
    SAFFRON_ASSIGN(bool decided, PositionDecided());
    if (!decided) return false;
  }
  return progress_.Passed(conditions_.store, *target_);
}

Result<bool> ReadGate::PositionDecided() {
  warnings_.clear();
  // Nothing at or above it is known to be in the log yet, so it is too early to look.
  SAFFRON_ASSIGN(RegistryRows before, context_.registry.Read(RegistryRead()));
  if (!Fenced(before)) return false;
  if (before.control.next_slot <= conditions_.min_position->slot) return false;
  SAFFRON_ASSIGN(std::vector<Reservation> unsettled, context_.registry.Reservations());
  for (const Reservation& reservation : unsettled) {
    if (reservation.slot <= conditions_.min_position->slot) return false;
  }
  Position after;
  for (int page = 0; page < kMaxPages; ++page) {
    SAFFRON_ASSIGN(std::vector<CommandRow> rows, context_.registry.Undecided(after, kPageRows));
    for (const CommandRow& row : rows) {
      after = row.location->position;
      if (after > *conditions_.min_position) break;
      if (!OfDatabase(row.aggregate, conditions_.db)) continue;
      SAFFRON_ASSIGN(bool parked, Parked(row));
      if (!parked) return false;
    }
    if (rows.size() < kPageRows || after > *conditions_.min_position) {
      SAFFRON_ASSIGN(RegistryRows now, context_.registry.Read(RegistryRead()));
      // What was read in between may be of another one.
      if (!Fenced(now) || now.live_incarnation != before.live_incarnation) return false;
      target_ = SlotNumber(now.control.next_slot.value - 1);
      return true;
    }
  }
  return false;
}

Result<bool> ReadGate::Parked(const CommandRow& row) {
  if (Mutated(Mutation::kParkedBlocksReads)) return false;
  ParkKey key{std::string(HandlerOf(row.aggregate.type)), row.aggregate};
  ClaimRead read;
  read.parked = {key};
  SAFFRON_ASSIGN(ClaimRows rows, claims_.Read(read));
  auto found = rows.parked.find(key);
  if (found == rows.parked.end() || found->second.first > row.number) return false;
  std::string warning =
      "parked: " + row.aggregate.ToString() + " at " + std::to_string(found->second.first.value);
  if (warnings_.empty() || warnings_.back() != warning) warnings_.push_back(std::move(warning));
  return true;
}

}  // namespace saffron
