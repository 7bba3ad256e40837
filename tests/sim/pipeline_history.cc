#include "tests/sim/pipeline_history.h"

namespace saffron {
namespace {

PipelineOptions OptionsOf(std::uint64_t seed, LogLevel log_level) {
  RandomBits draw(seed * 7919);
  PipelineOptions options;
  options.seed = seed;
  options.max_outstanding = 4 + draw.Below(6);
  options.partitions = 1 + draw.Below(3);
  options.rates.fail_before = draw.Below(40);
  options.rates.lost_answer = draw.Below(40);
  options.rates.late = draw.Below(40);
  options.rates.repeated = draw.Below(20);
  options.rates.slow = draw.Below(30);
  options.rates.slow_max = milliseconds(300);
  options.rates.late_max = seconds(5);
  options.log_level = log_level;
  return options;
}

constexpr std::uint32_t kWorkerRoles = kOntologyWorkerRole | kInstanceWorkerRole | kGraphRole;

}  // namespace

PipelineHistory::PipelineHistory(std::uint64_t seed, LogLevel log_level)
    : world_(OptionsOf(seed, log_level)), topology_(static_cast<Topology>(world_.Below(3))) {}

void PipelineHistory::StartNodes() {
  switch (topology_) {
    case Topology::kSingle: world_.Start("one", kAllRoles); return;
    case Topology::kReplicas:
      world_.Start("left", kAllRoles);
      world_.Start("right", kAllRoles);
      return;
    case Topology::kSplit:
      world_.Start("oms", kOms | kPublisher);
      world_.Start("worker-1", kWorkerRoles);
      world_.Start("worker-2", kWorkerRoles | kProjectionRole);
      return;
  }
}

void PipelineHistory::Disturb(int step) {
  const std::uint32_t what = world_.Below(16);
  PipelineNode* node = world_.AnyLive(kAllRoles);
  if (what < 4 && node != nullptr) {
    // Crash or orderly stop; the replacement has the same host name or another.
    what < 3 ? world_.Crash(*node) : world_.Stop(*node);
    ++report_.crashes;
    const bool same = world_.Below(2) == 0;
    world_.Start(same ? node->host() : "host-" + std::to_string(step), node->roles());
  } else if (what < 6 && node != nullptr) {
    ++report_.pauses;
    node->process().PauseFor(milliseconds(world_.Below(7000)));
  } else if (what == 6) {
    backup_ = world_.registry.Snapshot();
  } else if (what == 7) {
    ++report_.registry_restarts;
    world_.RestartRegistry(world_.Below(2) == 0 ? backup_ : nullptr);
  } else if (what < 11) {
    DisturbStores();
  }
}

void PipelineHistory::DisturbStores() {
  static constexpr std::string_view kTopics[] = {kOntologyCommandsTopic, kInstanceCommandsTopic,
                                                 kInstanceEventsTopic, kOntologyEventsTopic};
  const std::string topic(kTopics[world_.Below(4)]);
  Result<TopicState> state = world_.bus.Describe(topic);
  Result<StoredObject> checkpoint = world_.store.Get(kPipelineCheckpoint);
  switch (world_.Below(5)) {
    case 0:
      if (!state.ok()) return;
      ++report_.bus_losses;
      topics_history_[topic] = TopicHistory::kMade;  // and forgets what was cut
      world_.bus.DeleteTopic(topic);
      return;
    case 1: {
      if (!state.ok()) return;
      const std::uint32_t partition = world_.Below(world_.options.partitions);
      const auto end = static_cast<std::uint32_t>(state->end_offsets[partition]);
      ++report_.bus_losses;
      topics_history_[topic] = TopicHistory::kCut;
      world_.bus.Truncate(topic, partition, world_.Below(end + 1));
      return;
    }
    case 2:
      ++report_.checkpoint_losses;
      SAFFRON_ASSERT(world_.store.Delete(kPipelineCheckpoint).ok());
      return;
    case 3:
      if (!old_checkpoint_) return;
      ++report_.checkpoint_losses;
      SAFFRON_ASSERT(world_.store.Put(kPipelineCheckpoint, old_checkpoint_->bytes).ok());
      return;
    default:
      if (checkpoint.ok()) old_checkpoint_ = *checkpoint;
  }
}

bool PipelineHistory::RunChaos() {
  for (int step = 0; step < 12; ++step) {
    RunResult ran = world_.sim().RunFor(milliseconds(world_.Below(1200)));
    if (ran.end == RunEnd::kStuck) {
      report_.violations.push_back(ran.report);
      return false;
    }
    Disturb(step);
  }
  return true;
}

Violations JudgePipeline(PipelineWorld& world,
                         const std::map<std::string, TopicHistory>& topics_history) {
  Violations violations;
  const auto add = [&violations](const Violations& more) {
    violations.insert(violations.end(), more.begin(), more.end());
  };
  std::map<std::string, std::vector<BusRecord>> topics;
  for (std::string_view topic :
       {kDatabaseCommandsTopic, kOntologyCommandsTopic, kInstanceCommandsTopic,
        kOntologyEventsTopic, kInstanceEventsTopic}) {
    topics.emplace(topic, world.Records(std::string(topic)));
  }
  add(CheckRegistry(world.store, world.format, world.registry));
  const Result<std::vector<ParkedRow>> rows = world.registry.Parked("", std::nullopt, 100);
  for (const ParkedRow& parked : *rows) {
    violations.push_back("parked: " + parked.key.aggregate.ToString() + ": " + parked.reason);
  }
  const std::vector<JudgedEvent> events = EventsOf(world.store, world.format);
  add(CheckDecisions(events, {"too_large", "discarded"}));
  add(CheckGraph(events, world.graph));
  add(CheckSearch(events, world.search));
  for (const auto& [topic, records] : topics) {
    auto history = topics_history.find(topic);
    add(CheckTopic(events, topic, records,
                   history == topics_history.end() ? TopicHistory::kWhole : history->second));
  }
  return violations;
}

PipelineReport PipelineHistory::Execute() {
  StartNodes();
  TaskGroup clients(world_.environment());
  clients.Spawn("clients", [this] { Clients(); });
  if (RunChaos()) {
    world_.Heal();
    world_.Start("last", kAllRoles);
    // Late puts land, losses of the bus are noticed.
    world_.sim().RunFor(seconds(7));
    const Duration deadline = world_.sim().Now() + seconds(120);
    std::string unsettled = "the clients are not done";
    while (world_.sim().Now() < deadline && !unsettled.empty()) {
      RunResult ran = world_.sim().RunFor(milliseconds(200));
      if (ran.end == RunEnd::kStuck) {
        unsettled = ran.report;
        break;
      }
      if (clients_done_) unsettled = world_.Unsettled();
    }
    if (unsettled.empty()) {
      Violations found = JudgePipeline(world_, topics_history_);
      report_.violations.insert(report_.violations.end(), found.begin(), found.end());
    } else {
      report_.violations.push_back("no progress after the faults ended: " + unsettled);
    }
  }
  world_.StopAll();
  clients.JoinAll();
  report_.log = CheckLog(world_.store, world_.format, told_, refused_);
  report_.violations.insert(report_.violations.end(), report_.log.violations.begin(),
                            report_.log.violations.end());
  report_.trace_hash = world_.sim().TraceHash();
  report_.acknowledged = told_.size();
  report_.faults = world_.counts;
  report_.switches = world_.sim().switches();
  return std::move(report_);
}

}  // namespace saffron
