#include "services/publisher/publisher.h"

#include <algorithm>
#include <numeric>

#include "base/step.h"
#include "domain/json_text.h"
#include "eventlog/mutation.h"

namespace saffron {
namespace {

constexpr Duration kFirstBackoff = milliseconds(50);
constexpr Duration kLongestBackoff = seconds(5);
constexpr Duration kIdleWait = milliseconds(200);
constexpr Duration kLagInterval = seconds(2);
constexpr Duration kSmallCalls = seconds(30);  // after one that failed

BusMessage MessageOf(const Slot& slot, const LoggedEvent& event) {
  const Envelope& envelope = event.envelope;
  BusMessage message;
  message.topic = TopicOf(envelope.type);
  message.key = envelope.aggregate.id;
  message.value = slot.LineOf(event);
  message.headers = {{"event_id", envelope.event_id.ToString()},
                     {"event_type", envelope.type.ToString()},
                     {"sequence_number", std::to_string(envelope.sequence_number.value)},
                     {"position", event.location.position.ToString()}};
  if (!envelope.metadata.traceparent.empty()) {
    message.headers.emplace_back("traceparent", envelope.metadata.traceparent);
  }
  return message;
}

// Small, whatever the event was: the event itself stays in the log, at its position.
BusMessage DeadLetterOf(const LoggedEvent& event, const std::string& reason) {
  const Envelope& envelope = event.envelope;
  BusMessage letter;
  letter.topic = kCommandFailuresTopic;
  letter.key = envelope.aggregate.id;
  const auto add = [&](std::string_view name, std::string_view text) {
    letter.value.append(letter.value.empty() ? "{" : ",");
    json::AppendString(letter.value, name);
    letter.value.push_back(':');
    json::AppendString(letter.value, text);
    letter.headers.emplace_back(name, text);
  };
  add("event_id", envelope.event_id.ToString());
  add("event_type", envelope.type.Name());
  add("aggregate_id", envelope.aggregate.id);
  add("topic", TopicOf(envelope.type));
  add("position", event.location.position.ToString());
  add("reason", reason);
  letter.value.push_back('}');
  return letter;
}

}  // namespace

std::vector<TopicSpec> AllTopics(std::uint32_t partitions) {
  std::vector<TopicSpec> topics;
  for (std::string_view name : {kDatabaseCommandsTopic, kOntologyCommandsTopic,
                                kInstanceCommandsTopic, kOntologyEventsTopic, kInstanceEventsTopic,
                                kCommandFailuresTopic, kProjectionFailuresTopic}) {
    topics.push_back({std::string(name), partitions});
  }
  return topics;
}

Publisher::Publisher(LogContext& context, MessageBus& bus, ClaimRegistry& claims,
                     PublisherOptions options, PublisherMetrics* metrics)
    : context_(context),
      runtime_(context.runtime),
      bus_(bus),
      claims_(claims),
      options_(std::move(options)),
      metrics_(metrics) {
  SAFFRON_ASSERT(!options_.owner.empty());
  SAFFRON_ASSERT(options_.batch_size > 0 && options_.flush_batch_size > 0 &&
                 options_.most_growth > 0);
}

void Publisher::Run() {
  Duration backoff = kFirstBackoff;
  while (!runtime_.StopRequested()) {
    Result<Progress> step = Step();
    if (step.ok()) {
      backoff = kFirstBackoff;
      if (!row_failing_) failing_since_ = Instant::Max();
      StandBackIfFailing();
      continue;
    }
    context_.log.Warning("publisher.step_failed", {{"error", step.error().ToString()}});
    failing_since_ = std::min(failing_since_, runtime_.Now());
    StandBackIfFailing();
    runtime_.SleepFor(backoff);
    backoff = std::min(backoff * 2, kLongestBackoff);
  }
  if (leading_) Release();
  reader_.reset();
}

Result<Publisher::Progress> Publisher::Step() {
  const bool rests = !leading_ && runtime_.Now() < back_at_;
  Result<Progress> progress = leading_ ? Lead() : Contend();
  if (!rests) health_.Note(progress);  // what it let go for is still so
  return progress;
}

Result<Publisher::Progress> Publisher::Lead() {
  SAFFRON_TRY(CheckBusIfDue());
  if (leading_) SAFFRON_TRY(SaveIfDue());
  if (!leading_) return Progress::kIdle;
  PutRowIfDue();
  ReportLagIfDue();
  if (!batch_) SAFFRON_TRY(ReadBatch());
  if (!batch_) return Progress::kIdle;
  SAFFRON_TRY(ProduceBatch());
  return Progress::kWorked;
}

SlotNumber Publisher::LastSlot() const {
  auto found = state_.shards.find(context_.shard);
  return found == state_.shards.end() ? SlotNumber() : found->second;
}

SlotNumber Publisher::NextSlot() const {
  return state_.republish ? state_.republish->next : LastSlot().Next();
}

// No later than what is due next, nor so late that a stop would wait for it.
Instant Publisher::IdleDeadline() const {
  Instant deadline = runtime_.Now() + kIdleWait;
  if (row_dirty_) deadline = std::min(deadline, row_at_ + options_.row_interval);
  return deadline;
}

Status Publisher::ReadBatch() {
  if (reader_ == nullptr) {
    LogReader::Options options;
    options.name = "publisher-reader";
    options.poll = options_.poll_interval;
    reader_ = std::make_unique<LogReader>(context_, NextSlot(), options);
  }
  SAFFRON_ASSIGN(std::vector<SlotPtr> slots,
                 reader_->Read(options_.batch_size * growth_, IdleDeadline()));
  if (!reader_->holds_back()) {
    growth_ = std::max<std::size_t>(growth_ / 2, 1);
  } else if (small_until_ <= runtime_.Now()) {
    growth_ = std::min(growth_ * 2, options_.most_growth);
  }
  if (slots.empty()) return Ok();
  batch_ = Batch();
  batch_->slots = std::move(slots);
  batch_->started = runtime_.Now();
  if (Mutated(Mutation::kCheckpointBeforeAck)) {
    state_.shards[context_.shard] = batch_->slots.back()->number();
    SAFFRON_TRY(Save());
  }
  for (const SlotPtr& slot : batch_->slots) {
    for (const LoggedEvent& event : slot->events) batch_->entries.push_back({slot.get(), &event});
  }
  return Ok();
}

Status Publisher::ProduceBatch() {
  while (batch_->produced < batch_->entries.size()) {
    Status produced = ProduceSome();
    if (!produced.ok()) {
      growth_ = 1;  // a bus that is slow takes fewer in time
      small_until_ = runtime_.Now() + kSmallCalls;
      // What it stored may lie where something was lost: the bus is looked at before it is sent
      // again.
      checked_at_ = Instant{Duration::min() / 2};
      return produced;
    }
    if (!regressed_.empty())
      return Ok();  // the next Step looks at the bus, and sends again what it lost
  }
  Acknowledge();
  return Ok();
}

// One call to the bus at a time: were the next one under way, and this one fail, the events of a
// key could arrive in another order.
Status Publisher::ProduceSome() {
  const std::size_t first = batch_->produced;
  const std::size_t last =
      std::min(first + options_.flush_batch_size * growth_, batch_->entries.size());
  std::vector<BusMessage> messages;
  messages.reserve(last - first);
  for (std::size_t i = first; i < last; ++i) {
    messages.push_back(MessageOf(*batch_->entries[i].slot, *batch_->entries[i].event));
  }
  SAFFRON_STEP("publisher.produce.before");
  SAFFRON_ASSIGN(std::vector<Delivery> deliveries, bus_.Produce(messages, options_.flush_timeout));
  SAFFRON_STEP("publisher.produce.after");
  SAFFRON_ASSERT(deliveries.size() == messages.size());
  SAFFRON_TRY(TakeDeliveries(messages, deliveries));
  if (regressed_.empty()) batch_->produced = last;
  return Ok();
}

Status Publisher::TakeDeliveries(const std::vector<BusMessage>& messages,
                                 const std::vector<Delivery>& deliveries) {
  std::vector<std::pair<const LoggedEvent*, std::string>> refused;
  std::map<std::pair<std::string_view, std::uint32_t>, PartitionEnd*> ends;  // of this call
  // In the order of the offsets: what was refused in a batch that was too large has been sent
  // alone.
  std::vector<std::size_t> order(deliveries.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&deliveries](std::size_t a, std::size_t b) {
    return deliveries[a].offset < deliveries[b].offset;
  });
  for (const std::size_t i : order) {
    const Delivery& delivery = deliveries[i];
    const std::string& topic = messages[i].topic;
    const LoggedEvent& event = *batch_->entries[batch_->produced + i].event;
    if (delivery.refused) {
      if (delivery.refused->code() != Code::kInvalid) {
        // Not about this message: the topic is gone, most likely.
        return Unavailable(topic + ": " + delivery.refused->message());
      }
      refused.emplace_back(&event, delivery.refused->message());
      continue;
    }
    PartitionEnd*& end = ends[{topic, delivery.partition}];
    if (end == nullptr) end = &state_.ends[{topic, delivery.partition}];
    if (delivery.offset < end->end) {
      regressed_.emplace(TopicPartition{topic, delivery.partition}, delivery.offset);
      continue;
    }
    // Another's records lie between, perhaps where ours were: what is known of before is kept, and
    // asked for.
    const bool follows =
        !end->last || (end->last->offset + 1 == end->end && delivery.offset == end->end);
    if (follows) {
      end->last = SentRecord{delivery.offset, event.location.position};
    } else {
      checked_at_ = Instant{Duration::min() / 2};
    }
    end->end = delivery.offset + 1;
  }
  return refused.empty() ? Ok() : BuryRefused(refused);
}

