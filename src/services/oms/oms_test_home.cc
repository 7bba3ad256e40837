#include "services/oms/oms_test_home.h"

#include "domain/decide.h"
#include "eventlog/recovery.h"

namespace saffron {

OmsTestHome::OmsTestHome()
    : registry({[this] { return runtime.WallNow().unix_ms; }}), deciders_(runtime) {
  auto format = OpenFormat(store, runtime, EventLogFormat(), false);
  SAFFRON_ASSERT(format.ok());
  context.reset(new LogContext{runtime, store, registry, log, *format, 0, "test"});
  SAFFRON_ASSERT(OpenRegistry(*context).ok());
  append = std::make_unique<AppendLog>(*context, AppendOptions(), nullptr);
  catalog = std::make_unique<OntologyCatalog>(*context);
  tasks = std::make_unique<RequestTasks>(runtime, RequestTasks::Options());
  service = std::make_unique<CommandService>(*context, *append, *catalog, *tasks);
  append->Start();
  tasks->Start();
}

OmsTestHome::~OmsTestHome() {
  runtime.RequestStop();
  deciders_.JoinAll();
  append->Stop(runtime.Now());
  tasks->Stop();
}

void OmsTestHome::Decide(const CommandRow& row) {
  Result<Envelope> command = ReadEvent(*context, *row.location);
  SAFFRON_ASSERT(command.ok());
  RegistryRead read;
  read.aggregates = {row.aggregate};
  Result<RegistryRows> rows = registry.Read(read);
  SAFFRON_ASSERT(rows.ok());
  const DecidedState& decided = rows->aggregates.at(row.aggregate).decided;
  if (decided.number.Next() != row.number) return;
  std::optional<PriorOutcome> prior;
  if (decided.number != SequenceNumber()) {
    Result<Envelope> before = ReadEvent(*context, decided.outcome);
    SAFFRON_ASSERT(before.ok());
    prior = PriorOutcome{*DecodeOutcome(before->data), decided.outcome.position};
  }
  std::shared_ptr<const EffectiveClass> effective;
  if (row.aggregate.type == AggregateType::kInstance) {
    AggregateParts parts = *SplitAggregateId(row.aggregate);
    OntologyCatalog fresh(*context);
    auto view = fresh.Refresh(parts.db, parts.branch);
    if (view.ok() && (*view)->ontology) {
      auto found = (*view)->ontology->Effective(parts.class_id);
      if (found.ok()) effective = *found;
    }
  }
  Decision decision = saffron::Decide(*command, prior, effective.get());
  AppendItem item;
  item.envelope = OutcomeEnvelope(*command, decision, prior, runtime.WallNow().ToRfc3339(), "test",
                                  context->format.max_event_bytes);
  item.outcome = *DecodeOutcome(item.envelope.data);
  AppendRequest request;
  request.items.push_back(std::move(item));
  append->Append(std::move(request), After(seconds(5)));
}

std::size_t OmsTestHome::DecideAll() {
  std::size_t decided = 0;
  while (!runtime.StopRequested()) {
    // A command is in the work list, and its outcome in its row, once its batch is settled.
    Result<std::vector<Reservation>> reservations = registry.Reservations();
    SAFFRON_ASSERT(reservations.ok());
    if (!reservations->empty()) {
      context->settled.WaitFor(SlotNumber(~0ULL), After(milliseconds(1)));
      continue;
    }
    Result<std::vector<CommandRow>> work = registry.Undecided(Position(), 1000);
    SAFFRON_ASSERT(work.ok());
    if (work->empty()) break;
    for (const CommandRow& row : *work) Decide(row);
    decided += work->size();
  }
  return decided;
}

void OmsTestHome::KeepDeciding() {
  deciders_.Spawn("decider", [this] {
    while (runtime.SleepFor(milliseconds(1))) DecideAll();
  });
}

WriteRequest OmsTestHome::Request(WriteCommand command, const std::string& db) {
  WriteRequest request;
  request.request_id = EventId(runtime.NewUuid());
  request.db = db;
  request.commands.push_back(std::move(command));
  request.actor = "tester";
  request.deadline = After(seconds(5));
  return request;
}

WriteAnswer OmsTestHome::Write(WriteCommand command, const std::string& db) {
  return service->WriteAndWait(Request(std::move(command), db));
}

void OmsTestHome::MakeOrders() {
  ASSERT_EQ(Write(CreateDatabase()).code, WriteCode::kAccepted);
  DecideAll();
  ASSERT_EQ(Write(ClassCommand(Operation::kCreate, "Order", kOrderClass)).code,
            WriteCode::kAccepted);
  DecideAll();
}

WriteCommand CreateDatabase() {
  WriteCommand command;
  command.type = AggregateType::kDatabase;
  return command;
}

WriteCommand DeleteDatabase(std::uint64_t expected) {
  WriteCommand command = CreateDatabase();
  command.operation = Operation::kDelete;
  command.expected_seq = SequenceNumber(expected);
  return command;
}

WriteCommand ClassCommand(Operation operation, std::string id, std::string definition,
                          std::uint64_t expected) {
  WriteCommand command;
  command.type = AggregateType::kOntologyClass;
  command.operation = operation;
  command.class_id = std::move(id);
  command.body = std::move(definition);
  if (operation != Operation::kCreate) command.expected_seq = SequenceNumber(expected);
  return command;
}

WriteCommand CreateInstance(std::string class_id, std::string document) {
  WriteCommand command;
  command.class_id = std::move(class_id);
  command.body = std::move(document);
  return command;
}

WriteCommand UpdateInstance(std::string class_id, std::string id, std::string patch,
                            std::uint64_t expected) {
  WriteCommand command = CreateInstance(std::move(class_id), std::move(patch));
  command.operation = Operation::kUpdate;
  command.instance_id = std::move(id);
  command.expected_seq = SequenceNumber(expected);
  return command;
}

WriteCommand DeleteInstance(std::string class_id, std::string id, std::uint64_t expected) {
  WriteCommand command = UpdateInstance(std::move(class_id), std::move(id), "", expected);
  command.operation = Operation::kDelete;
  return command;
}

}  // namespace saffron
