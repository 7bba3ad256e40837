// The whole pipeline under seeded faults: OMS, workers, publisher, graph writer and projection over
// memory ports, with crashes, pauses, lost and late answers, registry restores, and losses of bus
// and checkpoint. Every run is judged from the bytes of the log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <fstream>

#include "tests/sim/pipeline_history.h"

namespace saffron {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
constexpr std::uint64_t kDefaultSeeds = 150;
#else
constexpr std::uint64_t kDefaultSeeds = 3600;
#endif

// So many seeds fill every cell of the table of faults and steps.
constexpr std::uint64_t kSeedsThatCover = 3600;

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(PipelineSim, SinksAreFoldsOfTheLogUnderFaults) {
  const std::uint64_t first = FromEnvironment("SAFFRON_SIM_FIRST_SEED", 1);
  const std::uint64_t seeds = FromEnvironment("SAFFRON_SIM_SEEDS", kDefaultSeeds);
  const bool shown = FromEnvironment("SAFFRON_SIM_SHOW_LOG", 0) != 0;
  const auto started = std::chrono::steady_clock::now();
  HistoryCounts sum;
  Duration settled_after{0};
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    PipelineReport report =
        PipelineHistory(PipelinePlan::Draw(seed), shown ? LogLevel::kDebug : LogLevel::kOff)
            .Execute();
    for (const std::string& violation : report.violations) {
      ADD_FAILURE() << "seed " << seed << ": " << violation;
    }
    ASSERT_TRUE(report.violations.empty())
        << "repeat with SAFFRON_SIM_FIRST_SEED=" << seed
        << " SAFFRON_SIM_SEEDS=1 pipeline_sim_test; SAFFRON_SIM_SHOW_LOG=1 shows its log";
    sum.Add(report.counts);
    settled_after = std::max(settled_after, report.settled_after);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  std::printf("pipeline sim: %s; settled after %lld s\n", TextOf(sum, took.count()).c_str(),
              static_cast<long long>(settled_after / seconds(1)));
  EXPECT_GT(sum.acknowledged, seeds);
  EXPECT_THAT(UnknownCalls(sum.coverage), testing::IsEmpty());
  if (seeds >= kSeedsThatCover) {
    EXPECT_THAT(EmptyCells(sum.coverage), testing::IsEmpty());
  }
  if (const char* file = std::getenv("SAFFRON_SIM_COVERAGE"); file != nullptr) {
    std::ofstream(file) << CoverageTables(sum.coverage);
  }
}

TEST(PipelineSim, ASeedRepeatsBitForBit) {
  PipelineReport first = PipelineHistory(PipelinePlan::Draw(42)).Execute();
  PipelineReport second = PipelineHistory(PipelinePlan::Draw(42)).Execute();
  EXPECT_EQ(first.trace_hash, second.trace_hash);
  EXPECT_EQ(first.switches, second.switches);
  EXPECT_NE(first.trace_hash, PipelineHistory(PipelinePlan::Draw(43)).Execute().trace_hash);
}

}  // namespace
}  // namespace saffron
