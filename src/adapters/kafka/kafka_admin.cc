#include "adapters/kafka/kafka_admin.h"

#include <algorithm>
#include <utility>

namespace saffron {
namespace {

constexpr Duration kSlice = milliseconds(100);
constexpr Duration kLeaderPoll = milliseconds(20);
constexpr char kUnmarked[] = "unmarked";

}  // namespace

// A client of the group that never joins it. The admin request for a group's offsets ends the
// process when the coordinator goes away under it: librdkafka 2.0.2 sends it once more, and asserts
// that it does not (its issue 5040, and kafka_outage_test).
Result<std::shared_ptr<KafkaHandle>> KafkaAdmin::GroupClient(const std::string& group) {
  std::lock_guard<std::mutex> lock(mutex_);
  std::shared_ptr<KafkaHandle>& client = group_clients_[group];
  if (client == nullptr) {
    SAFFRON_ASSIGN(client, KafkaHandle::Consumer(settings_, log_, group, [](auto, auto*) {}));
  }
  return client;
}

Result<KafkaEvent> KafkaAdmin::Ask(KafkaHandle& client, std::string_view doing,
                                   rd_kafka_admin_op_t operation, const Send& send) {
  KafkaQueue queue(rd_kafka_queue_new(client.get()), &rd_kafka_queue_destroy);
  using Options =
      std::unique_ptr<rd_kafka_AdminOptions_t, decltype(&rd_kafka_AdminOptions_destroy)>;
  Options options(rd_kafka_AdminOptions_new(client.get(), operation),
                  &rd_kafka_AdminOptions_destroy);
  char why[256];
  rd_kafka_AdminOptions_set_request_timeout(
      options.get(), KafkaMilliseconds(options_.request_timeout), why, sizeof why);
  send(client.get(), options.get(), queue.get());
  const Instant deadline = runtime_.Now() + options_.request_timeout + seconds(1);
  while (runtime_.Now() < deadline && !runtime_.StopRequested()) {
    KafkaEvent event(rd_kafka_queue_poll(queue.get(), KafkaMilliseconds(kSlice)),
                     &rd_kafka_event_destroy);
    if (event == nullptr) continue;
    if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return client.ErrorOf(doing, rd_kafka_event_error(event.get()),
                            rd_kafka_event_error_string(event.get()));
    }
    client.Answered();
    return event;
  }
  if (runtime_.StopRequested()) return Cancelled("kafka: the process is stopping");
  return client.ErrorOf(doing, RD_KAFKA_RESP_ERR__TIMED_OUT);
}

Status KafkaAdmin::Ping(Duration timeout) {
  SAFFRON_ASSIGN(std::shared_ptr<KafkaHandle> client, producer_.Client());
  const Instant deadline = runtime_.Now() + timeout;
  while (true) {
    const rd_kafka_metadata_t* metadata = nullptr;
    const Duration left = std::min<Duration>(deadline - runtime_.Now(), seconds(1));
    const rd_kafka_resp_err_t code =
        rd_kafka_metadata(client->get(), 0, nullptr, &metadata, KafkaMilliseconds(left));
    client->TakeComplaints();
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      rd_kafka_metadata_destroy(metadata);
      client->Answered();
      return Ok();
    }
    if (runtime_.Now() >= deadline || runtime_.StopRequested()) {
      return client->ErrorOf("connect to " + options_.bootstrap_servers, code);
    }
  }
}

Result<KafkaAdmin::Shape> KafkaAdmin::ShapeOf(const std::string& topic) {
  const std::string doing = "describe " + topic;
  SAFFRON_ASSIGN(std::shared_ptr<KafkaHandle> client, producer_.Client());
  KafkaTopic handle(rd_kafka_topic_new(client->get(), topic.c_str(), nullptr),
                    &rd_kafka_topic_destroy);
  if (handle == nullptr) return client->ErrorOf(doing, rd_kafka_last_error());
  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_resp_err_t code = rd_kafka_metadata(client->get(), 0, handle.get(), &metadata,
                                               KafkaMilliseconds(options_.request_timeout));
  client->TakeComplaints();
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return client->ErrorOf(doing, code);
  client->Answered();
  std::unique_ptr<const rd_kafka_metadata_t, decltype(&rd_kafka_metadata_destroy)> owned(
      metadata, &rd_kafka_metadata_destroy);
  if (metadata->topic_cnt != 1) return NotFound("kafka: no topic " + topic);
  const rd_kafka_metadata_topic_t& found = metadata->topics[0];
  if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) return client->ErrorOf(doing, found.err);
  Shape shape;
  shape.partitions = static_cast<std::uint32_t>(found.partition_cnt);
  shape.replicas = ~std::uint32_t{0};
  for (int i = 0; i < found.partition_cnt; ++i) {
    const rd_kafka_metadata_partition_t& partition = found.partitions[i];
    shape.replicas = std::min(shape.replicas, static_cast<std::uint32_t>(partition.replica_cnt));
    shape.led = shape.led && partition.leader >= 0;
  }
  return shape;
}

