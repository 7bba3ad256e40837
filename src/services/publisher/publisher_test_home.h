// A log, a bus and a registry, and publishers of simulated processes over them.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "adapters/memory/memory_bus.h"
#include "adapters/memory/memory_object_store.h"
#include "adapters/memory/memory_registry.h"
#include "services/publisher/publisher.h"
#include "testing/faults/faulty_ports.h"
#include "testing/log_builder.h"
#include "testing/sim/sim_runtime.h"

namespace saffron {

inline constexpr char kCheckpointKey[] = "checkpoints/event_publisher.json";

struct PublisherWorld {
  explicit PublisherWorld(std::uint64_t seed, FaultRates fault_rates = {})
      : simulation({.seed = seed}), rates(fault_rates) {}

  static AggregateKey Instance(int i) {
    return AggregateKey::Instance("db", "main", "Order", std::to_string(i));
  }
  // Slots of commands and outcomes over a few instances, with tombstones in between.
  void Append(int slots) {
    for (int i = 0; i < slots; ++i) {
      if (simulation.random().Below(8) == 0) {
        builder.Tombstone();
        continue;
      }
      for (std::uint32_t e = 0; e < 1 + simulation.random().Below(5); ++e) {
        const int which = static_cast<int>(simulation.random().Below(6));
        builder.Command(Instance(which), Operation::kCreate);
        builder.Outcome(Instance(which), "{\"n\":" + std::to_string(e) + "}");
      }
      builder.Commit();
    }
  }

  // All records of a topic's partition, now.
  std::vector<BusRecord> Records(const std::string& topic) {
    std::vector<BusRecord> all;
    auto task = environment.Spawn("reader", [&] {
      auto consumer = bus.Subscribe("reader-" + std::to_string(++readers), {topic});
      SAFFRON_ASSERT(consumer.ok());
      while (true) {
        auto batch = (*consumer)->Poll(1000, milliseconds(100));
        SAFFRON_ASSERT(batch.ok());
        if (batch->records.empty() && batch->assigned.empty()) return;
        for (BusRecord& record : batch->records) all.push_back(std::move(record));
      }
    });
    task->Join();
    return all;
  }
  static std::string Header(const BusRecord& record, std::string_view name) {
    for (const auto& [key, value] : record.headers) {
      if (key == name) return value;
    }
    return "";
  }
  std::set<std::string> PositionsOnBus() {
    std::set<std::string> positions;
    for (std::string_view topic : {kInstanceCommandsTopic, kInstanceEventsTopic}) {
      for (const BusRecord& record : Records(std::string(topic))) {
        positions.insert(Header(record, "position"));
      }
    }
    return positions;
  }
  std::set<std::string> PositionsInLog() const {
    std::set<std::string> positions;
    for (const SlotPtr& slot : builder.slots()) {
      for (const LoggedEvent& event : slot->events) {
        positions.insert(event.location.position.ToString());
      }
    }
    return positions;
  }
  PublisherCheckpoint Checkpoint() {
    auto stored = store.Get(kCheckpointKey);
    SAFFRON_ASSERT(stored.ok());
    auto decoded = DecodeCheckpoint(stored->bytes);
    SAFFRON_ASSERT(decoded.ok());
    return *decoded;
  }

  Simulation simulation;
  FaultRates rates;
  FaultCounts counts;
  SimProcess environment{simulation, "environment"};
  TaskGroup late{environment};
  MemoryObjectStore store;
  MemoryRegistry registry{{.now_ms = [this] { return environment.WallNow().unix_ms; }}};
  MemoryBus bus{environment, {}};
  LogBuilder builder{store};
  int readers = 0;
};

// Looks at what is about to be produced; an error is the call's.
class WatchedBus final : public MessageBus {
 public:
  explicit WatchedBus(MessageBus& inner) : inner_(inner) {}
  Status EnsureTopics(const std::vector<TopicSpec>& topics) override {
    return inner_.EnsureTopics(topics);
  }
  Result<std::vector<Delivery>> Produce(const std::vector<BusMessage>& messages,
                                        Duration timeout) override {
    if (before) SAFFRON_TRY(before(messages));
    return inner_.Produce(messages, timeout);
  }
  Result<TopicState> Describe(const std::string& topic) override { return inner_.Describe(topic); }
  Result<std::vector<BusRecord>> RecordsAt(
      const std::map<TopicPartition, std::uint64_t>& offsets) override {
    return inner_.RecordsAt(offsets);
  }
  Result<std::unique_ptr<BusConsumer>> Subscribe(const std::string& group,
                                                 const std::vector<std::string>& topics) override {
    return inner_.Subscribe(group, topics);
  }
  Result<std::map<TopicPartition, CommittedOffset>> GroupOffsets(
      const std::string& group) override {
    return inner_.GroupOffsets(group);
  }
  std::function<Status(const std::vector<BusMessage>&)> before;

 private:
  MessageBus& inner_;
};

// One run of a publisher's process.
struct PublisherProcess {
  PublisherProcess(PublisherWorld& world, const std::string& name, Duration lease = seconds(15),
                   MessageBus* other_bus = nullptr)
      : process(world.simulation, name),
        plan(process, world.environment, world.late, world.rates, world.counts),
        store(world.store, plan),
        append(world.registry, plan),
        claims(world.registry, plan),
        bus(other_bus != nullptr ? *other_bus : world.bus, plan) {
    context.format = world.builder.format();
    PublisherOptions options;
    options.owner = name;
    options.topics = AllTopics(2);
    options.batch_size = 7;
    options.flush_batch_size = 3;
    options.lease = lease;
    publisher = std::make_unique<Publisher>(context, bus, claims, options, nullptr);
    task = process.Spawn("publisher", [this] { publisher->Run(); });
  }
  ~PublisherProcess() { End(); }
  void Stop() {
    process.RequestStop();
    End();
  }
  void Crash() {
    process.Crash();
    End();
  }
  void End() {
    if (task == nullptr) return;
    if (!process.StopRequested()) process.RequestStop();
    if (process.paused()) process.Resume();
    task->Join();
    task.reset();
  }

  SimProcess process;
  FaultPlan plan;
  FaultyObjectStore store;
  FaultyAppendRegistry append;
  FaultyClaimRegistry claims;
  FaultyBus bus;
  Log log = Log::Discard();
  LogContext context{process, store, append, log, {}, 0, "test"};
  std::unique_ptr<Publisher> publisher;
  std::unique_ptr<Task> task;
};

inline void RunUntilPublished(PublisherWorld& world, PublisherProcess& publisher) {
  RunResult result = world.simulation.RunUntil(
      [&] {
        return publisher.publisher->leading() &&
               publisher.publisher->last_slot() == world.builder.last();
      },
      world.simulation.Now() + seconds(600));
  ASSERT_EQ(result.end, RunEnd::kPredicate) << result.report;
}

}  // namespace saffron
