#include "eventlog/draft.h"

namespace saffron {

const AggregateRow& Draft::Get(const AggregateKey& key) {
  if (auto edited = aggregates_.find(key); edited != aggregates_.end()) return edited->second;
  if (auto read = rows_.aggregates.find(key); read != rows_.aggregates.end()) return read->second;
  static const AggregateRow blank;
  return blank;
}

AggregateRow& Draft::Edit(const AggregateKey& key) {
  auto edited = aggregates_.find(key);
  if (journaling_) {
    aggregate_journal_.emplace_back(key, edited == aggregates_.end()
                                             ? std::nullopt
                                             : std::optional<AggregateRow>(edited->second));
  }
  if (edited != aggregates_.end()) return edited->second;
  auto read = rows_.aggregates.find(key);
  AggregateRow row = read == rows_.aggregates.end() ? AggregateRow() : read->second;
  row.key = key;
  return aggregates_.emplace(key, std::move(row)).first->second;
}

const CommandRow* Draft::FindCommand(const EventId& id) const {
  if (auto edited = commands_.find(id); edited != commands_.end()) {
    return edited->second ? &*edited->second : nullptr;
  }
  auto read = rows_.commands.find(id);
  return read == rows_.commands.end() ? nullptr : &read->second;
}

CommandRow& Draft::EditCommand(const EventId& id) {
  auto edited = commands_.find(id);
  if (journaling_) {
    command_journal_.emplace_back(
        id, edited == commands_.end() ? std::nullopt
                                      : std::optional<std::optional<CommandRow>>(edited->second));
  }
  if (edited == commands_.end()) {
    auto read = rows_.commands.find(id);
    edited = commands_.emplace(id, std::nullopt).first;
    if (read != rows_.commands.end()) edited->second = read->second;
  }
  if (!edited->second) {
    edited->second.emplace();
    edited->second->id = id;
  }
  return *edited->second;
}

void Draft::DeleteCommand(const EventId& id) {
  SAFFRON_ASSERT(!journaling_);
  commands_[id] = std::nullopt;
}

const Reservation* Draft::FindReservation(const BatchId& batch) const {
  if (auto edited = reservations_.find(batch); edited != reservations_.end()) {
    return edited->second ? &*edited->second : nullptr;
  }
  auto read = rows_.reservations.find(batch);
  return read == rows_.reservations.end() ? nullptr : &read->second;
}

void Draft::PutReservation(Reservation reservation) {
  if (FindReservation(reservation.batch) == nullptr) ++added_;
  BatchId batch = reservation.batch;
  reservations_[batch] = std::move(reservation);
}

void Draft::DeleteReservation(const BatchId& batch) {
  if (FindReservation(batch) == nullptr) return;
  ++removed_;
  reservations_[batch] = std::nullopt;
}

void Draft::Savepoint() {
  journaling_ = true;
  aggregate_journal_.clear();
  command_journal_.clear();
}

void Draft::Rollback() {
  for (auto entry = aggregate_journal_.rbegin(); entry != aggregate_journal_.rend(); ++entry) {
    if (entry->second) {
      aggregates_[entry->first] = std::move(*entry->second);
    } else {
      aggregates_.erase(entry->first);
    }
  }
  for (auto entry = command_journal_.rbegin(); entry != command_journal_.rend(); ++entry) {
    if (entry->second) {
      commands_[entry->first] = std::move(*entry->second);
    } else {
      commands_.erase(entry->first);
    }
  }
  journaling_ = false;
}

RegistryWrite Draft::Take() {
  RegistryWrite write;
  if (!(control_ == rows_.control)) write.control = control_;
  write.put_aggregates.reserve(aggregates_.size());
  for (auto& [key, row] : aggregates_) write.put_aggregates.push_back(std::move(row));
  for (auto& [id, row] : commands_) {
    if (row) {
      write.put_commands.push_back(std::move(*row));
    } else if (rows_.commands.contains(id)) {
      write.delete_commands.push_back(id);
    }
  }
  for (auto& [batch, reservation] : reservations_) {
    if (reservation) {
      write.put_reservations.push_back(std::move(*reservation));
    } else if (rows_.reservations.contains(batch)) {
      write.delete_reservations.push_back(batch);
    }
  }
  write.done = std::move(done_);
  return write;
}

}  // namespace saffron
