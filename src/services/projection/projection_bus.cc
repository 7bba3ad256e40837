// What the projection takes from the bus, and how it stays a member of its group.
#include <algorithm>
#include <charconv>

#include "base/step.h"
#include "eventlog/mutation.h"
#include "services/projection/projection.h"

namespace saffron {
namespace {

constexpr Duration kPollWait = milliseconds(200);
constexpr Duration kMembershipInterval = seconds(1);

}  // namespace

// The group's own note beside an offset: which topic, and which republish of it, it counts in. And,
// behind that, the generation in which it was committed.
std::string Projection::CountedIn(const PartitionProgress& partition) const {
  return partition.topic_id + "#" + std::to_string(watermark_.republish_id) + "#";
}

// By a member that has lived since this one came, and so since the index is as it is. One that died
// before may have committed what the index has lost since.
bool Projection::Vouched(const CommittedOffset& offset, const PartitionProgress& end) const {
  const std::string& note = offset.metadata;
  const std::string counted_in = CountedIn(end);
  if (!note.starts_with(counted_in)) return false;
  if (Mutated(Mutation::kTheDeadVouch)) return true;
  std::uint64_t generation = 0;
  std::from_chars(note.data() + counted_in.size(), note.data() + note.size(), generation);
  return joined_ && generation >= *joined_;
}

std::vector<TopicPartition> Projection::Owned() const {
  std::vector<TopicPartition> keys;
  for (const auto& [key, partition] : owned_) keys.push_back(key);
  return keys;
}

Result<std::map<TopicPartition, PartitionProgress>> Projection::BusEnds() {
  std::map<TopicPartition, PartitionProgress> ends;
  for (std::string_view name : {kInstanceEventsTopic, kOntologyEventsTopic}) {
    const std::string topic(name);
    Result<TopicState> state = bus_.Describe(topic);
    if (state.Is(Code::kNotFound)) continue;  // not made yet
    if (!state.ok()) return std::move(state).error();
    for (std::uint32_t i = 0; i < state->end_offsets.size(); ++i) {
      ends[{topic, i}] = {state->topic_id, state->end_offsets[i]};
    }
  }
  return ends;
}

Result<Projection::Progress> Projection::PollBus() {
  if (paused_) {
    SAFFRON_TRY(consumer_->Resume(Owned()));
    paused_ = false;
  }
  SAFFRON_TRY(PollInto(options_.max_records, kPollWait));
  SAFFRON_TRY(TakeRecords());
  return work_ ? Progress::kWorked : Progress::kIdle;
}

Status Projection::PollInto(std::size_t max_records, Duration wait) {
  if (!batch_) {
    polled_at_ = runtime_.Now();
    SAFFRON_ASSIGN(batch_, consumer_->Poll(max_records, wait));
  }
  return TakeAssignment();
}

Status Projection::TakeAssignment() {
  for (const TopicPartition& key : batch_->revoked) owned_.erase(key);
  if (!batch_->assigned.empty()) {
    SAFFRON_ASSIGN(auto ends, BusEnds());
    for (const TopicPartition& key : batch_->assigned) {
      SAFFRON_TRY(TakeStart(key, ends[key]));
      SAFFRON_TRY(consumer_->Seek(key, owned_[key].next));
      // They come again from where we start.
      std::erase_if(batch_->records, [&](const BusRecord& record) { return record.from == key; });
    }
    if (paused_) SAFFRON_TRY(consumer_->Pause(batch_->assigned));
  }
  // Who came with the new generation is told that we live.
  if (generation_ != batch_->generation) commit_again_ = true;
  generation_ = batch_->generation;
  if (!joined_) joined_ = generation_;
  batch_->assigned.clear();
  batch_->revoked.clear();
  return Ok();
}

// Whoever had the partition before, nobody has watched it since: its tail may have been lost and
// have grown again, beyond every offset that the group or the index remembers. The log knows.
Status Projection::TakeStart(const TopicPartition& key, const PartitionProgress& end) {
  owned_[key] = end;
  if (Mutated(Mutation::kGroupOffsetsAlone)) {
    SAFFRON_ASSIGN(auto committed, consumer_->Committed());
    owned_[key].next = committed[key].next;
    return Ok();
  }
  watermark_.partitions.erase(key);
  if (end.next > 0) NeedCatchUp("a partition that nobody has watched");
  return Ok();
}

Status Projection::TakeRecords() {
  Work work;
  for (const BusRecord& record : batch_->records) {
    auto owned = owned_.find(record.from);
    if (owned == owned_.end()) continue;
    auto [next, first] = work.offsets.try_emplace(record.from, owned->second.next);
    if (record.offset != next->second) {
      NeedCatchUp("an offset out of line");
      batch_.reset();
      return Ok();
    }
    SAFFRON_TRY(TakeRecord(work, record));
    next->second = record.offset + 1;
  }
  work.generation = generation_;
  batch_.reset();
  if (!work.offsets.empty()) work_ = std::move(work);
  return Ok();
}

Status Projection::TakeRecord(Work& work, const BusRecord& record) {
  Source source;
  source.from = record.from;
  for (const auto& [name, value] : record.headers) {
    if (name == "position") source.position = value;
  }
  Result<Envelope> event = DecodeEnvelope(record.value);
  Result<Outcome> outcome =
      event.ok() ? DecodeOutcome(event->data) : Result<Outcome>(event.error());
  if (!outcome.ok() || event->type.kind != EventKind::kDomain) {
    if (source.position.empty()) {
      source.position = record.from.topic + "/" + std::to_string(record.from.partition) + "/" +
                        std::to_string(record.offset);
    }
    source.aggregate.id = record.key;
    return Bury(source, outcome.ok() ? "not an outcome" : outcome.error().message());
  }
  source.event = event->event_id;
  source.aggregate = event->aggregate;
  source.number = event->sequence_number;
  work.events.push_back(source);
  AddDocument(work, *event, *outcome, std::move(source));
  return Ok();
}

// While the index is out of reach, or the log is followed: no records, but still a member.
Status Projection::KeepMembership() {
  if (!paused_) {
    SAFFRON_TRY(consumer_->Pause(Owned()));
    paused_ = true;
  }
  if (!batch_ && runtime_.Now() < polled_at_ + kMembershipInterval) return Ok();
  SAFFRON_TRY(PollInto(1, Duration(0)));
  batch_.reset();
  return Ok();
}

// An offset that is not committed is committed later: without news of its partition by TendIfDue,
// or the other members would never see how far it is.
void Projection::CommitOffsets(const std::vector<TopicPartition>& partitions) {
  std::map<TopicPartition, CommittedOffset> offsets;
  for (const TopicPartition& key : partitions) {
    auto owned = owned_.find(key);
    if (owned == owned_.end()) continue;
    offsets[key] = {owned->second.next, CountedIn(owned->second) + std::to_string(generation_)};
  }
  if (offsets.empty()) return;
  SAFFRON_STEP("projection.offsets.before");
  Status committed = consumer_->Commit(offsets);
  SAFFRON_STEP("projection.offsets.after");
  // Until all are committed at once: a success of some partitions says nothing of the others.
  // One that was revoked makes the others fail with it.
  commit_again_ = commit_again_ || !committed.ok();
  if (Mutated(Mutation::kCommitOffsetsOnce)) commit_again_ = false;
  if (Mutated(Mutation::kSuccessForgetsFailures)) commit_again_ = !committed.ok();
  if (!committed.ok()) {
    context_.log.Info("projection.not_committed", {{"error", committed.error().ToString()}});
  }
}

}  // namespace saffron
