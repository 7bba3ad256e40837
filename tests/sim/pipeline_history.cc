#include "tests/sim/pipeline_history.h"

#include "services/oms/command_status.h"
#include "services/worker/parking.h"
#include "tests/sim/extra_checks.h"

namespace saffron {
namespace {

PipelineOptions OptionsOf(const PipelinePlan& plan, LogLevel log_level) {
  PipelineOptions options;
  options.seed = plan.seed;
  options.max_outstanding = plan.max_outstanding;
  options.partitions = plan.partitions;
  options.deployed = plan.processes.size() > 1;
  options.rates = plan.rates;
  options.lost_answer_one_in = plan.lost_answer_one_in;
  options.skew_ms = 1000 * plan.skew_s;
  options.claim_retention = milliseconds(plan.prune_ms);
  options.kept_trace_lines = plan.kept_trace_lines;
  options.log_level = log_level;
  return options;
}

constexpr std::string_view kTopics[] = {kDatabaseCommandsTopic, kOntologyCommandsTopic,
                                        kInstanceCommandsTopic, kOntologyEventsTopic,
                                        kInstanceEventsTopic};

// Faults have ended so long ago at the latest when everything is settled.
constexpr Duration kSettlesWithin = seconds(90);
// After a publisher's lease and its interval of looking at the bus.
constexpr Duration kNoticedWithin = seconds(8);

}  // namespace

PipelineHistory::PipelineHistory(const PipelinePlan& plan, LogLevel log_level)
    : plan_(plan), world_(OptionsOf(plan, log_level)) {}

void PipelineHistory::StartNodes() {
  for (std::uint32_t roles : plan_.processes) {
    world_.Start("host-" + std::to_string(++hosts_), roles);
  }
}

void PipelineHistory::Count(const std::string& of, Disturbance kind) {
  ++report_.counts.coverage[{of, std::string(DisturbanceName(kind))}];
  world_.sim().Remark(
      [&] { return "DISTURBANCE " + std::string(DisturbanceName(kind)) + ": " + of; });
}

void PipelineHistory::CountRoles(std::uint32_t roles, Disturbance kind) {
  static constexpr std::string_view kNames[] = {
      "oms", "publisher", "ontology worker", "instance worker", "graph writer", "projection"};
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if ((roles >> i & 1) != 0) Count(std::string(kNames[i]), kind);
  }
}

void PipelineHistory::Disturb(const PlannedDisturbance& what) {
  switch (what.kind) {
    case Disturbance::kCrash:
    case Disturbance::kStop:
    case Disturbance::kClockJump:
    case Disturbance::kPause: return DisturbProcess(what);
    case Disturbance::kKept: backup_ = world_.registry.Snapshot(); return world_.KeepSinks();
    case Disturbance::kRegistryRestart:
    case Disturbance::kRegistryEmptied:
    case Disturbance::kRegistryClockJump:
    case Disturbance::kRegistryRestore: return DisturbRegistry(what);
    case Disturbance::kTopicDeleted:
    case Disturbance::kOffsetsBack:
    case Disturbance::kTopicCut: return DisturbTopic(what);
    case Disturbance::kCheckpointKept:
    case Disturbance::kCheckpointRestore:
    case Disturbance::kCheckpointDeleted: return DisturbCheckpoint(what);
    case Disturbance::kCheckpointDamaged:
    case Disturbance::kSlotFlipped:
    case Disturbance::kSlotCut: return DamageObject(what);
    case Disturbance::kStoreAway:
    case Disturbance::kStoreFull: return TroubleStore(what);
    case Disturbance::kPowerCut:
      for (std::uint32_t roles : plan_.processes) CountRoles(roles, what.kind);
      return world_.CutPower();
    case Disturbance::kCount: return;
  }
}

