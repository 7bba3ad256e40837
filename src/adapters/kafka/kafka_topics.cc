// Topics: made, checked and marked.
#include <algorithm>
#include <charconv>
#include <utility>

#include "adapters/kafka/kafka_admin.h"

namespace saffron {
namespace {

// What librdkafka puts in one batch. A topic that takes less refuses batches of what it would take.
constexpr std::uint64_t kBatchBytes = 1'000'000;
constexpr Duration kLeaderPoll = milliseconds(20);

// The mark: odd, and of one to two years in milliseconds, so that no operator sets one by chance
// and hosted clusters accept it.
constexpr char kMarkSetting[] = "delete.retention.ms";
constexpr std::uint64_t kLeastMark = std::uint64_t{1} << 35;
constexpr std::uint64_t kMarks = std::uint64_t{13} << 30;  // so many odd numbers, from there on

std::uint64_t NumberOf(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, decltype(&rd_kafka_NewTopic_destroy)>;

// What the broker says of each topic in an answer.
Status StatusOf(const KafkaHandle& client, const rd_kafka_topic_result_t** results,
                std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) continue;  // somebody else just made it
    const char* text = rd_kafka_topic_result_error_string(results[i]);
    return client.ErrorOf(std::string("make topic ") + rd_kafka_topic_result_name(results[i]), code,
                          text == nullptr ? "" : text);
  }
  return Ok();
}

}  // namespace

std::string KafkaAdmin::NewMark() {
  return std::to_string(kLeastMark + 1 + 2 * runtime_.RandomBelow(kMarks));
}

std::optional<std::string> KafkaAdmin::MarkOf(const Settings& settings) {
  auto found = settings.find(kMarkSetting);
  if (found == settings.end() || !found->second.of_topic) return std::nullopt;
  const std::uint64_t number = NumberOf(found->second.value);
  if (number < kLeastMark || number % 2 == 0) return std::nullopt;
  return "mark-" + found->second.value;
}

bool KafkaAdmin::FirstTime(const std::string& warning) {
  std::lock_guard<std::mutex> lock(mutex_);
  return warned_.insert(warning).second;
}

Status KafkaAdmin::EnsureTopics(const std::vector<TopicSpec>& topics) {
  std::map<std::string, std::uint32_t> wanted;  // a topic named twice: the larger number
  for (const TopicSpec& topic : topics) {
    wanted[topic.name] = std::max(wanted[topic.name], topic.partitions);
  }
  std::vector<TopicSpec> missing;
  std::vector<std::string> names;
  for (const auto& [name, partitions] : wanted) {
    names.push_back(name);
    Result<Shape> shape = ShapeOf(name);
    if (shape.ok()) {
      SAFFRON_TRY(CheckShape({name, partitions}, *shape));
    } else if (shape.Is(Code::kNotFound)) {
      missing.push_back({name, partitions});
    } else {
      return std::move(shape).error();
    }
  }
  if (!missing.empty()) {
    SAFFRON_TRY(Create(missing));
    SAFFRON_TRY(AwaitLeaders(missing));
  }
  SAFFRON_ASSIGN(auto settings, SettingsOf(names));
  for (const auto& [name, partitions] : wanted) {
    auto found = settings.find(name);
    if (found == settings.end()) {
      if (FirstTime("settings of " + name)) {
        log_.Warning("kafka.topic_settings_unreadable",
                     {{"topic", name}, {"then", "a topic made again is not always noticed"}});
      }
      continue;
    }
    SAFFRON_TRY(CheckSettings(name, found->second));
    if (!MarkOf(found->second)) SAFFRON_TRY(Mark(name, found->second));
  }
  return Ok();
}

Status KafkaAdmin::Create(const std::vector<TopicSpec>& topics) {
  std::vector<NewTopic> owned;
  std::vector<rd_kafka_NewTopic_t*> made;
  char why[256];
  const int replicas =
      options_.replication_factor == 0 ? -1 : static_cast<int>(options_.replication_factor);
  for (const TopicSpec& topic : topics) {
    NewTopic one(rd_kafka_NewTopic_new(topic.name.c_str(), static_cast<int>(topic.partitions),
                                       replicas, why, sizeof why),
                 &rd_kafka_NewTopic_destroy);
    if (one == nullptr) return Invalid("kafka: topic " + topic.name + ": " + why);
    const auto set = [&one](const char* name, const std::string& value) {
      rd_kafka_NewTopic_set_config(one.get(), name, value.c_str());
    };
    set("cleanup.policy", "delete");
    set(kMarkSetting, NewMark());
    set("max.message.bytes", std::to_string(options_.max_message_bytes + kKafkaOverheadBytes));
    if (replicas >= 3) set("min.insync.replicas", "2");
    if (options_.retention) {
      set("retention.ms",
          std::to_string(std::chrono::duration_cast<milliseconds>(*options_.retention).count()));
    }
    made.push_back(one.get());
    owned.push_back(std::move(one));
  }
  SAFFRON_ASSIGN(std::shared_ptr<KafkaHandle> client, producer_.Client());
  SAFFRON_ASSIGN(KafkaEvent event, Ask(*client, "make topics", RD_KAFKA_ADMIN_OP_CREATETOPICS,
                                       [&](rd_kafka_t* asked, auto* options, auto* queue) {
                                         rd_kafka_CreateTopics(asked, made.data(), made.size(),
                                                               options, queue);
                                       }));
  std::size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  SAFFRON_TRY(StatusOf(*client, results, count));
  for (const TopicSpec& topic : topics) {
    log_.Info("kafka.topic_made", {{"topic", topic.name}, {"partitions", topic.partitions}});
  }
  return Ok();
}

