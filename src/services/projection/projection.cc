#include "services/projection/projection.h"

#include <algorithm>

#include "base/step.h"
#include "eventlog/mutation.h"
#include "eventlog/recovery.h"
#include "services/projection/search_document.h"
#include "services/worker/dead_letter.h"

namespace saffron {
namespace {

constexpr Duration kFirstBackoff = milliseconds(50);
constexpr Duration kLongestBackoff = seconds(5);

bool IsOutage(Code code) {
  return code == Code::kUnavailable || code == Code::kUnknownOutcome || code == Code::kCancelled;
}

}  // namespace

ProjectionMetrics::ProjectionMetrics(Metrics& metrics)
    : documents_(metrics.NewCounter("saffron_projection_documents_total", "Documents written")),
      refused_(metrics.NewCounter("saffron_projection_refused_total",
                                  "Documents that the index refused for good (dead-lettered)")),
      catch_ups_(metrics.NewCounter("saffron_projection_catch_ups_total",
                                    "Times that the log was folded instead of the bus")),
      watermark_(metrics.NewGauge("saffron_projection_watermark_slot",
                                  "Slot up to which everything is in the index")),
      seconds_(metrics.NewHistogram("saffron_projection_write_seconds", "One batch of documents",
                                    Metrics::SecondsBuckets())) {}

void ProjectionMetrics::Written(std::size_t documents, Duration took) {
  documents_.Increment(static_cast<double>(documents));
  seconds_.Observe(std::chrono::duration<double>(took).count());
}
void ProjectionMetrics::Refused() { refused_.Increment(); }
void ProjectionMetrics::CatchUpStarted() { catch_ups_.Increment(); }
void ProjectionMetrics::Watermark(SlotNumber slot) {
  watermark_.Set(static_cast<double>(slot.value));
}

Projection::Projection(LogContext& context, MessageBus& bus, ClaimRegistry& claims,
                       SearchIndex& index, ProjectionProgress& progress, ProjectionOptions options,
                       ProjectionMetrics* metrics)
    : context_(context),
      runtime_(context.runtime),
      bus_(bus),
      claims_(claims),
      index_(index),
      progress_(progress),
      options_(std::move(options)),
      metrics_(metrics) {}

void Projection::Run() {
  Duration backoff = kFirstBackoff;
  Instant failing_since = Instant::Max();
  while (!runtime_.StopRequested()) {
    Result<Progress> step = Step();
    if (step.ok()) {
      backoff = kFirstBackoff;
      failing_since = Instant::Max();
      continue;
    }
    context_.log.Warning("projection.step_failed", {{"error", step.error().ToString()}});
    const bool alone = context_.exclusive || Mutated(Mutation::kFailingProjectionHoldsOn);
    failing_since = std::min(failing_since, runtime_.Now());
    if (!alone && runtime_.Now() - failing_since > options_.stand_back_after) {
      StandBack();
      failing_since = Instant::Max();
    }
    runtime_.SleepFor(backoff);
    backoff = std::min(backoff * 2, kLongestBackoff);
  }
  member_ = Member();
}

// Another one may reach what this one cannot: it gets the partitions. This one comes back after a
// pause, once everything can be read, like a process that was started again.
void Projection::StandBack() {
  if (member_.consumer == nullptr) return;  // no member; one without partitions may be given some
  context_.log.Warning("projection.stands_back", {{"partitions", member_.owned.size()}});
  member_ = Member();
  const Instant back = runtime_.Now() + options_.stand_back;
  const auto reaches = [this] { return CanRead(context_) && index_.Watermark().ok(); };
  while (runtime_.SleepFor(seconds(1)) && (runtime_.Now() < back || !reaches())) {
  }
}

Result<Projection::Progress> Projection::Step() {
  const auto step = [this]() -> Result<Progress> {
    if (member_.consumer == nullptr) SAFFRON_TRY(Start());
    if (member_.work) return FinishWork();
    SAFFRON_TRY(TendIfDue());
    if (member_.catch_up_needed && !member_.catch_up) SAFFRON_TRY(BeginCatchUp());
    return member_.catch_up ? FollowLog() : PollBus();
  };
  Result<Progress> progress = step();
  health_.Note(progress);
  catching_up_ = member_.catch_up_needed || member_.catch_up.has_value();
  return progress;
}

Status Projection::Start() {
  SAFFRON_ASSIGN(member_.saved_watermark, index_.Watermark());
  Result<ProjectionWatermark> read = DecodeWatermark(member_.saved_watermark);
  if (read.ok()) {
    member_.watermark = std::move(read).value();
  } else {
    context_.log.Warning("projection.watermark_unreadable", {{"error", read.error().ToString()}});
  }
  ShowProgress();
  if (member_.watermark.partitions.empty()) NeedCatchUp("the index has no watermark");
  SAFFRON_ASSIGN(member_.consumer,
                 bus_.Subscribe(options_.group, {std::string(kInstanceEventsTopic),
                                                 std::string(kOntologyEventsTopic)}));
  return Ok();
}

// The last outcome of an aggregate in a batch stands for those before it.
void Projection::AddDocument(Work& work, const Envelope& event, const Outcome& outcome,
                             Source source) {
  std::optional<SearchDocument> document = SearchDocumentOf(event, outcome);
  if (!document) return;
  auto [place, first] = work.place.try_emplace(document->key, work.documents.size());
  if (!first) {
    SearchDocument& before = work.documents[place->second];
    if (document->version <= before.version) return;
    before = std::move(*document);
    work.sources[place->second] = std::move(source);
    return;
  }
  work.documents.push_back(std::move(*document));
  work.sources.push_back(std::move(source));
}

Result<Projection::Progress> Projection::FinishWork() {
  if (member_.work->attempts > 0 || !health_.ok()) SAFFRON_TRY(KeepMembership());
  if (!member_.work->written) SAFFRON_TRY(WriteDocuments());
  if (!member_.catch_up && !member_.work->documents.empty()) SAFFRON_TRY(index_.Refresh());
  if (options_.done_rows == DoneRows::kWrite) SAFFRON_TRY(RecordDone());
  Apply();
  return Progress::kWorked;
}

Status Projection::WriteDocuments() {
  if (member_.work->documents.empty()) {
    member_.work->written = true;
    return Ok();
  }
  const Instant started = runtime_.Now();
  SAFFRON_STEP("projection.write.before");
  Result<std::vector<WriteRefusal>> refusals = index_.Write(member_.work->documents);
  SAFFRON_STEP("projection.write.after");
  if (refusals.ok()) {
    SAFFRON_TRY(BuryRefused(*refusals));
  } else if (IsOutage(refusals.code())) {
    return std::move(refusals).error();  // burns no attempt
  } else if (++member_.work->attempts <= options_.max_retries) {
    return std::move(refusals).error();
  } else {
    SAFFRON_TRY(WriteOneByOne());
  }
  member_.work->written = true;
  if (metrics_ != nullptr) {
    metrics_->Written(member_.work->documents.size(), runtime_.Now() - started);
  }
  return Ok();
}

// The whole batch failed too often: whose fault is it?
Status Projection::WriteOneByOne() {
  for (std::size_t i = 0; i < member_.work->documents.size(); ++i) {
    Result<std::vector<WriteRefusal>> one = index_.Write({member_.work->documents[i]});
    if (!one.ok() && IsOutage(one.code())) return std::move(one).error();
    if (!one.ok()) {
      SAFFRON_TRY(Bury(member_.work->sources[i], one.error().ToString()));
    } else if (one->front()) {
      SAFFRON_TRY(Bury(member_.work->sources[i], one->front()->message()));
    }
  }
  return Ok();
}

Status Projection::BuryRefused(const std::vector<WriteRefusal>& refusals) {
  SAFFRON_ASSERT(refusals.size() == member_.work->documents.size());
  for (std::size_t i = 0; i < refusals.size(); ++i) {
    if (refusals[i]) SAFFRON_TRY(Bury(member_.work->sources[i], refusals[i]->message()));
  }
  return Ok();
}

Status Projection::Bury(const Source& source, const std::string& reason) {
  context_.log.Error(
      "projection.document_refused",
      {{"aggregate_id", source.aggregate.id}, {"position", source.position}, {"reason", reason}});
  RefusedEvent refused{source.event,    source.aggregate, source.number,
                       source.position, "search",         reason};
  SAFFRON_ASSIGN(std::vector<Delivery> deliveries,
                 bus_.Produce({DeadLetterOf(refused)}, options_.dead_letter_timeout));
  if (deliveries.front().refused) {
    return Unavailable("dead letter: " + deliveries.front().refused->message());
  }
  ++refused_;
  if (metrics_ != nullptr) metrics_->Refused();
  return Ok();
}

Status Projection::RecordDone() {
  if (member_.work->events.empty()) return Ok();
  return claims_.Transact({}, [this](const ClaimRows& rows) {
    ClaimWrite write;
    for (const Source& source : member_.work->events) {
      ClaimRow row;
      row.key = {"projection_worker:" + source.from.topic, source.event};
      row.aggregate = source.aggregate;
      row.number = source.number;
      row.status = ClaimStatus::kDone;
      row.owner = options_.owner;
      row.started_ms = row.heartbeat_ms = row.processed_ms = rows.now_ms;
      row.attempt_count = 1;
      row.partition = source.from.partition;
      row.generation = member_.work->generation;
      write.put_claims.push_back(std::move(row));
    }
    return write;
  });
}

void Projection::Apply() {
  Work work = std::move(*member_.work);
  member_.work.reset();
  if (member_.catch_up) {
    member_.catch_up->written = std::max(member_.catch_up->written, work.slot);
    return;
  }
  std::vector<TopicPartition> advanced;
  for (const auto& [key, next] : work.offsets) {
    auto owned = member_.owned.find(key);
    if (owned == member_.owned.end()) continue;  // revoked meanwhile
    owned->second.next = next;
    member_.watermark.partitions[key] = owned->second;
    advanced.push_back(key);
  }
  ShowProgress();
  if (!advanced.empty()) CommitOffsets(advanced);
}

}  // namespace saffron
