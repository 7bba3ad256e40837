// A log written by real lanes, a registry, and sinks filled from it, for tests of operations. Ports
// stand behind decorators without faults, so that every call is a scheduling point.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "adapters/memory/memory_bus.h"
#include "adapters/memory/memory_graph.h"
#include "adapters/memory/memory_object_store.h"
#include "adapters/memory/memory_registry.h"
#include "adapters/memory/memory_search.h"
#include "eventlog/append_log.h"
#include "eventlog/recovery.h"
#include "services/ops/verify.h"
#include "services/projection/search_document.h"
#include "services/publisher/publisher.h"
#include "services/worker/dead_letter.h"
#include "services/worker/graph_fold.h"
#include "services/worker/sink_digest.h"
#include "testing/faults/faulty_ports.h"
#include "testing/sim/sim_runtime.h"

namespace saffron {

struct OpsHome {
  explicit OpsHome(std::size_t batch_events = 8, std::uint64_t seed = 1)
      : simulation({.seed = seed}), batch(batch_events) {
    In([this] {
      Result<EventLogFormat> format = OpenFormat(store, process, {}, false);
      SAFFRON_ASSERT(format.ok());
      context.format = verifying.format = *format;
      SAFFRON_ASSERT(OpenRegistry(context).ok());
      SAFFRON_ASSERT(graph.TakeOver(1).ok());
      SAFFRON_ASSERT(bus.EnsureTopics({{std::string(kInstanceEventsTopic), 2},
                                       {std::string(kProjectionFailuresTopic), 1}})
                         .ok());
    });
  }

  // Runs `body` as a fiber, to its end.
  void In(std::function<void()> body) { process.Spawn("test", std::move(body))->Join(); }

  static AggregateKey Thing(int i) {
    return AggregateKey::Instance("ops", "main", "Thing", std::to_string(i));
  }
  static EventId CommandId(const AggregateKey& key, int nth) {
    return EventId(Uuid::FromName(Uuid::NamespaceUrl(), key.id + "/" + std::to_string(nth)));
  }
  // The nth command of an aggregate: create, update, update, delete, create, ...
  static AppendItem CommandOf(const AggregateKey& key, int nth) {
    const Operation operation = nth % 4 == 1   ? Operation::kCreate
                                : nth % 4 == 0 ? Operation::kDelete
                                               : Operation::kUpdate;
    AppendItem item;
    Envelope& envelope = item.envelope;
    envelope.event_id = CommandId(key, nth);
    envelope.type = EventType::Requested(AggregateType::kInstance, operation);
    envelope.aggregate = key;
    envelope.occurred_at = "2026-01-01T00:00:00.000Z";
    envelope.actor = "tester";
    envelope.data = "{}";
    envelope.metadata.service = "test";
    envelope.metadata.command_id = envelope.event_id;
    envelope.metadata.command_type = envelope.type;
    if (operation != Operation::kCreate) {
      item.expected_seq = SequenceNumber(static_cast<std::uint64_t>(nth - 1));
    }
    return item;
  }

