#include "adapters/kafka/kafka_test_home.h"

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <thread>

namespace saffron {
namespace {

constexpr int kTimeoutMs = 20'000;

using Client = std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)>;
using Queue = std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)>;
using Event = std::unique_ptr<rd_kafka_event_t, decltype(&rd_kafka_event_destroy)>;

Client Connect(const std::string& address) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char why[256];
  rd_kafka_conf_set(conf, "bootstrap.servers", address.c_str(), why, sizeof why);
  return {rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why), &rd_kafka_destroy};
}

// Whether the broker said yes; `look` at the answer, before the client is gone.
bool Ask(const std::string& address,
         const std::function<void(rd_kafka_t*, rd_kafka_queue_t*)>& send,
         const std::function<void(rd_kafka_event_t*)>& look = nullptr) {
  Client client = Connect(address);
  Queue queue(rd_kafka_queue_new(client.get()), &rd_kafka_queue_destroy);
  send(client.get(), queue.get());
  Event event(rd_kafka_queue_poll(queue.get(), kTimeoutMs), &rd_kafka_event_destroy);
  if (event == nullptr || rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return false;
  }
  if (look) look(event.get());
  return true;
}

bool Exists(rd_kafka_t* client, const std::string& topic) {
  rd_kafka_topic_t* handle = rd_kafka_topic_new(client, topic.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, handle, &metadata, kTimeoutMs);
  bool exists = code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1 &&
                metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR;
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) rd_kafka_metadata_destroy(metadata);
  rd_kafka_topic_destroy(handle);
  return exists;
}

bool Await(const std::string& address, const std::string& topic, bool exists) {
  Client client = Connect(address);
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(kTimeoutMs);
  while (Exists(client.get(), topic) != exists) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

rd_kafka_topic_partition_list_t* ListOf(const TopicPartition& partition, std::int64_t offset) {
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, partition.topic.c_str(),
                                    static_cast<std::int32_t>(partition.partition))
      ->offset = offset;
  return list;
}

}  // namespace

std::string KafkaAddress() {
  const char* given = std::getenv("KAFKA_BOOTSTRAP_SERVERS");
  if (given != nullptr && *given != '\0') return given;
  RealServer* server = SharedServer("kafka");
  return server == nullptr ? "" : server->address();
}

// The session timeout is the least that the broker takes: a member that is gone is missed soon.
KafkaBusOptions KafkaTestOptions(const std::string& address) {
  KafkaBusOptions options;
  options.bootstrap_servers = address;
  options.client = {{"session.timeout.ms", "6000"}};
  return options;
}

bool MakeKafkaTopic(const std::string& address, const TopicSpec& topic,
                    const std::map<std::string, std::string>& settings) {
  char why[256];
  rd_kafka_NewTopic_t* made = rd_kafka_NewTopic_new(
      topic.name.c_str(), static_cast<int>(topic.partitions), 1, why, sizeof why);
  for (const auto& [name, value] : settings) {
    rd_kafka_NewTopic_set_config(made, name.c_str(), value.c_str());
  }
  const bool ok = Ask(address, [&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
    rd_kafka_CreateTopics(client, &made, 1, nullptr, queue);
  });
  rd_kafka_NewTopic_destroy(made);
  return ok && Await(address, topic.name, true);
}

bool DeleteKafkaTopic(const std::string& address, const std::string& topic) {
  rd_kafka_DeleteTopic_t* gone = rd_kafka_DeleteTopic_new(topic.c_str());
  const bool ok = Ask(address, [&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
    rd_kafka_DeleteTopics(client, &gone, 1, nullptr, queue);
  });
  rd_kafka_DeleteTopic_destroy(gone);
  return ok && Await(address, topic, false);
}

bool DeleteKafkaRecords(const std::string& address, const TopicPartition& partition,
                        std::uint64_t offset) {
  rd_kafka_topic_partition_list_t* list = ListOf(partition, static_cast<std::int64_t>(offset));
  rd_kafka_DeleteRecords_t* gone = rd_kafka_DeleteRecords_new(list);
  const bool ok = Ask(address, [&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
    rd_kafka_DeleteRecords(client, &gone, 1, nullptr, queue);
  });
  rd_kafka_DeleteRecords_destroy(gone);
  rd_kafka_topic_partition_list_destroy(list);
  return ok;
}

std::vector<std::string> KafkaGroups(const std::string& address) {
  std::vector<std::string> groups;
  Ask(
      address,
      [](rd_kafka_t* client, rd_kafka_queue_t* queue) {
        rd_kafka_ListConsumerGroups(client, nullptr, queue);
      },
      [&groups](rd_kafka_event_t* event) {
        std::size_t count = 0;
        const rd_kafka_ConsumerGroupListing_t** listed = rd_kafka_ListConsumerGroups_result_valid(
            rd_kafka_event_ListConsumerGroups_result(event), &count);
        for (std::size_t i = 0; i < count; ++i) {
          groups.emplace_back(rd_kafka_ConsumerGroupListing_group_id(listed[i]));
        }
      });
  return groups;
}

bool SetGroupOffset(const std::string& address, const std::string& group,
                    const TopicPartition& partition, std::int64_t offset) {
  rd_kafka_topic_partition_list_t* list = ListOf(partition, offset);
  rd_kafka_AlterConsumerGroupOffsets_t* altered =
      rd_kafka_AlterConsumerGroupOffsets_new(group.c_str(), list);
  const bool ok = Ask(address, [&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
    rd_kafka_AlterConsumerGroupOffsets(client, &altered, 1, nullptr, queue);
  });
  rd_kafka_AlterConsumerGroupOffsets_destroy(altered);
  rd_kafka_topic_partition_list_destroy(list);
  return ok;
}

std::string NewKafkaName(const std::string& what) {
  static std::atomic<int> count{0};
  return what + "-" + std::to_string(std::chrono::system_clock::now().time_since_epoch().count()) +
         "-" + std::to_string(++count);
}

}  // namespace saffron
