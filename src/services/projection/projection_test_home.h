// Projections of simulated processes over the log, bus and registry of a PublisherWorld.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adapters/memory/memory_search.h"
#include "services/projection/projection.h"
#include "services/projection/search_document.h"
#include "services/publisher/publisher_test_home.h"

namespace saffron {

using SearchContents = std::map<AggregateKey, SearchDocument>;

// What an index must hold after the log: by definition, event by event.
inline SearchContents SearchOfLog(const LogBuilder& builder) {
  SearchContents contents;
  for (const SlotPtr& slot : builder.slots()) {
    for (const LoggedEvent& event : slot->events) {
      if (!event.outcome) continue;
      auto document = SearchDocumentOf(event.envelope, *event.outcome);
      if (document) contents[document->key] = *document;
    }
  }
  return contents;
}

inline SearchContents ContentsOf(SearchIndex& index) {
  SearchContents contents;
  auto scanned = index.Scan(std::nullopt, 100'000);
  SAFFRON_ASSERT(scanned.ok());
  for (const SearchDocument& document : *scanned) contents[document.key] = document;
  return contents;
}

struct ProjectionWorld : PublisherWorld {
  using PublisherWorld::PublisherWorld;

  // More than Append: deletions and rejections, an ontology event now and then.
  void Churn(int slots) {
    RandomBits& random = simulation.random();
    for (int i = 0; i < slots; ++i) {
      for (std::uint32_t e = 0; e < 1 + random.Below(4); ++e) {
        const AggregateKey key = random.Below(8) == 0
                                     ? AggregateKey::OntologyClass("db", "main", "Order")
                                     : Instance(static_cast<int>(random.Below(8)));
        const std::uint32_t what = random.Below(10);
        if (what < 2) {
          builder.Rejected(key);
        } else if (what < 3) {
          builder.Outcome(key, "");
        } else {
          builder.Outcome(key, "{\"n\":" + std::to_string(random.Below(1000)) + "}");
        }
      }
      builder.Commit();
    }
  }

  // Everything is in the index, and it is known that it is.
  template <class Projected>
  void RunUntilProjected(Projected& projected) {
    RunResult result = simulation.RunUntil(
        [&] {
          auto passed = projected.progress.Passed(registry, 0, builder.last());
          return passed.ok() && *passed;
        },
        simulation.Now() + seconds(600));
    ASSERT_EQ(result.end, RunEnd::kPredicate) << result.report;
  }
  void ExpectIndexIsFoldOfLog() { EXPECT_TRUE(ContentsOf(search) == SearchOfLog(builder)); }

  MemorySearch search;
};

struct ProjectionProcess {
  ProjectionProcess(ProjectionWorld& world, const std::string& name,
                    SearchIndex* other_index = nullptr, ClaimRegistry* other_claims = nullptr)
      : process(world.simulation, name),
        plan(process, world.environment, world.late, world.rates, world.counts),
        store(world.store, plan),
        append(world.registry, plan),
        claims(other_claims != nullptr ? *other_claims : world.registry, plan),
        search(other_index != nullptr ? *other_index : world.search, plan),
        bus(world.bus, plan) {
    context.format = world.builder.format();
    projection = std::make_unique<Projection>(
        context, bus, claims, search, progress,
        ProjectionOptions{.owner = name, .max_records = 10, .max_retries = 3}, nullptr);
    task = process.Spawn("projection", [this] { projection->Run(); });
  }
  ~ProjectionProcess() { End(); }
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
  FaultySearch search;
  FaultyBus bus;
  Log log = Log::Discard();
  LogContext context{process, store, append, log, {}, 0, "test"};
  ProjectionProgress progress;
  std::unique_ptr<Projection> projection;
  std::unique_ptr<Task> task;
};

// An index that calls back around writes, refuses documents with a word in them, or fails.
class HookedSearch final : public SearchIndex {
 public:
  explicit HookedSearch(SearchIndex& inner) : inner_(inner) {}
  Result<std::vector<WriteRefusal>> Write(const std::vector<SearchDocument>& documents) override {
    ++writes;
    if (before) before();
    if (outage) return Unavailable("down");
    bool poisoned = false;
    std::vector<SearchDocument> accepted;
    std::vector<WriteRefusal> refusals(documents.size());
    for (std::size_t i = 0; i < documents.size(); ++i) {
      if (!poison.empty() && documents[i].document.find(poison) != std::string::npos) {
        poisoned = true;
      }
      if (!refuse.empty() && documents[i].document.find(refuse) != std::string::npos) {
        refusals[i] = Invalid("the engine dislikes " + refuse);
      } else {
        accepted.push_back(documents[i]);
      }
    }
    if (poisoned) return Internal("the engine stumbles");
    auto written = inner_.Write(accepted);
    if (!written.ok()) return written;
    if (after) after();
    return refusals;
  }
  Status Refresh() override { return inner_.Refresh(); }
  Result<std::map<AggregateKey, SearchDocument>> Get(
      const std::vector<AggregateKey>& keys) override {
    return inner_.Get(keys);
  }
  Result<SearchPage> Search(const SearchQuery& query) override { return inner_.Search(query); }
  Result<std::vector<SearchDocument>> Scan(const std::optional<AggregateKey>& after_key,
                                           std::size_t limit) override {
    return inner_.Scan(after_key, limit);
  }
  Result<std::string> Watermark() override {
    return gone ? Unavailable("gone") : inner_.Watermark();
  }
  Status SetWatermark(std::string_view value) override {
    return gone ? Unavailable("gone") : inner_.SetWatermark(value);
  }
  Result<std::unique_ptr<SearchIndex>> NewGeneration() override { return inner_.NewGeneration(); }
  Status Activate(SearchIndex& next) override {
    if (before_switch) before_switch();
    SAFFRON_TRY(inner_.Activate(next));
    if (after_switch) after_switch();
    return Ok();
  }

  std::function<void()> before, after;
  std::function<void()> before_switch, after_switch;
  std::string refuse, poison;
  bool outage = false, gone = false;  // of its writes; of its watermark
  int writes = 0;

 private:
  SearchIndex& inner_;
};

}  // namespace saffron
