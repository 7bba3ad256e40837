// Rules that another one backs up: without them nothing is lost, but work is done for nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/extra_checks.h"
#include "tests/sim/pipeline_history.h"

namespace saffron {
namespace {

TEST(Economy, WhereNothingFailsNothingIsUndoneOrTakenOver) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    PipelinePlan plan = PipelinePlan::Draw(seed);
    const Duration slow_max = plan.rates.slow_max;
    plan.rates = FaultRates();
    plan.rates.slow = 30;  // so that calls overlap
    plan.rates.slow_max = slow_max;
    plan.lost_answer_one_in = 0;
    plan.disturbances.clear();
    plan.cut_off = 0;
    plan.calm_after = seconds(8);  // clients take that long
    PipelineHistory history(plan);
    EXPECT_THAT(history.Execute().violations, testing::IsEmpty());
    PipelineWorld& world = history.world();
    EXPECT_THAT(CheckEconomy(world.store, world.format, world.registry), testing::IsEmpty())
        << "seed " << seed;
  }
}

}  // namespace
}  // namespace saffron
