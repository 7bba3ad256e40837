// A simulated world of the whole pipeline: an object store, a registry, a bus, a graph and a search
// index in memory, and processes that run the services over them, each behind its own faults.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "adapters/memory/memory_bus.h"
#include "adapters/memory/memory_graph.h"
#include "adapters/memory/memory_object_store.h"
#include "adapters/memory/memory_registry.h"
#include "adapters/memory/memory_search.h"
#include "eventlog/append_log.h"
#include "services/oms/command_service.h"
#include "services/oms/progress.h"
#include "services/projection/progress.h"
#include "services/projection/projection.h"
#include "services/publisher/publisher.h"
#include "services/worker/claim_pruner.h"
#include "services/worker/command_worker.h"
#include "services/worker/graph_writer.h"
#include "testing/faults/faulty_ports.h"
#include "tests/sim/log_checker.h"

namespace saffron {

// Which services a process runs; the bits are added.
enum Roles : std::uint32_t {
  kOms = 1,
  kPublisher = 2,
  kOntologyWorkerRole = 4,
  kInstanceWorkerRole = 8,
  kGraphRole = 16,
  kProjectionRole = 32,
  kAllRoles = 63,
};

struct PipelineOptions {
  std::uint64_t seed = 1;
  std::uint64_t max_outstanding = 8;
  std::size_t max_event_bytes = 2400;  // small: some merges become too large
  std::uint32_t partitions = 2;
  FaultRates rates = {};
  Duration worker_lease = seconds(3);
  Duration sweep_every = seconds(4);
  std::size_t sweep_most = 2000;
  Duration claim_retention{0};           // 0: claims are never pruned
  std::uint32_t lost_answer_one_in = 8;  // answers to clients; 0: none
  std::uint32_t skew_ms = 0;             // clocks of processes are off by up to that
  std::size_t max_queued_events = 64;
  // As the processes of a deployment: several reads of the log at once, settling waits for more,
  // and the registry tells every process of what is settled.
  bool deployed = false;
  std::size_t kept_trace_lines = 0;
  LogLevel log_level = LogLevel::kOff;  // of what the processes log to standard output
};

class PipelineNode;

// A read of one aggregate that must not be older than what it names.
struct ReadAsk {
  ReadStore store = ReadStore::kGraph;
  AggregateKey aggregate;
  std::optional<SequenceNumber> min_seq;
  std::optional<Position> min_position;
};
struct ReadSeen {
  bool answered = false;
  SequenceNumber version;  // 0: nothing is there
  Lifecycle lifecycle = Lifecycle::kAbsent;
  std::string document;
};

class PipelineWorld {
 public:
  explicit PipelineWorld(const PipelineOptions& options);
  ~PipelineWorld();

  Simulation& sim() { return sim_; }
  std::uint32_t Below(std::uint32_t bound) { return bound == 0 ? 0 : sim_.random().Below(bound); }
  // Clients live apart from the processes they talk to, and never crash.
  SimProcess& environment() { return environment_; }

  // Starts a run of a process on the host.
  PipelineNode& Start(const std::string& host, std::uint32_t roles);
  // Crashes it; its fibers unwind as the simulation goes on.
  void Crash(PipelineNode& node);
  // Asks it to stop, as a shutdown does; its fibers end as the simulation goes on.
  void Stop(PipelineNode& node);
  // One that has not ended; with kOms one that takes commands. Null: none.
  PipelineNode* AnyLive(std::uint32_t role);
  // The engine of the registry is restarted; with a backup, from an older state.
  void RestartRegistry(const MemoryRegistry::Backup& backup);
  // Loses every row.
  void EmptyRegistry() { RestartRegistry(std::make_shared<MemoryRegistry::Rows>()); }
  void MoveRegistryClock(std::int64_t by_ms) { engine_offset_ms_ += by_ms; }
  // For a while.
  void Trouble(Store store, StoreTrouble trouble, Duration how_long);
  // Flips a bit of an object, or cuts it; puts it right after a while.
  void Damage(const std::string& key, bool cut, std::uint32_t pick, Duration how_long);
  // Everything stops at once. Sinks come back as they were at the last KeepSinks.
  void KeepSinks();
  void CutPower();
  // What may not grow grows: the first such thing, for people.
  std::string Unbounded();
  // No more faults: everything must settle.
  void Heal();
  // One process reaches a store no more, or writes to it no more, if it has not ended. It says so,
  // and clients go to others, which must settle everything.
  void CutOff(std::uint32_t pick);
  // Ends all processes and their fibers.
  void StopAll();

