#include "services/projection/progress.h"

#include <gtest/gtest.h>

#include "adapters/memory/memory_registry.h"
#include "adapters/memory/memory_search.h"
#include "base/thread_runtime.h"

namespace saffron {
namespace {

TEST(ProjectionProgressTest, ASlotIsPassedByTheWatermarkOrByTheFirstRowAtOrAboveIt) {
  MemoryRegistry registry({.now_ms = [] { return std::int64_t{0}; }});
  ProjectionProgress progress;
  ProjectionWatermark watermark;
  watermark.slot = SlotNumber(3);
  watermark.partitions[{"instance_events", 0}] = {"id", 10};
  progress.Set(watermark);
  EXPECT_TRUE(*progress.Passed(registry, 0, SlotNumber(3)));
  EXPECT_FALSE(*progress.Passed(registry, 0, SlotNumber(4)));  // not published yet
  PublishedRow row{0, SlotNumber(6), {{{"instance_events", 0}, 10}, {kRepublishMark, 0}}};
  ASSERT_TRUE(registry.PutPublished(row, SlotNumber()).ok());
  EXPECT_TRUE(*progress.Passed(registry, 0, SlotNumber(4)));
  EXPECT_TRUE(*progress.Passed(registry, 0, SlotNumber(6)));
  EXPECT_FALSE(*progress.Passed(registry, 0, SlotNumber(7)));
}

// What an OMS knows of a projection in another process.
TEST(StoredProgressTest, FollowsTheWatermarkInTheIndex) {
  ThreadRuntime runtime;
  MemoryRegistry registry({.now_ms = [] { return std::int64_t{0}; }});
  MemorySearch index;
  StoredProgress progress(runtime, index, registry);
  EXPECT_FALSE(*progress.Passed(0, SlotNumber(1)));
  ProjectionWatermark watermark;
  watermark.slot = SlotNumber(3);
  ASSERT_TRUE(index.SetWatermark(EncodeWatermark(watermark)).ok());
  bool passed = false;
  for (int i = 0; i < 1000 && !passed; ++i) {
    passed = *progress.Passed(0, SlotNumber(3));
    runtime.SleepFor(milliseconds(1));
  }
  EXPECT_TRUE(passed);
  EXPECT_FALSE(*progress.Passed(0, SlotNumber(4)));
}

}  // namespace
}  // namespace saffron
