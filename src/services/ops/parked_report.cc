#include "services/ops/parked_report.h"

#include "services/ops/json_writer.h"

namespace saffron {
namespace {

JsonWriter RowWriter(const ParkedRow& row) {
  JsonWriter writer;
  writer.Text("handler", row.key.handler)
      .Text("aggregate_type", AggregateTypeName(row.key.aggregate.type))
      .Text("aggregate_id", row.key.aggregate.id)
      .Number("first_sequence_number", row.first.value)
      .Text("command_id", row.event.ToString())
      .Text("reason", row.reason)
      .Text("parked_at", WallTime{row.parked_ms}.ToRfc3339());
  return writer;
}

}  // namespace

Result<std::string> ListParked(ClaimRegistry& claims, const std::string& handler,
                               std::size_t limit) {
  SAFFRON_ASSIGN(std::vector<ParkedRow> rows, claims.Parked(handler, std::nullopt, limit + 1));
  const bool more = rows.size() > limit;
  if (more) rows.pop_back();
  return JsonWriter()
      .Raw("parked", JsonArray(rows, [](const ParkedRow& row) { return RowWriter(row).Take(); }))
      .Flag("more", more)
      .Take();
}

Result<ParkedRow> FindParked(ClaimRegistry& claims, const ParkKey& key) {
  ClaimRead read;
  read.parked.push_back(key);
  SAFFRON_ASSIGN(ClaimRows rows, claims.Read(read));
  auto found = rows.parked.find(key);
  if (found == rows.parked.end()) {
    return NotFound(key.aggregate.ToString() + " is not parked for " + key.handler);
  }
  return found->second;
}

Result<std::string> ShowParked(LogContext& context, ClaimRegistry& claims, const ParkKey& key,
                               std::size_t limit) {
  SAFFRON_ASSIGN(ParkedRow row, FindParked(claims, key));
  ClaimRead read;
  read.claims.push_back({key.handler, row.event});
  SAFFRON_ASSIGN(ClaimRows rows, claims.Read(read));
  SAFFRON_ASSIGN(
      std::vector<CommandRow> commands,
      context.registry.CommandsOf(key.aggregate, row.first, SequenceNumber(~0ULL), limit));
  std::vector<std::string> waiting;
  for (const CommandRow& command : commands) {
    if (command.outcome) continue;
    SAFFRON_ASSIGN(Envelope envelope, ReadEvent(context, *command.location));
    waiting.push_back(EncodeEnvelope(envelope));
  }
  auto claim = rows.claims.find(read.claims.front());
  return RowWriter(row)
      .Number("attempts", claim == rows.claims.end() ? 0 : claim->second.attempt_count)
      .Raw("commands", JsonArray(waiting, [](const std::string& command) { return command; }))
      .Take();
}

}  // namespace saffron
