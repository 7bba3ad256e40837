// Identifiers and numbers that cross interfaces. Each is its own type: none converts to another.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace saffron {

// A 128-bit UUID (RFC 9562). The text form is lower case with hyphens.
class Uuid {
 public:
  constexpr Uuid() = default;
  explicit constexpr Uuid(const std::array<std::uint8_t, 16>& bytes) : bytes_(bytes) {}

  // Accepts the 36-character form in either case; nothing else.
  static std::optional<Uuid> Parse(std::string_view text);
  // Version 5: SHA-1 of namespace and name.
  static Uuid FromName(const Uuid& name_space, std::string_view name);
  // Version 7 from a Unix time in milliseconds and 74 random bits.
  static Uuid FromTime(std::int64_t unix_ms, std::uint64_t random_a, std::uint64_t random_b);
  // The 16 raw bytes; anything else is refused.
  static std::optional<Uuid> FromBytes(std::string_view raw);
  static const Uuid& NamespaceUrl();

  std::string ToString() const;
  std::string_view bytes() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }
  bool is_nil() const { return *this == Uuid(); }

  friend bool operator==(const Uuid&, const Uuid&) = default;
  friend std::strong_ordering operator<=>(const Uuid& a, const Uuid& b) {
    return a.Words() <=> b.Words();
  }

 private:
  // In the order of the bytes: two comparisons instead of a call of memcmp.
  std::array<std::uint64_t, 2> Words() const {
    auto words = std::bit_cast<std::array<std::uint64_t, 2>>(bytes_);
    if constexpr (std::endian::native == std::endian::little) {
      for (std::uint64_t& word : words) word = __builtin_bswap64(word);
    }
    return words;
  }

  std::array<std::uint8_t, 16> bytes_{};
};

// An integer with a name of its own.
template <class Tag>
struct Ordinal {
  std::uint64_t value = 0;

  constexpr Ordinal() = default;
  explicit constexpr Ordinal(std::uint64_t v) : value(v) {}
  friend auto operator<=>(const Ordinal&, const Ordinal&) = default;
  constexpr Ordinal Next() const { return Ordinal(value + 1); }
};

// The dense number of a command on its aggregate; its outcome carries the same. 0: none yet.
using SequenceNumber = Ordinal<struct SequenceNumberTag>;
// The place of a batch object in its shard's log. The first is 1; 0 means "before the first".
using SlotNumber = Ordinal<struct SlotNumberTag>;

// Strong types over UUIDs.
template <class Tag>
struct Identifier {
  Uuid uuid;

  constexpr Identifier() = default;
  explicit constexpr Identifier(const Uuid& u) : uuid(u) {}
  friend auto operator<=>(const Identifier&, const Identifier&) = default;
  std::string ToString() const { return uuid.ToString(); }
  std::string_view bytes() const { return uuid.bytes(); }
};

// A command's event id is its command id.
using EventId = Identifier<struct EventIdTag>;
using BatchId = Identifier<struct BatchIdTag>;
using LogId = Identifier<struct LogIdTag>;

// A total order of events within a shard. Opaque to clients.
struct Position {
  std::uint32_t shard = 0;
  SlotNumber slot;
  std::uint32_t ordinal = 0;

  // "0-17-3": shard, slot, ordinal.
  std::string ToString() const;
  static std::optional<Position> Parse(std::string_view text);
  friend auto operator<=>(const Position&, const Position&) = default;
};

// Where one envelope lies in the log, so that it can be read by range and checked.
struct EventLocation {
  Position position;
  std::uint64_t offset_bytes = 0;
  std::uint32_t length_bytes = 0;
  std::uint32_t crc32c = 0;

  friend bool operator==(const EventLocation&, const EventLocation&) = default;
};

}  // namespace saffron

template <>
struct std::hash<saffron::Uuid> {
  std::size_t operator()(const saffron::Uuid& uuid) const noexcept {
    return std::hash<std::string_view>()(uuid.bytes());
  }
};
template <class Tag>
struct std::hash<saffron::Identifier<Tag>> {
  std::size_t operator()(const saffron::Identifier<Tag>& id) const noexcept {
    return std::hash<saffron::Uuid>()(id.uuid);
  }
};
