#include "eventlog/append_log.h"

#include "base/channel.h"
#include "eventlog/lane.h"

namespace saffron {
namespace {

// What an item takes in the log beyond its data: ids, names and stamps.
std::size_t EnvelopeBytes(const Envelope& envelope) {
  constexpr std::size_t kFixedBytes = 800, kStampBytes = 200;
  return envelope.data.size() + envelope.actor.size() + 3 * envelope.aggregate.id.size() +
         kFixedBytes + envelope.metadata.ontology.size() * kStampBytes;
}

std::optional<std::size_t> TooLarge(const AppendRequest& request, std::uint64_t max_bytes) {
  for (std::size_t i = 0; i < request.items.size(); ++i) {
    const AppendItem& item = request.items[i];
    if (item.outcome || EnvelopeBytes(item.envelope) <= max_bytes) continue;
    Envelope numbered = item.envelope;
    numbered.sequence_number = SequenceNumber(~0ULL);
    if (EncodeEnvelope(numbered).size() > max_bytes) return i;
  }
  return std::nullopt;
}

}  // namespace

AppendLog::AppendLog(LogContext& context, const AppendOptions& options, AppendMetrics* metrics)
    : context_(context),
      options_(options),
      metrics_(metrics),
      queue_(context.runtime, options.max_queued_events, options.max_queued_bytes),
      tasks_(context.runtime) {}

AppendLog::~AppendLog() { Stop(context_.runtime.Now()); }

void AppendLog::Start() {
  for (int i = 0; i < options_.lanes; ++i) {
    lanes_.push_back(std::make_unique<Lane>(context_, options_, metrics_, queue_));
    Lane* lane = lanes_.back().get();
    tasks_.Spawn("lane-" + std::to_string(i), [lane] { lane->Run(); });
  }
}

void AppendLog::Stop(Instant deadline) {
  queue_.Close();
  while (queue_.events() > 0 && context_.runtime.Now() < deadline) {
    if (!context_.runtime.SleepFor(milliseconds(2))) break;
  }
  queue_.RefuseAll();
  tasks_.JoinAll();
}

void AppendLog::Submit(AppendRequest request, Instant deadline, QueuedRequest::Completion done) {
  SAFFRON_ASSERT(!request.items.empty());
  AppendAnswer refusal;
  if (std::optional<std::size_t> index = TooLarge(request, context_.format.max_event_bytes)) {
    refusal.code = AppendCode::kTooLarge;
    refusal.index = *index;
    return done(std::move(refusal));
  }
  auto queued = std::make_unique<QueuedRequest>();
  queued->keys = WrittenKeys(request);
  for (const AppendItem& item : request.items) {
    queued->size_bytes +=
        EnvelopeBytes(item.envelope) + (item.outcome ? item.outcome->document.size() : 0);
  }
  queued->request = std::move(request);
  queued->done = std::move(done);
  queued->submitted = context_.runtime.Now();
  queued->deadline = deadline;
  if (queue_.Add(queued)) return;
  refusal.code = context_.runtime.StopRequested() ? AppendCode::kStopping : AppendCode::kQueueFull;
  queued->done(std::move(refusal));
}

AppendAnswer AppendLog::Append(AppendRequest request, Instant deadline) {
  std::vector<AppendRequest> one;
  one.push_back(std::move(request));
  return std::move(AppendEach(std::move(one), deadline).front());
}

std::vector<AppendAnswer> AppendLog::AppendEach(std::vector<AppendRequest> requests,
                                                Instant deadline) {
  std::vector<AppendAnswer> answers(requests.size());
  std::unique_ptr<Condition> condition = context_.runtime.NewCondition();
  std::size_t left = requests.size();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    Submit(std::move(requests[i]), deadline, [&, i](AppendAnswer answer) {
      std::lock_guard<Condition> held(*condition);
      answers[i] = std::move(answer);
      if (--left == 0) condition->NotifyAll();
    });
  }
  std::lock_guard<Condition> held(*condition);
  // Every completion is called, at the latest when the lanes end.
  while (left > 0) condition->WaitUntil(Instant::Max());
  return answers;
}

AppendMetrics::AppendMetrics(Metrics& metrics)
    : events_(metrics.NewHistogram("saffron_append_batch_events", "Events in a committed slot",
                                   Metrics::CountBuckets())),
      bytes_(metrics.NewHistogram("saffron_append_batch_bytes", "Size of a committed slot",
                                  Metrics::BytesBuckets())),
      reserve_(metrics.NewHistogram("saffron_append_reserve_seconds", "Time of RESERVE",
                                    Metrics::SecondsBuckets())),
      put_(metrics.NewHistogram("saffron_append_commit_seconds", "Time of COMMIT",
                                Metrics::SecondsBuckets())),
      committed_(metrics.NewCounter("saffron_append_events_total", "Events committed")),
      retried_(metrics.NewCounter("saffron_append_put_retries_total", "Repeated slot puts")),
      deferred_(metrics.NewCounter("saffron_append_deferrals_total", "Requests deferred")),
      aborted_(metrics.NewCounter("saffron_append_aborted_batches_total",
                                  "Batches that ended without a known commit")) {}

void AppendMetrics::BatchCommitted(std::size_t events, std::size_t bytes, Duration reserve,
                                   Duration put) {
  using Seconds = std::chrono::duration<double>;
  events_.Observe(static_cast<double>(events));
  bytes_.Observe(static_cast<double>(bytes));
  reserve_.Observe(Seconds(reserve).count());
  put_.Observe(Seconds(put).count());
  committed_.Increment(static_cast<double>(events));
}

void AppendMetrics::PutRetried() { retried_.Increment(); }
void AppendMetrics::Deferred(std::size_t requests) {
  deferred_.Increment(static_cast<double>(requests));
}
void AppendMetrics::Aborted() { aborted_.Increment(); }

}  // namespace saffron