Status Publisher::BuryRefused(
    const std::vector<std::pair<const LoggedEvent*, std::string>>& refused) {
  std::vector<BusMessage> letters;
  for (const auto& [event, reason] : refused) {
    context_.log.Error("publisher.event_refused",
                       {{"event_id", event->envelope.event_id},
                        {"position", event->location.position.ToString()},
                        {"reason", reason}});
    letters.push_back(DeadLetterOf(*event, reason));
  }
  SAFFRON_ASSIGN(std::vector<Delivery> deliveries, bus_.Produce(letters, options_.flush_timeout));
  for (const Delivery& delivery : deliveries) {
    if (delivery.refused) return Unavailable("dead letter: " + delivery.refused->message());
  }
  if (metrics_ != nullptr) metrics_->Refused(refused.size());
  return Ok();
}

void Publisher::Acknowledge() {
  const SlotNumber acknowledged = batch_->slots.back()->number();
  const SlotNumber before = LastSlot();
  for (const SlotPtr& slot : batch_->slots) {
    if (before < slot->number()) by_date_.Add(*slot);
    events_per_slot_ += (static_cast<double>(slot->events.size()) - events_per_slot_) / 64;
  }
  if (state_.republish) {
    state_.republish->next = acknowledged.Next();
    if (state_.republish->to <= acknowledged) {
      state_.republish.reset();
      context_.log.Info("publisher.republish_done", {{"slot", acknowledged}});
    }
  }
  state_.shards[context_.shard] = std::max(before, acknowledged);
  last_slot_ = LastSlot().value;
  last_reserved_ =
      ParseRfc3339(batch_->slots.back()->header.reserved_at).value_or(runtime_.WallNow());
  if (metrics_ != nullptr) {
    metrics_->RunAcknowledged(batch_->slots.size(), batch_->entries.size(),
                              runtime_.Now() - batch_->started);
  }
  batch_.reset();
  dirty_ = true;
  row_dirty_ = true;
}