void PipelineHistory::DisturbProcess(const PlannedDisturbance& what) {
  PipelineNode* node = world_.AnyLive(kAllRoles);
  if (node == nullptr) return;
  CountRoles(node->roles(), what.kind);
  if (what.kind == Disturbance::kClockJump) {
    return node->process().SetWallOffset(milliseconds(std::int64_t{what.pick % 60'000} - 30'000));
  }
  if (what.kind == Disturbance::kPause) {
    return node->process().PauseFor(milliseconds(what.pick % 7000));
  }
  if (what.kind == Disturbance::kCrash) ++crashes_;
  what.kind == Disturbance::kCrash ? world_.Crash(*node) : world_.Stop(*node);
  // The replacement has the same host name or another.
  const bool same = what.pick % 2 == 0;
  world_.Start(same ? node->host() : "host-" + std::to_string(++hosts_), node->roles());
}

void PipelineHistory::DisturbRegistry(const PlannedDisturbance& what) {
  const bool restore = what.kind == Disturbance::kRegistryRestore;
  if (restore && backup_ == nullptr) return;
  Count("registry", what.kind);
  if (what.kind == Disturbance::kRegistryEmptied) return world_.EmptyRegistry();
  if (what.kind == Disturbance::kRegistryClockJump) {
    return world_.MoveRegistryClock(std::int64_t{what.pick % 8000} - 3000);
  }
  world_.RestartRegistry(restore ? backup_ : nullptr);
}

void PipelineHistory::DamageObject(const PlannedDisturbance& what) {
  std::string key = kPipelineCheckpoint;
  const bool slot = what.kind != Disturbance::kCheckpointDamaged;
  if (slot) {
    const std::uint64_t last = world_.LastSlot().value;
    if (last == 0) return;
    // Mostly a new one: the old ones are hardly read.
    const std::uint64_t back = what.pick % 4 != 0 ? what.pick / 4 % 3 : what.pick / 4 % last;
    key = SlotKey(0, SlotNumber(last - std::min(back, last - 1)));
  }
  if (!world_.store.Contains(key)) return;
  Count(slot ? "slot" : "checkpoint", what.kind);
  damaged_ = true;
  world_.Damage(key, what.kind == Disturbance::kSlotCut, what.pick / 16,
                milliseconds(what.pick / 16 % 4000));
}

void PipelineHistory::TroubleStore(const PlannedDisturbance& what) {
  const auto store = static_cast<Store>(what.pick % static_cast<std::uint32_t>(Store::kCount));
  Count(std::string(StoreName(store)), what.kind);
  world_.Trouble(store,
                 what.kind == Disturbance::kStoreAway ? StoreTrouble::kAway : StoreTrouble::kFull,
                 milliseconds(what.pick / 8 % 5000));
}

void PipelineHistory::DisturbTopic(const PlannedDisturbance& what) {
  if (what.kind == Disturbance::kOffsetsBack) {
    static constexpr const char* kGroups[] = {"ontology_worker-group", "instance_worker-group",
                                              "projection_worker-group"};
    Count("bus", what.kind);
    return world_.bus.MoveOffsetsBack(kGroups[what.pick % 3], what.pick / 3 % 20);
  }
  // Not the first: the worker's other topic is enough.
  const std::string topic(kTopics[1 + what.pick % (std::size(kTopics) - 1)]);
  Result<TopicState> state = world_.bus.Describe(topic);
  if (!state.ok()) return;
  Count("bus", what.kind);
  topics_history_[topic] = TopicHistory::kLost;
  if (what.kind == Disturbance::kTopicDeleted) {
    world_.bus.DeleteTopic(topic);
    return;
  }
  const std::uint32_t partition = what.pick / 8 % plan_.partitions;
  ++world_.counts.eras[static_cast<std::size_t>(Store::kBus)];
  world_.bus.Truncate(topic, partition, what.pick / 64 % (state->end_offsets[partition] + 1));
}

void PipelineHistory::DisturbCheckpoint(const PlannedDisturbance& what) {
  if (what.kind == Disturbance::kCheckpointKept) {
    Result<StoredObject> checkpoint = world_.store.Get(kPipelineCheckpoint);
    if (checkpoint.ok()) old_checkpoint_ = *checkpoint;
    return;
  }
  if (what.kind == Disturbance::kCheckpointRestore && !old_checkpoint_) return;
  Count("checkpoint", what.kind);
  const Status done = what.kind == Disturbance::kCheckpointDeleted
                          ? world_.store.Delete(kPipelineCheckpoint)
                          : world_.store.Put(kPipelineCheckpoint, old_checkpoint_->bytes);
  SAFFRON_ASSERT(done.ok());
}

bool PipelineHistory::RunChaos() {
  for (const PlannedDisturbance& what : plan_.disturbances) {
    RunResult ran = world_.sim().RunFor(what.after);
    if (ran.end == RunEnd::kStuck) {
      report_.violations.push_back(ran.report);
      return false;
    }
    CheckBounds();
    Violations claims = CheckClaims(world_.registry);
    report_.violations.insert(report_.violations.end(), claims.begin(), claims.end());
    if (!report_.violations.empty()) return false;
    Disturb(what);
  }
  world_.sim().RunFor(plan_.calm_after);
  return true;
}

Violations JudgePipeline(PipelineWorld& world, const DecodedLog& log,
                         const std::map<std::string, TopicHistory>& topics_history) {
  Violations violations;
  const auto add = [&violations](const Violations& more) {
    violations.insert(violations.end(), more.begin(), more.end());
  };
  std::map<std::string, std::vector<BusRecord>> topics;
  for (std::string_view topic : kTopics) {
    topics.emplace(topic, world.Records(std::string(topic)));
  }
  add(CheckRegistry(log, world.registry));
  add(CheckClaims(world.registry));
  const Result<std::vector<ParkedRow>> rows = world.registry.Parked("", std::nullopt, 100);
  for (const ParkedRow& parked : *rows) {
    violations.push_back("parked: " + parked.key.aggregate.ToString() + ": " + parked.reason);
  }
  const std::vector<JudgedEvent> events = EventsOf(log);
  add(CheckDecisions(events, {"too_large", "discarded"}));
  add(CheckGraph(events, world.graph));
  add(CheckSearch(events, world.search));
  add(CheckByDate(world.store));
  for (const auto& [topic, records] : topics) {
    auto history = topics_history.find(topic);
    add(CheckTopic(events, topic, records,
                   history == topics_history.end() ? TopicHistory::kWhole : history->second));
  }
  return violations;
}

void PipelineHistory::CheckBounds() {
  const std::string unbounded = world_.Unbounded();
  if (!unbounded.empty()) report_.violations.push_back(unbounded);
}

// Something could not be read, or processes died as often on a command as it is tried, or handed it
// to and fro: one that is cut off is busy with it for as long as a claim lasts here.
bool PipelineHistory::MayBeParked() const {
  const FaultCounts& counts = world_.counts;
  const std::uint64_t at_calls =
      counts.Of(FaultKind::kCrashBefore) + counts.Of(FaultKind::kCrashAfter);
  return damaged_ || plan_.cut_off > 0 ||
         at_calls + crashes_ + world_.power_cuts >= ClaimTerms().max_attempts;
}

void PipelineHistory::Operate(PipelineNode& node) {
  while (node.process().SleepFor(milliseconds(500))) {
    const Result<std::vector<ParkedRow>> rows = world_.registry.Parked("", std::nullopt, 100);
    for (const ParkedRow& row : *rows) {
      // One that fails is tried again.
      (void)ReplayParked(node.context(), node.append(), world_.registry, row.key,
                         node.process().Now() + seconds(5));
    }
  }
}

// What is not settled when it must be; empty: everything is.
std::string PipelineHistory::Settle(PipelineNode& node) {
  const Duration healed = world_.sim().Now();
  Duration landed = healed;
  TaskGroup operators(node.process());
  std::string unsettled = "the clients are not done";
  bool operating = false;
  while (world_.sim().Now() < healed + kSettlesWithin && !unsettled.empty()) {
    RunResult ran = world_.sim().RunFor(milliseconds(200));
    if (ran.end == RunEnd::kStuck) return ran.report;
    CheckBounds();
    if (MayBeParked() && !operating && node.ready()) {
      operating = true;
      operators.Spawn("operator", [this, &node] { Operate(node); });
    }
    if (world_.counts.under_way > 0) landed = world_.sim().Now();
    // What was late, and losses of the bus, have been noticed.
    const bool noticed = world_.sim().Now() > landed + kNoticedWithin;
    if (clients_done_ && noticed) unsettled = world_.Unsettled();
  }
  report_.settled_after = world_.sim().Now() - healed;
  if (unsettled.empty()) CheckStatuses(node);
  if (unsettled.empty()) {
    log_.Update();
    Violations found = JudgePipeline(world_, log_, topics_history_);
    report_.violations.insert(report_.violations.end(), found.begin(), found.end());
  }
  world_.StopAll();
  operators.JoinAll();
  return unsettled;
}

// Everything acknowledged is COMPLETED or FAILED.
void PipelineHistory::CheckStatuses(PipelineNode& node) {
  std::vector<EventId> ids;
  for (const ToldCommitted& one : told_) ids.push_back(one.command);
  auto task = node.process().Spawn("statuses", [&] {
    CommandStatuses statuses(node.context(), node.claims(), node.graph());
    const Result<std::vector<CommandStatus>> found = statuses.Of(ids);
    if (!found.ok()) return report_.violations.push_back(found.error().ToString());
    for (const CommandStatus& status : *found) {
      if (status.final()) continue;
      report_.violations.push_back("acknowledged and in the end " +
                                   std::string(StatusName(status.kind)) + ": " +
                                   status.id.ToString());
    }
  });
  task->Join();
}

PipelineReport PipelineHistory::Execute() {
  StartNodes();
  TaskGroup clients(world_.environment());
  clients.Spawn("clients", [this] { Clients(); });
  if (RunChaos()) {
    world_.Heal();
    if (plan_.cut_off > 0) world_.CutOff(plan_.cut_off);
    const std::string unsettled = Settle(world_.Start("last", kAllRoles));
    if (!unsettled.empty()) {
      report_.violations.push_back("no progress after the faults ended: " + unsettled);
    }
  }
  world_.StopAll();
  clients.JoinAll();
  Finish();
  return std::move(report_);
}

void PipelineHistory::Finish() {
  const auto add = [this](const Violations& more) {
    report_.violations.insert(report_.violations.end(), more.begin(), more.end());
  };
  log_.Update();
  const LogVerdict log = CheckLog(log_, told_, refused_);
  add(log.violations);
  add(CheckClients(EventsOf(log_), record_));
  report_.trace_hash = world_.sim().TraceHash();
  report_.switches = world_.sim().switches();
  HistoryCounts& counts = report_.counts;
  counts.histories = 1;
  counts.large = log.commands >= 100;
  counts.commands = log.commands;
  counts.outcomes = log.outcomes;
  counts.slots = log.slots;
  counts.acknowledged = told_.size();
  counts.reads = record_.reads.size();
  counts.port_calls = world_.counts.calls;
  counts.virtual_time = world_.sim().Now();
  for (const auto& [at, count] : world_.counts.by_call) {
    counts.coverage[{at.first, std::string(FaultName(at.second))}] += count;
  }
}

}  // namespace saffron
