// A broken rule is found, made small, and can be seen again from the line that is printed.
#include "tests/sim/shrink.h"

#include <gtest/gtest.h>

#include "eventlog/mutation.h"
#include "tests/sim/explore.h"
#include "tests/sim/pipeline_history.h"
#include "tests/sim/story.h"

namespace saffron {
namespace {

HistoryResult RunHere(const PipelinePlan& plan) { return RunPipeline(plan, nullptr); }

class ShrinkTest : public testing::Test {
 protected:
  void SetUp() override { ActiveMutations::Get().Set({Mutation::kDeletedNotWritten}); }
  void TearDown() override { ActiveMutations::Get().Set({}); }
};

TEST_F(ShrinkTest, ABrokenRuleFailsInASmallerPlanAndItsLineRepeatsItBitForBit) {
  const Explored explored = Explore({.seeds = 200, .progress = false});
  ASSERT_TRUE(explored.failed);
  const PlanLine line{*explored.failed, {}};
  const HistoryResult first = RunHere(*PlanOf(line));
  ASSERT_FALSE(first.violations.empty());
  const Shrunk shrunk = Shrink(line, first, RunHere, {.most_runs = 150, .schedules = 6});
  EXPECT_LT(SizeOf(shrunk.plan), SizeOf(*PlanOf(line)) * 9 / 10);

  const Result<PipelinePlan> again =
      PlanOf({shrunk.line.seed, SplitWords(shrunk.line.WordsText())});
  ASSERT_TRUE(again.ok());
#ifdef __SANITIZE_THREAD__
  const HistoryResult repeated = RunHere(*again);  // it does not know the fibers after a fork
#else
  const HistoryResult repeated = RunApart([&] { return RunHere(*again); }, 60);
#endif
  EXPECT_EQ(repeated.trace_hash, shrunk.result.trace_hash);
  EXPECT_EQ(repeated.violations, shrunk.result.violations);

  PipelineHistory history(shrunk.plan);
  Story story(history.world(), Story::Telling::kAtTheEnd);
  const PipelineReport told = history.Execute();
  EXPECT_EQ(told.trace_hash, shrunk.result.trace_hash);  // whoever listens changes nothing
  const std::string text = story.Tell(told.violations);
  EXPECT_NE(text.find("asks "), std::string::npos);
  EXPECT_NE(text.find("PUT slot"), std::string::npos);
  EXPECT_NE(text.find("\n>> "), std::string::npos);
}

TEST(HistoryCountsTest, ALineOfAWorkerComesBackAsItWas) {
  HistoryCounts counts;
  counts.histories = 3;
  counts.commands = 120;
  counts.port_calls = 9;
  counts.virtual_time = seconds(7200);
  counts.coverage[{"store.put", "lost answer"}] = 2;
  counts.coverage[{"graph writer", "power cut"}] = 1;
  const HistoryCounts read = DecodeCounts(EncodeCounts(counts));
  EXPECT_EQ(read.coverage, counts.coverage);
  EXPECT_EQ(TextOf(read, 2), TextOf(counts, 2));
  EXPECT_NE(TextOf(read, 2).find("3 histories (2/s; 0 with 100 commands and more), 2.0 virtual h"),
            std::string::npos);
}

TEST(RunApartTest, WhatAbortsOrDoesNotEndIsAFinding) {
  EXPECT_EQ(RunApart([]() -> HistoryResult { std::abort(); }, 60).violations.size(), 1u);
  const HistoryResult hangs = RunApart(
      []() -> HistoryResult {
        for (volatile bool on = true; on;) {
        }
        return {};
      },
      1);
  EXPECT_EQ(hangs.violations.size(), 1u);
  const HistoryResult passed = RunApart([] { return HistoryResult{{"a b", "c"}, 7}; }, 60);
  EXPECT_EQ(passed.violations, (std::vector<std::string>{"a b", "c"}));
  EXPECT_EQ(passed.trace_hash, 7u);
}

TEST(PlanChangeTest, AWordThatMeansNothingIsNamed) {
  EXPECT_TRUE(PlanOf({1, {"clients=1", "without=0", "processes=1"}}).ok());
  for (const char* word : {"clients", "klients=1", "without=999", "late=x"}) {
    EXPECT_TRUE(PlanOf({1, {word}}).Is(Code::kInvalid)) << word;
  }
}

TEST(CategoryTest, IsWithoutWhatNamesOneEvent) {
  EXPECT_EQ(CategoryOf("I5: committed twice: 01a20786-9818"), "I5: committed twice:");
  EXPECT_EQ(CategoryOf("I2/I3: Instance sim:t3 has 4"), "I2/I3: Instance");
}

}  // namespace
}  // namespace saffron
