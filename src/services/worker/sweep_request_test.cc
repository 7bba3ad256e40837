#include "services/worker/sweep_request.h"

#include <gtest/gtest.h>

#include "adapters/memory/memory_registry.h"
#include "base/thread_runtime.h"

namespace saffron {
namespace {

TEST(SweepRequestTest, EveryWatchSeesEveryRequestOnce) {
  ThreadRuntime runtime;
  MemoryRegistry registry({.now_ms = [] { return std::int64_t{0}; }});
  int one = 0, two = 0;
  SweepWatch first(runtime, registry, [&] { ++one; });
  SweepWatch second(runtime, registry, [&] { ++two; });
  ASSERT_TRUE(first.Step().ok() && second.Step().ok());
  EXPECT_EQ(one, 0);
  ASSERT_TRUE(RequestSweep(registry).ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(first.Step().ok() && second.Step().ok());
  EXPECT_EQ(one, 1);
  EXPECT_EQ(two, 1);
  const MemoryRegistry::Backup backup = registry.Snapshot();
  ASSERT_TRUE(RequestSweep(registry).ok());
  ASSERT_TRUE(first.Step().ok());
  registry.Restore(backup);
  ASSERT_TRUE(first.Step().ok());
  EXPECT_EQ(one, 3);
}

}  // namespace
}  // namespace saffron
