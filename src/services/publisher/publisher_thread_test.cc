// The same publisher over real threads.
#include <gtest/gtest.h>

#include "adapters/memory/memory_bus.h"
#include "adapters/memory/memory_object_store.h"
#include "adapters/memory/memory_registry.h"
#include "base/thread_runtime.h"
#include "services/publisher/publisher.h"
#include "testing/log_builder.h"

namespace saffron {
namespace {

TEST(PublisherThreadTest, PublishesWhatIsAppendedMeanwhileAndReportsIt) {
  ThreadRuntime runtime;
  MemoryObjectStore store;
  MemoryRegistry registry({.now_ms = [&] { return runtime.WallNow().unix_ms; }});
  MemoryBus bus(runtime, {});
  LogBuilder builder(store);
  Log log = Log::Discard();
  LogContext context{runtime, store, registry, log, builder.format(), 0, "test"};
  Metrics registry_of_metrics;
  PublisherMetrics metrics(registry_of_metrics);
  PublisherOptions options;
  options.owner = "threads";
  Publisher publisher(context, bus, registry, options, &metrics);
  auto task = runtime.Spawn("publisher", [&] { publisher.Run(); });
  for (int i = 0; i < 300; ++i) {
    builder.Outcome(AggregateKey::Instance("db", "main", "C", std::to_string(i)), "{}").Commit();
    context.committed.Raise(builder.last());
  }
  for (int i = 0; i < 20'000 && publisher.last_slot() < builder.last(); ++i) {
    runtime.SleepFor(milliseconds(1));
  }
  EXPECT_EQ(publisher.last_slot(), builder.last());
  EXPECT_EQ(bus.Describe(std::string(kInstanceEventsTopic))->end_offsets[0], 300u);
  runtime.RequestStop();
  context.committed.Nudge();
  task->Join();
  EXPECT_FALSE(publisher.leading());
  EXPECT_NE(registry_of_metrics.Expose().find("saffron_publisher_events_total 300"),
            std::string::npos);
}

}  // namespace
}  // namespace saffron
