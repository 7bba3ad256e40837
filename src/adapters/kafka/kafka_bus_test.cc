// Settings, connections that fail, and what needs no broker.
#include <gmock/gmock.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "adapters/kafka/kafka_producer.h"
#include "adapters/kafka/kafka_settings.h"
#include "adapters/kafka/kafka_test_home.h"
#include "base/thread_runtime.h"

namespace saffron {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kSecret[] = "a-secret-of-mine";

// A port on loopback that nobody answers on: connections are refused, or taken and never served.
class MutePort {
 public:
  enum class Manner { kRefuse, kTakeAndSayNothing };
  explicit MutePort(Manner manner) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(socket_, plain, size), 0);
    EXPECT_EQ(::getsockname(socket_, plain, &size), 0);
    if (manner == Manner::kTakeAndSayNothing) {
      EXPECT_EQ(::listen(socket_, 64), 0);
    }
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~MutePort() { ::close(socket_); }
  const std::string& address() const { return address_; }

 private:
  const int socket_;
  std::string address_;
};

class KafkaBusTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<KafkaBus>> Open(KafkaBusOptions options) {
    return KafkaBus::Open(runtime_, kept_.log, nullptr, std::move(options));
  }
  // The error of opening it, and nothing secret in it or in the log.
  std::string ErrorOf(KafkaBusOptions options, Code code) {
    auto bus = Open(std::move(options));
    EXPECT_TRUE(bus.Is(code));
    const std::string text = bus.ok() ? "no error" : bus.error().ToString();
    EXPECT_THAT(text + kept_.Text(), Not(HasSubstr(kSecret)));
    return text;
  }
  static KafkaBusOptions Unasked(const std::string& address) {
    KafkaBusOptions options;
    options.bootstrap_servers = address;
    options.connect_timeout = Duration(0);
    options.request_timeout = seconds(1);
    return options;
  }
  static double SecondsOf(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  KeptLog kept_;
  ThreadRuntime runtime_;
};

TEST_F(KafkaBusTest, AWrongSettingNamesItsVariable) {
  KafkaBusOptions options = Unasked("127.0.0.1:1");
  options.client = {{"no.such.thing", "1"}};
  EXPECT_THAT(ErrorOf(options, Code::kInvalid),
              AllOf(HasSubstr("SAFFRON_KAFKA_NO_SUCH_THING"), HasSubstr("No such configuration")));
  options.client = {{"security.protocol", "telnet"}};
  EXPECT_THAT(ErrorOf(options, Code::kInvalid), HasSubstr("SAFFRON_KAFKA_SECURITY_PROTOCOL"));
  options.client = {{"socket.timeout.ms", "-5"}};
  EXPECT_THAT(ErrorOf(options, Code::kInvalid), HasSubstr("SAFFRON_KAFKA_SOCKET_TIMEOUT_MS"));
}

TEST_F(KafkaBusTest, WhatTheGuaranteesRestOnCannotBeSet) {
  for (const char* setting :
       {"acks", "auto.offset.reset", "batch.size", "delivery.report.only.error",
        "enable.auto.commit", "enable.idempotence", "group.id", "max.in.flight",
        "max.in.flight.requests.per.connection", "message.send.max.retries", "partitioner",
        "retries", "transactional.id"}) {
    KafkaBusOptions options = Unasked("127.0.0.1:1");
    options.client = {{setting, "1"}};
    EXPECT_THAT(ErrorOf(options, Code::kInvalid),
                HasSubstr("Saffron sets " + std::string(setting)));
  }
}

TEST_F(KafkaBusTest, SettingsThatContradictEachOtherAreNamed) {
  KafkaBusOptions options = Unasked("127.0.0.1:1");
  options.client = {{"queue.buffering.backpressure.threshold", "2"}};  // of an idempotent producer
  EXPECT_THAT(ErrorOf(options, Code::kInvalid), HasSubstr("backpressure"));
  options.client = {{"security.protocol", "SSL"}, {"ssl.ca.location", "/nowhere/ca.pem"}};
  EXPECT_THAT(ErrorOf(options, Code::kInvalid), HasSubstr("ssl.ca.location"));
}

