#include "services/worker/parking.h"

#include "eventlog/mutation.h"
namespace saffron {
namespace {

constexpr std::size_t kPage = 50;
constexpr Duration kProduceTimeout = seconds(10);

Result<AggregateRow> RowOf(LogContext& context, const AggregateKey& key) {
  RegistryRead read;
  read.aggregates.push_back(key);
  SAFFRON_ASSIGN(RegistryRows rows, context.registry.Read(read));
  AggregateRow row = rows.aggregates[key];
  row.key = key;
  return row;
}

Result<std::vector<Envelope>> UndecidedOf(LogContext& context, const AggregateRow& row) {
  SAFFRON_ASSIGN(std::vector<CommandRow> rows,
                 context.registry.CommandsOf(row.key, row.decided.number.Next(),
                                             SequenceNumber(~0ULL), kPage));
  std::vector<Envelope> commands;
  for (const CommandRow& command : rows) {
    SAFFRON_ASSIGN(Envelope envelope, ReadEvent(context, *command.location));
    commands.push_back(std::move(envelope));
  }
  return commands;
}

// True: freed. False: something was accepted meanwhile.
Result<bool> Free(ClaimRegistry& claims, const ParkKey& key) {
  ClaimRead read;
  read.parked.push_back(key);
  read.aggregates.push_back(key.aggregate);
  bool freed = false;
  SAFFRON_TRY(claims.Transact(read, [&](const ClaimRows& rows) {
    ClaimWrite write;
    auto row = rows.aggregates.find(key.aggregate);
    freed = row == rows.aggregates.end() ||
            (!row->second.pending && row->second.accepted.number == row->second.decided.number) ||
            Mutated(Mutation::kFreeWhilePending);
    if (freed) write.delete_parked.push_back(key);
    return write;
  }));
  return freed;
}

Status AnswerOf(const AppendAnswer& answer) {
  switch (answer.code) {
    case AppendCode::kCommitted:
    case AppendCode::kOutcomeExists:
    case AppendCode::kBasisChanged: return Ok();
    default: return Unavailable("the outcome could not be appended: " + answer.message);
  }
}

}  // namespace

Status ParkAggregate(ClaimRegistry& claims, MessageBus& bus, const ClaimTerms& terms,
                     const Envelope& command, const std::string& reason) {
  BusMessage letter;
  letter.topic = kCommandFailuresTopic;
  letter.key = command.aggregate.id;
  letter.value = EncodeEnvelope(command);
  letter.headers = {
      {"event_id", command.event_id.ToString()}, {"handler", terms.handler}, {"reason", reason}};
  SAFFRON_ASSIGN(std::vector<Delivery> delivered, bus.Produce({letter}, kProduceTimeout));
  if (delivered.front().refused) return *delivered.front().refused;
  const ParkKey key{terms.handler, command.aggregate};
  const ClaimKey claim{terms.handler, command.event_id};
  ClaimRead read;
  read.claims.push_back(claim);
  read.parked.push_back(key);
  return claims.Transact(read, [&](const ClaimRows& rows) {
    ClaimWrite write;
    if (rows.parked.contains(key)) return write;
    write.put_parked.push_back(
        {key, command.sequence_number, command.event_id, reason, rows.now_ms});
    auto found = rows.claims.find(claim);
    if (found != rows.claims.end()) {
      ClaimRow row = found->second;
      row.status = ClaimStatus::kFailed;
      row.owner.clear();
      row.last_error = reason;
      row.processed_ms = rows.now_ms;
      write.put_claims.push_back(std::move(row));
    }
    return write;
  });
}

Result<ReplayReport> ReplayParked(LogContext& context, AppendLog& log, ClaimRegistry& claims,
                                  const ParkKey& key, Instant deadline) {
  Decider decider(context, std::string(ServiceOf(key.handler)));
  ReplayReport report;
  while (context.runtime.Now() < deadline) {
    SAFFRON_ASSIGN(AggregateRow row, RowOf(context, key.aggregate));
    SAFFRON_ASSIGN(std::vector<Envelope> commands, UndecidedOf(context, row));
    if (commands.empty()) {
      SAFFRON_ASSIGN(report.freed, Free(claims, key));
      if (report.freed) return report;
      if (!context.runtime.SleepFor(milliseconds(20))) break;
      continue;
    }
    SAFFRON_ASSIGN(AppendRequest request, decider.Decide(row, commands));
    AppendAnswer answer = log.Append(std::move(request), deadline);
    SAFFRON_TRY(AnswerOf(answer));
    if (answer.code == AppendCode::kCommitted) report.decided += answer.items.size();
  }
  return Unavailable("not freed in time: commands keep coming");
}

Result<ReplayReport> DiscardParked(LogContext& context, AppendLog& log, ClaimRegistry& claims,
                                   const ParkKey& key, const std::string& reason,
                                   Instant deadline) {
  SAFFRON_ASSIGN(AggregateRow row, RowOf(context, key.aggregate));
  SAFFRON_ASSIGN(std::vector<Envelope> commands, UndecidedOf(context, row));
  if (commands.empty()) return ReplayParked(context, log, claims, key, deadline);
  std::optional<PriorOutcome> prior;
  if (row.decided.number.value > 0) {
    SAFFRON_ASSIGN(Envelope event, ReadEvent(context, row.decided.outcome));
    SAFFRON_ASSIGN(Outcome outcome, DecodeOutcome(event.data));
    prior = PriorOutcome{std::move(outcome), row.decided.outcome.position};
  }
  Decision decision{EventType::Rejected(key.aggregate.type), prior ? prior->outcome : Outcome()};
  decision.outcome.basis = prior ? std::optional<Position>(prior->position) : std::nullopt;
  decision.outcome.reason_code = "discarded";
  decision.outcome.reason_message = reason;
  AppendRequest request;
  AppendItem item;
  item.envelope =
      OutcomeEnvelope(commands.front(), decision, prior, context.runtime.WallNow().ToRfc3339(),
                      "operator", context.format.max_event_bytes);
  item.outcome = std::move(decision.outcome);
  request.items.push_back(std::move(item));
  if (!Mutated(Mutation::kDiscardNotLogged)) {
    SAFFRON_TRY(AnswerOf(log.Append(std::move(request), deadline)));
  }
  return ReplayParked(context, log, claims, key, deadline);
}

}  // namespace saffron
