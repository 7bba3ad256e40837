// Draft: the rows of one registry transaction as its rules change them. Copy on write over what was
// read; gives the write-set at the end. Lives inside one Transact; one thread.
#pragma once

#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "ports/append_registry.h"

namespace saffron {

class Draft {
 public:
  explicit Draft(const RegistryRows& rows) : rows_(rows), control_(rows.control) {}

  const RegistryRows& rows() const { return rows_; }
  // Absent rows read as blank ones.
  const AggregateRow& Get(const AggregateKey& key);
  AggregateRow& Edit(const AggregateKey& key);
  const CommandRow* FindCommand(const EventId& id) const;
  CommandRow& EditCommand(const EventId& id);
  void DeleteCommand(const EventId& id);
  const Reservation* FindReservation(const BatchId& batch) const;
  void PutReservation(Reservation reservation);
  void DeleteReservation(const BatchId& batch);
  void AddDone(DoneClaim done) { done_.push_back(std::move(done)); }
  RegistryControl& control() { return control_; }
  std::uint64_t outstanding() const { return rows_.outstanding + added_ - removed_; }
  // Rows that this transaction has changed so far.
  const std::unordered_map<AggregateKey, AggregateRow>& edited() const { return aggregates_; }

  // Everything edited after Savepoint() is taken back by Rollback().
  void Savepoint();
  void Rollback();

  RegistryWrite Take();

 private:
  const RegistryRows& rows_;
  RegistryControl control_;
  std::unordered_map<AggregateKey, AggregateRow> aggregates_;
  // Nothing: deleted.
  std::unordered_map<EventId, std::optional<CommandRow>> commands_;
  std::map<BatchId, std::optional<Reservation>> reservations_;
  std::vector<DoneClaim> done_;
  std::uint64_t added_ = 0, removed_ = 0;
  bool journaling_ = false;
  std::vector<std::pair<AggregateKey, std::optional<AggregateRow>>> aggregate_journal_;
  std::vector<std::pair<EventId, std::optional<std::optional<CommandRow>>>> command_journal_;
};

}  // namespace saffron
