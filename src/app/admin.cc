#include "app/admin.h"

#include "app/json_view.h"
#include "services/ops/json_writer.h"
#include "services/ops/parked_report.h"
#include "services/ops/system_status.h"
#include "services/projection/progress.h"
#include "services/projection/rebuild.h"
#include "services/publisher/checkpoint.h"
#include "services/worker/lease.h"
#include "services/worker/parking.h"
#include "services/worker/sink_digest.h"

namespace saffron {
namespace {

constexpr std::size_t kShownCommands = 100;
constexpr Duration kReplayTime = seconds(60);
constexpr std::uint64_t kMostPatience = 3600;
constexpr std::uint64_t kMostMemoryMib = 1 << 20;
constexpr std::uint64_t kMostSample = 1'000'000;
constexpr Duration kRebuildLease = seconds(60);

std::string ReplayAsJson(const AggregateKey& aggregate, const ReplayReport& report) {
  return JsonWriter()
      .Text("aggregate_type", AggregateTypeName(aggregate.type))
      .Text("aggregate_id", aggregate.id)
      .Number("decided", report.decided)
      .Flag("freed", report.freed)
      .Take();
}

std::string RebuildAsJson(std::string_view target, const RebuildReport& report) {
  return JsonWriter()
      .Text("target", target)
      .Number("entries", report.entries)
      .Number("refused_documents", report.refused)
      .Number("compared_at_slot", report.compared_at.value)
      .Number("position_slot", report.position.value)
      .Text("digest", report.digest)
      .Take();
}

// False: not known, or not a value that it takes.
bool TakeVerifyOption(const std::string& name, const JsonView& value, VerifyOptions& options) {
  if (name == "repair") {
    options.repair = VerifyOptions::Repair::kIndex;
    return value.Text() == "index";
  }
  const std::optional<std::uint64_t> number = value.Unsigned();
  if (!number) return false;
  if (name == "from_slot") {
    options.from = SlotNumber(*number);
    return *number > 0;
  }
  if (name == "patience_seconds") {
    if (*number > kMostPatience) return false;
    options.patience = seconds(*number);
    return true;
  }
  if (name == "memory_mib") {
    options.max_aggregates = (*number << 20) / ChainFold::kBytesOfOne;
    return *number > 0 && *number <= kMostMemoryMib;
  }
  options.sample = *number;
  return name == "sample" && *number > 0 && *number <= kMostSample;
}

Result<PublisherCheckpoint> ReadCheckpoint(ObjectStore& store, const std::string& key) {
  Result<StoredObject> object = store.Get(key);
  if (object.Is(Code::kNotFound)) return PublisherCheckpoint();
  if (!object.ok()) return object.error();
  return DecodeCheckpoint(object->bytes);
}

}  // namespace

Result<VerifyOptions> ParseVerifyOptions(std::string_view text) {
  VerifyOptions options;
  if (text.empty()) return options;
  const JsonView body = JsonView::Of(text);
  if (!body.Is(json::Kind::kObject)) return Invalid("the options are not a JSON object");
  for (const auto& [name, value] : body.Members()) {
    if (TakeVerifyOption(name, value, options)) continue;
    return Invalid("/" + name +
                   ": from_slot, memory_mib and sample are numbers from 1, patience_seconds one to "
                   "3600, repair is \"index\"; there is nothing else");
  }
  if (options.sample > 0 && options.repair != VerifyOptions::Repair::kNothing) {
    return Invalid("/repair: a sample does not show that the log is whole");
  }
  return options;
}

Result<SlotNumber> Admin::Published() {
  SAFFRON_ASSIGN(PublisherCheckpoint checkpoint,
                 ReadCheckpoint(parts_.context.store, parts_.checkpoint_key));
  auto found = checkpoint.shards.find(parts_.context.shard);
  return found == checkpoint.shards.end() ? SlotNumber() : found->second;
}

Result<std::uint64_t> Admin::RepublishId() {
  SAFFRON_ASSIGN(PublisherCheckpoint checkpoint,
                 ReadCheckpoint(parts_.context.store, parts_.checkpoint_key));
  return checkpoint.republish_id;
}

Result<SlotNumber> Admin::Searched() {
  SAFFRON_ASSIGN(std::string stored, parts_.search.Watermark());
  SAFFRON_ASSIGN(ProjectionWatermark watermark, DecodeWatermark(stored));
  return watermark.slot;
}

// From the watermark that lies in the index: whichever process runs the projection.
Result<bool> Admin::SearchPassed(SlotNumber slot) {
  SAFFRON_ASSIGN(std::string stored, parts_.search.Watermark());
  SAFFRON_ASSIGN(ProjectionWatermark watermark, DecodeWatermark(stored));
  ProjectionProgress progress;
  progress.Set(std::move(watermark));
  return progress.Passed(parts_.claims, parts_.context.shard, slot);
}

Result<std::string> Admin::Status() {
  const StatusSubjects subjects{parts_.claims, parts_.graph, [this] { return Published(); },
                                [this] { return Searched(); }};
  return SystemStatusAsJson(ReadSystemStatus(parts_.context, subjects));
}

Result<std::string> Admin::ListDlqNow(const DlqFilter& filter) {
  if (!filter.aggregate) return ListParked(parts_.claims, filter.handler, filter.limit);
  const std::string handler =
      filter.handler.empty() ? std::string(HandlerOf(filter.aggregate->type)) : filter.handler;
  return ShowParked(parts_.context, parts_.claims, {handler, *filter.aggregate}, kShownCommands);
}

Result<std::string> Admin::ReplayDlqNow(std::string_view handler, const AggregateKey& aggregate) {
  const ParkKey key{std::string(handler), aggregate};
  SAFFRON_TRY(FindParked(parts_.claims, key));
  SAFFRON_ASSIGN(ReplayReport report, ReplayParked(parts_.context, parts_.log, parts_.claims, key,
                                                   parts_.context.runtime.Now() + kReplayTime));
  parts_.sweep_soon();
  return ReplayAsJson(aggregate, report);
}

Result<std::string> Admin::DiscardDlqNow(std::string_view handler, const AggregateKey& aggregate,
                                         std::string_view reason) {
  const ParkKey key{std::string(handler), aggregate};
  SAFFRON_TRY(FindParked(parts_.claims, key));
  SAFFRON_ASSIGN(ReplayReport report,
                 DiscardParked(parts_.context, parts_.log, parts_.claims, key, std::string(reason),
                               parts_.context.runtime.Now() + kReplayTime));
  parts_.sweep_soon();
  return ReplayAsJson(aggregate, report);
}

// Why an operation broke off is the operator's to know, and no answer says it.
Result<std::string> Admin::Told(std::string_view operation, Result<std::string> result) {
  const bool breaks = result.Is(Code::kCorrupt) || result.Is(Code::kInternal) ||
                      result.Is(Code::kUnavailable) || result.Is(Code::kUnknownOutcome);
  if (breaks) {
    parts_.context.log.Error("operation_failed",
                             {{"operation", operation}, {"error", result.error().ToString()}});
  }
  return result;
}

Result<std::string> Admin::Verify(std::string_view options) {
  return Told("verify", VerifyNow(options));
}

std::string Admin::VerifyProgressNow() {
  const std::optional<VerifyProgress> progress = verify_progress_.Get();
  JsonWriter json;
  json.Flag("running", progress.has_value());
  if (progress) {
    json.Text("phase", progress->phase).Number("done", progress->done).Number("of", progress->of);
  }
  return json.Take();
}

Result<std::string> Admin::Rebuild(std::string_view target) {
  return Told("rebuild", RebuildNow(target));
}

Result<std::string> Admin::ListDlq(const DlqFilter& filter) {
  return Told("dlq_list", ListDlqNow(filter));
}

Result<std::string> Admin::ReplayDlq(std::string_view handler, const AggregateKey& aggregate) {
  return Told("dlq_replay", ReplayDlqNow(handler, aggregate));
}

Result<std::string> Admin::DiscardDlq(std::string_view handler, const AggregateKey& aggregate,
                                      std::string_view reason) {
  return Told("dlq_discard", DiscardDlqNow(handler, aggregate, reason));
}

Result<std::string> Admin::VerifyNow(std::string_view options) {
  SAFFRON_ASSIGN(VerifyOptions parsed, ParseVerifyOptions(options));
  VerifySubjects subjects{parts_.claims,
                          parts_.bus,
                          parts_.graph,
                          parts_.search,
                          EntryDigest,
                          [this](SlotNumber slot) { return SearchPassed(slot); },
                          [this] { return RepublishId(); },
                          [this] { return Published(); }};
  Verifier verifier(parts_.context, std::move(subjects), parsed,
                    [this](const VerifyProgress& progress) { verify_progress_.Set(progress); });
  Result<VerifyReport> verified = verifier.Run();
  verify_progress_.Clear();
  SAFFRON_ASSIGN(VerifyReport report, std::move(verified));
  parts_.context.log.Info("verified", {{"head", report.head},
                                       {"clean", report.clean()},
                                       {"differences", report.differences_total},
                                       {"digest", report.digest.Hex()}});
  return VerifyReportAsJson(report);
}

Result<std::string> Admin::RebuildNow(std::string_view target) {
  RebuildOptions options;
  options.owner = parts_.owner;
  // A second one, in whatever process, would drop what the first has made so far.
  HeldLease turn(parts_.context.runtime, parts_.claims, "rebuild_" + std::string(target),
                 parts_.owner, kRebuildLease);
  if (target == "graph" || target == "search") {
    SAFFRON_ASSIGN(bool ours, turn.Take());
    if (!ours) return Conflict("another rebuild of this store is under way");
  }
  if (target == "graph") {
    SAFFRON_ASSIGN(RebuildReport report,
                   RebuildGraph(parts_.context, parts_.graph, parts_.claims, options));
    return RebuildAsJson(target, report);
  }
  if (target == "search") {
    SAFFRON_ASSIGN(RebuildReport report, RebuildSearch(parts_.context, parts_.search, options));
    return RebuildAsJson(target, report);
  }
  if (target == "registry") {
    return Invalid(
        "/target: the registry is rebuilt with the server stopped: end it, then run `saffron "
        "rebuild registry`");
  }
  return Invalid("/target: graph, search, or with the server stopped registry");
}

}  // namespace saffron