Result<std::map<std::string, KafkaAdmin::Settings>> KafkaAdmin::SettingsOf(
    const std::vector<std::string>& topics) {
  std::vector<KafkaResource> owned;
  std::vector<rd_kafka_ConfigResource_t*> resources;
  for (const std::string& topic : topics) {
    owned.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()),
                       &rd_kafka_ConfigResource_destroy);
    resources.push_back(owned.back().get());
  }
  SAFFRON_ASSIGN(std::shared_ptr<KafkaHandle> handle, producer_.Client());
  SAFFRON_ASSIGN(KafkaEvent event,
                 Ask(*handle, "read topic settings", RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS,
                     [&](rd_kafka_t* client, auto* options, auto* queue) {
                       rd_kafka_DescribeConfigs(client, resources.data(), resources.size(), options,
                                                queue);
                     }));
  std::size_t count = 0;
  const rd_kafka_ConfigResource_t** found = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  std::map<std::string, Settings> all;
  for (std::size_t i = 0; i < count; ++i) {
    if (rd_kafka_ConfigResource_error(found[i]) != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    Settings& settings = all[rd_kafka_ConfigResource_name(found[i])];
    std::size_t entries = 0;
    const rd_kafka_ConfigEntry_t** entry = rd_kafka_ConfigResource_configs(found[i], &entries);
    for (std::size_t j = 0; j < entries; ++j) {
      const char* value = rd_kafka_ConfigEntry_value(entry[j]);
      settings[rd_kafka_ConfigEntry_name(entry[j])] = {
          value == nullptr ? "" : value,
          rd_kafka_ConfigEntry_source(entry[j]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG};
    }
  }
  return all;
}

Result<std::vector<std::uint64_t>> KafkaAdmin::Offsets(const std::string& topic,
                                                       std::uint32_t partitions,
                                                       std::int64_t which) {
  const std::string doing = "offsets of " + topic;
  SAFFRON_ASSIGN(std::shared_ptr<KafkaHandle> client, producer_.Client());
  KafkaPartitions list = NewKafkaPartitions(partitions);
  for (std::uint32_t i = 0; i < partitions; ++i) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), static_cast<std::int32_t>(i))
        ->offset = which;
  }
  const rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(
      client->get(), list.get(), KafkaMilliseconds(options_.request_timeout));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return client->ErrorOf(doing, code);
  std::vector<std::uint64_t> offsets;
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& partition = list->elems[i];
    if (partition.err != RD_KAFKA_RESP_ERR_NO_ERROR) return client->ErrorOf(doing, partition.err);
    if (partition.offset < 0) return client->ErrorOf(doing, RD_KAFKA_RESP_ERR__NO_OFFSET);
    offsets.push_back(static_cast<std::uint64_t>(partition.offset));
  }
  return offsets;
}

// A topic just made, or made again, has leaders that do not know it yet.
Result<TopicState> KafkaAdmin::Describe(const std::string& topic) {
  const Instant deadline = runtime_.Now() + options_.request_timeout;
  while (true) {
    SAFFRON_ASSIGN(Shape shape, ShapeOf(topic));
    // The id first: of a topic that is made again meanwhile the ends then seem to have shrunk.
    SAFFRON_ASSIGN(auto settings, SettingsOf({topic}));
    auto ends = Offsets(topic, shape.partitions, RD_KAFKA_OFFSET_END);
    if (ends.ok()) {
      return TopicState{MarkOf(settings[topic]).value_or(kUnmarked), std::move(ends).value()};
    }
    if (runtime_.Now() >= deadline || !runtime_.SleepFor(kLeaderPoll)) {
      return Unavailable(ends.error().message());
    }
  }
}