TEST_F(KafkaBusTest, NoSecretIsInAMessage) {
  KafkaBusOptions options = Unasked("127.0.0.1:1");
  options.client = {{"ssl.key.pem", kSecret}, {"security.protocol", "SSL"}};
  ErrorOf(options, Code::kInvalid);
  options.client = {{"sasl.password", kSecret},
                    {"security.protocol", kSecret}};  // whose error has its value in it
  EXPECT_THAT(ErrorOf(options, Code::kInvalid), HasSubstr("***"));
}

TEST_F(KafkaBusTest, AnAddressWhereNobodyListensIsNamedWithTheReason) {
  MutePort port(MutePort::Manner::kRefuse);
  KafkaBusOptions options = Unasked(port.address());
  options.connect_timeout = seconds(1);
  EXPECT_THAT(ErrorOf(options, Code::kUnavailable),
              AllOf(HasSubstr(port.address()), HasSubstr("Connection refused")));
}

TEST_F(KafkaBusTest, AServerThatIsNoBrokerIsGivenUp) {
  MutePort port(MutePort::Manner::kTakeAndSayNothing);
  KafkaBusOptions options = Unasked(port.address());
  options.connect_timeout = seconds(1);
  EXPECT_LT(SecondsOf([&] { ErrorOf(options, Code::kUnavailable); }), 4.0);
}

// Every call, and everything's end.
TEST_F(KafkaBusTest, WithoutABrokerEveryCallIsBounded) {
  for (auto manner : {MutePort::Manner::kRefuse, MutePort::Manner::kTakeAndSayNothing}) {
    MutePort port(manner);
    auto bus = Open(Unasked(port.address()));
    ASSERT_TRUE(bus.ok());
    EXPECT_LT(SecondsOf([&] {
                auto produced = (*bus)->Produce({{"topic", "key", "value", {}}}, milliseconds(500));
                EXPECT_TRUE(produced.Is(Code::kUnavailable)) << "nothing can have been stored";
              }),
              2.0);
    EXPECT_LT(SecondsOf([&] {
                EXPECT_TRUE((*bus)->Describe("topic").Is(Code::kUnavailable));
                EXPECT_TRUE((*bus)->EnsureTopics({{"topic", 1}}).Is(Code::kUnavailable));
                EXPECT_TRUE((*bus)->GroupOffsets("group").Is(Code::kUnavailable));
              }),
              8.0);
    auto consumer = (*bus)->Subscribe("group", {"topic"});
    ASSERT_TRUE(consumer.ok());
    Code seen = Code::kInternal;
    if (manner == MutePort::Manner::kRefuse) {  // who says nothing is not missed so soon
      for (int i = 0; i < 50 && seen != Code::kUnavailable; ++i) {
        auto batch = (*consumer)->Poll(10, milliseconds(100));
        if (!batch.ok()) seen = batch.code();
      }
      EXPECT_EQ(seen, Code::kUnavailable);
    }
    EXPECT_LT(SecondsOf([&] { consumer->reset(); }), 4.0);
    EXPECT_LT(SecondsOf([&] { bus->reset(); }), 4.0);
  }
}

// A broker of librdkafka's own, that fails as it is told; it compares no sequences.
class KafkaMockBrokerTest : public KafkaBusTest {
 protected:
  static constexpr int kBroker = 1;
  static constexpr std::int16_t kProduce = 0;  // Kafka's number of the request