  // The next command of each of the aggregates, in the order given; then their outcomes.
  void Write(const std::vector<int>& things) {
    In([&] { WriteHere(things); });
  }
  void WriteHere(const std::vector<int>& things) {
    AppendOptions options;
    options.limits.max_events = batch;
    AppendLog append(context, options, nullptr);
    append.Start();
    std::vector<AppendRequest> requests;
    for (int i : things) requests.push_back({{CommandOf(Thing(i), ++commands[i])}, {}});
    for (const AppendAnswer& answer : append.AppendEach(requests, process.Now() + seconds(30))) {
      SAFFRON_ASSERT(answer.code == AppendCode::kCommitted);
    }
    append.Stop(process.Now() + seconds(30));
    if (decides) Decide();
  }
  // One outcome for every aggregate that has an undecided command, until there is none.
  void Decide() {
    AppendOptions options;
    options.limits.max_events = batch;
    AppendLog append(context, options, nullptr);
    append.Start();
    while (true) {
      auto work = registry.Undecided(Position(), 1000);
      SAFFRON_ASSERT(work.ok());
      std::map<AggregateKey, AppendRequest> requests;
      for (const CommandRow& row : *work) {
        if (!requests.contains(row.aggregate)) {
          requests[row.aggregate].items.push_back(OutcomeOf(row));
        }
      }
      if (requests.empty()) break;
      std::vector<AppendRequest> all;
      for (auto& [key, request] : requests) all.push_back(std::move(request));
      // What is acknowledged may not be settled yet, and is then on the work list once more.
      for (const AppendAnswer& answer : append.AppendEach(all, process.Now() + seconds(30))) {
        SAFFRON_ASSERT(answer.code == AppendCode::kCommitted ||
                       answer.code == AppendCode::kOutcomeExists);
      }
    }
    append.Stop(process.Now() + seconds(30));
  }
  // The third command of every aggregate is rejected.
  AppendItem OutcomeOf(const CommandRow& row) {
    Outcome& state = decided[row.aggregate];
    const bool rejected = row.number.value == 3;
    if (!rejected) {
      const bool removed = row.type.operation == Operation::kDelete;
      if (row.type.operation == Operation::kCreate) state.incarnation = row.number;
      state.lifecycle = removed ? Lifecycle::kAbsent : Lifecycle::kPresent;
      state.document = removed ? "" : "{\"n\":" + std::to_string(row.number.value) + flavour + "}";
    }
    AppendItem item;
    Envelope& envelope = item.envelope;
    envelope.type = rejected ? EventType::Rejected(AggregateType::kInstance)
                             : EventType::Done(AggregateType::kInstance, row.type.operation);
    envelope.event_id = OutcomeId(row.id, envelope.type, row.aggregate);
    envelope.aggregate = row.aggregate;
    envelope.occurred_at = "2026-01-01T00:00:01.000Z";
    envelope.actor = "decider";
    envelope.metadata.service = "test";
    envelope.metadata.command_id = row.id;
    envelope.metadata.command_type = row.type;
    envelope.metadata.request_sha256 = row.request_sha256;
    envelope.sequence_number = row.number;
    item.outcome = state;
    if (rejected) item.outcome->reason_code = "refused";
    AggregateRow aggregate = RowOf(row.aggregate);
    if (aggregate.decided.number.value > 0) {
      item.outcome->basis = aggregate.decided.outcome.position;
    }
    return item;
  }
  AggregateRow RowOf(const AggregateKey& key) {
    RegistryRead read;
    read.aggregates.push_back(key);
    auto rows = registry.Read(read);
    SAFFRON_ASSERT(rows.ok() && rows->aggregates.contains(key));
    return rows->aggregates.at(key);
  }
  CommandRow CommandRowOf(const EventId& id) {
    RegistryRead read;
    read.commands.push_back(id);
    auto rows = registry.Read(read);
    SAFFRON_ASSERT(rows.ok() && rows->commands.contains(id));
    return rows->commands.at(id);
  }
  void WriteRegistry(RegistryWrite write) {
    SAFFRON_ASSERT(static_cast<AppendRegistry&>(registry)
                       .Transact(RegistryRead(), [&](const RegistryRows&) { return write; })
                       .ok());
  }
  SlotNumber Head() {
    auto rows = static_cast<AppendRegistry&>(registry).Read(RegistryRead());
    SAFFRON_ASSERT(rows.ok());
    return SlotNumber(rows->control.next_slot.value - 1);
  }

  // Folds what the sinks have not seen; documents of `without` do not get into the index.
  void Fold(const std::set<AggregateKey>& without = {}) {
    In([&] { FoldHere(without); });
  }
  void FoldHere(const std::set<AggregateKey>& without) {
    while (folded < Head()) {
      Result<SlotPtr> slot = ReadSlot(context, folded.Next());
      SAFFRON_ASSERT(slot.ok());
      GraphCommit commit{1, {(*slot)->number()}, *FoldIntoNodes(graph, {*slot})};
      SAFFRON_ASSERT(graph.Commit(commit).ok());
      for (const LoggedEvent& event : (*slot)->events) {
        if (!event.outcome || without.contains(event.envelope.aggregate)) continue;
        SAFFRON_ASSERT(search.Write({*SearchDocumentOf(event.envelope, *event.outcome)}).ok());
        SAFFRON_ASSERT(search.Refresh().ok());
      }
      folded = folded.Next();
    }
  }
  // A publisher that runs until it has passed the head.
  void Publish() {
    In([this] { PublishHere(faulty_bus); });
  }
  void PublishHere(MessageBus& to) {
    PublisherOptions options;
    options.owner = process.NewUuid().ToString();
    options.topics = AllTopics(2);
    for (TopicSpec& topic : options.topics) {
      if (topic.name == kProjectionFailuresTopic) topic.partitions = 1;
    }
    Publisher publisher(context, to, registry, options, nullptr);
    auto passed = [&] {
      auto row = registry.PublishedAt(0, Head());
      return row.ok() && row->has_value() && publisher.last_slot() == Head();
    };
    for (int i = 0; i < 200 && !passed(); ++i) SAFFRON_ASSERT(publisher.Step().ok());
    SAFFRON_ASSERT(passed());
    process.SleepFor(seconds(2));  // the checkpoint is due
    for (int i = 0; i < 3; ++i) SAFFRON_ASSERT(publisher.Step().ok());
    published = publisher.last_slot();
  }
  // What was published on the topic of outcomes is there again as `alter` leaves it, and its last
  // records are repeated, so that no partition ends too early.
  void PublishAltered(const std::function<void(std::vector<BusMessage>&)>& alter) {
    Publish();
    const std::string topic(kInstanceEventsTopic);
    In([&] {
      std::vector<BusMessage> messages;
      auto consumer = bus.Subscribe("reader", {topic});
      while (true) {
        auto batch = (*consumer)->Poll(1000, milliseconds(100));
        if (batch->records.empty() && batch->assigned.empty()) break;
        for (BusRecord& record : batch->records) {
          messages.push_back({topic, record.key, record.value, record.headers});
        }
      }
      std::map<std::uint32_t, BusMessage> last;
      for (const BusMessage& message : messages) last[PartitionOf(message.key, 2)] = message;
      bus.DeleteTopic(topic);
      SAFFRON_ASSERT(bus.EnsureTopics({{topic, 2}}).ok());
      alter(messages);
      for (const auto& [partition, message] : last) messages.push_back(message);
      SAFFRON_ASSERT(bus.Produce(messages, seconds(1)).ok());
    });
  }
  // Something that the protocol would not write, at the end of the log.
  void AppendRaw(LoggedEvent event) {
    SlotHeader header;
    header.log = context.format.log;
    header.slot = Head().Next();
    header.batch = BatchId(process.NewUuid());
    header.writer = "test";
    header.reserved_at = "2026-01-01T00:00:00.000Z";
    Slot slot = MakeBatchSlot(header, {std::move(event)});
    SAFFRON_ASSERT(store.PutIfAbsent(SlotKey(0, header.slot), slot.bytes).ok());
    In([&] { SAFFRON_ASSERT(Recover(context, Recovery::kInvalidateFirst).ok()); });
  }
  // The last event of the log of that kind.
  LoggedEvent LastEvent(EventKind kind) {
    LoggedEvent found;
    for (SlotNumber at(1); at <= Head(); at = at.Next()) {
      auto object = store.Get(SlotKey(0, at));
      auto slot = DecodeSlot(object->bytes, context.format.log, 0, at);
      SAFFRON_ASSERT(slot.ok());
      for (LoggedEvent& event : slot->events) {
        if (event.envelope.type.kind == kind) found = std::move(event);
      }
    }
    return found;
  }

