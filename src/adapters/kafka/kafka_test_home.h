// A real broker for tests: the program's own, or the one that KAFKA_BOOTSTRAP_SERVERS names, and
// what an operator may do to its topics.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/kafka/kafka_bus.h"
#include "ports/message_bus.h"
#include "testing/servers/real_server.h"

namespace saffron {

// Empty: there is none.
std::string KafkaAddress();
KafkaBusOptions KafkaTestOptions(const std::string& address);

bool MakeKafkaTopic(const std::string& address, const TopicSpec& topic,
                    const std::map<std::string, std::string>& settings);
// Returns once it is gone.
bool DeleteKafkaTopic(const std::string& address, const std::string& topic);
// As retention does: those below `offset` are gone.
bool DeleteKafkaRecords(const std::string& address, const TopicPartition& partition,
                        std::uint64_t offset);
std::vector<std::string> KafkaGroups(const std::string& address);
// Of a group without members.
bool SetGroupOffset(const std::string& address, const std::string& group,
                    const TopicPartition& partition, std::int64_t offset);
// A name unlike any other.
std::string NewKafkaName(const std::string& what);

// A log that can be read.
class KeptLog {
 public:
  Log log{{.level = LogLevel::kDebug, .format = LogFormat::kText},
          [] { return WallTime(); },
          [this](std::string_view line) {
            std::lock_guard<std::mutex> lock(mutex_);
            text_.append(line);
          }};
  std::string Text() {
    std::lock_guard<std::mutex> lock(mutex_);
    return text_;
  }

 private:
  std::mutex mutex_;
  std::string text_;
};

}  // namespace saffron

#define SAFFRON_NEED_KAFKA() \
  if (::saffron::KafkaAddress().empty()) SAFFRON_NO_SERVER("kafka")
