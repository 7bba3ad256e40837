#include "tests/sim/append_history.h"

#include <map>

namespace saffron {

// Random commands on few aggregates, each retried with its id until it is known what became of it.
void History::Client() {
  SimProcess& self = world_.environment();
  std::map<std::string, SequenceNumber> known;
  for (int i = 0; i < 12 && !self.StopRequested(); ++i) {
    self.SleepFor(milliseconds(world_.Below(300)));
    AppendRequest request;
    std::size_t items = world_.Below(6) == 0 ? 2 + world_.Below(2) : 1;
    for (std::size_t k = 0; k < items; ++k) {
      std::string aggregate = "a" + std::to_string((world_.Below(4) + k) % 5);
      auto operation = static_cast<Operation>(1 + world_.Below(3));
      std::optional<SequenceNumber> expected;
      if (operation != Operation::kCreate && world_.Below(3) > 0) expected = known[aggregate];
      request.items.push_back(MakeCommand(EventId(self.NewUuid()), aggregate, operation, expected));
    }
    bool alone = true;
    for (int attempt = 0; attempt < 5 && !self.StopRequested(); ++attempt) {
      Writer* writer = world_.AnyLive();
      if (writer == nullptr) {
        self.SleepFor(milliseconds(100));
        continue;
      }
      AppendAnswer answer = writer->Call(self, request, milliseconds(300 + world_.Below(4000)));
      Observe(answer, request, alone, known);
      alone = alone && answer.code != AppendCode::kUnknown;
      if (answer.code != AppendCode::kUnknown && answer.code != AppendCode::kTimedOut &&
          answer.code != AppendCode::kStopping) {
        break;
      }
    }
  }
}

// What the client learns, and what it was promised.
void History::Observe(const AppendAnswer& answer, const AppendRequest& request, bool alone,
                      std::map<std::string, SequenceNumber>& known) {
  const auto name = [](const AppendItem& item) {
    return std::string(SplitAggregateId(item.envelope.aggregate)->instance);
  };
  if (answer.code == AppendCode::kConflict && answer.index < request.items.size()) {
    known[name(request.items[answer.index])] = answer.actual_seq;
  }
  // A refusal is of the attempt that got it: an earlier one may still be under way.
  bool refused = answer.code == AppendCode::kConflict || answer.code == AppendCode::kNotFound;
  if (refused && alone) {
    for (const AppendItem& item : request.items) {
      world_.refused.push_back(item.envelope.event_id);
    }
  }
  if (answer.code != AppendCode::kCommitted && answer.code != AppendCode::kDuplicate) return;
  for (std::size_t k = 0; k < request.items.size(); ++k) {
    const AppendItem& item = request.items[k];
    world_.told.push_back({item.envelope.event_id, item.envelope.aggregate, answer.items[k].number,
                           item.expected_seq});
    known[name(item)] = answer.items[k].number;
  }
}

bool History::Quiet() {
  MemoryRegistry::Backup rows = world_.registry.Snapshot();
  if (!rows->reservations.empty() || !rows->undecided.empty()) return false;
  return rows->control.fenced_incarnation == world_.registry.Read(RegistryRead{})->live_incarnation;
}

RunResult History::ServersSuffer() {
  for (const char* name : {"w0", "w1", "w2"}) world_.Start(name);
  MemoryRegistry::Backup backup;
  RunResult ran;
  for (int step = 0; step < 12; ++step) {
    ran = world_.sim().RunFor(milliseconds(world_.Below(1500)));
    if (ran.end == RunEnd::kStuck) break;
    std::uint32_t what = world_.Below(10);
    if (what < 3) {
      if (Writer* victim = world_.AnyLive()) world_.Crash(*victim);
      world_.Start("r" + std::to_string(step));
    } else if (what == 3) {
      backup = world_.registry.Snapshot();
    } else if (what == 4) {
      world_.RestartRegistry(world_.Below(2) == 0 ? backup : nullptr);
    } else if (what == 5) {
      if (Writer* victim = world_.AnyLive()) {
        victim->process().PauseFor(milliseconds(world_.Below(9000)));
      }
    }
  }
  return ran;
}

RunResult History::OneProcessSuffers() {
  Writer* one = &world_.Start("one");
  RunResult ran;
  for (int step = 0; step < 12; ++step) {
    ran = world_.sim().RunFor(milliseconds(world_.Below(1500)));
    MemoryRegistry::Backup flushed = world_.registry.Snapshot();
    if (ran.end != RunEnd::kStuck) ran = world_.sim().RunFor(milliseconds(world_.Below(300)));
    if (ran.end == RunEnd::kStuck) break;
    world_.Crash(*one);
    if (world_.Below(4) > 0) world_.LoseTail(flushed);
    one = &world_.Start("again" + std::to_string(step));
  }
  return ran;
}

RunReport History::Execute() {
  TaskGroup clients(world_.environment());
  for (int c = 0; c < 8; ++c) clients.Spawn("client", [this] { Client(); });
  RunResult ran = world_.options.embedded ? OneProcessSuffers() : ServersSuffer();
  if (ran.end == RunEnd::kStuck) return Stuck(ran);
  world_.Heal();
  if (!world_.options.embedded) world_.Start("last");
  return Judge(clients);
}

RunReport History::Judge(TaskGroup& clients) {
  RunResult end = world_.sim().RunUntil([this] { return false; }, world_.sim().Now() + seconds(20));
  end = world_.sim().RunUntil([this] { return Quiet(); }, world_.sim().Now() + seconds(120));
  RunReport report;
  if (end.end != RunEnd::kPredicate) {
    report.violations.push_back("no progress after the faults ended: " + end.report);
  }
  DecodedLog log(world_.store, DecoderOf(world_.format));
  std::vector<std::string> registry = CheckRegistry(log, world_.registry);
  world_.StopAll();
  clients.JoinAll();
  log.Update();
  report.log = CheckLog(log, world_.told, world_.refused);
  report.violations.insert(report.violations.end(), registry.begin(), registry.end());
  report.violations.insert(report.violations.end(), report.log.violations.begin(),
                           report.log.violations.end());
  report.trace_hash = world_.sim().TraceHash();
  report.told = world_.told.size();
  report.faults = world_.counts;
  report.switches = world_.sim().switches();
  return report;
}

AppendWorldOptions OptionsFor(std::uint64_t seed) {
  RandomBits draw(seed * 7919);
  AppendWorldOptions options;
  options.seed = seed;
  options.max_outstanding = 4 + draw.Below(8);
  options.rates.fail_before = draw.Below(60);
  options.rates.lost_answer = draw.Below(60);
  options.rates.late = draw.Below(60);
  options.rates.repeated = draw.Below(30);
  options.rates.slow = draw.Below(80);
  return options;
}

AppendWorldOptions EmbeddedOptionsFor(std::uint64_t seed) {
  AppendWorldOptions options = OptionsFor(seed);
  options.embedded = true;
  options.rates.late = 0;  // files are written by the process itself, while it lives
  return options;
}

}  // namespace saffron
