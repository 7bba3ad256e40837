#include "adapters/kafka/kafka_settings.h"

#include <algorithm>
#include <array>

namespace saffron {
namespace {

// What the port's promises rest on.
constexpr std::array<std::string_view, 26> kReserved = {
    "acks",
    "allow.auto.create.topics",
    "auto.commit.enable",
    "auto.offset.reset",
    "batch.size",
    "bootstrap.servers",
    "delivery.report.only.error",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "group.instance.id",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "message.max.bytes",
    "message.send.max.retries",
    "message.timeout.ms",
    "metadata.broker.list",
    "partition.assignment.strategy",
    "partitioner",
    "request.required.acks",
    "retries",
    "transactional.id",
};

bool IsSecret(std::string_view setting) {
  for (std::string_view part : {"password", ".pem", "secret", "oauthbearer.config", "jaas"}) {
    if (setting.find(part) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

std::string KafkaVariableOf(std::string_view setting) {
  std::string name = "SAFFRON_KAFKA_";
  for (char c : setting) {
    name.push_back(c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c));
  }
  return name;
}

KafkaSettings::KafkaSettings(const KafkaBusOptions& options)
    : bootstrap_servers_(options.bootstrap_servers),
      client_id_(options.client_id),
      client_(options.client),
      message_bytes_(options.max_message_bytes + kKafkaOverheadBytes) {}

std::string KafkaSettings::Scrub(std::string text) const {
  for (const auto& [setting, secret] : client_) {
    if (!IsSecret(setting) || secret.empty()) continue;
    for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at)) {
      text.replace(at, secret.size(), "***");
      at += 3;
    }
  }
  return text;
}

Result<KafkaConf> KafkaSettings::Make(const Pairs& defaults, const Pairs& fixed) const {
  KafkaConf conf(rd_kafka_conf_new(), &rd_kafka_conf_destroy);
  char why[512];
  const auto set = [&](const std::string& setting, const std::string& value) {
    return rd_kafka_conf_set(conf.get(), setting.c_str(), value.c_str(), why, sizeof why) ==
           RD_KAFKA_CONF_OK;
  };
  for (const auto& [setting, value] : defaults) {
    if (!set(setting, value)) return Internal(setting + ": " + why);
  }
  for (const auto& [setting, value] : client_) {
    if (std::find(kReserved.begin(), kReserved.end(), setting) != kReserved.end()) {
      return Invalid(KafkaVariableOf(setting) + ": Saffron sets " + setting + " itself; unset it");
    }
    if (set(setting, value)) continue;
    return Invalid(KafkaVariableOf(setting) + ": " + Scrub(why));
  }
  for (const auto& [setting, value] : fixed) {
    if (!set(setting, value)) return Internal(setting + ": " + why);
  }
  return conf;
}

// A broker that is back is found within a second; one that hangs is given up after ten.
Result<KafkaConf> KafkaSettings::Producer() const {
  return Make({{"client.id", client_id_},
               {"socket.timeout.ms", "10000"},
               {"request.timeout.ms", "10000"},
               {"socket.keepalive.enable", "true"},
               {"socket.nagle.disable", "true"},
               {"log.connection.close", "false"},
               {"reconnect.backoff.ms", "50"},
               {"reconnect.backoff.max.ms", "1000"},
               {"topic.metadata.refresh.interval.ms", "10000"},
               {"topic.metadata.propagation.max.ms", "2000"},
               // So that the messages of a call become batches; none, and they leave one by one.
               {"linger.ms", "1"}},
              {{"bootstrap.servers", bootstrap_servers_},
               {"allow.auto.create.topics", "false"},
               {"enable.idempotence", "true"},
               {"acks", "all"},
               // More, and one that is refused may be stored after the next: see KafkaProducer.
               {"max.in.flight.requests.per.connection", "1"},
               {"partitioner", "murmur2"},
               {"message.max.bytes", std::to_string(message_bytes_)},
               // Later than any Produce gives up: it ends its messages itself, in order.
               {"message.timeout.ms", "1200000"}});
}

Result<KafkaConf> KafkaSettings::Consumer(const std::string& group) const {
  return Make({{"client.id", client_id_},
               {"socket.timeout.ms", "10000"},
               {"socket.keepalive.enable", "true"},
               {"socket.nagle.disable", "true"},
               {"log.connection.close", "false"},
               {"reconnect.backoff.ms", "50"},
               {"reconnect.backoff.max.ms", "1000"},
               // How soon a topic or a partition made later is found.
               {"topic.metadata.refresh.interval.ms", "2000"},
               {"session.timeout.ms", "15000"},
               {"heartbeat.interval.ms", "1000"},
               {"queued.max.messages.kbytes", "32768"}},
              {{"bootstrap.servers", bootstrap_servers_},
               {"allow.auto.create.topics", "false"},
               {"group.id", group},
               {"enable.auto.commit", "false"},
               {"enable.auto.offset.store", "false"},
               {"auto.offset.reset", "earliest"},
               {"partition.assignment.strategy", "cooperative-sticky"}});
}

Result<KafkaConf> KafkaSettings::Reader() const {
  SAFFRON_ASSIGN(KafkaConf conf, Consumer("saffron-reader"));  // a group that nobody joins
  for (const auto& [setting, value] : Pairs{{"auto.offset.reset", "error"},
                                            {"enable.partition.eof", "true"},
                                            {"fetch.min.bytes", "1"},
                                            {"fetch.wait.max.ms", "50"}}) {
    char why[256];
    if (rd_kafka_conf_set(conf.get(), setting.c_str(), value.c_str(), why, sizeof why) !=
        RD_KAFKA_CONF_OK) {
      return Internal(setting + ": " + why);
    }
  }
  return conf;
}

}  // namespace saffron
