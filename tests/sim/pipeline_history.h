// One random history over a PipelineWorld, as its plan says: clients of the OMS, faults at calls,
// disturbances of processes and stores; then everything heals, settles and is judged.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/client_checker.h"
#include "tests/sim/history_counts.h"
#include "tests/sim/log_checker.h"
#include "tests/sim/pipeline_checker.h"
#include "tests/sim/pipeline_plan.h"
#include "tests/sim/pipeline_world.h"

namespace saffron {

struct PipelineReport {
  Violations violations;
  std::uint64_t trace_hash = 0;
  HistoryCounts counts;
  std::uint64_t switches = 0;
  Duration settled_after{0};  // the end of all faults
};

// Everything that is judged at the end of a history, named or random.
Violations JudgePipeline(PipelineWorld& world, const DecodedLog& log,
                         const std::map<std::string, TopicHistory>& topics_history);

class PipelineHistory {
 public:
  explicit PipelineHistory(const PipelinePlan& plan, LogLevel log_level = LogLevel::kOff);
  // The kept lines of the trace: time, process, fiber, what.
  const std::deque<std::string>& TraceLines() { return world_.sim().TraceLines(); }

  PipelineReport Execute();
  PipelineWorld& world() { return world_; }

 private:
  struct Known {
    SequenceNumber number;
    bool present = false;
  };

  // pipeline_clients.cc
  void Clients();
  void Client();
  void MakeOntology();
  WriteRequest Draw();
  void AddCheck(WriteRequest& request);
  void Burst();
  void ReadBack();
  void Record(const WriteRequest& request, const WriteAnswer& answer, Duration called,
              Duration returned);
  WriteCommand DrawInstance(const std::string& id);
  WriteCommand ClassUpdate();
  WriteRequest RequestOf(std::vector<WriteCommand> commands);
  // Until it is known what became of it, or the client gives up. True: accepted.
  bool Deliver(WriteRequest request);
  bool Observe(const WriteRequest& request, const WriteAnswer& answer);
  Known& KnownOf(const WriteCommand& command);

  void StartNodes();
  void Disturb(const PlannedDisturbance& what);
  void DisturbProcess(const PlannedDisturbance& what);
  void DisturbRegistry(const PlannedDisturbance& what);
  void DisturbTopic(const PlannedDisturbance& what);
  void DisturbCheckpoint(const PlannedDisturbance& what);
  void DamageObject(const PlannedDisturbance& what);
  void TroubleStore(const PlannedDisturbance& what);
  void Count(const std::string& of, Disturbance kind);
  void CountRoles(std::uint32_t roles, Disturbance kind);
  void CheckBounds();
  bool MayBeParked() const;
  // What operators do then: they replay it.
  void Operate(PipelineNode& node);
  std::string Settle(PipelineNode& node);
  void CheckStatuses(PipelineNode& node);
  void Finish();
  bool RunChaos();

  const PipelinePlan plan_;
  PipelineWorld world_;
  DecodedLog log_{world_.store, world_.decoder()};
  PipelineReport report_;
  std::vector<ToldCommitted> told_;
  std::vector<EventId> refused_;
  ClientRecord record_;
  std::map<std::string, Known> known_;  // what answers told the clients
  std::uint64_t next_value_ = 0;
  int hosts_ = 0;
  bool clients_done_ = false;
  bool damaged_ = false;
  std::uint64_t crashes_ = 0;
  std::map<std::string, TopicHistory> topics_history_;
  MemoryRegistry::Backup backup_;
  std::optional<StoredObject> old_checkpoint_;
};

}  // namespace saffron
