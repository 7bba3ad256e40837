#include "app/loader/progress.h"

#include <gtest/gtest.h>

#include <sstream>

#include "base/thread_runtime.h"

namespace saffron {
namespace {

TEST(Progress, ABarOnATerminalElseALine) {
  EXPECT_EQ(ProgressText("Loading", {0.5, 12'345}, 10, true),
            "Loading [############------------]  50%  12,345 rows  1,234/s  0:10 left");
  EXPECT_EQ(ProgressText("Loading", {0.25, 100}, 3000, false),
            "Loading  25%  100 rows  0/s  2:30:00 left");
  EXPECT_EQ(ProgressText("Loading", {1, 1'000'000}, 2.5, false),
            "Loading 100%  1,000,000 rows  400,000/s  in 2.5 s");
  EXPECT_EQ(ProgressText("Loading", {0, 0}, 0, false), "Loading   0%  0 rows  0/s");
}

TEST(Progress, TheLastStateIsPrinted) {
  ThreadRuntime runtime;
  std::ostringstream out;
  {
    ProgressPrinter printer(runtime, out, {"Loading", false, false}, [] {
      return ProgressState{1, 7};
    });
  }
  EXPECT_EQ(out.str().substr(0, 21), "Loading 100%  7 rows ");
  EXPECT_EQ(out.str().back(), '\n');
}

}  // namespace
}  // namespace saffron
