// Runs random histories, seed after seed, in several processes, until the first one fails.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/history_counts.h"
#include "tests/sim/plan_change.h"
#include "tests/sim/run_apart.h"

namespace saffron {

// Which simulation: the append protocol alone, over servers or embedded engines, or all of it.
enum class SimWorld { kAppend, kEmbedded, kPipeline };
std::optional<SimWorld> ParseSimWorld(const std::string& name);
std::string_view NameOf(SimWorld world);

HistoryResult RunPipeline(const PipelinePlan& plan, HistoryCounts* counts);
// `line.words` are for the pipeline's plans alone; they must be understood.
HistoryResult RunSeed(SimWorld world, const PlanLine& line, HistoryCounts* counts);

struct ExploreOptions {
  SimWorld world = SimWorld::kPipeline;
  std::uint64_t first_seed = 1;
  std::uint64_t seeds = 0;                // 0: no bound
  std::vector<std::string> words = {};    // changes of every plan
  std::chrono::seconds most{0};           // 0: no bound
  std::chrono::seconds one_history{120};  // of real time: longer means that it does not end
  unsigned jobs = 1;
  bool progress = true;  // on standard output
};

struct Explored {
  HistoryCounts counts;
  std::chrono::duration<double> took{0};
  std::optional<std::uint64_t> failed;  // the first seed that was seen to fail
};

Explored Explore(const ExploreOptions& options);

}  // namespace saffron
