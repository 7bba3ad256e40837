#include "adapters/kafka/kafka_consumer.h"

#include <algorithm>
#include <utility>

namespace saffron {
namespace {

constexpr Duration kSlice = milliseconds(100);
constexpr Duration kGenerationInterval = milliseconds(500);
constexpr Duration kRebalancePatience = seconds(2);
constexpr Duration kRebalancePoll = milliseconds(10);
constexpr Duration kSeekPoll = milliseconds(10);
constexpr Duration kLeavePatience = seconds(2);
constexpr Duration kFirstAssignmentPatience = seconds(1);
constexpr Duration kProbeTimeout = milliseconds(500);
constexpr std::size_t kMaxPollBytes = 8 << 20;

TopicPartition KeyOf(const rd_kafka_topic_partition_t& partition) {
  return {partition.topic, static_cast<std::uint32_t>(partition.partition)};
}

rd_kafka_topic_partition_t* Add(rd_kafka_topic_partition_list_t* list,
                                const TopicPartition& partition) {
  return rd_kafka_topic_partition_list_add(list, partition.topic.c_str(),
                                           static_cast<std::int32_t>(partition.partition));
}

// The first of a partition, or of the whole.
rd_kafka_resp_err_t FirstFailure(rd_kafka_resp_err_t code,
                                 const rd_kafka_topic_partition_list_t* list) {
  for (int i = 0; list != nullptr && i < list->cnt; ++i) {
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = list->elems[i].err;
  }
  return code;
}

}  // namespace

Result<std::unique_ptr<BusConsumer>> KafkaConsumer::Join(const KafkaSettings& settings,
                                                         Duration request_timeout, Runtime& runtime,
                                                         Log& log, const std::string& group,
                                                         const std::vector<std::string>& topics) {
  std::unique_ptr<KafkaConsumer> consumer(new KafkaConsumer(request_timeout, runtime, group));
  SAFFRON_ASSIGN(consumer->generation_, KafkaGeneration::Of(group));
  KafkaConsumer* self = consumer.get();
  SAFFRON_ASSIGN(consumer->handle_,
                 KafkaHandle::Consumer(settings, log, group, [self](auto code, auto* partitions) {
                   self->Rebalanced(code, partitions);
                 }));
  KafkaPartitions list = NewKafkaPartitions(topics.size());
  for (const std::string& topic : topics) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  const rd_kafka_resp_err_t code = rd_kafka_subscribe(consumer->handle_->get(), list.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return consumer->handle_->ErrorOf("subscribe to group " + group, code);
  }
  return std::unique_ptr<BusConsumer>(std::move(consumer));
}

// Librdkafka before 2.3 aborts the process when a member is destroyed between its first answer from
// the group and its first assignment (its issue 4312). Such a one leaves, and is let go.
KafkaConsumer::~KafkaConsumer() {
  if (handle_ == nullptr) return;
  if (!ever_assigned_ && !handle_->Suspect()) AwaitAssignment();
  Leave();
  if (!ever_assigned_) handle_->LetGo();
}

void KafkaConsumer::AwaitAssignment() {
  const Instant until = runtime_.Now() + kFirstAssignmentPatience;
  while (!ever_assigned_ && runtime_.Now() < until) {
    rd_kafka_message_t* message = rd_kafka_consumer_poll(handle_->get(), KafkaMilliseconds(kSlice));
    if (message != nullptr) rd_kafka_message_destroy(message);
  }
}

void KafkaConsumer::Leave() {
  rd_kafka_t* client = handle_->get();
  KafkaQueue queue(rd_kafka_queue_new(client), &rd_kafka_queue_destroy);
  KafkaFailure failure(rd_kafka_consumer_close_queue(client, queue.get()), &rd_kafka_error_destroy);
  const Instant until = runtime_.Now() + kLeavePatience;
  while (failure == nullptr && !rd_kafka_consumer_closed(client) && runtime_.Now() < until) {
    KafkaEvent event(rd_kafka_queue_poll(queue.get(), KafkaMilliseconds(kSlice)),
                     &rd_kafka_event_destroy);
    if (event == nullptr || rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_REBALANCE) continue;
    Rebalanced(rd_kafka_event_error(event.get()), rd_kafka_event_topic_partition_list(event.get()));
  }
}

void KafkaConsumer::Rebalanced(rd_kafka_resp_err_t code,
                               rd_kafka_topic_partition_list_t* partitions) {
  rd_kafka_t* client = handle_->get();
  rebalanced_ = true;
  KafkaFailure failure(nullptr, &rd_kafka_error_destroy);
  if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    ever_assigned_ = true;
    failure.reset(rd_kafka_incremental_assign(client, partitions));
    for (int i = 0; i < partitions->cnt; ++i) Assigned(KeyOf(partitions->elems[i]));
  } else if (code == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
    failure.reset(rd_kafka_incremental_unassign(client, partitions));
    for (int i = 0; i < partitions->cnt; ++i) Revoked(KeyOf(partitions->elems[i]));
  } else {
    rd_kafka_assign(client, nullptr);
    while (!owned_.empty()) Revoked(TopicPartition(owned_.begin()->first));
  }
  rd_kafka_yield(client);  // so that Poll tells of it at once
}

