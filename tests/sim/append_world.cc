#include "tests/sim/append_world.h"

#include <map>

#include "base/channel.h"

namespace saffron {
namespace {

std::int64_t EngineMillis(Simulation& sim) {
  return 1'767'225'600'000 + std::chrono::duration_cast<milliseconds>(sim.Now()).count();
}

// Every seventh command is rejected: decided by its id, so that every decider agrees.
Outcome DecideSimply(const CommandRow& command, const std::optional<Outcome>& prior) {
  Outcome outcome = prior.value_or(Outcome());
  const bool present = outcome.lifecycle == Lifecycle::kPresent;
  const bool create = command.type.operation == Operation::kCreate;
  const bool refuse = static_cast<unsigned char>(command.id.bytes()[15]) % 7 == 0;
  outcome.basis.reset();
  outcome.reason_code.clear();
  if (refuse || create == present) {
    outcome.reason_code = "refused";
    outcome.reason_message = "by the test";
    return outcome;
  }
  if (create) outcome.incarnation = command.number;
  bool removed = command.type.operation == Operation::kDelete;
  outcome.lifecycle = removed ? Lifecycle::kAbsent : Lifecycle::kPresent;
  outcome.document = removed ? "" : "{\"n\":" + std::to_string(command.number.value) + "}";
  return outcome;
}

}  // namespace

AppendItem MakeCommand(EventId id, const std::string& aggregate, Operation operation,
                       std::optional<SequenceNumber> expected) {
  AppendItem item;
  Envelope& envelope = item.envelope;
  envelope.event_id = id;
  envelope.type = EventType::Requested(AggregateType::kInstance, operation);
  envelope.aggregate = AggregateKey::Instance("sim", "main", "Thing", aggregate);
  envelope.occurred_at = "2026-01-01T00:00:00.000Z";
  envelope.actor = "client";
  envelope.data = operation == Operation::kDelete ? "{}" : "{\"document\":{}}";
  envelope.metadata.service = "test";
  envelope.metadata.command_id = id;
  envelope.metadata.command_type = envelope.type;
  envelope.metadata.request_sha256[0] = static_cast<std::uint8_t>(operation);
  item.expected_seq = expected;
  return item;
}

AppendItem OutcomeItem(const CommandRow& command, const Outcome& outcome) {
  AppendItem item;
  Envelope& envelope = item.envelope;
  envelope.type = outcome.reason_code.empty()
                      ? EventType::Done(AggregateType::kInstance, command.type.operation)
                      : EventType::Rejected(AggregateType::kInstance);
  envelope.aggregate = command.aggregate;
  envelope.event_id = OutcomeId(command.id, envelope.type, command.aggregate);
  envelope.occurred_at = "2026-01-01T00:00:00.000Z";
  envelope.actor = "decider";
  envelope.metadata.service = "test";
  envelope.metadata.command_id = command.id;
  envelope.metadata.command_type = command.type;
  envelope.metadata.request_sha256 = command.request_sha256;
  envelope.sequence_number = command.number;
  item.outcome = outcome;
  return item;
}

AppendWorld::AppendWorld(const AppendWorldOptions& given)
    : options(given),
      registry({[this] { return EngineMillis(sim_); }, "engine-1"}),
      sim_({.seed = given.seed,
            .switch_cost = std::chrono::microseconds(1),
            .kept_trace_lines = given.kept_trace_lines}),
      rates_(given.rates),
      environment_(sim_, "environment"),
      late_tasks_(environment_) {
  EventLogFormat wanted;
  wanted.max_outstanding = given.max_outstanding;
  Result<EventLogFormat> opened = OpenFormat(store, environment_, wanted, false);
  SAFFRON_ASSERT(opened.ok());
  format = *opened;
}

AppendWorld::~AppendWorld() { StopAll(); }

Writer& AppendWorld::Start(const std::string& name) {
  writers_.push_back(std::make_unique<Writer>(*this, name + "." + std::to_string(++restarts_)));
  Writer& writer = *writers_.back();
  writer.tasks_.Spawn("main", [&writer] { writer.Main(); });
  return writer;
}

void AppendWorld::Crash(Writer& writer) {
  sim_.Trace("crash " + writer.process().name());
  writer.process().Crash();
  if (writer.context_ != nullptr) {
    writer.context_->committed.Nudge();
    writer.context_->settled.Nudge();
  }
}

Writer* AppendWorld::AnyLive() {
  std::vector<Writer*> live;
  for (auto& writer : writers_) {
    if (writer->ready()) live.push_back(writer.get());
  }
  return live.empty() ? nullptr : live[Below(static_cast<std::uint32_t>(live.size()))];
}

void AppendWorld::RestartRegistry(const MemoryRegistry::Backup& backup) {
  sim_.Trace("registry restart");
  if (backup != nullptr) registry.Restore(backup);
  registry.SetLiveIncarnation("engine-" + std::to_string(++incarnations_));
}

void AppendWorld::LoseTail(const MemoryRegistry::Backup& backup) {
  sim_.Trace("registry loses its tail");
  registry.Restore(backup);
}

void AppendWorld::StopAll() {
  for (auto& writer : writers_) Crash(*writer);
  for (auto& writer : writers_) writer->tasks_.JoinAll();
  environment_.Crash();
  late_tasks_.JoinAll();
}

Writer::Writer(AppendWorld& world, std::string name)
    : world_(world),
      process_(world.sim_, std::move(name)),
      plan_(process_, world.environment_, world.late_tasks_, world.rates_, world.counts),
      store_(world.store, plan_),
      registry_(world.registry, plan_),
      log_(Log::Discard()),
      tasks_(process_) {}

void Writer::Main() {
  context_ = std::make_unique<LogContext>(process_, store_, registry_, log_, world_.format, 0u,
                                          process_.name(), world_.options.embedded);
  while (!OpenRegistry(*context_).ok()) {
    if (!process_.SleepFor(milliseconds(100))) return;
  }
  AppendOptions options;
  options.reservation = seconds(2);
  if (!world_.options.embedded) options.settle_linger = milliseconds(5);
  options.limits.max_events = 8;
  append_ = std::make_unique<AppendLog>(*context_, options, nullptr);
  append_->Start();
  Resolver resolver(*context_, [this] { append_->Wake(); });
  TaskGroup services(process_);
  services.Spawn("resolver", [&resolver] { resolver.Run(); });
  if (world_.options.deciders) services.Spawn("decider", [this] { DecideLoop(); });
  while (process_.SleepFor(seconds(3600))) {
  }
  append_->Stop(process_.Now());
  services.JoinAll();
}

AppendAnswer Writer::Call(Runtime& client, AppendRequest request, Duration timeout) {
  auto promise = std::make_shared<Promise<AppendAnswer>>(client);
  append_->Submit(std::move(request), process_.Now() + timeout,
                  [this, promise](AppendAnswer answer) {
                    const std::uint32_t one_in = world_.options.lost_answer_one_in;
                    const bool lost = one_in != 0 && world_.Below(one_in) == 0;
                    if (!process_.crashed() && !lost) promise->Set(std::move(answer));
                  });
  std::optional<AppendAnswer> answer = promise->Wait(client.Now() + timeout + milliseconds(100));
  AppendAnswer none;
  none.code = AppendCode::kUnknown;
  return answer.value_or(none);
}

void Writer::DecideRashly(const std::vector<CommandRow>& work) {
  const CommandRow& command = work[world_.Below(static_cast<std::uint32_t>(work.size()))];
  RegistryRead read;
  read.aggregates.push_back(command.aggregate);
  Result<RegistryRows> rows = registry_.Read(read);
  if (!rows.ok()) return;
  Outcome outcome = DecideSimply(command, std::nullopt);
  const DecidedState& decided = rows->aggregates[command.aggregate].decided;
  if (decided.number.value > 0) outcome.basis = decided.outcome.position;
  if (decided.number.Next() == command.number) return;  // it would be right
  AppendRequest request;
  request.items.push_back(OutcomeItem(command, outcome));
  append_->Append(std::move(request), process_.Now() + seconds(1));
}

void Writer::DecideLoop() {
  while (!process_.StopRequested()) {
    if (!DecideSome()) process_.SleepFor(milliseconds(50));
  }
}

bool Writer::DecideSome() {
  Result<std::vector<CommandRow>> work = registry_.Undecided(Position(), 20);
  if (!work.ok() || work->empty()) return false;
  if (world_.Below(8) == 0) DecideRashly(*work);
  std::map<AggregateKey, std::vector<CommandRow>> by_aggregate;
  for (CommandRow& row : *work) by_aggregate[row.aggregate].push_back(std::move(row));
  std::vector<AppendRequest> requests;
  for (auto& [key, commands] : by_aggregate) {
    RegistryRead read;
    read.aggregates.push_back(key);
    Result<RegistryRows> rows = registry_.Read(read);
    if (!rows.ok()) return false;
    const DecidedState decided = rows->aggregates[key].decided;
    std::optional<Outcome> prior;
    if (decided.number.value > 0) {
      Result<Envelope> event = ReadEvent(*context_, decided.outcome);
      if (!event.ok()) return false;
      Result<Outcome> outcome = DecodeOutcome(event->data);
      if (!outcome.ok()) return false;
      prior = std::move(outcome).value();
    }
    AppendRequest request;
    for (const CommandRow& command : commands) {
      if (command.number.value != decided.number.value + request.items.size() + 1) break;
      Outcome outcome = DecideSimply(command, prior);
      prior = outcome;
      if (request.items.empty() && decided.number.value > 0) {
        outcome.basis = decided.outcome.position;
      }
      request.items.push_back(OutcomeItem(command, outcome));
      request.items.back().basis_in_request = request.items.size() > 1;
    }
    if (!request.items.empty()) requests.push_back(std::move(request));
  }
  if (requests.empty()) return false;
  append_->AppendEach(std::move(requests), process_.Now() + seconds(3));
  return true;
}

}  // namespace saffron