  static rd_kafka_conf_t* Quiet() {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    EXPECT_EQ(rd_kafka_conf_set(conf, "log_level", "0", nullptr, 0), RD_KAFKA_CONF_OK);
    return conf;
  }
  void SetUp() override {
    ASSERT_EQ(rd_kafka_mock_topic_create(cluster_.get(), "topic", 1, 1),
              RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  std::unique_ptr<KafkaBus> OpenWith(std::map<std::string, std::string> client) {
    KafkaBusOptions options = Unasked(rd_kafka_mock_cluster_bootstraps(cluster_.get()));
    options.client = std::move(client);
    auto bus = Open(std::move(options));
    EXPECT_TRUE(bus.ok()) << bus.error().ToString();
    return std::move(bus).value();
  }
  static std::vector<BusMessage> Messages(std::size_t count) {
    return std::vector<BusMessage>(count, {"topic", "key", "value", {}});
  }

  const std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)> host_{
      rd_kafka_new(RD_KAFKA_PRODUCER, Quiet(), nullptr, 0), &rd_kafka_destroy};
  const std::unique_ptr<rd_kafka_mock_cluster_t, decltype(&rd_kafka_mock_cluster_destroy)> cluster_{
      rd_kafka_mock_cluster_new(host_.get(), 1), &rd_kafka_mock_cluster_destroy};
};

// As by a leader that has just begun: were a second batch under way, it would be taken, and
// librdkafka would take the first for delivered.
TEST_F(KafkaMockBrokerTest, ABatchThatIsRefusedIsStoredBeforeTheNextOne) {
  ASSERT_EQ(
      rd_kafka_mock_broker_push_request_error_rtts(cluster_.get(), kBroker, kProduce, 1,
                                                   RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, 100),
      RD_KAFKA_RESP_ERR_NO_ERROR);
  auto deliveries = OpenWith({{"batch.num.messages", "1"}})->Produce(Messages(5), seconds(10));
  ASSERT_TRUE(deliveries.ok()) << deliveries.error().ToString();
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ((*deliveries)[i].offset, i);
  std::size_t left = 1;
  EXPECT_EQ(rd_kafka_mock_broker_error_stack_cnt(cluster_.get(), kBroker, kProduce, &left),
            RD_KAFKA_RESP_ERR_NO_ERROR);
  EXPECT_EQ(left, 0u) << "nothing was refused";
}

// The beginning of the second call was taken back by the first, when it gave up.
TEST_F(KafkaMockBrokerTest, NothingFollowsWhatAnotherCallHasTakenBack) {
  auto bus = OpenWith({{"queue.buffering.max.messages", "10"}});
  ASSERT_TRUE(bus->Produce(Messages(1), seconds(10)).ok());
  ASSERT_EQ(rd_kafka_mock_broker_set_down(cluster_.get(), kBroker), RD_KAFKA_RESP_ERR_NO_ERROR);
  std::thread first([&] {
    EXPECT_TRUE(bus->Produce(Messages(5), seconds(2)).Is(Code::kUnavailable));
    rd_kafka_mock_broker_set_up(cluster_.get(), kBroker);
  });
  runtime_.SleepFor(milliseconds(500));
  EXPECT_TRUE(bus->Produce(Messages(20), seconds(10)).Is(Code::kUnavailable));
  first.join();
  auto next = bus->Produce(Messages(1), seconds(10));
  ASSERT_TRUE(next.ok()) << next.error().ToString();
  EXPECT_EQ(next->front().offset, 1u) << "something of the second call was stored";
}

TEST_F(KafkaBusTest, AStopEndsWhatWaits) {
  MutePort port(MutePort::Manner::kRefuse);
  auto bus = Open(Unasked(port.address()));
  ASSERT_TRUE(bus.ok());
  auto consumer = (*bus)->Subscribe("group", {"topic"});
  ASSERT_TRUE(consumer.ok());
  std::thread producer([&] {
    EXPECT_FALSE((*bus)->Produce({{"topic", "key", "value", {}}}, seconds(300)).ok());
  });
  std::thread poller([&] {
    while ((*consumer)->Poll(10, seconds(300)).Is(Code::kUnavailable)) {
      if (runtime_.StopRequested()) return;
    }
  });
  EXPECT_LT(SecondsOf([&] {
              runtime_.RequestStop();
              producer.join();
              poller.join();
            }),
            4.0);
}

// On a broker of testing/servers/kafka.sh, mostly on its protected listener.
class KafkaOwnBrokerTest : public KafkaBusTest {
 protected:
  void SetUp() override { SAFFRON_NEED_SERVER(server_, "kafka"); }
  KafkaBusOptions Protected(const std::string& password) {
    const std::string& plain = server_->address();
    const auto colon = plain.rfind(':');
    KafkaBusOptions options;
    options.bootstrap_servers =
        plain.substr(0, colon + 1) + std::to_string(std::stoi(plain.substr(colon + 1)) + 2);
    options.connect_timeout = seconds(3);
    options.client = {{"security.protocol", "SASL_SSL"},
                      {"sasl.mechanism", "PLAIN"},
                      {"sasl.username", "saffron"},
                      {"sasl.password", password},
                      {"ssl.ca.location", server_->folder() + "/cert.pem"}};
    return options;
  }

