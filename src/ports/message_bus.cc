#include "ports/message_bus.h"

namespace saffron {

std::optional<std::string> HeaderOf(const BusRecord& record, std::string_view name) {
  for (const auto& [key, value] : record.headers) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::optional<Position> PositionOf(const BusRecord& record) {
  std::optional<std::string> text = HeaderOf(record, "position");
  return text ? Position::Parse(*text) : std::nullopt;
}

// Austin Appleby's MurmurHash2 with Kafka's seed (org.apache.kafka.common.utils.Utils.murmur2).
std::uint32_t PartitionOf(std::string_view key, std::uint32_t partitions) {
  constexpr std::uint32_t kMultiplier = 0x5bd1e995;
  constexpr int kShift = 24;
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(key[i]));
  };
  std::uint32_t hash = 0x9747b28c ^ static_cast<std::uint32_t>(key.size());
  std::size_t words = key.size() / 4;
  for (std::size_t i = 0; i < words; ++i) {
    std::uint32_t k =
        byte(4 * i) | byte(4 * i + 1) << 8 | byte(4 * i + 2) << 16 | byte(4 * i + 3) << 24;
    k *= kMultiplier;
    k ^= k >> kShift;
    k *= kMultiplier;
    hash *= kMultiplier;
    hash ^= k;
  }
  std::size_t rest = key.size() & 3;
  if (rest >= 3) hash ^= byte(4 * words + 2) << 16;
  if (rest >= 2) hash ^= byte(4 * words + 1) << 8;
  if (rest >= 1) {
    hash ^= byte(4 * words);
    hash *= kMultiplier;
  }
  hash ^= hash >> 13;
  hash *= kMultiplier;
  hash ^= hash >> 15;
  return (hash & 0x7fffffff) % partitions;
}

}  // namespace saffron
