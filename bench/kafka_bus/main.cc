// The Kafka bus beside bare librdkafka, on one broker in one run, in turns:
//
//   bench_kafka_bus HOST:PORT [MESSAGES]
//
// Publishes 200,000 messages of 600 bytes with the headers of the publisher, consumes them, and
// publishes single ones to an idle broker. Prints a table; the ratio is port / bare.
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
#include "base/thread_runtime.h"

namespace saffron {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kRounds = 3;
constexpr std::uint32_t kPartitions = 12;
constexpr std::size_t kKeys = 5000;
constexpr int kIdleMessages = 400;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

[[noreturn]] void Give(const std::string& why) {
  std::fprintf(stderr, "bench_kafka_bus: %s\n", why.c_str());
  std::exit(1);
}

BusMessage MessageOf(const std::string& topic, std::size_t number) {
  BusMessage message{
      topic, "db:main:Class:instance-" + std::to_string(number % kKeys), std::string(600, 'x'), {}};
  message.headers = {{"event_id", "0190b7c2-5a1e-7c3d-9c57-2f9d1b0e6a11"},
                     {"event_type", "INSTANCE_CREATED"},
                     {"sequence_number", std::to_string(number)},
                     {"position", "000/00000000000000000001/" + std::to_string(number)}};
  return message;
}

// Librdkafka as its manual has it: handed over without waiting, reports counted, flushed.
class Bare {
 public:
  Bare(const std::string& address, const char* linger_ms) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    const std::vector<std::pair<const char*, const char*>> settings = {
        {"bootstrap.servers", address.c_str()},
        {"enable.idempotence", "true"},
        {"acks", "all"},
        {"partitioner", "murmur2"},
        {"linger.ms", linger_ms},
        {"socket.nagle.disable", "true"}};
    char why[256];
    for (const auto& [name, value] : settings) {
      if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) Give(why);
    }
    rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void*) {
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) Give(rd_kafka_err2str(message->err));
    });
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (client_ == nullptr) Give(why);
  }
  ~Bare() {
    for (auto& [name, topic] : topics_) rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client_);
  }

  void Send(const BusMessage& message) {
    rd_kafka_topic_t*& topic = topics_[message.topic];
    if (topic == nullptr) topic = rd_kafka_topic_new(client_, message.topic.c_str(), nullptr);
    rd_kafka_headers_t* headers = rd_kafka_headers_new(message.headers.size());
    for (const auto& [name, value] : message.headers) {
      rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                          static_cast<ssize_t>(value.size()));
    }
    while (rd_kafka_producev(
               client_, RD_KAFKA_V_RKT(topic),
               RD_KAFKA_V_KEY(message.key.data(), message.key.size()),
               RD_KAFKA_V_VALUE(const_cast<char*>(message.value.data()), message.value.size()),
               RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers),
               RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_poll(client_, 10);
    }
    rd_kafka_poll(client_, 0);
  }
  void Flush() { rd_kafka_flush(client_, 60'000); }

 private:
  rd_kafka_t* client_ = nullptr;
  std::map<std::string, rd_kafka_topic_t*> topics_;
};

class Bench {
 public:
  Bench(std::string address, std::size_t messages)
      : address_(std::move(address)), messages_(messages) {
    KafkaBusOptions options;
    options.bootstrap_servers = address_;
    auto opened = KafkaBus::Open(runtime_, log_, nullptr, options);
    if (!opened.ok()) Give(opened.error().ToString());
    bus_ = std::move(opened).value();
  }

  void Run() {
    std::vector<double> bare, port_200, port_1000, port_5000, bare_read, port_read;
    BareRate(NewTopic());  // warm
    PortRate(NewTopic(), 1000);
    for (int round = 0; round < kRounds; ++round) {
      const std::string topic = NewTopic();
      bare.push_back(BareRate(topic));
      port_200.push_back(PortRate(NewTopic(), 200));
      port_1000.push_back(PortRate(NewTopic(), 1000));
      port_5000.push_back(PortRate(NewTopic(), 5000));
      bare_read.push_back(BareRead(topic));
      port_read.push_back(PortRead(topic));
    }
    const double floor = Median(bare), read_floor = Median(bare_read);
    std::printf("| what | messages/s | ratio |\n|---|---|---|\n");
    Row("bare librdkafka, publish", floor, floor);
    Row("port, publish, 200 a call", Median(port_200), floor);
    Row("port, publish, 1,000 a call", Median(port_1000), floor);
    Row("port, publish, 5,000 a call", Median(port_5000), floor);
    Row("bare librdkafka, consume", read_floor, read_floor);
    Row("port, consume", Median(port_read), read_floor);
    Idle();
  }

 private:
  static double Median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  }
  static void Row(const char* what, double rate, double floor) {
    std::printf("| %s | %.0f | %.2f |\n", what, rate, rate / floor);
  }

  std::string NewTopic() {
    const std::string topic = "bench-" + runtime_.NewUuid().ToString();
    if (Status made = bus_->EnsureTopics({{topic, kPartitions}}); !made.ok()) {
      Give(made.error().ToString());
    }
    return topic;
  }

  double BareRate(const std::string& topic) {
    Bare bare(address_, "5");
    bare.Send(MessageOf(topic, 0));
    bare.Flush();
    const auto start = Clock::now();
    for (std::size_t i = 1; i < messages_; ++i) bare.Send(MessageOf(topic, i));
    bare.Flush();
    return static_cast<double>(messages_ - 1) / SecondsSince(start);
  }

  double PortRate(const std::string& topic, std::size_t batch) {
    Produce({MessageOf(topic, 0)});
    const auto start = Clock::now();
    for (std::size_t i = 1; i < messages_;) {
      std::vector<BusMessage> messages;
      for (; messages.size() < batch && i < messages_; ++i) messages.push_back(MessageOf(topic, i));
      Produce(messages);
    }
    return static_cast<double>(messages_ - 1) / SecondsSince(start);
  }

  void Produce(const std::vector<BusMessage>& messages) {
    auto deliveries = bus_->Produce(messages, seconds(30));
    if (!deliveries.ok()) Give(deliveries.error().ToString());
  }

  // From the first record on: joining a group is not reading.
  double BareRead(const std::string& topic) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    char why[256];
    rd_kafka_conf_set(conf, "bootstrap.servers", address_.c_str(), why, sizeof why);
    rd_kafka_conf_set(conf, "group.id", topic.c_str(), why, sizeof why);
    rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", why, sizeof why);
    rd_kafka_t* client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    rd_kafka_poll_set_consumer(client);
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic.c_str(), RD_KAFKA_PARTITION_UA);
    rd_kafka_subscribe(client, list);
    rd_kafka_topic_partition_list_destroy(list);
    auto start = Clock::now();
    for (std::size_t seen = 0; seen < messages_;) {
      rd_kafka_message_t* message = rd_kafka_consumer_poll(client, 100);
      if (message == nullptr) continue;
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR && seen++ == 0) start = Clock::now();
      rd_kafka_message_destroy(message);
    }
    const double took = SecondsSince(start);
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    return static_cast<double>(messages_) / took;
  }

  double PortRead(const std::string& topic) {
    auto consumer = bus_->Subscribe("port-" + runtime_.NewUuid().ToString(), {topic});
    if (!consumer.ok()) Give(consumer.error().ToString());
    auto start = Clock::now();
    for (std::size_t seen = 0; seen < messages_;) {
      auto batch = (*consumer)->Poll(1000, milliseconds(100));
      if (!batch.ok()) Give(batch.error().ToString());
      if (seen == 0 && !batch->records.empty()) start = Clock::now();
      seen += batch->records.size();
    }
    return static_cast<double>(messages_) / SecondsSince(start);
  }

  void Idle() {
    const std::string topic = NewTopic();
    Bare bare(address_, "0");
    for (int i = 0; i < 20; ++i) {
      bare.Send(MessageOf(topic, 0));
      bare.Flush();
      Produce({MessageOf(topic, 0)});
    }
    std::vector<double> bare_ms, port_ms;
    for (int i = 0; i < kIdleMessages; ++i) {
      const BusMessage message = MessageOf(topic, static_cast<std::size_t>(i));
      bare_ms.push_back(Timed([&] {
        bare.Send(message);
        bare.Flush();
      }));
      port_ms.push_back(Timed([&] { Produce({message}); }));
    }
    std::printf("\n| one message, idle | p50 ms | p99 ms |\n|---|---|---|\n");
    Latencies("bare librdkafka, linger 0", std::move(bare_ms));
    Latencies("port", std::move(port_ms));
  }
  static double Timed(const std::function<void()>& work) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const auto start = Clock::now();
    work();
    return SecondsSince(start) * 1000;
  }
  static void Latencies(const char* what, std::vector<double> ms) {
    std::sort(ms.begin(), ms.end());
    std::printf("| %s | %.2f | %.2f |\n", what, ms[ms.size() / 2], ms[ms.size() * 99 / 100]);
  }

  const std::string address_;
  const std::size_t messages_;
  ThreadRuntime runtime_;
  Log log_ = Log::Discard();
  std::unique_ptr<KafkaBus> bus_;
};

}  // namespace
}  // namespace saffron

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: %s HOST:PORT [MESSAGES]\n", arguments[0]);
    return 2;
  }
  saffron::Bench(arguments[1], count > 2 ? std::stoul(arguments[2]) : 200'000).Run();
  return 0;
}