// Until the leaders answer for every partition: what others say of them comes earlier.
Status KafkaAdmin::AwaitLeaders(const std::vector<TopicSpec>& topics) {
  const Instant deadline = runtime_.Now() + options_.request_timeout;
  for (const TopicSpec& topic : topics) {
    while (true) {
      Result<Shape> shape = ShapeOf(topic.name);
      std::string why = "kafka: topic " + topic.name + " has no leader yet";
      if (shape.ok() && shape->led) {
        auto ends = Offsets(topic.name, shape->partitions, RD_KAFKA_OFFSET_END);
        if (ends.ok()) {
          SAFFRON_TRY(CheckShape(topic, *shape));  // another may have made it, otherwise
          break;
        }
        why = ends.error().message();
      }
      if (!shape.ok() && !shape.Is(Code::kNotFound)) return std::move(shape).error();
      if (runtime_.Now() >= deadline) return Unavailable(why);
      if (!runtime_.SleepFor(kLeaderPoll)) return Cancelled("kafka: the process is stopping");
    }
  }
  return Ok();
}

Status KafkaAdmin::CheckShape(const TopicSpec& wanted, const Shape& shape) {
  if (shape.partitions < wanted.partitions) {
    const std::string number = std::to_string(wanted.partitions);
    return Invalid("kafka: topic " + wanted.name + " has " + std::to_string(shape.partitions) +
                   " partitions, " + number + " are wanted: kafka-topics.sh --alter --topic " +
                   wanted.name + " --partitions " + number);
  }
  if (shape.replicas < options_.replication_factor && FirstTime("replicas of " + wanted.name)) {
    log_.Warning("kafka.topic_has_fewer_replicas", {{"topic", wanted.name},
                                                    {"replicas", shape.replicas},
                                                    {"wanted", options_.replication_factor}});
  }
  return Ok();
}

Status KafkaAdmin::CheckSettings(const std::string& topic, const Settings& settings) {
  auto policy = settings.find("cleanup.policy");
  if (policy != settings.end() && policy->second.value.find("compact") != std::string::npos) {
    return Invalid("kafka: topic " + topic + " has cleanup.policy=" + policy->second.value +
                   ", which drops events: kafka-configs.sh --alter --topic " + topic +
                   " --add-config cleanup.policy=delete");
  }
  auto largest = settings.find("max.message.bytes");
  if (largest != settings.end() && NumberOf(largest->second.value) < kBatchBytes &&
      FirstTime("max.message.bytes of " + topic)) {
    log_.Warning("kafka.topic_takes_small_messages_only",
                 {{"topic", topic}, {"max.message.bytes", largest->second.value}});
  }
  return Ok();
}

// The request replaces all that is set on the topic: what is there goes along.
Status KafkaAdmin::Mark(const std::string& topic, const Settings& settings) {
  KafkaResource resource(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()),
                         &rd_kafka_ConfigResource_destroy);
  for (const auto& [name, setting] : settings) {
    if (!setting.of_topic || name == kMarkSetting) continue;
    rd_kafka_ConfigResource_set_config(resource.get(), name.c_str(), setting.value.c_str());
  }
  rd_kafka_ConfigResource_set_config(resource.get(), kMarkSetting, NewMark().c_str());
  SAFFRON_ASSIGN(std::shared_ptr<KafkaHandle> handle, producer_.Client());
  Result<KafkaEvent> event = Ask(*handle, "mark topic " + topic, RD_KAFKA_ADMIN_OP_ALTERCONFIGS,
                                 [&](rd_kafka_t* client, auto* options, auto* queue) {
                                   rd_kafka_ConfigResource_t* one = resource.get();
                                   rd_kafka_AlterConfigs(client, &one, 1, options, queue);
                                 });
  if (!event.ok()) return std::move(event).error();
  std::size_t count = 0;
  const rd_kafka_ConfigResource_t** results = rd_kafka_AlterConfigs_result_resources(
      rd_kafka_event_AlterConfigs_result(event->get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    if (rd_kafka_ConfigResource_error(results[i]) == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    const char* why = rd_kafka_ConfigResource_error_string(results[i]);
    if (FirstTime("mark of " + topic)) {
      log_.Warning("kafka.topic_not_marked",
                   {{"topic", topic},
                    {"error", why == nullptr ? "" : why},
                    {"then", "that it is made again is seen by its ends only"}});
    }
    return Ok();
  }
  log_.Info("kafka.topic_marked", {{"topic", topic}});
  return AwaitMark(topic);
}

// Brokers tell of it a moment later. Until then it would seem to be another topic.
Status KafkaAdmin::AwaitMark(const std::string& topic) {
  const Instant deadline = runtime_.Now() + options_.request_timeout;
  while (true) {
    SAFFRON_ASSIGN(auto settings, SettingsOf({topic}));
    if (MarkOf(settings[topic])) return Ok();
    if (runtime_.Now() >= deadline || !runtime_.SleepFor(kLeaderPoll)) {
      return Unavailable("kafka: the mark of topic " + topic + " is not seen yet");
    }
  }
}

}  // namespace saffron
