#include "services/worker/graph_writer.h"

#include <algorithm>

#include "base/step.h"
#include "eventlog/mutation.h"
#include "services/worker/dead_letter.h"

namespace saffron {
namespace {

constexpr Duration kFirstBackoff = milliseconds(50);
constexpr Duration kLongestBackoff = seconds(5);
constexpr Duration kIdleWait = milliseconds(200);

}  // namespace

GraphWriterMetrics::GraphWriterMetrics(Metrics& metrics)
    : commits_(metrics.NewCounter("saffron_graph_commits_total", "Commits of the graph writer")),
      nodes_(metrics.NewCounter("saffron_graph_nodes_total", "Nodes in its commits")),
      refused_(metrics.NewCounter("saffron_graph_refused_total",
                                  "Documents that the graph refused for good (dead-lettered)")),
      position_(metrics.NewGauge("saffron_graph_position_slot", "Slot the graph has passed")),
      writes_(metrics.NewGauge("saffron_graph_writer_active", "1: this one writes, 0: stands by")),
      seconds_(metrics.NewHistogram("saffron_graph_commit_seconds", "Fold and commit",
                                    Metrics::SecondsBuckets())) {}

void GraphWriterMetrics::Committed(std::size_t nodes, SlotNumber position, Duration took) {
  commits_.Increment();
  nodes_.Increment(static_cast<double>(nodes));
  position_.Set(static_cast<double>(position.value));
  seconds_.Observe(std::chrono::duration<double>(took).count());
}
void GraphWriterMetrics::Refused() { refused_.Increment(); }
void GraphWriterMetrics::Writes(bool writes) { writes_.Set(writes ? 1 : 0); }

GraphWriter::GraphWriter(LogContext& context, GraphStore& graph, ClaimRegistry& claims,
                         MessageBus& bus, GraphWriterOptions options, GraphWriterMetrics* metrics)
    : context_(context),
      runtime_(context.runtime),
      graph_(graph),
      bus_(bus),
      options_(std::move(options)),
      metrics_(metrics),
      lease_(claims, kGraphWriterLease, options_.owner, options_.lease) {}

void GraphWriter::Run() {
  Duration backoff = kFirstBackoff;
  Instant failing_since = Instant::Max();
  while (!runtime_.StopRequested()) {
    Result<Progress> step = Step();
    if (step.ok()) {
      backoff = kFirstBackoff;
      failing_since = Instant::Max();
      continue;
    }
    context_.log.Warning("graph_writer.step_failed", {{"error", step.error().ToString()}});
    // Another one may reach what this one cannot. If nobody comes it takes the lease again.
    const bool alone = context_.exclusive || Mutated(Mutation::kFailingWriterHoldsOn);
    failing_since = std::min(failing_since, runtime_.Now());
    if (writing_ && !alone && runtime_.Now() - failing_since > options_.lease) {
      lease_.Release();
      StandBy("it has failed for as long as a lease");
    }
    runtime_.SleepFor(backoff);
    backoff = std::min(backoff * 2, kLongestBackoff);
  }
  if (writing_) lease_.Release();
  writing_ = false;
  reader_.reset();
}

Result<GraphWriter::Progress> GraphWriter::Step() {
  Result<Progress> progress = writing_ ? Write() : Contend();
  health_.Note(progress);
  return progress;
}

Result<GraphWriter::Progress> GraphWriter::Contend() {
  SAFFRON_ASSIGN(GraphState state, graph_.State());
  // Without a lease of its own the epoch must be new: the graph's may be another writer's.
  // With the log to itself, whoever else holds the lease is dead: no reason to wait for its end.
  bool taken = true;
  if (context_.exclusive) {
    SAFFRON_TRY(lease_.TakeByForce(state.epoch));
  } else {
    SAFFRON_ASSIGN(taken, lease_.Take(state.epoch));
  }
  if (!taken) {
    runtime_.SleepFor(std::min<Duration>(options_.lease / 10, seconds(1)));
    return Progress::kIdle;
  }
  Status fenced = graph_.TakeOver(lease_.epoch());
  if (fenced.Is(Code::kConflict)) return Progress::kIdle;  // a later epoch: take a later one
  SAFFRON_TRY(std::move(fenced));
  SAFFRON_TRY(Follow());
  renewed_at_ = runtime_.Now();
  writing_ = true;
  context_.log.Info("graph_writer.writes",
                    {{"epoch", lease_.epoch()}, {"position", SlotNumber(position_.load())}});
  if (metrics_ != nullptr) metrics_->Writes(true);
  return Progress::kWorked;
}

// The sink's own position counts, never what a registry remembers of it.
Status GraphWriter::Follow() {
  SAFFRON_ASSIGN(GraphState state, graph_.State());
  if (Mutated(Mutation::kGraphPositionByRegistry)) {
    SAFFRON_ASSIGN(RegistryRows rows, context_.registry.Read({}));
    state.position.slot = SlotNumber(rows.control.next_slot.value - 1);
  }
  position_ = state.position.slot.value;
  slots_.clear();
  unknown_ = false;
  LogReader::Options options;
  options.name = "graph-reader";
  options.ahead = 64;
  reader_ = std::make_unique<LogReader>(context_, state.position.slot.Next(), options);
  return Ok();
}

void GraphWriter::StandBy(std::string_view why) {
  context_.log.Warning("graph_writer.stands_by", {{"epoch", lease_.epoch()}, {"why", why}});
  writing_ = false;
  reader_.reset();
  slots_.clear();
  if (metrics_ != nullptr) metrics_->Writes(false);
}

Status GraphWriter::RenewIfDue() {
  const Instant now = runtime_.Now();
  if (now < renewed_at_ + options_.lease / 3) return Ok();
  SAFFRON_ASSIGN(bool ours, lease_.Renew());
  if (ours) {
    renewed_at_ = now;
  } else {
    StandBy("another writer holds the lease");
  }
  return Ok();
}

Status GraphWriter::FindOut() {
  SAFFRON_ASSIGN(GraphState state, graph_.State());
  if (state.epoch != lease_.epoch()) {
    StandBy("the graph is of another epoch");
    return Ok();
  }
  if (slots_.empty() || slots_.back()->number() <= state.position.slot) return Follow();
  unknown_ = false;  // not applied, or in part: the same again
  return Ok();
}

Result<GraphWriter::Progress> GraphWriter::Write() {
  if (unknown_) SAFFRON_TRY(FindOut());
  if (writing_) SAFFRON_TRY(RenewIfDue());
  if (!writing_) return Progress::kIdle;
  if (slots_.empty()) {
    SAFFRON_ASSIGN(slots_, reader_->Read(options_.max_events, runtime_.Now() + kIdleWait));
  }
  if (slots_.empty()) return Progress::kIdle;
  const Instant started = runtime_.Now();
  GraphCommit commit;
  commit.epoch = lease_.epoch();
  commit.position = {slots_.back()->number()};
  SAFFRON_ASSIGN(commit.nodes, FoldIntoNodes(graph_, slots_));
  const std::size_t nodes = commit.nodes.size();
  SAFFRON_STEP("graph.commit.before");
  Status committed =
      CommitLeavingOut(graph_, std::move(commit), {SlotNumber(position_.load())},
                       [this](const GraphRefusal& refusal) { return Bury(refusal); });
  SAFFRON_STEP("graph.commit.after");
  if (committed.Is(Code::kConflict)) {
    StandBy(committed.error().message());
    return Progress::kIdle;
  }
  if (committed.Is(Code::kUnknownOutcome)) unknown_ = true;
  SAFFRON_TRY(std::move(committed));
  position_ = slots_.back()->number().value;
  slots_.clear();
  if (metrics_ != nullptr) metrics_->Committed(nodes, position(), runtime_.Now() - started);
  return Progress::kWorked;
}

Status GraphWriter::Bury(const GraphRefusal& refusal) {
  RefusedEvent refused;
  refused.aggregate = refusal.node.key;
  refused.number = refusal.node.version;
  refused.sink = "graph";
  refused.reason = refusal.error.message();
  for (const SlotPtr& slot : slots_) {
    for (const LoggedEvent& event : slot->events) {
      if (!event.outcome || event.envelope.aggregate != refusal.node.key) continue;
      refused.event = event.envelope.event_id;  // the last one is the one folded
      refused.position = event.location.position.ToString();
    }
  }
  context_.log.Error("graph_writer.document_refused", {{"aggregate_id", refused.aggregate.id},
                                                       {"position", refused.position},
                                                       {"reason", refused.reason}});
  SAFFRON_ASSIGN(std::vector<Delivery> deliveries,
                 bus_.Produce({DeadLetterOf(refused)}, options_.dead_letter_timeout));
  if (deliveries.front().refused) {
    return Unavailable("dead letter: " + deliveries.front().refused->message());
  }
  ++refused_;
  if (metrics_ != nullptr) metrics_->Refused();
  return Ok();
}

}  // namespace saffron
