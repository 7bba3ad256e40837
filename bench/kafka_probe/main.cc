// Bare librdkafka, with exactly the settings of Saffron's producer, as the limit of what runs over
// it. Prints one JSON object.
//
//   bench_kafka_probe publish HOST:PORT MESSAGES BYTES
//       hands so many messages with the publisher's headers over without waiting, then flushes
//   bench_kafka_probe delivery HOST:PORT OMS_PORT COUNT
//       single messages to an idle broker: from the call to a consumer (bare), and from the answer
//       of a create to a consumer of its command (saffron), in turns
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "adapters/kafka/kafka_bus.h"
#include "adapters/kafka/kafka_settings.h"
#include "base/thread_runtime.h"
#include "domain/names.h"
#include "net/http_client.h"

namespace saffron {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kKeys = 5'000;
constexpr auto kPause = std::chrono::milliseconds(20);  // between two single messages
constexpr auto kPatience = std::chrono::seconds(10);

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

[[noreturn]] void Give(const std::string& why) {
  std::fprintf(stderr, "bench_kafka_probe: %s\n", why.c_str());
  std::exit(1);
}

template <class T>
T Must(Result<T> result) {
  if (!result.ok()) Give(result.error().ToString());
  return std::move(result).value();
}

using Topic = std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)>;
using Client = std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)>;

