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
  return partition.topic_id + "#" + std::to_string(member_.watermark.republish_id) + "#";
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
  return member_.joined && generation >= *member_.joined;
}

std::vector<TopicPartition> Projection::Owned() const {
  std::vector<TopicPartition> keys;
  for (const auto& [key, partition] : member_.owned) keys.push_back(key);
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
  if (member_.paused) {
    SAFFRON_TRY(member_.consumer->Resume(Owned()));
    member_.paused = false;
  }
  SAFFRON_TRY(PollInto(options_.max_records, kPollWait));
  SAFFRON_TRY(TakeRecords());
  return member_.work ? Progress::kWorked : Progress::kIdle;
}

Status Projection::PollInto(std::size_t max_records, Duration wait) {
  if (!member_.batch) {
    member_.polled_at = runtime_.Now();
    SAFFRON_ASSIGN(member_.batch, member_.consumer->Poll(max_records, wait));
  }
  return TakeAssignment();
}

Status Projection::TakeAssignment() {
  for (const TopicPartition& key : member_.batch->revoked) member_.owned.erase(key);
  if (!member_.batch->assigned.empty()) {
    SAFFRON_ASSIGN(auto ends, BusEnds());
    for (const TopicPartition& key : member_.batch->assigned) {
      SAFFRON_TRY(TakeStart(key, ends[key]));
      SAFFRON_TRY(member_.consumer->Seek(key, member_.owned[key].next));
      // They come again from where we start.
      std::erase_if(member_.batch->records,
                    [&](const BusRecord& record) { return record.from == key; });
    }
    if (member_.paused) SAFFRON_TRY(member_.consumer->Pause(member_.batch->assigned));
  }
  // Who came with the new generation is told that we live.
  if (member_.generation != member_.batch->generation) member_.commit_again = true;
  member_.generation = member_.batch->generation;
  if (!member_.joined) member_.joined = member_.generation;
  member_.batch->assigned.clear();
  member_.batch->revoked.clear();
  return Ok();
}

// Whoever had the partition before, nobody has watched it since: its tail may have been lost and
// have grown again, beyond every offset that the group or the index remembers. The log knows.
Status Projection::TakeStart(const TopicPartition& key, const PartitionProgress& end) {
  member_.owned[key] = end;
  if (Mutated(Mutation::kGroupOffsetsAlone)) {
    SAFFRON_ASSIGN(auto committed, member_.consumer->Committed());
    member_.owned[key].next = committed[key].next;
    return Ok();
  }
  member_.watermark.partitions.erase(key);
  if (end.next > 0) NeedCatchUp("a partition that nobody has watched");
  return Ok();
}

Status Projection::TakeRecords() {
  Work work;
  for (const BusRecord& record : member_.batch->records) {
    auto owned = member_.owned.find(record.from);
    if (owned == member_.owned.end()) continue;
    auto [next, first] = work.offsets.try_emplace(record.from, owned->second.next);
    if (record.offset != next->second) {
      NeedCatchUp("an offset out of line");
      member_.batch.reset();
      return Ok();
    }
    SAFFRON_TRY(TakeRecord(work, record));
    next->second = record.offset + 1;
  }
  work.generation = member_.generation;
  member_.batch.reset();
  if (!work.offsets.empty()) member_.work = std::move(work);
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
  if (!member_.paused) {
    SAFFRON_TRY(member_.consumer->Pause(Owned()));
    member_.paused = true;
  }
  if (!member_.batch && runtime_.Now() < member_.polled_at + kMembershipInterval) return Ok();
  SAFFRON_TRY(PollInto(1, Duration(0)));
  member_.batch.reset();
  return Ok();
}

// An offset that is not committed is committed later: without news of its partition by TendIfDue,
// or the other members would never see how far it is.
void Projection::CommitOffsets(const std::vector<TopicPartition>& partitions) {
  std::map<TopicPartition, CommittedOffset> offsets;
  for (const TopicPartition& key : partitions) {
    auto owned = member_.owned.find(key);
    if (owned == member_.owned.end()) continue;
    offsets[key] = {owned->second.next,
                    CountedIn(owned->second) + std::to_string(member_.generation)};
  }
  if (offsets.empty()) return;
  SAFFRON_STEP("projection.offsets.before");
  Status committed = member_.consumer->Commit(offsets);
  SAFFRON_STEP("projection.offsets.after");
  // Until all are committed at once: a success of some partitions says nothing of the others.
  // One that was revoked makes the others fail with it.
  member_.commit_again = member_.commit_again || !committed.ok();
  if (Mutated(Mutation::kCommitOffsetsOnce)) member_.commit_again = false;
  if (Mutated(Mutation::kSuccessForgetsFailures)) member_.commit_again = !committed.ok();
  if (!committed.ok()) {
    context_.log.Info("projection.not_committed", {{"error", committed.error().ToString()}});
  }
}

}  // namespace saffron
