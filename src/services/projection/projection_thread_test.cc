// The same projection over real threads, with a publisher.
#include <gtest/gtest.h>

#include "adapters/memory/memory_bus.h"
#include "adapters/memory/memory_object_store.h"
#include "adapters/memory/memory_registry.h"
#include "adapters/memory/memory_search.h"
#include "base/thread_runtime.h"
#include "services/projection/projection.h"
#include "services/publisher/publisher.h"
#include "testing/log_builder.h"

namespace saffron {
namespace {

TEST(ProjectionThreadTest, ProjectsWhatIsAppendedMeanwhile) {
  ThreadRuntime runtime;
  MemoryObjectStore store;
  MemorySearch search;
  MemoryRegistry registry({.now_ms = [&] { return runtime.WallNow().unix_ms; }});
  MemoryBus bus(runtime, {});
  LogBuilder builder(store);
  Log log = Log::Discard();
  LogContext context{runtime, store, registry, log, builder.format(), 0, "test"};
  PublisherOptions publisher_options;
  publisher_options.owner = "threads";
  Publisher publisher(context, bus, registry, publisher_options, nullptr);
  ProjectionProgress progress;
  Metrics exposed;
  ProjectionMetrics metrics(exposed);
  Projection projection(context, bus, registry, search, progress, {.owner = "threads"}, &metrics);
  TaskGroup tasks(runtime);
  tasks.Spawn("publisher", [&] { publisher.Run(); });
  tasks.Spawn("projection", [&] { projection.Run(); });
  for (int i = 0; i < 300; ++i) {
    builder.Outcome(AggregateKey::Instance("db", "main", "C", std::to_string(i)), "{}").Commit();
    context.committed.Raise(builder.last());
  }
  for (int i = 0; i < 20'000 && !*progress.Passed(registry, 0, builder.last()); ++i) {
    runtime.SleepFor(milliseconds(1));
  }
  EXPECT_TRUE(*progress.Passed(registry, 0, builder.last()));
  EXPECT_EQ(search.Scan(std::nullopt, 1000)->size(), 300u);
  runtime.RequestStop();
  context.committed.Nudge();
  tasks.JoinAll();
}

}  // namespace
}  // namespace saffron