class Bare {
 public:
  Bare(const KafkaSettings& settings, const std::string& topic) {
    KafkaConf conf = Must(settings.Producer());
    rd_kafka_conf_set_dr_msg_cb(conf.get(), [](rd_kafka_t*, const rd_kafka_message_t* m, void*) {
      if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) Give(rd_kafka_err2str(m->err));
    });
    char why[256];
    client_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf.release(), why, sizeof why));
    if (client_ == nullptr) Give(why);
    topic_.reset(rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr));
  }

  void Send(const std::string& key, const std::string& value, std::size_t number) {
    rd_kafka_headers_t* headers = rd_kafka_headers_new(4);
    const auto add = [headers](const char* name, const std::string& text) {
      rd_kafka_header_add(headers, name, -1, text.data(), static_cast<ssize_t>(text.size()));
    };
    add("event_id", "0190b7c2-5a1e-7c3d-9c57-2f9d1b0e6a11");
    add("event_type", "INSTANCE_CREATE");
    add("sequence_number", "1");
    add("position", "0-" + std::to_string(number / 1'000) + "-" + std::to_string(number % 1'000));
    while (rd_kafka_producev(client_.get(), RD_KAFKA_V_RKT(topic_.get()),
                             RD_KAFKA_V_KEY(key.data(), key.size()),
                             RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
                             RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers),
                             RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_poll(client_.get(), 10);
    }
    rd_kafka_poll(client_.get(), 0);
  }
  void Flush() {
    if (rd_kafka_flush(client_.get(), 60'000) != RD_KAFKA_RESP_ERR_NO_ERROR) Give("no flush");
  }

 private:
  Client client_{nullptr, &rd_kafka_destroy};
  Topic topic_{nullptr, &rd_kafka_topic_destroy};
};

// Whatever comes to the topics from now on.
class Watcher {
 public:
  Watcher(const KafkaSettings& settings, MessageBus& bus, const std::vector<std::string>& topics) {
    char why[256];
    KafkaConf conf = Must(settings.Consumer("bench-kafka-probe"));
    client_.reset(rd_kafka_new(RD_KAFKA_CONSUMER, conf.release(), why, sizeof why));
    if (client_ == nullptr) Give(why);
    rd_kafka_poll_set_consumer(client_.get());
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(16);
    for (const std::string& topic : topics) {
      const TopicState state = Must(bus.Describe(topic));
      for (std::size_t i = 0; i < state.end_offsets.size(); ++i) {
        rd_kafka_topic_partition_list_add(list, topic.c_str(), static_cast<std::int32_t>(i))
            ->offset = static_cast<std::int64_t>(state.end_offsets[i]);
      }
    }
    if (rd_kafka_assign(client_.get(), list) != RD_KAFKA_RESP_ERR_NO_ERROR) Give("no assignment");
    rd_kafka_topic_partition_list_destroy(list);
  }
  ~Watcher() { rd_kafka_consumer_close(client_.get()); }

  // Until a record whose key ends so has come.
  void Await(const std::string& end_of_key) {
    const auto until = Clock::now() + kPatience;
    while (Clock::now() < until) {
      rd_kafka_message_t* message = rd_kafka_consumer_poll(client_.get(), 100);
      if (message == nullptr) continue;
      const std::string key(static_cast<const char*>(message->key), message->key_len);
      const bool found = message->err == RD_KAFKA_RESP_ERR_NO_ERROR && key.ends_with(end_of_key);
      rd_kafka_message_destroy(message);
      if (found) return;
    }
    Give("the record of " + end_of_key + " does not come");
  }

 private:
  Client client_{nullptr, &rd_kafka_destroy};
};

class Probe {
 public:
  explicit Probe(const std::string& address) {
    options_.bootstrap_servers = address;
    bus_ = Must(KafkaBus::Open(runtime_, log_, nullptr, options_));
    commands_ = std::string(kInstanceCommandsTopic);
  }

  void Publish(std::size_t messages, std::size_t bytes) {
    const KafkaSettings settings(options_);
    const std::string topic = NewTopic(), value(bytes, 'x');
    Bare bare(settings, topic);
    bare.Send("warm", value, 0);
    bare.Flush();
    const auto start = Clock::now();
    for (std::size_t i = 0; i < messages; ++i) {
      bare.Send("bench:main:Item:" + std::to_string(i % kKeys * 7'919'000'017), value, i);
    }
    bare.Flush();
    std::printf("{\"messages\":%zu,\"bytes\":%zu,\"per_s\":%.0f}\n", messages, bytes,
                static_cast<double>(messages) / SecondsSince(start));
  }

  void Deliver(const std::string& oms_port, int count) {
    const KafkaSettings settings(options_);
    const std::string topic = NewTopic();
    Bare bare(settings, topic);
    Watcher watcher(settings, *bus_, {topic, commands_});
    auto http = Must(HttpClient::Open({}));
    HttpClientRequest request;
    request.method = "POST";
    request.url = "http://127.0.0.1:" + oms_port + "/api/v1/instances/bench/async/Item/create";
    request.headers.Add("Content-Type", "application/json");
    std::vector<double> bare_ms, saffron_ms;
    constexpr int kWarm = 10;
    for (int i = -kWarm; i < count; ++i) {
      const std::string name = runtime_.NewUuid().ToString();
      std::this_thread::sleep_for(kPause);
      auto start = Clock::now();
      bare.Send("bench:main:Item:" + name, std::string(600, 'x'), 0);
      bare.Flush();
      watcher.Await(name);
      const double alone = SecondsSince(start) * 1e3;
      std::this_thread::sleep_for(kPause);
      const std::string created = runtime_.NewUuid().ToString();
      request.body = R"({"data":{"item_id":")" + created + R"(","name":"Lantern","quantity":1}})";
      const HttpResponse answer = Must(http->Do(request, seconds(10)));
      if (answer.status != 202) Give("the OMS answers " + std::to_string(answer.status));
      start = Clock::now();
      watcher.Await(created);
      const double ours = SecondsSince(start) * 1e3;
      if (i < 0) continue;
      bare_ms.push_back(alone);
      saffron_ms.push_back(ours);
    }
    std::printf("{");
    Print("bare", bare_ms);
    std::printf(",");
    Print("saffron", saffron_ms);
    std::printf("}\n");
  }

 private:
  // With as many partitions as those of Saffron.
  std::string NewTopic() {
    const std::string topic = "bench-" + runtime_.NewUuid().ToString();
    const auto partitions = Must(bus_->Describe(commands_)).end_offsets.size();
    const Status made = bus_->EnsureTopics({{topic, static_cast<std::uint32_t>(partitions)}});
    if (!made.ok()) Give(made.error().ToString());
    return topic;
  }
  static void Print(const char* name, std::vector<double> ms) {
    std::sort(ms.begin(), ms.end());
    std::printf("\"%s\":{\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f}", name, ms[ms.size() / 2],
                ms[ms.size() * 99 / 100], ms.back());
  }

  ThreadRuntime runtime_;
  Log log_ = Log::Discard();
  KafkaBusOptions options_;
  std::unique_ptr<MessageBus> bus_;
  std::string commands_;
};

int Run(const std::vector<std::string>& arguments) {
  if (arguments.size() != 4) return 2;
  Probe probe(arguments[1]);
  if (arguments[0] == "publish") {
    probe.Publish(std::stoul(arguments[2]), std::stoul(arguments[3]));
  } else if (arguments[0] == "delivery") {
    probe.Deliver(arguments[2], std::stoi(arguments[3]));
  } else {
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace saffron

int main(int count, char** arguments) {
  const int status = saffron::Run({arguments + 1, arguments + count});
  if (status == 2) {
    std::fprintf(stderr, "usage: %s publish HOST:PORT MESSAGES BYTES\n", arguments[0]);
    std::fprintf(stderr, "       %s delivery HOST:PORT OMS_PORT COUNT\n", arguments[0]);
  }
  return status;
}