// By a client of its own, so that nothing of one reading is left for the next.
Result<std::vector<BusRecord>> KafkaAdmin::RecordsAt(
    const std::map<TopicPartition, std::uint64_t>& offsets) {
  std::vector<BusRecord> records;
  if (offsets.empty()) return records;
  SAFFRON_ASSIGN(std::unique_ptr<KafkaHandle> client, KafkaHandle::Reader(settings_, log_));
  KafkaPartitions list = NewKafkaPartitions(offsets.size());
  for (const auto& [key, offset] : offsets) {
    rd_kafka_topic_partition_list_add(list.get(), key.topic.c_str(),
                                      static_cast<std::int32_t>(key.partition))
        ->offset = static_cast<std::int64_t>(offset);
  }
  const rd_kafka_resp_err_t code = rd_kafka_assign(client->get(), list.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return client->ErrorOf("read records", code);
  std::map<TopicPartition, std::uint64_t> open = offsets;
  Instant deadline = runtime_.Now() + options_.request_timeout;  // of the next one
  while (!open.empty()) {
    if (runtime_.StopRequested()) return Cancelled("kafka: the process is stopping");
    if (runtime_.Now() >= deadline) {
      return client->ErrorOf("read records", RD_KAFKA_RESP_ERR__TIMED_OUT);
    }
    KafkaMessage message(rd_kafka_consumer_poll(client->get(), KafkaMilliseconds(kSlice)),
                         &rd_kafka_message_destroy);
    if (message == nullptr) continue;
    auto asked = message->rkt == nullptr
                     ? open.end()
                     : open.find({rd_kafka_topic_name(message->rkt),
                                  static_cast<std::uint32_t>(message->partition)});
    if (asked == open.end()) continue;
    const auto offset = static_cast<std::uint64_t>(message->offset);
    switch (message->err) {
      case RD_KAFKA_RESP_ERR_NO_ERROR:
        if (offset == asked->second) records.push_back(KafkaRecordOf(*message));
        open.erase(asked);
        break;
      case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:  // deleted
      case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:    // or nobody can read it
      case RD_KAFKA_RESP_ERR__BAD_MSG:
      case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED: open.erase(asked); break;
      // Of something that is no record, like the end of a transaction. At the offset itself: a
      // leader that does not know its end yet.
      case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (offset > asked->second) open.erase(asked);
        break;
      case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return client->ErrorOf("read records", message->err,
                               rd_kafka_message_errstr(message.get()));
      default: continue;  // it goes on, until the deadline
    }
    deadline = runtime_.Now() + options_.request_timeout;
  }
  return records;
}

// Every partition of the cluster that we may see.
Result<KafkaPartitions> KafkaAdmin::AllPartitions() {
  SAFFRON_ASSIGN(std::shared_ptr<KafkaHandle> client, producer_.Client());
  const rd_kafka_metadata_t* metadata = nullptr;
  const rd_kafka_resp_err_t code = rd_kafka_metadata(client->get(), 1, nullptr, &metadata,
                                                     KafkaMilliseconds(options_.request_timeout));
  client->TakeComplaints();
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return client->ErrorOf("list topics", code);
  client->Answered();
  std::unique_ptr<const rd_kafka_metadata_t, decltype(&rd_kafka_metadata_destroy)> owned(
      metadata, &rd_kafka_metadata_destroy);
  KafkaPartitions all = NewKafkaPartitions(0);
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& topic = metadata->topics[i];
    if (topic.err != RD_KAFKA_RESP_ERR_NO_ERROR || topic.partition_cnt == 0) continue;
    rd_kafka_topic_partition_list_add_range(all.get(), topic.topic, 0, topic.partition_cnt - 1);
  }
  return all;
}

Result<std::map<TopicPartition, CommittedOffset>> KafkaAdmin::GroupOffsets(
    const std::string& group) {
  const std::string doing = "offsets of group " + group;
  SAFFRON_ASSIGN(KafkaPartitions list, AllPartitions());
  SAFFRON_ASSIGN(std::shared_ptr<KafkaHandle> client, GroupClient(group));
  const rd_kafka_resp_err_t code =
      rd_kafka_committed(client->get(), list.get(), KafkaMilliseconds(options_.request_timeout));
  client->TakeComplaints();
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return client->ErrorOf(doing, code);
  client->Answered();
  std::map<TopicPartition, CommittedOffset> offsets;
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& partition = list->elems[i];
    if (partition.err != RD_KAFKA_RESP_ERR_NO_ERROR) return client->ErrorOf(doing, partition.err);
    AddCommitted(partition, offsets);
  }
  return offsets;
}

Result<std::uint64_t> KafkaAdmin::Lag(const std::string& topic,
                                      const std::map<TopicPartition, CommittedOffset>& committed) {
  SAFFRON_ASSIGN(Shape shape, ShapeOf(topic));
  SAFFRON_ASSIGN(auto ends, Offsets(topic, shape.partitions, RD_KAFKA_OFFSET_END));
  SAFFRON_ASSIGN(auto starts, Offsets(topic, shape.partitions, RD_KAFKA_OFFSET_BEGINNING));
  std::uint64_t lag = 0;
  for (std::uint32_t i = 0; i < shape.partitions; ++i) {
    auto found = committed.find({topic, i});
    const std::uint64_t next = found == committed.end() ? starts[i] : found->second.next;
    lag += ends[i] - std::min(ends[i], std::max(next, starts[i]));
  }
  return lag;
}

}  // namespace saffron