void KafkaConsumer::Assigned(const TopicPartition& partition) {
  if (!owned_.try_emplace(partition).second) return;
  batch_.assigned.push_back(partition);
}

void KafkaConsumer::Revoked(const TopicPartition& partition) {
  auto owned = owned_.find(partition);
  if (owned == owned_.end()) return;
  seeking_ -= owned->second.seek.has_value();
  owned_.erase(owned);
  std::erase_if(batch_.records, [&](const BusRecord& record) { return record.from == partition; });
  // One that the caller has not heard of yet, it need not hear of.
  if (std::erase(batch_.assigned, partition) == 0) batch_.revoked.push_back(partition);
}

bool KafkaConsumer::News() const {
  return !batch_.records.empty() || !batch_.assigned.empty() || !batch_.revoked.empty();
}

Result<BusBatch> KafkaConsumer::Poll(std::size_t max_records, Duration timeout) {
  const Instant now = runtime_.Now();
  const Instant deadline = timeout > Instant::Max() - now ? Instant::Max() : now + timeout;
  if (failure_) return *std::exchange(failure_, std::nullopt);
  while (true) {
    if (seeking_ > 0) SeekAsAsked();
    const Duration left = std::max(Duration::zero(), deadline - runtime_.Now());
    SAFFRON_TRY(Fetch(max_records, std::min(left, seeking_ > 0 ? kSeekPoll : kSlice)));
    const Instant fetched = runtime_.Now();
    if (rebalanced_ || generation_at_ + kGenerationInterval <= fetched) {
      batch_.generation = std::max(batch_.generation, generation_->Read(handle_->get()));
      generation_at_ = fetched;
      rebalanced_ = false;
    }
    if (!News()) SAFFRON_TRY(AskIfSuspect());
    if (News() || fetched >= deadline || runtime_.StopRequested()) break;
  }
  BusBatch batch = std::exchange(batch_, BusBatch());
  batch_.generation = batch.generation;
  batch_bytes_ = 0;
  return batch;
}

// Waits for the first record only.
Status KafkaConsumer::Fetch(std::size_t max_records, Duration wait) {
  while (batch_.records.size() < max_records && batch_bytes_ < kMaxPollBytes) {
    const Duration patience = News() ? Duration::zero() : wait;
    rd_kafka_message_t* polled =
        rd_kafka_consumer_poll(handle_->get(), KafkaMilliseconds(patience));
    if (polled == nullptr) return Ok();
    KafkaMessage message(polled, &rd_kafka_message_destroy);
    switch (message->err) {
      case RD_KAFKA_RESP_ERR_NO_ERROR: Take(*message); break;
      // A topic that is not made yet; expelled, and about to join again.
      case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
      case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
      case RD_KAFKA_RESP_ERR__PARTITION_EOF: break;
      default: {
        Error error = handle_->ErrorOf("consume as " + group_, message->err,
                                       rd_kafka_message_errstr(message.get()));
        if (!News()) return error;
        failure_ = std::move(error);  // the next Poll's: what there is goes first
        return Ok();
      }
    }
  }
  return Ok();
}

void KafkaConsumer::Take(const rd_kafka_message_t& message) {
  handle_->Answered();
  BusRecord record = KafkaRecordOf(message);
  auto owned = owned_.find(record.from);
  if (owned == owned_.end() || owned->second.seek) return;
  batch_bytes_ += record.key.size() + record.value.size();
  batch_.records.push_back(std::move(record));
}

// Librdkafka forgets that it was out of reach; who waits for records must be told.
Status KafkaConsumer::AskIfSuspect() {
  if (!handle_->Suspect()) return Ok();
  const rd_kafka_metadata_t* metadata = nullptr;
  const rd_kafka_resp_err_t code =
      rd_kafka_metadata(handle_->get(), 0, nullptr, &metadata, KafkaMilliseconds(kProbeTimeout));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return handle_->ErrorOf("consume as " + group_, code);
  }
  rd_kafka_metadata_destroy(metadata);
  handle_->Answered();
  return Ok();
}

Status KafkaConsumer::Commit(const std::map<TopicPartition, CommittedOffset>& offsets) {
  if (offsets.empty()) return Ok();
  KafkaPartitions list = NewKafkaPartitions(offsets.size());
  for (const auto& [partition, offset] : offsets) {
    if (!owned_.contains(partition)) {
      return Conflict("partition " + std::to_string(partition.partition) + " of " +
                      partition.topic + " is not assigned to this member");
    }
    rd_kafka_topic_partition_t* one = Add(list.get(), partition);
    one->offset = static_cast<std::int64_t>(offset.next);
    one->metadata_size = offset.metadata.size();
    one->metadata = std::malloc(std::max<std::size_t>(offset.metadata.size(), 1));  // the list's
    std::copy(offset.metadata.begin(), offset.metadata.end(), static_cast<char*>(one->metadata));
  }
  // Between two generations the broker takes no commits, for a moment.
  const Instant until = runtime_.Now() + kRebalancePatience;
  rd_kafka_resp_err_t code = CommitOnce(list.get());
  while (code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS && runtime_.Now() < until &&
         runtime_.SleepFor(kRebalancePoll)) {
    code = CommitOnce(list.get());
  }
  return StatusOfCommit(code);
}

