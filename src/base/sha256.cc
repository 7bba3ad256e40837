#include "base/sha256.h"

#include <openssl/evp.h>

#include <memory>

#include "base/result.h"

namespace saffron {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// Fetching the algorithm costs more than hashing a short text: done once.
const EVP_MD* Algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return algorithm;
}

Sha256Digest DigestOf(std::string_view first, std::string_view second) {
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  Sha256Digest digest{};
  bool ok = EVP_DigestInit_ex2(context.get(), Algorithm(), nullptr) == 1 &&
            EVP_DigestUpdate(context.get(), first.data(), first.size()) == 1 &&
            EVP_DigestUpdate(context.get(), second.data(), second.size()) == 1 &&
            EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1;
  SAFFRON_ASSERT(ok);
  return digest;
}

}  // namespace

Sha256Digest Sha256(std::string_view bytes) { return DigestOf(bytes, {}); }

std::string HexOf(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (char c : bytes) {
    text += kDigits[static_cast<unsigned char>(c) >> 4];
    text += kDigits[static_cast<unsigned char>(c) & 0x0f];
  }
  return text;
}

std::string Sha256Hex(std::string_view bytes) { return Sha256Hex(bytes, {}); }

std::string Sha256Hex(std::string_view first, std::string_view second) {
  Sha256Digest digest = DigestOf(first, second);
  return HexOf({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace saffron