  RealServer* server_ = nullptr;
};

TEST_F(KafkaOwnBrokerTest, SaslOverTlsWorks) {
  auto bus = Open(Protected("saffron-secret"));
  ASSERT_TRUE(bus.ok()) << bus.error().ToString();
  const std::string topic = NewKafkaName("protected");
  ASSERT_TRUE((*bus)->EnsureTopics({{topic, 1}}).ok());
  EXPECT_TRUE((*bus)->Produce({{topic, "key", "value", {}}}, seconds(10)).ok());
  EXPECT_EQ((*bus)->Describe(topic)->end_offsets[0], 1u);
}

// As when a broker has lost what it had acknowledged.
TEST_F(KafkaOwnBrokerTest, AProducerThatFailedForGoodIsReplaced) {
  const KafkaBusOptions options = KafkaTestOptions(server_->address());
  const KafkaSettings settings(options);
  KafkaProducer producer(settings, options.max_message_bytes, runtime_, kept_.log);
  const std::string topic = NewKafkaName("fatal");
  ASSERT_TRUE(MakeKafkaTopic(server_->address(), {topic, 1}, {}));
  ASSERT_TRUE(producer.Produce({{topic, "key", "1", {}}}, seconds(10)).ok());
  rd_kafka_test_fatal_error((*producer.Client())->get(),
                            RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "by the test");
  auto failed = producer.Produce({{topic, "key", "2", {}}}, seconds(10));
  EXPECT_TRUE(failed.Is(Code::kUnavailable)) << failed.error().ToString();
  EXPECT_THAT(kept_.Text(), HasSubstr("by the test"));
  auto again = producer.Produce({{topic, "key", "2", {}}}, seconds(10));
  ASSERT_TRUE(again.ok()) << again.error().ToString();
  EXPECT_EQ(again->front().offset, 1u);
}

TEST_F(KafkaOwnBrokerTest, AWrongPasswordIsSaidAndNotShown) {
  EXPECT_THAT(ErrorOf(Protected(kSecret), Code::kUnavailable), HasSubstr("uthentication"));
}

TEST_F(KafkaOwnBrokerTest, ACertificateThatNobodyVouchesForIsRefused) {
  KafkaBusOptions options = Protected("saffron-secret");
  options.client.erase("ssl.ca.location");
  EXPECT_THAT(ErrorOf(options, Code::kUnavailable), HasSubstr("certificate verify failed"));
}

TEST_F(KafkaOwnBrokerTest, AProtectedPortWithoutSettingsIsAnError) {
  KafkaBusOptions options = Protected(kSecret);
  options.client.clear();
  EXPECT_THAT(ErrorOf(options, Code::kUnavailable), HasSubstr(options.bootstrap_servers));
}

}  // namespace
}  // namespace saffron
