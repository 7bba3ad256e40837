// The whole pipeline under seeded faults: OMS, workers, publisher, graph writer and projection over
// memory ports, with crashes, pauses, lost and late answers, registry restores, and losses of bus
// and checkpoint. Every run is judged from the bytes of the log.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

#include "tests/sim/pipeline_history.h"

namespace saffron {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
constexpr std::uint64_t kDefaultSeeds = 150;
#else
constexpr std::uint64_t kDefaultSeeds = 2000;
#endif

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void Add(PipelineReport& sum, const PipelineReport& one) {
  sum.acknowledged += one.acknowledged;
  sum.log.slots += one.log.slots;
  sum.log.tombstones += one.log.tombstones;
  sum.log.commands += one.log.commands;
  sum.log.outcomes += one.log.outcomes;
  sum.faults.calls += one.faults.calls;
  for (std::size_t i = 0; i < one.faults.by_kind.size(); ++i) {
    sum.faults.by_kind[i] += one.faults.by_kind[i];
  }
  sum.switches += one.switches;
  sum.crashes += one.crashes;
  sum.pauses += one.pauses;
  sum.registry_restarts += one.registry_restarts;
  sum.bus_losses += one.bus_losses;
  sum.checkpoint_losses += one.checkpoint_losses;
}

void Print(std::uint64_t seeds, const PipelineReport& sum, double took_s) {
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("pipeline sim: %llu seeds, %llu acknowledged, %llu outcomes, %llu slots, ",
              number(seeds), number(sum.acknowledged), number(sum.log.outcomes),
              number(sum.log.slots));
  for (std::size_t i = 0; i < sum.faults.by_kind.size(); ++i) {
    std::printf("%llu %s, ", number(sum.faults.by_kind[i]),
                std::string(FaultName(static_cast<FaultKind>(i))).c_str());
  }
  std::printf("%llu crashes, %llu pauses, %llu registry restarts, %llu bus losses, ",
              number(sum.crashes), number(sum.pauses), number(sum.registry_restarts),
              number(sum.bus_losses));
  std::printf("%llu checkpoint losses, %llu port calls, %llu switches, %.1f s\n",
              number(sum.checkpoint_losses), number(sum.faults.calls), number(sum.switches),
              took_s);
}

TEST(PipelineSim, SinksAreFoldsOfTheLogUnderFaults) {
  const std::uint64_t first = FromEnvironment("SAFFRON_SIM_FIRST_SEED", 1);
  const std::uint64_t seeds = FromEnvironment("SAFFRON_SIM_SEEDS", kDefaultSeeds);
  const bool shown = FromEnvironment("SAFFRON_SIM_SHOW_LOG", 0) != 0;
  const auto started = std::chrono::steady_clock::now();
  PipelineReport sum;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    PipelineReport report =
        PipelineHistory(seed, shown ? LogLevel::kDebug : LogLevel::kOff).Execute();
    for (const std::string& violation : report.violations) {
      ADD_FAILURE() << "seed " << seed << ": " << violation;
    }
    ASSERT_TRUE(report.violations.empty())
        << "repeat with SAFFRON_SIM_FIRST_SEED=" << seed
        << " SAFFRON_SIM_SEEDS=1 pipeline_sim_test; SAFFRON_SIM_SHOW_LOG=1 shows its log";
    Add(sum, report);
  }
  Print(seeds, sum,
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
  EXPECT_GT(sum.acknowledged, seeds);
}

TEST(PipelineSim, ASeedRepeatsBitForBit) {
  PipelineReport first = PipelineHistory(42).Execute();
  PipelineReport second = PipelineHistory(42).Execute();
  EXPECT_EQ(first.trace_hash, second.trace_hash);
  EXPECT_EQ(first.switches, second.switches);
  EXPECT_NE(first.trace_hash, PipelineHistory(43).Execute().trace_hash);
}

}  // namespace
}  // namespace saffron
