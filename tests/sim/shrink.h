// Makes a failing plan smaller as long as it still fails.
#pragma once

#include <functional>
#include <string>

#include "tests/sim/plan_change.h"
#include "tests/sim/run_apart.h"

namespace saffron {

using RunPlan = std::function<HistoryResult(const PipelinePlan&)>;

struct Shrunk {
  PlanLine line;
  PipelinePlan plan;
  HistoryResult result;
  int runs = 0;
};

struct ShrinkOptions {
  int most_runs = 600;
  // A smaller plan is another history: with so many other schedules it is given a chance to fail.
  std::uint64_t schedules = 12;
};

// `line` fails with `result`. What is found fails in the same way: its first violation is of the
// same category.
Shrunk Shrink(const PlanLine& line, const HistoryResult& result, const RunPlan& run,
              const ShrinkOptions& options);

}  // namespace saffron