  // What is not settled yet, for people; empty: everything is decided and every sink is at the end.
  std::string Unsettled();
  SlotNumber LastSlot() const;
  // Every process reads every slot, and so does who judges: the same bytes need no second look.
  SlotDecoder decoder();
  // Everything that a topic holds now. Called by the driver.
  std::vector<BusRecord> Records(const std::string& topic);

  const PipelineOptions options;

 private:
  friend class PipelineNode;

  void CrashAndRestart(PipelineNode& node);
  void Mend(const std::string& key);
  void TellSettled(SlotNumber slot);

  Simulation sim_;
  FaultRates rates_;
  std::uint32_t lost_answer_one_in_;
  SimProcess environment_;
  TaskGroup late_tasks_;

 public:
  MemoryObjectStore store;
  MemoryRegistry registry;
  MemoryBus bus;
  MemoryGraph graph;
  MemorySearch search;
  EventLogFormat format;
  FaultCounts counts;
  std::uint64_t power_cuts = 0;

 private:
  struct DamagedObject {
    MemoryObjectStore::Object whole;
    std::shared_ptr<const std::string> damaged;
  };
  StoreTroubles troubles_{}, cut_off_{};
  std::map<std::string, DamagedObject> damaged_;
  std::unordered_map<std::uint64_t, SlotPtr> decoded_;  // what was read last of each slot
  std::optional<MemoryGraph::Contents> kept_graph_;
  std::shared_ptr<const MemorySearch::Generation> kept_search_;
  std::int64_t engine_offset_ms_ = 0;
  bool ending_ = false;
  std::vector<std::unique_ptr<PipelineNode>> nodes_;
  int incarnations_ = 1;
  int runs_ = 0;
  int readers_ = 0;
};

// One run of one process. Owned by the world until its end, so that what a crashed process held
// (its place in a consumer group) is let go by time only.
class PipelineNode {
 public:
  PipelineNode(PipelineWorld& world, std::string host, int run, std::uint32_t roles);

  SimProcess& process() { return process_; }
  const std::string& host() const { return host_; }
  std::uint32_t roles() const { return roles_; }
  bool live() { return !process_.StopRequested(); }
  // Takes commands.
  bool serves() { return live() && service_ != nullptr; }
  // It can append.
  bool ready() { return live() && append_ != nullptr; }
  // Called from a fiber of `client`. kUnknown when no answer came in time.
  WriteAnswer Call(Runtime& client, WriteRequest request, Duration timeout);
  // Likewise. Not answered: not in time, or an outage.
  ReadSeen Read(Runtime& client, const ReadAsk& ask, Duration timeout);
  // Called from a fiber of this process.
  ClaimRegistry& claims() { return claims_; }
  GraphStore& graph() { return graph_; }
  LogContext& context() { return *context_; }
  AppendLog& append() { return *append_; }
  FaultPlan& plan() { return plan_; }

 private:
  friend class PipelineWorld;

  void Main();
  void Hear(SlotNumber settled);  // from the registry
  void StartOms();
  void Serve(const ReadAsk& ask, Instant deadline, ReadSeen& seen);
  void StartWorker(TaskGroup& services, std::string_view handler, std::vector<std::string> topics);
  void StartFollowers(TaskGroup& services);

  PipelineWorld& world_;
  const std::string host_;
  const std::uint32_t roles_;
  SimProcess process_;
  bool cut_off_ = false;
  FaultPlan plan_;
  FaultyObjectStore store_;
  FaultyAppendRegistry registry_;
  FaultyClaimRegistry claims_;
  FaultyBus bus_;
  FaultyGraph graph_;
  FaultySearch search_;
  Log log_;
  std::unique_ptr<LogContext> context_;
  std::unique_ptr<AppendLog> append_;
  std::unique_ptr<OntologyCatalog> catalog_;
  std::unique_ptr<RequestTasks> requests_;
  std::unique_ptr<CommandService> service_;
  std::unique_ptr<StoredProgress> stored_progress_;
  std::vector<std::unique_ptr<CommandWorker>> workers_;
  std::unique_ptr<ClaimPruner> pruner_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<GraphWriter> graph_writer_;
  std::unique_ptr<ProjectionProgress> progress_;
  std::unique_ptr<Projection> projection_;
  TaskGroup tasks_;
};

inline constexpr char kPipelineCheckpoint[] = "checkpoints/event_publisher.json";

}  // namespace saffron
