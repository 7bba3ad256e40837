#include "services/projection/rebuild.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/step.h"
#include "eventlog/log_reader.h"
#include "eventlog/mutation.h"
#include "services/projection/search_document.h"
#include "services/projection/watermark.h"
#include "services/worker/graph_fold.h"
#include "services/worker/lease.h"
#include "services/worker/sink_digest.h"

namespace saffron {
namespace {

using TakeSlots = std::function<Status(const std::vector<SlotPtr>&)>;

// One rebuild: where it is in the log, and what its sink refused.
class Rebuild {
 public:
  Rebuild(LogContext& context, const RebuildOptions& options)
      : context_(context), options_(options) {}

  // Repeats what an outage hit, or whose outcome is unknown: every step here may be done twice.
  Status Patiently(const std::function<Status()>& step) {
    const Instant deadline = context_.runtime.Now() + options_.patience;
    Duration pause = milliseconds(50);
    while (true) {
      Status done = step();
      if (done.ok() || !(done.Is(Code::kUnavailable) || done.Is(Code::kUnknownOutcome))) {
        return done;
      }
      if (context_.runtime.Now() >= deadline || !context_.runtime.SleepFor(pause)) return done;
      pause = std::min<Duration>(pause * 2, seconds(2));
    }
  }

  // Gives every slot after `position` to `take`, to `last`, or to the end of the log as it is now:
  // under steady writes the end runs ahead for ever. Moves `position`.
  Status Follow(SlotNumber& position, std::optional<SlotNumber> last, const TakeSlots& take) {
    if (!last) {
      SAFFRON_TRY(Patiently([&]() -> Status {
        SAFFRON_ASSIGN(last, HighestSlot(context_, position));
        return Ok();
      }));
    }
    LogReader::Options options;
    options.name = "rebuild-reader";
    options.ahead = 32;
    LogReader reader(context_, position.Next(), options);
    while (position < *last) {
      std::vector<SlotPtr> slots;
      SAFFRON_TRY(Patiently([&]() -> Status {
        SAFFRON_ASSIGN(slots,
                       reader.Read(options_.max_events, context_.runtime.Now() + milliseconds(50)));
        if (!slots.empty()) return Ok();
        Result<SlotPtr> next = ReadSlot(context_, position.Next());
        if (next.ok()) return Unavailable("the log is slow");
        return next.Is(Code::kNotFound) ? Ok() : Status(next.error());
      }));
      if (slots.empty()) return Ok();
      while (!slots.empty() && *last < slots.back()->number()) slots.pop_back();
      if (slots.empty()) return Ok();
      SAFFRON_TRY(Patiently([&] { return take(slots); }));
      position = slots.back()->number();
    }
    return Ok();
  }

  // A second fold of the log, with nothing of the sink in it.
  Result<SinkDigest> Fold(LogFold::Sink sink, SlotNumber last) {
    LogFold fold(sink, refused, options_.max_aggregates);
    do {
      SlotNumber position;
      SAFFRON_TRY(Follow(position, last, [&](const std::vector<SlotPtr>& slots) {
        for (const SlotPtr& slot : slots) fold.Add(*slot);
        return Ok();
      }));
    } while (fold.AnotherReading());
    return fold.digest();
  }

  Status Compare(const SinkDigest& sink, const SinkDigest& log, SlotNumber at) {
    report.compared_at = at;
    report.digest = sink.Hex();
    report.entries = sink.count();
    report.refused = refused.size();
    if (sink == log) return Ok();
    return Corrupt("the rebuilt sink differs from the log at slot " + std::to_string(at.value) +
                   ": " + std::to_string(sink.count()) + " entries, the log has " +
                   std::to_string(log.count()));
  }

  RebuildReport report;
  std::set<AggregateKey> refused;

