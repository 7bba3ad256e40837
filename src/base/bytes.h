// Binary keys and records: append to a string, read from a view. Fixed-width numbers are big
// endian, so that keys sort as their numbers do.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace saffron {

template <std::unsigned_integral T>
void PutBigEndian(std::string& out, T value) {
  for (int shift = 8 * (static_cast<int>(sizeof(T)) - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift & 0xff));
  }
}
inline void PutU8(std::string& out, std::uint8_t value) { PutBigEndian(out, value); }
inline void PutU16BigEndian(std::string& out, std::uint16_t value) { PutBigEndian(out, value); }
inline void PutU32BigEndian(std::string& out, std::uint32_t value) { PutBigEndian(out, value); }
inline void PutU64BigEndian(std::string& out, std::uint64_t value) { PutBigEndian(out, value); }

// LEB128: seven bits a byte, the lowest first; 1 to 10 bytes.
inline void PutVarint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

// A varint length, then the bytes.
inline void PutLengthPrefixed(std::string& out, std::string_view bytes) {
  PutVarint(out, bytes.size());
  out.append(bytes);
}

// Reads what the functions above wrote. A read that fails (short or malformed input) returns
// false, leaves `out` alone and consumes nothing. The bytes must outlive reader and views.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  std::string_view rest() const { return rest_; }
  bool AtEnd() const { return rest_.empty(); }

  bool ReadU8(std::uint8_t& out) { return ReadBigEndian(out); }
  bool ReadU16BigEndian(std::uint16_t& out) { return ReadBigEndian(out); }
  bool ReadU32BigEndian(std::uint32_t& out) { return ReadBigEndian(out); }
  bool ReadU64BigEndian(std::uint64_t& out) { return ReadBigEndian(out); }

  bool ReadBytes(std::size_t count, std::string_view& out) {
    if (rest_.size() < count) return false;
    out = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return true;
  }

  // Refuses forms longer than needed, so that a value has one encoding.
  bool ReadVarint(std::uint64_t& out) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < rest_.size() && i < 10; ++i) {
      auto byte = static_cast<unsigned char>(rest_[i]);
      if (i == 9 && byte > 1) return false;
      value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        if (byte == 0 && i > 0) return false;
        out = value;
        rest_.remove_prefix(i + 1);
        return true;
      }
    }
    return false;
  }

  bool ReadLengthPrefixed(std::string_view& out) {
    ByteReader ahead = *this;
    std::uint64_t length = 0;
    if (!ahead.ReadVarint(length) || !ahead.ReadBytes(length, out)) return false;
    *this = ahead;
    return true;
  }

 private:
  template <std::unsigned_integral T>
  bool ReadBigEndian(T& out) {
    if (rest_.size() < sizeof(T)) return false;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      value = value << 8 | static_cast<unsigned char>(rest_[i]);
    }
    out = static_cast<T>(value);
    rest_.remove_prefix(sizeof(T));
    return true;
  }

  std::string_view rest_;
};

}  // namespace saffron
