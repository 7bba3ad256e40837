// The same graph writer over real threads.
#include <gtest/gtest.h>

#include "adapters/memory/memory_bus.h"
#include "adapters/memory/memory_graph.h"
#include "adapters/memory/memory_object_store.h"
#include "adapters/memory/memory_registry.h"
#include "base/thread_runtime.h"
#include "services/worker/graph_writer.h"
#include "testing/log_builder.h"

namespace saffron {
namespace {

TEST(GraphWriterThreadTest, TwoWritersFoldWhatIsAppendedMeanwhile) {
  ThreadRuntime runtime;
  MemoryObjectStore store;
  MemoryGraph graph;
  MemoryRegistry registry({.now_ms = [&] { return runtime.WallNow().unix_ms; }});
  MemoryBus bus(runtime, {});
  LogBuilder builder(store);
  Log log = Log::Discard();
  LogContext context{runtime, store, registry, log, builder.format(), 0, "test"};
  Metrics exposed;
  GraphWriterMetrics metrics(exposed);
  GraphWriter one(context, graph, registry, bus, {.owner = "one"}, &metrics);
  GraphWriter two(context, graph, registry, bus, {.owner = "two"}, &metrics);
  TaskGroup tasks(runtime);
  tasks.Spawn("one", [&] { one.Run(); });
  tasks.Spawn("two", [&] { two.Run(); });
  for (int i = 0; i < 300; ++i) {
    builder.Outcome(AggregateKey::Instance("db", "main", "C", std::to_string(i)), "{}").Commit();
    context.committed.Raise(builder.last());
  }
  for (int i = 0; i < 20'000 && graph.State()->position.slot < builder.last(); ++i) {
    runtime.SleepFor(milliseconds(1));
  }
  EXPECT_EQ(graph.State()->position.slot, builder.last());
  EXPECT_EQ(graph.Snapshot().nodes.size(), 300u);
  EXPECT_NE(one.writing(), two.writing());
  runtime.RequestStop();
  context.committed.Nudge();
  tasks.JoinAll();
}

}  // namespace
}  // namespace saffron