  VerifySubjects Subjects() {
    return {faulty_claims,
            faulty_bus,
            faulty_graph,
            faulty_search,
            EntryDigest,
            [this](SlotNumber slot) -> Result<bool> { return slot <= folded; },
            []() -> Result<std::uint64_t> { return std::uint64_t{0}; },
            [this]() -> Result<SlotNumber> { return published; }};
  }
  VerifyReport Verify(VerifyOptions options = {}) {
    std::optional<VerifyReport> report;
    In([&] { report = VerifyHere(options); });
    return std::move(*report);
  }
  VerifyReport VerifyHere(VerifyOptions options) {
    Result<VerifyReport> report = Verifier(verifying, Subjects(), options, {}).Run();
    EXPECT_TRUE(report.ok()) << report.error().ToString();
    return report.ok() ? std::move(*report) : VerifyReport();
  }

  Simulation simulation;
  const std::size_t batch;
  std::string flavour;  // of the documents
  bool decides = true;
  std::map<int, int> commands;
  std::map<AggregateKey, Outcome> decided;
  SlotNumber folded, published;

  SimProcess process{simulation, "process"};
  SimProcess environment{simulation, "environment"};
  TaskGroup late{environment};
  FaultRates rates;
  FaultCounts counts;
  FaultPlan plan{process, environment, late, rates, counts};
  MemoryObjectStore store;
  MemoryRegistry registry{{.now_ms = [this] { return process.WallNow().unix_ms; }}};
  MemoryGraph graph;
  MemorySearch search;
  MemoryBus bus{process, {}};
  FaultyObjectStore faulty_store{store, plan};
  FaultyAppendRegistry faulty_registry{registry, plan};
  FaultyClaimRegistry faulty_claims{registry, plan};
  FaultyGraph faulty_graph{graph, plan};
  FaultySearch faulty_search{search, plan};
  FaultyBus faulty_bus{bus, plan};
  Log log = Log::Discard();
  LogContext context{process, store, registry, log, {}, 0, "test", true};
  // Of its own, so that it does not share what the writer remembers.
  LogContext verifying{process, faulty_store, faulty_registry, log, {}, 0, "verifier", true};
};

inline std::vector<int> Things(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// Twelve aggregates with five commands each, one of them rejected, one a deletion.
inline void Fill(OpsHome& home) {
  for (int round = 0; round < 5; ++round) home.Write(Things(12));
  home.Fold();
}

inline void ExpectFirst(const VerifyReport& report, const std::string& where,
                        const std::string& what, const std::string& to_do = "") {
  ASSERT_FALSE(report.clean());
  EXPECT_THAT(report.differences.front().where, testing::HasSubstr(where));
  EXPECT_THAT(report.differences.front().what, testing::HasSubstr(what));
  EXPECT_THAT(report.differences.front().to_do, testing::HasSubstr(to_do));
}

}  // namespace saffron