// A row that cannot be written delays only those who wait for a position, for as long as a lease.
void Publisher::PutRowIfDue() {
  const Instant now = runtime_.Now();
  if (!row_dirty_ || now < row_at_ + options_.row_interval) return;
  PublishedRow row;
  row.shard = context_.shard;
  row.slot = SlotNumber(NextSlot().value - 1);
  row.ends[kRepublishMark] = state_.republish_id;
  for (const auto& [key, end] : state_.ends) row.ends[{key.topic, key.partition}] = end.end;
  AddLastTo(row);
  const std::uint64_t kept = options_.kept_row_slots;
  SlotNumber prune_below(row.slot.value > kept ? row.slot.value - kept : 0);
  if (distrusted_until_.value != 0) prune_below = row.slot;
  row_at_ = now;
  SAFFRON_STEP("publisher.row.before");
  Status put = claims_.PutPublished(row, prune_below);
  SAFFRON_STEP("publisher.row.after");
  if (!put.ok()) {
    context_.log.Warning("publisher.row_failed", {{"error", put.error().ToString()}});
    row_failing_ = true;
    failing_since_ = std::min(failing_since_, now);
    return;
  }
  row_failing_ = false;
  row_dirty_ = false;
  if (distrusted_until_ <= row.slot) distrusted_until_ = SlotNumber();
}

void Publisher::ReportLagIfDue() {
  const Instant now = runtime_.Now();
  if (now < lag_at_ + kLagInterval) return;
  lag_at_ = now;
  Result<RegistryRows> rows = context_.registry.Read({});
  if (!rows.ok()) return;
  const std::uint64_t next = NextSlot().value;
  const std::uint64_t slots =
      rows->control.next_slot.value > next ? rows->control.next_slot.value - next : 0;
  const auto events =
      static_cast<std::uint64_t>(static_cast<double>(slots) * std::max(events_per_slot_, 0.0));
  double age = 0;
  if (slots > 0) {
    age = static_cast<double>(runtime_.WallNow().unix_ms - last_reserved_.unix_ms) / 1000;
  }
  if (metrics_ != nullptr) metrics_->Lag(slots, events, std::max(age, 0.0));
  if (now < logged_at_ + options_.metrics_interval) return;
  logged_at_ = now;
  context_.log.Info("publisher.progress", {{"slot", LastSlot()},
                                           {"lag_slots", slots},
                                           {"lag_events", events},
                                           {"lag_seconds", std::max(age, 0.0)}});
}

}  // namespace saffron
