// Breaks one rule of the append protocol at a time and shows that the judges notice. A mutation
// that survives is a hole in the judges.
#include <gtest/gtest.h>

#include "eventlog/mutation.h"
#include "tests/sim/append_history.h"

namespace saffron {
namespace {

struct Broken {
  Mutation mutation;
  const char* name;
  std::uint64_t within_seeds;
};

class AppendMutants : public testing::TestWithParam<Broken> {
 protected:
  void TearDown() override { ActiveMutations::Get().Set({}); }
};

TEST_P(AppendMutants, AreCaught) {
  ActiveMutations::Get().Set({GetParam().mutation});
  for (std::uint64_t seed = 1; seed <= GetParam().within_seeds; ++seed) {
    RunReport report = History(OptionsFor(seed)).Execute();
    if (report.violations.empty()) continue;
    std::printf("%s: caught at seed %llu: %s\n", GetParam().name, (unsigned long long)seed,
                report.violations.front().c_str());
    return;
  }
  FAIL() << GetParam().name << " was not noticed in " << GetParam().within_seeds << " seeds";
}

INSTANTIATE_TEST_SUITE_P(
    Protocol, AppendMutants,
    testing::Values(Broken{Mutation::kNoDedupe, "NoDedupe", 500},
                    Broken{Mutation::kAckBeforePut, "AckBeforePut", 500},
                    Broken{Mutation::kAnswerPendingDuplicate, "AnswerPendingDuplicate", 3000},
                    Broken{Mutation::kTakeAny412AsCommitted, "TakeAny412AsCommitted", 1000},
                    Broken{Mutation::kSecondOutcome, "SecondOutcome", 500},
                    Broken{Mutation::kIgnoreBasis, "IgnoreBasis", 1000},
                    Broken{Mutation::kIgnoreExpectedSeq, "IgnoreExpectedSeq", 500},
                    Broken{Mutation::kIgnorePending, "IgnorePending", 500},
                    Broken{Mutation::kUndoWithoutTombstone, "UndoWithoutTombstone", 1000},
                    Broken{Mutation::kFinalizeBeforePut, "FinalizeBeforePut", 500},
                    Broken{Mutation::kIgnoreIncarnation, "IgnoreIncarnation", 1000}),
    [](const testing::TestParamInfo<Broken>& info) { return info.param.name; });

}  // namespace
}  // namespace saffron
