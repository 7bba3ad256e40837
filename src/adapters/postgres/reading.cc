#include "adapters/postgres/reading.h"

#include <algorithm>
#include <map>
#include <utility>

namespace saffron::postgres {

namespace {

const Statement kNow{"now", "select clock_timestamp()"};

void Add(Pool::Plan& plan, const Statement& statement, std::vector<Value> values) {
  plan.emplace_back(&statement, std::move(values));
}

Pool::Plan::value_type MembersOf(std::string_view prefix, const RegistryRead::Members& members) {
  return {&AllStatements().members,
          {Text(AllocatorHandler(prefix, AggregateType::kInstance)),
           Text(members.class_key.id + ":"), Text(members.class_key.id + ";"),
           Int8(members.scope.database.value), Int8(members.scope.class_.value)}};
}

struct PutStatements {
  const Statement &update, &insert, &upsert;
};

// Rows that were read are updated.
template <class Row, class IsKnown, class Encode>
void AddPuts(Pool::Plan& plan, const std::vector<Row>& rows, IsKnown is_known, Puts puts,
             const PutStatements& s, Encode encode) {
  std::vector<Row> known, unknown;
  for (const Row& row : rows) (is_known(row) ? known : unknown).push_back(row);
  if (!known.empty()) Add(plan, s.update, encode(known));
  if (!unknown.empty()) Add(plan, puts == Puts::kInsert ? s.insert : s.upsert, encode(unknown));
}

bool IsUndecided(const CommandRow& row) { return row.settled() && !row.outcome; }

// With the rows of the work list, which must be those of the commands. Deleted commands were never
// on it, but for what nobody but a test does.
void AddCommands(Pool::Plan& plan, const RegistryRows& rows, const RegistryWrite& write,
                 Puts puts) {
  const Statements& s = AllStatements();
  std::map<EventId, const CommandRow*> last;
  for (const CommandRow& row : write.put_commands) last.insert_or_assign(row.id, &row);
  std::vector<CommandRow> come, gone;
  std::vector<EventId> unknown;
  for (const auto& [id, row] : last) {
    auto known = rows.commands.find(id);
    const CommandRow* old = known == rows.commands.end() ? nullptr : &known->second;
    if (old == nullptr) unknown.push_back(id);
    const bool was = old != nullptr && IsUndecided(*old), is = IsUndecided(*row);
    if (was && is && old->location->position == row->location->position) continue;
    if (was) gone.push_back(*old);
    if (is) come.push_back(*row);
  }
  if (!gone.empty()) Add(plan, s.delete_undecided, EncodeUndecided(gone));
  if (puts == Puts::kUpsert && !unknown.empty()) Add(plan, s.forget_undecided, KeysOf(unknown));
  AddPuts(
      plan, write.put_commands,
      [&](const CommandRow& row) { return rows.commands.contains(row.id); }, puts,
      {s.update_commands, s.insert_commands, s.put_commands},
      [](const auto& some) { return Encode(some); });
  if (!come.empty()) Add(plan, s.insert_undecided, EncodeUndecided(come));
  if (write.delete_commands.empty()) return;
  Add(plan, s.forget_undecided, KeysOf(write.delete_commands));
  Add(plan, s.delete_commands, KeysOf(write.delete_commands));
}

// Puts the rows of an answer under their keys.
template <class Row, class Decode, class Key, class Map>
Status Take(const Rows& answer, Decode decode, Key Row::*key, Map& rows) {
  for (int i = 0; i < answer.size(); ++i) {
    SAFFRON_ASSIGN(Row row, decode(Fields(answer, i)));
    Key at = row.*key;
    rows.emplace(std::move(at), std::move(row));
  }
  return Ok();
}

Status TakeAggregates(const Rows& answer, std::unordered_map<AggregateKey, AggregateRow>& rows) {
  return Take(answer, &DecodeAggregate, &AggregateRow::key, rows);
}

Status TakeCommands(const Rows& answer, std::unordered_map<EventId, CommandRow>& rows) {
  return Take(answer, &DecodeCommand, &CommandRow::id, rows);
}

}  // namespace

Pool::Plan PlanOf(std::string_view prefix, const RegistryRead& read) {
  const Statements& s = AllStatements();
  Pool::Plan plan;
  Add(plan, s.control, {});
  if (!read.aggregates.empty()) Add(plan, s.aggregates, KeysOf(prefix, read.aggregates));
  if (!read.commands.empty()) Add(plan, s.commands, KeysOf(read.commands));
  if (!read.reservations.empty()) Add(plan, s.reservations, KeysOf(read.reservations));
  for (const auto& members : read.members) plan.push_back(MembersOf(prefix, members));
  return plan;
}

Result<RegistryRows> Decode(const RegistryRead& read, const std::vector<Rows>& answers,
                            std::size_t first) {
  RegistryRows rows;
  std::size_t next = first;
  const Rows& control = answers.at(next++);
  if (control.size() != 1) return Corrupt("registry_control has not one row");
  Fields fields(control, 0);
  if (fields.IsNull()) {
    fields.Skip(1);
  } else {
    rows.control.log = LogId{fields.Uuid()};
  }
  rows.control.fenced_incarnation = fields.Text();
  rows.control.next_slot = SlotNumber(fields.Int8());
  rows.now_ms = fields.Time();
  rows.outstanding = fields.Int8();
  rows.live_incarnation = fields.Text();
  if (!fields.whole()) return Corrupt("the row of registry_control cannot be read");
  if (!read.aggregates.empty()) SAFFRON_TRY(TakeAggregates(answers.at(next++), rows.aggregates));
  if (!read.commands.empty()) SAFFRON_TRY(TakeCommands(answers.at(next++), rows.commands));
  if (!read.reservations.empty()) {
    SAFFRON_TRY(
        Take(answers.at(next++), &DecodeReservation, &Reservation::batch, rows.reservations));
  }
  for (std::size_t i = 0; i < read.members.size(); ++i) {
    Fields counts(answers.at(next++), 0);
    MemberCount& members = rows.members.emplace_back();
    members.present = counts.Int8();
    members.pending = counts.Int8();
  }
  return rows;
}

Pool::Plan PlanOf(std::string_view prefix, const ClaimRead& read) {
  const Statements& s = AllStatements();
  Pool::Plan plan;
  Add(plan, kNow, {});
  if (!read.claims.empty()) Add(plan, s.claims, KeysOf(read.claims));
  if (!read.parked.empty()) Add(plan, s.parked, KeysOf(read.parked));
  if (!read.leases.empty()) Add(plan, s.leases, KeysOf(read.leases));
  if (!read.aggregates.empty()) Add(plan, s.aggregates, KeysOf(prefix, read.aggregates));
  if (!read.commands.empty()) Add(plan, s.commands, KeysOf(read.commands));
  return plan;
}

Result<ClaimRows> Decode(const ClaimRead& read, const std::vector<Rows>& answers,
                         std::size_t first) {
  ClaimRows rows;
  std::size_t next = first;
  rows.now_ms = Fields(answers.at(next++), 0).Time();
  if (!read.claims.empty()) {
    SAFFRON_TRY(Take(answers.at(next++), &DecodeClaim, &ClaimRow::key, rows.claims));
  }
  if (!read.parked.empty()) {
    SAFFRON_TRY(Take(answers.at(next++), &DecodeParked, &ParkedRow::key, rows.parked));
  }
  if (!read.leases.empty()) {
    SAFFRON_TRY(Take(answers.at(next++), &DecodeLease, &LeaseRow::name, rows.leases));
  }
  if (!read.aggregates.empty()) SAFFRON_TRY(TakeAggregates(answers.at(next++), rows.aggregates));
  if (!read.commands.empty()) SAFFRON_TRY(TakeCommands(answers.at(next++), rows.commands));
  return rows;
}

Puts NextPuts(const std::optional<Failure>& failure, Puts now) {
  return failure && failure->Is("23505") ? Puts::kUpsert : now;
}

// Claims before aggregates and commands: what both sides write comes first.
Pool::Plan PlanOf(std::string_view prefix, const RegistryRows& rows, const RegistryWrite& write,
                  Puts puts) {
  const Statements& s = AllStatements();
  Pool::Plan plan;
  if (!write.done.empty()) {
    Add(plan, s.put_done, Encode(write.done, rows.now_ms));
    Add(plan, s.put_consumed, EncodeConsumed(write.done, rows.now_ms));
  }
  AddPuts(
      plan, write.put_aggregates,
      [&](const AggregateRow& row) { return rows.aggregates.contains(row.key); }, puts,
      {s.update_aggregates, s.insert_aggregates, s.put_aggregates},
      [&](const auto& some) { return Encode(prefix, some, rows.now_ms); });
  AddCommands(plan, rows, write, puts);
  if (!write.put_reservations.empty()) {
    Add(plan, s.put_reservations, Encode(write.put_reservations));
  }
  if (!write.delete_reservations.empty()) {
    Add(plan, s.delete_reservations, KeysOf(write.delete_reservations));
  }
  if (write.control) {
    Add(plan, s.put_control,
        {Value{std::string(write.control->log.bytes())}, Text(write.control->fenced_incarnation),
         Int8(write.control->next_slot.value)});
  }
  return plan;
}

Pool::Plan PlanOf(const ClaimRows& rows, const ClaimWrite& write, Puts puts) {
  const Statements& s = AllStatements();
  Pool::Plan plan;
  AddPuts(
      plan, write.put_claims, [&](const ClaimRow& row) { return rows.claims.contains(row.key); },
      puts, {s.update_claims, s.insert_claims, s.put_claims},
      [](const auto& some) { return Encode(some); });
  if (!write.put_parked.empty()) Add(plan, s.put_parked, Encode(write.put_parked));
  if (!write.delete_parked.empty()) Add(plan, s.delete_parked, KeysOf(write.delete_parked));
  if (!write.put_leases.empty()) Add(plan, s.put_leases, Encode(write.put_leases));
  return plan;
}

std::optional<SlotNumber> Settles(const RegistryRows& rows, const RegistryWrite& write) {
  std::optional<SlotNumber> highest;
  const auto raise = [&](SlotNumber slot) { highest = std::max(highest.value_or(slot), slot); };
  for (const BatchId& batch : write.delete_reservations) {
    auto reservation = rows.reservations.find(batch);
    if (reservation != rows.reservations.end()) raise(reservation->second.slot);
  }
  // A fence applies slots that nobody has reserved.
  const bool recovers = write.control && write.put_reservations.empty() &&
                        write.control->next_slot > rows.control.next_slot;
  if (recovers) raise(SlotNumber(write.control->next_slot.value - 1));
  return highest;
}

}  // namespace saffron::postgres
