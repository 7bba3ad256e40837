// A log, a graph, a registry and a bus, and graph writers of simulated processes over them.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "adapters/memory/memory_bus.h"
#include "adapters/memory/memory_graph.h"
#include "adapters/memory/memory_object_store.h"
#include "adapters/memory/memory_registry.h"
#include "services/worker/graph_writer.h"
#include "testing/faults/faulty_ports.h"
#include "testing/log_builder.h"
#include "testing/sim/sim_runtime.h"

namespace saffron {

// What a graph must hold after the log: by definition, event by event.
inline std::map<AggregateKey, GraphNode> GraphOfLog(const LogBuilder& builder) {
  std::map<AggregateKey, GraphNode> nodes;
  for (const SlotPtr& slot : builder.slots()) {
    for (const LoggedEvent& event : slot->events) {
      if (!event.outcome) continue;
      GraphNode& node = nodes[event.envelope.aggregate];
      node.key = event.envelope.aggregate;
      node.version = event.envelope.sequence_number;
      node.lifecycle = event.outcome->lifecycle;
      node.incarnation = event.outcome->incarnation;
      node.scope = event.outcome->scope;
      node.document = event.outcome->document;
      node.references.clear();
      if (node.key.type == AggregateType::kInstance) {
        node.references = ReferencesByShape(node.document);
      }
      if (event.envelope.type.rejected) continue;
      const std::int64_t at = ParseRfc3339(event.envelope.occurred_at)->unix_ms;
      if (event.envelope.type.operation == Operation::kCreate) node.created_ms = at;
      node.updated_ms = at;
    }
  }
  return nodes;
}

struct GraphWorld {
  explicit GraphWorld(std::uint64_t seed, FaultRates fault_rates = {})
      : simulation({.seed = seed}), rates(fault_rates) {
    auto task = environment.Spawn("setup", [this] {
      SAFFRON_ASSERT(bus.EnsureTopics({{std::string(kProjectionFailuresTopic), 1}}).ok());
    });
    task->Join();
  }

  static AggregateKey Instance(std::uint32_t i) {
    return AggregateKey::Instance("db", "main", "Order", std::to_string(i));
  }
  // Creations, updates, deletions and rejections over a few instances; tombstones in between.
  void Append(int slots) {
    RandomBits& random = simulation.random();
    for (int i = 0; i < slots; ++i) {
      if (random.Below(8) == 0) {
        builder.Tombstone();
        continue;
      }
      for (std::uint32_t e = 0; e < 1 + random.Below(5); ++e) {
        const AggregateKey key = Instance(random.Below(6));
        const std::uint32_t what = random.Below(10);
        builder.Command(key, Operation::kUpdate);
        if (what < 2) {
          builder.Rejected(key);
        } else if (what < 3) {
          builder.Outcome(key, "");
        } else {
          builder.Outcome(key, R"({"to":"Order/)" + std::to_string(random.Below(6)) + R"(","n":)" +
                                   std::to_string(random.Below(1000)) + "}");
        }
      }
      builder.Commit();
    }
  }
  void ExpectGraphIsFoldOfLog() {
    EXPECT_TRUE(graph.Snapshot().nodes == GraphOfLog(builder));
    EXPECT_EQ(graph.Snapshot().state.position.slot, builder.last());
  }

  Simulation simulation;
  FaultRates rates;
  FaultCounts counts;
  SimProcess environment{simulation, "environment"};
  TaskGroup late{environment};
  MemoryObjectStore store;
  MemoryGraph graph;
  MemoryRegistry registry{{.now_ms = [this] { return environment.WallNow().unix_ms; }}};
  MemoryBus bus{environment, {}};
  LogBuilder builder{store};
};

struct GraphProcess {
  GraphProcess(GraphWorld& world, const std::string& name, GraphStore* other_graph = nullptr)
      : process(world.simulation, name),
        plan(process, world.environment, world.late, world.rates, world.counts),
        store(world.store, plan),
        append(world.registry, plan),
        claims(world.registry, plan),
        graph(other_graph != nullptr ? *other_graph : world.graph, plan),
        bus(world.bus, plan) {
    context.format = world.builder.format();
    writer = std::make_unique<GraphWriter>(
        context, graph, claims, bus,
        GraphWriterOptions{.owner = name, .lease = seconds(6), .max_events = 20}, nullptr);
    task = process.Spawn("graph-writer", [this] { writer->Run(); });
  }
  ~GraphProcess() { End(); }
  void Crash() {
    process.Crash();
    End();
  }
  void End() {
    if (task == nullptr) return;
    if (process.paused()) process.Resume();
    if (!process.StopRequested()) process.RequestStop();
    task->Join();
    task.reset();
  }

  SimProcess process;
  FaultPlan plan;
  FaultyObjectStore store;
  FaultyAppendRegistry append;
  FaultyClaimRegistry claims;
  FaultyGraph graph;
  FaultyBus bus;
  Log log = Log::Discard();
  LogContext context{process, store, append, log, {}, 0, "test"};
  std::unique_ptr<GraphWriter> writer;
  std::unique_ptr<Task> task;
};

}  // namespace saffron
