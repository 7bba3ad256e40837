// One random history over a PipelineWorld: clients of the OMS, crashes, pauses, registry restarts,
// losses of bus and checkpoint; then everything heals, settles and is judged.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/log_checker.h"
#include "tests/sim/pipeline_checker.h"
#include "tests/sim/pipeline_world.h"

namespace saffron {

// Which processes there are.
enum class Topology { kSingle, kReplicas, kSplit };

struct PipelineReport {
  Violations violations;
  std::uint64_t trace_hash = 0;
  std::uint64_t acknowledged = 0;
  LogVerdict log;
  FaultCounts faults;
  std::uint64_t switches = 0;
  std::uint64_t rejected = 0;
  std::uint64_t crashes = 0, pauses = 0, registry_restarts = 0, bus_losses = 0;
  std::uint64_t checkpoint_losses = 0;
};

// Everything that is judged at the end of a history, named or random.
Violations JudgePipeline(PipelineWorld& world,
                         const std::map<std::string, TopicHistory>& topics_history);

class PipelineHistory {
 public:
  explicit PipelineHistory(std::uint64_t seed, LogLevel log_level = LogLevel::kOff);

  PipelineReport Execute();

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
  WriteCommand DrawInstance(const std::string& id);
  WriteCommand ClassUpdate();
  WriteRequest RequestOf(std::vector<WriteCommand> commands);
  // Until it is known what became of it, or the client gives up. True: accepted.
  bool Deliver(WriteRequest request);
  bool Observe(const WriteRequest& request, const WriteAnswer& answer);
  Known& KnownOf(const WriteCommand& command);

  void StartNodes();
  void Disturb(int step);
  void DisturbStores();
  bool RunChaos();

  PipelineWorld world_;
  Topology topology_;
  PipelineReport report_;
  std::vector<ToldCommitted> told_;
  std::vector<EventId> refused_;
  std::map<std::string, Known> known_;  // what answers told the clients
  std::uint64_t next_value_ = 0;
  bool clients_done_ = false;
  std::map<std::string, TopicHistory> topics_history_;
  MemoryRegistry::Backup backup_;
  std::optional<StoredObject> old_checkpoint_;
};

}  // namespace saffron
