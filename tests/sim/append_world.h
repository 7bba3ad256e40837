// A simulated world of writers over one log: memory ports behind faults, processes that crash and
// come back, a registry that can be restored from a backup. For tests of the append protocol.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/memory/memory_object_store.h"
#include "adapters/memory/memory_registry.h"
#include "eventlog/append_log.h"
#include "eventlog/recovery.h"
#include "eventlog/resolver.h"
#include "testing/faults/faulty_ports.h"
#include "tests/sim/log_checker.h"

namespace saffron {

struct AppendWorldOptions {
  std::uint64_t seed = 1;
  std::uint64_t max_outstanding = 8;
  FaultRates rates = {};
  bool deciders = true;  // every writer decides what is undecided
  // One process owns log and registry. What it wrote to the registry last may be gone when it dies,
  // and nothing of it is on its way any more.
  bool embedded = false;
  std::uint32_t lost_answer_one_in = 8;  // answers to clients; 0: none
  std::size_t kept_trace_lines = 0;
};

class Writer;

class AppendWorld {
 public:
  explicit AppendWorld(const AppendWorldOptions& options);
  ~AppendWorld();

  Simulation& sim() { return sim_; }
  std::uint32_t Below(std::uint32_t bound) { return sim_.random().Below(bound); }

  // Starts a process with lanes, a resolver and a decider.
  Writer& Start(const std::string& name);
  // Crashes it; its fibers unwind as the simulation goes on.
  void Crash(Writer& writer);
  Writer* AnyLive();
  // The engine of the registry is restarted; with a backup, from an older state.
  void RestartRegistry(const MemoryRegistry::Backup& backup);
  // Of an embedded registry, whose process has died: back to an earlier moment of the same engine.
  void LoseTail(const MemoryRegistry::Backup& backup);
  // No more faults: everything must settle.
  void Heal() { rates_ = FaultRates(); }
  // Ends all processes and their fibers.
  void StopAll();

  // Clients live apart from the processes they talk to.
  SimProcess& environment() { return environment_; }

  AppendWorldOptions options;
  MemoryObjectStore store;
  MemoryRegistry registry;
  EventLogFormat format;
  std::vector<ToldCommitted> told;
  std::vector<EventId> refused;  // a client was told: not committed
  FaultCounts counts;

 private:
  friend class Writer;

  Simulation sim_;
  FaultRates rates_;
  SimProcess environment_;
  TaskGroup late_tasks_;
  std::vector<std::unique_ptr<Writer>> writers_;
  int incarnations_ = 1;
  int restarts_ = 0;
};

// One process.
class Writer {
 public:
  Writer(AppendWorld& world, std::string name);

  SimProcess& process() { return process_; }
  bool ready() { return append_ != nullptr && !process_.StopRequested(); }
  // Called from a fiber of `client`. kUnknown when no answer came: the process crashed, or the
  // client did not wait long enough.
  AppendAnswer Call(Runtime& client, AppendRequest request, Duration timeout);
  LogContext& context() { return *context_; }
  AppendLog& append() { return *append_; }
  FaultPlan& plan() { return plan_; }

 private:
  friend class AppendWorld;

  void Main();
  void DecideLoop();
  // One pass over the work list. False: nothing to do.
  bool DecideSome();
  // A worker that decides on what is not recorded; the log must refuse it.
  void DecideRashly(const std::vector<CommandRow>& work);

  AppendWorld& world_;
  SimProcess process_;
  FaultPlan plan_;
  FaultyObjectStore store_;
  FaultyAppendRegistry registry_;
  Log log_;
  std::unique_ptr<LogContext> context_;
  std::unique_ptr<AppendLog> append_;
  TaskGroup tasks_;
};

// A command on an instance without an ontology: what the append protocol sees of one.
AppendItem MakeCommand(EventId id, const std::string& aggregate, Operation operation,
                       std::optional<SequenceNumber> expected);
// The outcome of a command.
AppendItem OutcomeItem(const CommandRow& command, const Outcome& outcome);

}  // namespace saffron