rd_kafka_resp_err_t KafkaConsumer::CommitOnce(const rd_kafka_topic_partition_list_t* list) {
  rd_kafka_t* client = handle_->get();
  KafkaQueue queue(rd_kafka_queue_new(client), &rd_kafka_queue_destroy);
  const rd_kafka_resp_err_t sent =
      rd_kafka_commit_queue(client, list, queue.get(), nullptr, nullptr);
  if (sent != RD_KAFKA_RESP_ERR_NO_ERROR) return sent;
  const Instant until = runtime_.Now() + request_timeout_;
  while (runtime_.Now() < until && !runtime_.StopRequested()) {
    KafkaEvent event(rd_kafka_queue_poll(queue.get(), KafkaMilliseconds(kSlice)),
                     &rd_kafka_event_destroy);
    if (event == nullptr) continue;
    return FirstFailure(rd_kafka_event_error(event.get()),
                        rd_kafka_event_topic_partition_list(event.get()));
  }
  return RD_KAFKA_RESP_ERR__TIMED_OUT;
}

Status KafkaConsumer::StatusOfCommit(rd_kafka_resp_err_t code) const {
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return Ok();
  const Error error = handle_->ErrorOf("commit as " + group_, code);
  switch (code) {
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST: return Conflict(error.message());
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT: return UnknownOutcome(error.message());
    default: return error;
  }
}

Result<std::map<TopicPartition, CommittedOffset>> KafkaConsumer::Committed() {
  std::map<TopicPartition, CommittedOffset> offsets;
  if (owned_.empty()) return offsets;
  KafkaPartitions list = NewKafkaPartitions(owned_.size());
  for (const auto& [partition, owned] : owned_) Add(list.get(), partition);
  const rd_kafka_resp_err_t code = FirstFailure(
      rd_kafka_committed(handle_->get(), list.get(), KafkaMilliseconds(request_timeout_)),
      list.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return handle_->ErrorOf("committed offsets of " + group_, code);
  }
  for (int i = 0; i < list->cnt; ++i) AddCommitted(list->elems[i], offsets);
  return offsets;
}

// Done by the next Poll: a partition just assigned cannot be moved until librdkafka has begun to
// read it, which may wait for a broker.
Status KafkaConsumer::Seek(const TopicPartition& partition, std::uint64_t offset) {
  auto owned = owned_.find(partition);
  if (owned == owned_.end()) return Conflict("the partition is not assigned to this member");
  seeking_ += !owned->second.seek.has_value();
  owned->second.seek = offset;
  return Ok();
}

void KafkaConsumer::SeekAsAsked() {
  KafkaPartitions list = NewKafkaPartitions(seeking_);
  for (const auto& [partition, owned] : owned_) {
    if (owned.seek) Add(list.get(), partition)->offset = static_cast<std::int64_t>(*owned.seek);
  }
  KafkaFailure failure(
      rd_kafka_seek_partitions(handle_->get(), list.get(), KafkaMilliseconds(request_timeout_)),
      &rd_kafka_error_destroy);
  if (failure != nullptr) return;
  for (int i = 0; i < list->cnt; ++i) {
    if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    owned_.at(KeyOf(list->elems[i])).seek.reset();
    --seeking_;
  }
}

Result<KafkaPartitions> KafkaConsumer::Mine(const std::vector<TopicPartition>& partitions) const {
  KafkaPartitions list = NewKafkaPartitions(partitions.size());
  for (const TopicPartition& partition : partitions) {
    if (!owned_.contains(partition)) {
      return Conflict("the partition is not assigned to this member");
    }
    Add(list.get(), partition);
  }
  return list;
}

Status KafkaConsumer::Pause(const std::vector<TopicPartition>& partitions) {
  SAFFRON_ASSIGN(KafkaPartitions list, Mine(partitions));
  const rd_kafka_resp_err_t code =
      FirstFailure(rd_kafka_pause_partitions(handle_->get(), list.get()), list.get());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return Ok();
  return handle_->ErrorOf("pause", code);
}

Status KafkaConsumer::Resume(const std::vector<TopicPartition>& partitions) {
  SAFFRON_ASSIGN(KafkaPartitions list, Mine(partitions));
  const rd_kafka_resp_err_t code =
      FirstFailure(rd_kafka_resume_partitions(handle_->get(), list.get()), list.get());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return Ok();
  return handle_->ErrorOf("resume", code);
}

}  // namespace saffron
