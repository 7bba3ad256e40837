#include "tests/sim/pipeline_plan.h"

#include "base/random.h"
#include "tests/sim/fault_coverage.h"
#include "tests/sim/pipeline_world.h"

namespace saffron {
namespace {

constexpr std::uint32_t kWorkerRoles = kOntologyWorkerRole | kInstanceWorkerRole | kGraphRole;

// How often each is drawn, beside the others.
struct Weight {
  Disturbance kind;
  std::uint32_t weight;
};
constexpr Weight kWeights[] = {
    {Disturbance::kCrash, 8},
    {Disturbance::kStop, 6},
    {Disturbance::kPause, 6},
    {Disturbance::kClockJump, 2},
    {Disturbance::kKept, 4},
    {Disturbance::kRegistryRestart, 2},
    {Disturbance::kRegistryRestore, 2},
    {Disturbance::kRegistryEmptied, 1},
    {Disturbance::kTopicDeleted, 2},
    {Disturbance::kTopicCut, 2},
    {Disturbance::kOffsetsBack, 3},
    {Disturbance::kRegistryClockJump, 2},
    {Disturbance::kCheckpointKept, 2},
    {Disturbance::kCheckpointRestore, 2},
    {Disturbance::kCheckpointDeleted, 2},
    {Disturbance::kCheckpointDamaged, 1},
    {Disturbance::kSlotFlipped, 2},
    {Disturbance::kSlotCut, 2},
    {Disturbance::kStoreAway, 4},
    {Disturbance::kStoreFull, 3},
    {Disturbance::kPowerCut, 2},
};

Disturbance DrawKind(RandomBits& draw) {
  std::uint32_t sum = 0;
  for (const Weight& one : kWeights) sum += one.weight;
  std::uint32_t at = draw.Below(sum);
  for (const Weight& one : kWeights) {
    if (at < one.weight) return one.kind;
    at -= one.weight;
  }
  return Disturbance::kCrash;
}

constexpr std::uint32_t kOntologySide = kOntologyWorkerRole | kGraphRole;
constexpr std::uint32_t kInstanceSide = kInstanceWorkerRole | kGraphRole;

std::vector<std::uint32_t> DrawProcesses(RandomBits& draw) {
  switch (draw.Below(6)) {
    case 0: return {kAllRoles};
    case 1: return {kAllRoles, kAllRoles};
    case 2: return {kOms | kPublisher, kWorkerRoles, kWorkerRoles | kProjectionRole};
    case 3: return {kOms, kOms, kPublisher, kPublisher | kProjectionRole, kWorkerRoles};
    case 4: return {kOms | kOntologySide, kOms | kInstanceSide, kPublisher | kProjectionRole};
    // As in production: two of everything.
    default:
      return {kOms,          kOms,          kPublisher,    kPublisher,      kOntologySide,
              kOntologySide, kInstanceSide, kInstanceSide, kProjectionRole, kProjectionRole};
  }
}

// Swarm testing: half of the kinds are off, so that others are seen without them.
std::uint32_t DrawRate(RandomBits& draw, std::uint32_t most) {
  return draw.Below(2) == 0 ? 0 : draw.Below(most);
}

FaultRates DrawRates(RandomBits& draw) {
  FaultRates rates;
  rates.fail_before = DrawRate(draw, 50);
  rates.never_applied = DrawRate(draw, 40);
  rates.lost_answer = DrawRate(draw, 50);
  rates.late = DrawRate(draw, 60);
  rates.repeated = DrawRate(draw, 30);
  rates.slow = DrawRate(draw, 30);
  rates.stale = DrawRate(draw, 20);
  rates.crash = DrawRate(draw, 3);
  rates.pause = DrawRate(draw, 3);
  // Seconds, or beyond every lease and reservation.
  rates.late_max = seconds(draw.Below(3) == 0 ? 12 : 4);
  if (draw.Below(3) != 0) {
    rates.focus = PortCalls()[draw.Below(static_cast<std::uint32_t>(PortCallsOfAll()))].name;
    rates.focus_rate = 20 + draw.Below(draw.Below(3) == 0 ? 500 : 120);
  }
  return rates;
}

// Mostly small: a failure is then easy to read. One of eight has 100 commands and more.
void DrawClients(RandomBits& draw, PipelinePlan& plan) {
  plan.clients = 1 + draw.Below(6);
  plan.requests = 2 + draw.Below(10);
  if (draw.Below(8) != 0) return;
  plan.clients = 4;
  plan.requests = 30;
}

}  // namespace

std::string_view DisturbanceName(Disturbance kind) {
  switch (kind) {
    case Disturbance::kCrash: return "crash";
    case Disturbance::kStop: return "stop";
    case Disturbance::kPause: return "pause";
    case Disturbance::kClockJump: return "clock jump";
    case Disturbance::kKept: return "kept";
    case Disturbance::kRegistryRestart: return "restarted";
    case Disturbance::kRegistryRestore: return "restored";
    case Disturbance::kRegistryEmptied: return "emptied";
    case Disturbance::kRegistryClockJump: return "clock jump";
    case Disturbance::kTopicDeleted: return "topic deleted";
    case Disturbance::kTopicCut: return "topic cut";
    case Disturbance::kOffsetsBack: return "offsets back";
    case Disturbance::kCheckpointKept: return "kept";
    case Disturbance::kCheckpointRestore: return "restored";
    case Disturbance::kCheckpointDeleted: return "deleted";
    case Disturbance::kCheckpointDamaged: return "damaged";
    case Disturbance::kSlotFlipped: return "bit flipped";
    case Disturbance::kSlotCut: return "cut";
    case Disturbance::kStoreAway: return "away";
    case Disturbance::kStoreFull: return "full";
    case Disturbance::kPowerCut: return "power cut";
    case Disturbance::kCount: break;
  }
  return "";
}

PipelinePlan PipelinePlan::Draw(std::uint64_t seed) {
  RandomBits draw(seed * 7919);
  PipelinePlan plan;
  plan.seed = seed;
  plan.processes = DrawProcesses(draw);
  plan.max_outstanding = 4 + draw.Below(6);
  plan.partitions = 1 + draw.Below(3);
  plan.skew_s = DrawRate(draw, 20);
  plan.lost_answer_one_in = draw.Below(3) == 0 ? 0 : 4 + draw.Below(12);
  plan.rates = DrawRates(draw);
  DrawClients(draw, plan);
  for (std::uint32_t left = 1 + draw.Below(13); left > 0; --left) {
    const Duration after = milliseconds(draw.Below(1200));
    plan.disturbances.push_back({DrawKind(draw), after, static_cast<std::uint32_t>(draw.Next())});
  }
  plan.calm_after = milliseconds(draw.Below(2000));
  if (draw.Below(4) == 0) plan.prune_ms = 1 + draw.Below(draw.Below(2) == 0 ? 100 : 5000);
  if (draw.Below(4) == 0) plan.cut_off = 1 + draw.Below(1000);
  return plan;
}

Duration PipelinePlan::LongestThought() const {
  Duration disturbed = calm_after;
  for (const PlannedDisturbance& one : disturbances) disturbed += one.after;
  return std::min<Duration>(milliseconds(500), disturbed / std::max(1u, requests));
}

}  // namespace saffron
