#include "adapters/elasticsearch/elastic_terms.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <map>

#include "base/sha256.h"
#include "domain/names.h"

namespace saffron::elastic {
namespace {

constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
constexpr double kLastExact = 9007199254740992.0;  // 2^53: above it integers share doubles

void AppendHex(std::string& out, std::uint64_t bits) {
  std::array<char, 16> digits;
  for (std::size_t i = digits.size(); i-- > 0; bits >>= 4)
    digits[i] = "0123456789abcdef"[bits & 15];
  out.append(digits.data(), digits.size());
}

std::string_view Cut(std::string_view text, std::size_t longest) {
  std::size_t size = std::min(text.size(), longest);
  while (size < text.size() && size > 0 && (text[size] & 0xc0) == 0x80) --size;
  return text.substr(0, size);
}

// The members that count, in the order of their first appearance.
std::vector<json::Member> MembersThatCount(std::string_view document) {
  std::vector<json::Member> members =
      json::MembersOf(document).value_or(std::vector<json::Member>());
  std::map<std::string, std::size_t, std::less<>> last;
  std::string scratch;
  std::vector<json::Member> counted;
  for (const json::Member& member : members) {
    auto [at, first] =
        last.try_emplace(std::string(json::TextOf(member.key, scratch)), counted.size());
    if (first) {
      counted.push_back(member);
    } else {
      counted[at->second] = member;
    }
  }
  return counted;
}

void AddScalar(const json::Value& value, IndexedProperty& property) {
  const auto scalar = ScalarOf(value);
  if (!scalar) return;
  std::string key = ScalarKey(*scalar);
  if (property.greatest.empty() || key > property.greatest) property.greatest = key;
  if (property.least.empty() || key < property.least) property.least = key;
  property.values.push_back(std::move(key));
}

void AddWords(std::string_view words, const std::string& stem, std::string& out) {
  while (!words.empty()) {
    const std::size_t end = words.find(' ');
    out.append(Bounded(words.substr(0, end), kLongestWord)).append("~").append(stem).append(" ");
    words.remove_prefix(end + 1);
  }
}

}  // namespace

std::string TermName(std::string_view property) {
  return CheckPropertyName(property).ok() ? std::string(property) : "#" + Sha256Hex(property);
}

std::string BoundedPrefix(std::string_view text, std::size_t longest) {
  return std::string(Cut(text, longest));
}

std::string Bounded(std::string_view text, std::size_t longest) {
  constexpr std::size_t kHashDigits = 32;
  std::string bounded = BoundedPrefix(text, longest);
  if (bounded.size() < text.size()) bounded += Sha256Hex(text).substr(0, kHashDigits);
  return bounded;
}

NumberKey KeyOf(const Scalar& number) {
  const double value = number.number == 0 ? 0.0 : number.number;  // -0 is 0
  const auto bits = std::bit_cast<std::uint64_t>(value);
  NumberKey key;
  AppendHex(key.low, (bits & kSign) != 0 ? ~bits : bits | kSign);
  key.high = key.low + "x";  // after "f" and "w"
  key.key = key.low;
  if (std::fabs(value) < kLastExact) return key;
  key.exact = number.whole;
  key.key += number.whole ? 'w' : 'f';
  if (number.whole) AppendHex(key.key, static_cast<std::uint64_t>(number.integer) ^ kSign);
  return key;
}

std::string ScalarKey(const Scalar& scalar) {
  switch (scalar.kind) {
    case Scalar::Kind::kBool: return scalar.truth ? "1t" : "1f";
    case Scalar::Kind::kNumber: return "2" + KeyOf(scalar).key;
    case Scalar::Kind::kString: return "3" + Bounded(scalar.text, kLongestText);
  }
  return {};
}

void ForEachProperty(std::string_view document,
                     const std::function<void(const IndexedProperty&)>& visit) {
  std::string scratch;
  for (const json::Member& member : MembersThatCount(document)) {
    if (member.value.kind == json::Kind::kNull) continue;
    IndexedProperty property;
    property.name = json::TextOf(member.key, scratch);
    const std::string stem = TermName(property.name);
    if (member.value.kind == json::Kind::kArray) {
      const auto elements = json::ElementsOf(member.value.raw);
      for (const json::Value& element : elements.value_or(std::vector<json::Value>())) {
        AddScalar(element, property);
      }
    } else {
      AddScalar(member.value, property);
    }
    property.words = "=" + stem + " ";
    AddWords(WordsOf(member.value.raw), stem, property.words);
    visit(property);
  }
}

}  // namespace saffron::elastic
