#include "testing/sim/fiber.h"

#include <gtest/gtest.h>

#include <string>

namespace saffron {
namespace {

TEST(FiberTest, RunsBodiesOneAfterAnotherOnOneStack) {
  Fiber fiber;
  std::string trace;
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(fiber.idle());
    fiber.SetBody([&] {
      trace += 'a';
      fiber.Suspend();
      trace += 'b';
    });
    EXPECT_FALSE(fiber.idle());
    fiber.Resume();
    trace += '-';
    EXPECT_FALSE(fiber.idle());
    fiber.Resume();
  }
  EXPECT_TRUE(fiber.idle());
  EXPECT_EQ(trace, "a-ba-ba-b");
}

TEST(FiberTest, FibersInterleaveWithDeepStacks) {
  FiberPool pool;
  auto first = pool.Take();
  auto second = pool.Take();
  int steps = 0;
  auto deep = [&steps](Fiber* fiber, int depth) {
    auto recurse = [&steps, fiber](auto& self, int left) -> int {
      volatile char frame[512] = {};
      frame[0] = static_cast<char>(left);
      if (left == 0) {
        fiber->Suspend();
        ++steps;
        return 0;
      }
      return frame[0] + self(self, left - 1);
    };
    return recurse(recurse, depth);
  };
  int sums[2] = {0, 0};
  first->SetBody([&] { sums[0] = deep(first.get(), 100); });
  second->SetBody([&] { sums[1] = deep(second.get(), 50); });
  first->Resume();
  second->Resume();
  EXPECT_EQ(steps, 0);
  first->Resume();
  second->Resume();
  EXPECT_EQ(steps, 2);
  EXPECT_EQ(sums[0], 5050);
  EXPECT_EQ(sums[1], 1275);
  Fiber* raw = first.get();
  pool.Give(std::move(first));
  EXPECT_EQ(pool.Take().get(), raw);
}

TEST(FiberTest, AFiberThatIsNotIdleIsDroppedNotReused) {
  FiberPool pool;
  auto fiber = pool.Take();
  auto alive = std::make_shared<int>(1);
  fiber->SetBody([&, kept = alive] { fiber->Suspend(); });
  fiber->Resume();
  EXPECT_EQ(alive.use_count(), 2);
  pool.Give(std::move(fiber));
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_TRUE(pool.Take()->idle());
}

}  // namespace
}  // namespace saffron
