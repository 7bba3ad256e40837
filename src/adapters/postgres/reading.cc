#include "adapters/postgres/reading.h"

#include <algorithm>
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

// Rows that were read are updated, others upserted.
template <class Row, class IsKnown, class Encode>
void AddPuts(Pool::Plan& plan, const std::vector<Row>& rows, IsKnown is_known,
             const Statement& update, const Statement& upsert, Encode encode) {
  std::vector<Row> known, unknown;
  for (const Row& row : rows) (is_known(row) ? known : unknown).push_back(row);
  if (!known.empty()) Add(plan, update, encode(known));
  if (!unknown.empty()) Add(plan, upsert, encode(unknown));
}

void TakeAggregates(const Rows& answer, std::unordered_map<AggregateKey, AggregateRow>& rows) {
  for (int i = 0; i < answer.size(); ++i) {
    AggregateRow row = DecodeAggregate(Fields(answer, i));
    AggregateKey key = row.key;
    rows.emplace(std::move(key), std::move(row));
  }
}

void TakeCommands(const Rows& answer, std::unordered_map<EventId, CommandRow>& rows) {
  for (int i = 0; i < answer.size(); ++i) {
    CommandRow row = DecodeCommand(Fields(answer, i));
    const EventId id = row.id;
    rows.emplace(id, std::move(row));
  }
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
  if (!read.aggregates.empty()) TakeAggregates(answers.at(next++), rows.aggregates);
  if (!read.commands.empty()) TakeCommands(answers.at(next++), rows.commands);
  if (!read.reservations.empty()) {
    const Rows& found = answers.at(next++);
    for (int i = 0; i < found.size(); ++i) {
      SAFFRON_ASSIGN(Reservation row, DecodeReservation(Fields(found, i)));
      const BatchId batch = row.batch;
      rows.reservations.emplace(batch, std::move(row));
    }
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
  const auto take = [&](bool asked, auto decode) {
    if (!asked) return;
    const Rows& found = answers.at(next++);
    for (int i = 0; i < found.size(); ++i) decode(Fields(found, i));
  };
  take(!read.claims.empty(), [&](Fields fields) {
    ClaimRow row = DecodeClaim(fields);
    ClaimKey key = row.key;
    rows.claims.emplace(std::move(key), std::move(row));
  });
  take(!read.parked.empty(), [&](Fields fields) {
    ParkedRow row = DecodeParked(fields);
    ParkKey key = row.key;
    rows.parked.emplace(std::move(key), std::move(row));
  });
  take(!read.leases.empty(), [&](Fields fields) {
    LeaseRow row = DecodeLease(fields);
    std::string name = row.name;
    rows.leases.emplace(std::move(name), std::move(row));
  });
  if (!read.aggregates.empty()) TakeAggregates(answers.at(next++), rows.aggregates);
  if (!read.commands.empty()) TakeCommands(answers.at(next++), rows.commands);
  return rows;
}

// Claims before aggregates and commands: what both sides write comes first.
Pool::Plan PlanOf(std::string_view prefix, const RegistryRows& rows, const RegistryWrite& write) {
  const Statements& s = AllStatements();
  Pool::Plan plan;
  if (!write.done.empty()) {
    Add(plan, s.put_done, Encode(write.done, rows.now_ms));
    Add(plan, s.put_consumed, EncodeConsumed(write.done, rows.now_ms));
  }
  AddPuts(
      plan, write.put_aggregates,
      [&](const AggregateRow& row) { return rows.aggregates.contains(row.key); },
      s.update_aggregates, s.put_aggregates,
      [&](const auto& some) { return Encode(prefix, some, rows.now_ms); });
  AddPuts(
      plan, write.put_commands,
      [&](const CommandRow& row) { return rows.commands.contains(row.id); }, s.update_commands,
      s.put_commands, [](const auto& some) { return Encode(some); });
  if (!write.delete_commands.empty()) Add(plan, s.delete_commands, KeysOf(write.delete_commands));
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

Pool::Plan PlanOf(const ClaimRows& rows, const ClaimWrite& write) {
  const Statements& s = AllStatements();
  Pool::Plan plan;
  AddPuts(
      plan, write.put_claims, [&](const ClaimRow& row) { return rows.claims.contains(row.key); },
      s.update_claims, s.put_claims, [](const auto& some) { return Encode(some); });
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
