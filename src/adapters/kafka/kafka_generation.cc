#include "adapters/kafka/kafka_generation.h"

#include <cstring>
#include <memory>

namespace saffron {
namespace {

using Metadata = std::unique_ptr<rd_kafka_consumer_group_metadata_t,
                                 decltype(&rd_kafka_consumer_group_metadata_destroy)>;

std::string Written(const rd_kafka_consumer_group_metadata_t* metadata) {
  void* bytes = nullptr;
  std::size_t size = 0;
  rd_kafka_error_t* failure = rd_kafka_consumer_group_metadata_write(metadata, &bytes, &size);
  if (failure != nullptr) {
    rd_kafka_error_destroy(failure);
    return "";
  }
  std::string text(static_cast<const char*>(bytes), size);
  rd_kafka_mem_free(nullptr, bytes);
  return text;
}

std::string WrittenWith(const std::string& group, std::int32_t generation) {
  Metadata metadata(
      rd_kafka_consumer_group_metadata_new_with_genid(group.c_str(), generation, "member", nullptr),
      &rd_kafka_consumer_group_metadata_destroy);
  return Written(metadata.get());
}

}  // namespace

// Two that differ in every byte of the number must differ there and nowhere else.
Result<KafkaGeneration> KafkaGeneration::Of(const std::string& group) {
  constexpr std::int32_t kOne = 0x11223344, kOther = 0x55667788;
  const std::string one = WrittenWith(group, kOne), other = WrittenWith(group, kOther);
  std::size_t at = 0;
  while (at < one.size() && at < other.size() && one[at] == other[at]) ++at;
  const bool same_size = one.size() == other.size() && at + sizeof kOne <= one.size();
  if (!same_size || std::memcmp(one.data() + at, &kOne, sizeof kOne) != 0 ||
      one.substr(at + sizeof kOne) != other.substr(at + sizeof kOne)) {
    return Internal("kafka: this librdkafka does not tell a group's generation");
  }
  return KafkaGeneration(at);
}

std::uint64_t KafkaGeneration::Read(rd_kafka_t* consumer) const {
  Metadata metadata(rd_kafka_consumer_group_metadata(consumer),
                    &rd_kafka_consumer_group_metadata_destroy);
  if (metadata == nullptr) return 0;
  const std::string text = Written(metadata.get());
  std::int32_t generation = -1;
  if (at_ + sizeof generation <= text.size()) {
    std::memcpy(&generation, text.data() + at_, sizeof generation);
  }
  return generation < 0 ? 0 : static_cast<std::uint64_t>(generation);
}

}  // namespace saffron