 private:
  LogContext& context_;
  const RebuildOptions& options_;
};

Status WriteSlots(SearchIndex& index, const std::vector<SlotPtr>& slots,
                  std::set<AggregateKey>& refused) {
  std::map<AggregateKey, SearchDocument> last;
  for (const SlotPtr& slot : slots) {
    for (const LoggedEvent& event : slot->events) {
      if (!event.outcome) continue;
      std::optional<SearchDocument> document = SearchDocumentOf(event.envelope, *event.outcome);
      if (document) last[document->key] = std::move(*document);
    }
  }
  std::vector<SearchDocument> documents;
  for (auto& [key, document] : last) documents.push_back(std::move(document));
  if (documents.empty()) return Ok();
  SAFFRON_ASSIGN(std::vector<WriteRefusal> refusals, index.Write(documents));
  for (std::size_t i = 0; i < refusals.size(); ++i) {
    if (refusals[i]) refused.insert(documents[i].key);
  }
  return Ok();
}

Status CommitSlots(GraphStore& graph, SlotNumber before, const std::vector<SlotPtr>& slots,
                   std::set<AggregateKey>& refused) {
  SAFFRON_ASSIGN(GraphState state, graph.State());
  GraphCommit commit;
  commit.epoch = state.epoch;
  commit.position = {slots.back()->number()};
  if (commit.position <= state.position) return Ok();  // done by a call whose answer was lost
  SAFFRON_ASSIGN(commit.nodes, FoldIntoNodes(graph, slots));
  return CommitLeavingOut(graph, std::move(commit), {before}, [&](const GraphRefusal& refusal) {
    refused.insert(refusal.node.key);
    return Ok();
  });
}

// Fences the graph writer, lets the new generation catch up once more, and makes it the live one.
Status SwitchGraph(LogContext& context, GraphStore& graph, GraphStore& next, Lease& lease,
                   Rebuild& rebuild, SlotNumber& position, const TakeSlots& take) {
  SAFFRON_TRY(rebuild.Patiently([&]() -> Status {
    SAFFRON_ASSIGN(GraphState live, graph.State());
    SAFFRON_TRY(lease.TakeByForce(live.epoch));
    return graph.TakeOver(lease.epoch());
  }));
  SAFFRON_TRY(rebuild.Patiently([&] { return next.TakeOver(lease.epoch()); }));
  // The live one has been fenced, so its position stays.
  SAFFRON_ASSIGN(GraphState live, graph.State());
  SAFFRON_TRY(rebuild.Follow(position, live.position.slot, take));
  if (position < live.position.slot) {
    return Unavailable("the log ends before the live graph's position");
  }
  rebuild.report.position = position;
  context.log.Info("rebuild.switches", {{"sink", "graph"}, {"position", position}});
  SAFFRON_STEP("rebuild.graph.switch.before");
  SAFFRON_TRY(graph.Activate(next));
  SAFFRON_STEP("rebuild.graph.switch.after");
  return Ok();
}

}  // namespace

Result<RebuildReport> RebuildSearch(LogContext& context, SearchIndex& index,
                                    const RebuildOptions& options) {
  Rebuild rebuild(context, options);
  SAFFRON_ASSIGN(std::unique_ptr<SearchIndex> next, index.NewGeneration());
  SlotNumber position;
  const TakeSlots into_next = [&](const std::vector<SlotPtr>& slots) {
    return WriteSlots(*next, slots, rebuild.refused);
  };
  SAFFRON_TRY(rebuild.Follow(position, std::nullopt, into_next));
  SAFFRON_TRY(rebuild.Patiently([&] { return next->Refresh(); }));
  SAFFRON_ASSIGN(SinkDigest log, rebuild.Fold(LogFold::Sink::kSearch, position));
  SAFFRON_ASSIGN(SinkDigest digest, DigestOfSearch(*next, rebuild.refused));
  SAFFRON_TRY(rebuild.Compare(digest, log, position));
  SAFFRON_TRY(rebuild.Follow(position, std::nullopt, into_next));
  rebuild.report.position = position;
  // By the other generation the projection sees that the index is not the one it has written to,
  // and goes on from this slot.
  ProjectionWatermark watermark;
  watermark.generation = context.runtime.NewUuid().ToString();
  watermark.slot = position;
  if (!Mutated(Mutation::kRebuildLeavesGeneration)) {
    SAFFRON_TRY(rebuild.Patiently([&] { return next->SetWatermark(EncodeWatermark(watermark)); }));
  }
  SAFFRON_TRY(rebuild.Patiently([&] { return next->Refresh(); }));
  context.log.Info("rebuild.switches", {{"sink", "search"}, {"position", position}});
  SAFFRON_STEP("rebuild.search.switch.before");
  SAFFRON_TRY(index.Activate(*next));
  SAFFRON_STEP("rebuild.search.switch.after");
  if (Mutated(Mutation::kRebuildEndsAtSwitch)) return rebuild.report;
  // What the projection wrote to the old generation until now.
  SAFFRON_TRY(rebuild.Follow(position, std::nullopt, [&](const std::vector<SlotPtr>& slots) {
    return WriteSlots(index, slots, rebuild.refused);
  }));
  SAFFRON_TRY(rebuild.Patiently([&] { return index.Refresh(); }));
  return rebuild.report;
}

Result<RebuildReport> RebuildGraph(LogContext& context, GraphStore& graph, ClaimRegistry& claims,
                                   const RebuildOptions& options) {
  Rebuild rebuild(context, options);
  SAFFRON_ASSIGN(std::unique_ptr<GraphStore> next, graph.NewGeneration());
  SlotNumber position;
  const TakeSlots into_next = [&](const std::vector<SlotPtr>& slots) {
    return CommitSlots(*next, position, slots, rebuild.refused);
  };
  SAFFRON_TRY(rebuild.Follow(position, std::nullopt, into_next));
  SAFFRON_ASSIGN(SinkDigest log, rebuild.Fold(LogFold::Sink::kGraph, position));
  SAFFRON_ASSIGN(SinkDigest digest, DigestOfGraph(*next, rebuild.refused));
  SAFFRON_TRY(rebuild.Compare(digest, log, position));
  SAFFRON_TRY(rebuild.Follow(position, std::nullopt, into_next));
  Lease lease(claims, kGraphWriterLease, options.owner, options.patience);
  Status switched = SwitchGraph(context, graph, *next, lease, rebuild, position, into_next);
  lease.Release();
  if (!switched.ok()) return std::move(switched).error();
  return rebuild.report;
}

}  // namespace saffron
