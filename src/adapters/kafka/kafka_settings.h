// The settings of librdkafka clients: ours, the operator's, and those that nobody may change.
#pragma once

#include <librdkafka/rdkafka.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/kafka/kafka_bus.h"
#include "base/result.h"

namespace saffron {

using KafkaConf = std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)>;

// Immutable; any thread may call it.
class KafkaSettings {
 public:
  explicit KafkaSettings(const KafkaBusOptions& options);

  // kInvalid names the variable. `group` is of a consumer.
  Result<KafkaConf> Producer() const;
  Result<KafkaConf> Consumer(const std::string& group) const;
  // Of one that reads single records, and is told of those that are not there.
  Result<KafkaConf> Reader() const;

  // `text` without the values of settings that are secret.
  std::string Scrub(std::string text) const;

 private:
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  Result<KafkaConf> Make(const Pairs& defaults, const Pairs& fixed) const;

  const std::string bootstrap_servers_, client_id_;
  const std::map<std::string, std::string> client_;
  const std::size_t message_bytes_;
};

// "security.protocol" -> "SAFFRON_KAFKA_SECURITY_PROTOCOL"
std::string KafkaVariableOf(std::string_view setting);

// What a message may add to its key, value and headers, in a client and in a topic.
inline constexpr std::size_t kKafkaOverheadBytes = 64 << 10;

}  // namespace saffron
