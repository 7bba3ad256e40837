// The generation of a group, as a member of it knows it.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace saffron {

// Librdkafka tells it only in a form of its own, made for handing on. Where the number lies in that
// is learned by having a known one written.
class KafkaGeneration {
 public:
  // kInternal: not with this librdkafka.
  static Result<KafkaGeneration> Of(const std::string& group);
  // Zero before the first assignment.
  std::uint64_t Read(rd_kafka_t* consumer) const;

 private:
  explicit KafkaGeneration(std::size_t at) : at_(at) {}
  std::size_t at_;
};

}  // namespace saffron
