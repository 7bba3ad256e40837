// What a random history is made of: plain data, drawn from a seed, that may be changed by hand
// before it is executed. A shrinker takes parts away.
#pragma once

#include <string_view>
#include <vector>

#include "testing/faults/faults.h"

namespace saffron {

// What befalls processes and stores, apart from the faults at single calls.
enum class Disturbance {
  kCrash,
  kStop,  // in order
  kPause,
  kClockJump,
  kKept,             // a copy of registry and sinks is put by: what later losses go back to
  kRegistryRestart,  // of its engine
  kRegistryRestore,  // with the state of the copy
  kRegistryEmptied,
  kRegistryClockJump,
  kTopicDeleted,
  kTopicCut,     // loses its tail
  kOffsetsBack,  // of a group, which then gets old records again
  kCheckpointKept,
  kCheckpointRestore,
  kCheckpointDeleted,
  kCheckpointDamaged,
  kSlotFlipped,  // one bit
  kSlotCut,
  kStoreAway,
  kStoreFull,
  kPowerCut,  // all processes; the sinks are older afterwards
  kCount,
};
std::string_view DisturbanceName(Disturbance kind);

struct PlannedDisturbance {
  Disturbance kind = Disturbance::kCrash;
  Duration after{0};       // the one before it
  std::uint32_t pick = 0;  // whom, how much: reduced to what there is
};

struct PipelinePlan {
  std::uint64_t seed = 1;                // of the simulation: schedule, and what the clients draw
  std::vector<std::uint32_t> processes;  // their roles
  std::uint64_t max_outstanding = 8;
  std::uint32_t partitions = 1;
  std::uint32_t clients = 4;
  std::uint32_t requests = 10;           // of each client
  std::uint32_t skew_s = 0;              // clocks of processes are off by up to that
  std::uint32_t lost_answer_one_in = 8;  // answers to clients; 0: none
  std::uint32_t prune_ms = 0;            // after that time claims that are done go; 0: never
  // When the faults end, a process stays cut off from a store, by this pick. 0: none does.
  std::uint32_t cut_off = 0;
  FaultRates rates;
  std::vector<PlannedDisturbance> disturbances;
  Duration calm_after{0};            // the last disturbance until faults at calls end too
  std::size_t kept_trace_lines = 0;  // of the last ones; no part of the history

  static PipelinePlan Draw(std::uint64_t seed);
  // How long a client thinks at most before a request, so that it makes them all, or most of them,
  // while there are disturbances.
  Duration LongestThought() const;
};

}  // namespace saffron
