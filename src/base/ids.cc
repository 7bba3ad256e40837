#include "base/ids.h"

#include <openssl/evp.h>

#include <charconv>
#include <cstring>
#include <memory>

namespace saffron {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// EVP_MD_fetch costs more than the hash of a short name: fetched once.
const EVP_MD* Sha1() {
  static const EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  return md;
}

// A whole decimal number without sign or leading zero.
template <class Integer>
bool ParseNumber(std::string_view text, Integer& out) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return false;
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && stop == end && text[0] != '-';
}

}  // namespace

std::optional<Uuid> Uuid::Parse(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  std::size_t out = 0;
  for (std::size_t i = 0; i < 36;) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i++] != '-') return std::nullopt;
      continue;
    }
    int high = HexDigit(text[i]);
    int low = HexDigit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes[out++] = static_cast<std::uint8_t>(high << 4 | low);
    i += 2;
  }
  return Uuid(bytes);
}

Uuid Uuid::FromName(const Uuid& name_space, std::string_view name) {
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  SAFFRON_ASSERT(EVP_DigestInit_ex2(context.get(), Sha1(), nullptr) == 1);
  EVP_DigestUpdate(context.get(), name_space.bytes().data(), 16);
  EVP_DigestUpdate(context.get(), name.data(), name.size());
  EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), digest.data(), 16);
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x50);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  return Uuid(bytes);
}

Uuid Uuid::FromTime(std::int64_t unix_ms, std::uint64_t random_a, std::uint64_t random_b) {
  std::array<std::uint8_t, 16> bytes{};
  for (int i = 0; i < 6; ++i) bytes[i] = static_cast<std::uint8_t>(unix_ms >> (40 - 8 * i));
  bytes[6] = static_cast<std::uint8_t>(0x70 | (random_a & 0x0f));
  bytes[7] = static_cast<std::uint8_t>(random_a >> 8);
  for (int i = 0; i < 8; ++i) bytes[8 + i] = static_cast<std::uint8_t>(random_b >> (8 * i));
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  return Uuid(bytes);
}

std::optional<Uuid> Uuid::FromBytes(std::string_view raw) {
  if (raw.size() != 16) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), raw.data(), 16);
  return Uuid(bytes);
}

const Uuid& Uuid::NamespaceUrl() {
  static const Uuid url = *Parse("6ba7b811-9dad-11d1-80b4-00c04fd430c8");
  return url;
}

std::string Uuid::ToString() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    text.push_back(kDigits[bytes_[i] >> 4]);
    text.push_back(kDigits[bytes_[i] & 0x0f]);
  }
  return text;
}

std::string Position::ToString() const {
  return std::to_string(shard) + "-" + std::to_string(slot.value) + "-" + std::to_string(ordinal);
}

std::optional<Position> Position::Parse(std::string_view text) {
  std::size_t first = text.find('-');
  if (first == std::string_view::npos) return std::nullopt;
  std::size_t second = text.find('-', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  Position position;
  if (!ParseNumber(text.substr(0, first), position.shard) ||
      !ParseNumber(text.substr(first + 1, second - first - 1), position.slot.value) ||
      !ParseNumber(text.substr(second + 1), position.ordinal)) {
    return std::nullopt;
  }
  return position;
}

}  // namespace saffron
