#include "services/oms/event_stream.h"

#include <mutex>

#include "services/oms/http_answers.h"
#include "services/oms/log_reads.h"
#include "services/oms/read_service.h"

namespace saffron {
namespace {

// One stream must not hold the others up.
constexpr int kSlotsPerRound = 8;

// Where a client that saw this position goes on.
Position After(const Position& seen) { return {seen.shard, seen.slot, seen.ordinal + 1}; }

}  // namespace

EventStreams::EventStreams(LogContext& context, Options options)
    : context_(context),
      options_(options),
      condition_(context.runtime.NewCondition()),
      tasks_(context.runtime) {}

EventStreams::~EventStreams() { Stop(); }

void EventStreams::Start() {
  tasks_.Spawn("event-streams", [this] { Run(); });
}

void EventStreams::Stop() {
  {
    std::lock_guard<Condition> held(*condition_);
    stopped_ = true;
    condition_->NotifyAll();
  }
  context_.committed.Nudge();
  tasks_.JoinAll();
}

void EventStreams::Open(const CallPtr& call) {
  Stream stream;
  Result<std::optional<Position>> from = QueryPosition(call->request, "from");
  if (!from.ok()) return call->Send(AnswerOf(from.error()));
  stream.next = *from;
  if (std::optional<std::string_view> id = call->request.headers.Find("Last-Event-ID")) {
    Result<Position> seen = ReadPosition(*id, "Last-Event-ID");
    if (!seen.ok()) return call->Send(AnswerOf(seen.error()));
    stream.next = After(*seen);
  }
  if (stream.next && stream.next->slot == SlotNumber()) stream.next->slot = SlotNumber(1);
  stream.db = call->request.Query("db").value_or("");
  stream.topic = call->request.Query("topic").value_or("");
  if (!stream.db.empty()) {
    Status named = CheckDatabaseName(stream.db);
    if (!named.ok()) return call->Send(AnswerOf(named.error()));
  }
  {
    std::lock_guard<Condition> held(*condition_);
    if (stopped_ || count_ >= options_.max_streams) {
      return call->Send(WithRetryAfter(ApiError(503, "too many streams are open"), 5));
    }
    ++count_;
  }
  HttpResponse head;
  head.content_type = "text/event-stream";
  head.headers.Add("Cache-Control", "no-store");
  head.body = ": saffron\n\n";
  stream.http = call->StartStream(std::move(head));
  stream.last_write = context_.runtime.Now();
  {
    std::lock_guard<Condition> held(*condition_);
    opened_.push_back(std::move(stream));
    condition_->NotifyAll();
  }
  context_.committed.Nudge();
}

void EventStreams::Run() {
  std::list<Stream> streams;
  while (!context_.runtime.StopRequested()) {
    {
      std::lock_guard<Condition> held(*condition_);
      streams.splice(streams.end(), opened_);
      if (stopped_) break;
      if (streams.empty()) {
        condition_->WaitUntil(Instant::Max());
        continue;
      }
    }
    const SlotNumber seen = context_.committed.highest();
    if (Serve(streams)) continue;
    const Duration poll = context_.told.load() ? options_.poll_told : options_.poll;
    context_.committed.WaitFor(seen.Next(), context_.runtime.Now() + poll);
  }
  for (Stream& stream : streams) stream.http->Close();
}

bool EventStreams::Serve(std::list<Stream>& streams) {
  bool more = false;
  std::size_t over = 0;
  absent_.reset();
  for (auto stream = streams.begin(); stream != streams.end();) {
    const Fed fed = Feed(*stream);
    more = more || fed == Fed::kMore;
    if (fed != Fed::kOver && KeepAlive(*stream, fed)) {
      ++stream;
      continue;
    }
    stream->http->Close();
    stream = streams.erase(stream);
    ++over;
  }
  if (over > 0) {
    std::lock_guard<Condition> held(*condition_);
    count_ -= over;
  }
  return more;
}

Result<SlotPtr> EventStreams::Look(SlotNumber slot) {
  if (absent_ && *absent_ <= slot) return NotFound("found absent in this round");
  Result<SlotPtr> found = ReadSlot(context_, slot);
  if (found.Is(Code::kNotFound)) absent_ = slot;
  return found;
}

EventStreams::Fed EventStreams::Feed(Stream& stream) {
  if (stream.http->closed()) return Fed::kOver;
  if (!stream.next) {
    Result<RegistryRows> rows = context_.registry.Read(RegistryRead());
    if (!rows.ok()) return Fed::kCaughtUp;
    stream.next = Position{context_.shard, rows->control.next_slot, 0};
  }
  for (int i = 0; i < kSlotsPerRound; ++i) {
    Result<SlotPtr> slot = Look(stream.next->slot);
    if (slot.Is(Code::kNotFound) || slot.Is(Code::kUnavailable)) return Fed::kCaughtUp;
    if (!slot.ok()) {
      context_.log.Error("event_stream_unreadable",
                         {{"slot", stream.next->slot}, {"error", slot.error().ToString()}});
      return Fed::kOver;
    }
    if (!Write(stream, **slot)) return Fed::kBlocked;
  }
  return Fed::kMore;
}

bool EventStreams::Write(Stream& stream, const Slot& slot) {
  std::string text;
  for (const LoggedEvent& event : slot.events) {
    const Position& at = event.location.position;
    if (at.ordinal < stream.next->ordinal) continue;
    if (!stream.db.empty() && !BelongsTo(event.envelope.aggregate, stream.db)) continue;
    if (!stream.topic.empty() && TopicOf(event.envelope.type) != stream.topic) continue;
    text.assign("id: ").append(at.ToString());
    text.append("\nevent: ").append(event.envelope.type.Name());
    text.append("\ndata: ").append(slot.LineOf(event)).append("\n\n");
    if (!stream.http->Write(text)) {
      stream.next = at;
      return false;
    }
    stream.last_write = context_.runtime.Now();
  }
  stream.next = Position{stream.next->shard, stream.next->slot.Next(), 0};
  return true;
}

bool EventStreams::KeepAlive(Stream& stream, Fed fed) {
  const Instant now = context_.runtime.Now();
  if (fed == Fed::kBlocked) return now < stream.last_write + options_.patience;
  if (now < stream.last_write + options_.heartbeat) return true;
  stream.last_write = now;
  return stream.http->Write(": beat\n\n");
}

}  // namespace saffron
