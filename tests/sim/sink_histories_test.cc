// Histories of reads and of the search index that the random ones have found.
#include "tests/sim/pipeline_histories_home.h"

namespace saffron {
namespace {

// The registry is lost between two reads of one gate: what is left says that nothing is undecided,
// and that the log is empty. Nobody writes afterwards: the resolver notices, and fences.
TEST_F(PipelineHistories, C27_AReadByPositionIsNotToldByARegistryThatWasJustLost) {
  world.Start("workers", kOthers & ~kOms);
  PipelineNode& node = world.Start("one", kOms);
  PipelineNode& worker = world.Start("worker", kWorkers);
  Begin();
  worker.process().PauseFor(Duration::max());
  const WriteAnswer written = Write(Create("a"));
  ASSERT_EQ(written.code, WriteCode::kAccepted);
  RunUntil([&] { return world.registry.Snapshot()->reservations.empty(); });
  node.plan().Script({.call = "registry.undecided", .before = [&] { world.EmptyRegistry(); }});
  ReadAsk ask;
  ask.aggregate = ThingKey("a");
  ask.min_position = written.items[0].position;
  ReadSeen seen;
  auto client = world.environment().Spawn(
      "client", [&] { seen = node.Read(world.environment(), ask, seconds(30)); });
  world.sim().RunFor(seconds(2));
  worker.process().Resume();
  client->Join();
  EXPECT_TRUE(seen.answered);
  EXPECT_EQ(seen.version, SequenceNumber(1));
}

TEST_F(PipelineHistories, C28_ASaveOfTheWatermarkThatLandsLateIsMended) {
  PipelineNode& node = world.Start("one", kAllRoles);
  Begin();
  node.plan().Script({.call = "search.set_watermark", .fault = FaultKind::kLate});
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  world.sim().RunFor(milliseconds(700));
  ASSERT_EQ(Write(Create("b")).code, WriteCode::kAccepted);
  world.sim().RunFor(seconds(13));  // it has landed: Settle tells that it was mended
}

}  // namespace
}  // namespace saffron
