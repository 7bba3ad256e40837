// The append protocol under seeded faults: several writers, crashes, lost and late answers,
// registry restarts and restores. Every run is judged from the bytes of the log.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/sim/append_history.h"

namespace saffron {
namespace {

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void RunSeeds(const char* name, AppendWorldOptions (*options_for)(std::uint64_t),
              std::uint64_t seeds) {
  const std::uint64_t first = FromEnvironment("SAFFRON_SIM_FIRST_SEED", 1);
  seeds = FromEnvironment("SAFFRON_SIM_SEEDS", seeds);
  std::uint64_t told = 0, slots = 0, tombstones = 0, outcomes = 0, calls = 0;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    RunReport report = History(options_for(seed)).Execute();
    for (const std::string& violation : report.violations) {
      ADD_FAILURE() << "seed " << seed << ": " << violation;
    }
    ASSERT_TRUE(report.violations.empty())
        << "repeat with SAFFRON_SIM_FIRST_SEED=" << seed << " SAFFRON_SIM_SEEDS=1";
    told += report.told;
    slots += report.log.slots;
    tombstones += report.log.tombstones;
    outcomes += report.log.outcomes;
    calls += report.faults.calls;
  }
  std::printf(
      "%s: %llu seeds, %llu acknowledged, %llu outcomes, %llu slots, "
      "%llu tombstones, %llu port calls\n",
      name, (unsigned long long)seeds, (unsigned long long)told, (unsigned long long)outcomes,
      (unsigned long long)slots, (unsigned long long)tombstones, (unsigned long long)calls);
  EXPECT_GT(told, seeds);
}

TEST(AppendSim, HoldsItsInvariantsUnderFaults) { RunSeeds("append sim", OptionsFor, 1000); }

// The registry of one process lags the log when the process dies (rocksdb_registry.h).
TEST(AppendSim, AnEmbeddedRegistryMayLoseItsTail) {
  RunSeeds("embedded append sim", EmbeddedOptionsFor, 1000);
}

TEST(AppendSim, ASeedRepeatsBitForBit) {
  RunReport first = History(OptionsFor(42)).Execute();
  RunReport second = History(OptionsFor(42)).Execute();
  EXPECT_EQ(first.trace_hash, second.trace_hash);
  EXPECT_EQ(first.switches, second.switches);
  EXPECT_NE(first.trace_hash, History(OptionsFor(43)).Execute().trace_hash);
}

}  // namespace
}  // namespace saffron
