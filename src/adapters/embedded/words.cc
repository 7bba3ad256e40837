#include "adapters/embedded/words.h"

#include <locale.h>
#include <wctype.h>

#include <algorithm>
#include <cstdint>

#include "base/result.h"
#include "domain/json_text.h"

namespace saffron {

namespace {

// Letters and cases of Unicode, whatever the locale of the process.
locale_t Unicode() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  SAFFRON_ASSERT(locale != nullptr);
  return locale;
}

// The code point at the front of `text`, taken off it; 0 for a malformed byte.
std::uint32_t TakeCodePoint(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  text.remove_prefix(1);
  if (lead < 0x80) return lead;
  std::size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < more) return 0;
  std::uint32_t point = lead & (0x3fu >> more);
  for (std::size_t i = 0; i < more; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0) != 0x80) return 0;
    point = point << 6 | (byte & 0x3f);
  }
  text.remove_prefix(more);
  return point;
}

void PutCodePoint(std::string& out, std::uint32_t point) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xc0 | point >> 6);
  } else if (point < 0x10000) {
    put(0xe0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3f));
  } else {
    put(0xf0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3f));
    put(0x80 | (point >> 6 & 0x3f));
  }
  put(0x80 | (point & 0x3f));
}

// Lower case of a letter or digit; 0 for anything else.
std::uint32_t WordCharacter(std::uint32_t point) {
  if (point < 0x80) {
    if ((point >= 'a' && point <= 'z') || (point >= '0' && point <= '9')) return point;
    return point >= 'A' && point <= 'Z' ? point + 32 : 0;
  }
  const auto wide = static_cast<wint_t>(point);
  if (iswalnum_l(wide, Unicode()) == 0) return 0;
  return static_cast<std::uint32_t>(towlower_l(wide, Unicode()));
}

template <class Visit>
void Walk(json::Scanner& scanner, const Visit& visit) {
  json::Kind kind;
  if (!scanner.Peek(kind)) return;
  json::Value value;
  bool done = false;
  if (kind == json::Kind::kObject) {
    json::Value key;
    if (!scanner.Enter()) return;
    while (scanner.NextMember(key, done) && !done) Walk(scanner, visit);
  } else if (kind == json::Kind::kArray) {
    if (!scanner.Enter()) return;
    while (scanner.NextElement(done) && !done) Walk(scanner, visit);
  } else if (kind == json::Kind::kString) {
    std::string scratch;
    if (scanner.ReadString(value)) visit(json::TextOf(value, scratch));
  } else {
    scanner.ReadValue(value);
  }
}

}  // namespace

void ForEachWord(std::string_view text, const std::function<void(std::string_view)>& word) {
  std::string current;
  while (!text.empty()) {
    if (const std::uint32_t c = WordCharacter(TakeCodePoint(text)); c != 0) {
      PutCodePoint(current, c);
    } else if (!current.empty()) {
      word(current);
      current.clear();
    }
  }
  if (!current.empty()) word(current);
}

std::string WordsOf(std::string_view json) {
  std::string words;
  words.reserve(json.size() / 2);
  json::Scanner scanner(json);
  Walk(scanner, [&words](std::string_view text) {
    ForEachWord(text, [&words](std::string_view word) { words.append(word).push_back(' '); });
  });
  return words;
}

std::vector<WordPattern> ParseWords(std::string_view text) {
  std::vector<WordPattern> patterns;
  while (!text.empty()) {
    const std::size_t star = std::min(text.find('*'), text.size());
    std::string piece(text.substr(0, star));
    std::vector<WordPattern> words;
    ForEachWord(piece, [&](std::string_view word) { words.push_back({std::string(word), false}); });
    if (star < text.size() && !words.empty()) {
      // The star belongs to a word when a letter in its place would have lengthened it.
      std::size_t with_letter = 0;
      ForEachWord(piece + "x", [&](std::string_view) { ++with_letter; });
      words.back().prefix = with_letter == words.size();
    }
    patterns.insert(patterns.end(), words.begin(), words.end());
    text.remove_prefix(std::min(star + 1, text.size()));
  }
  return patterns;
}

bool HoldsAll(std::string_view words, const std::vector<WordPattern>& patterns) {
  return std::all_of(patterns.begin(), patterns.end(), [words](const WordPattern& pattern) {
    std::size_t at = 0;
    while (at < words.size()) {
      const std::size_t end = words.find(' ', at);
      if (pattern.Matches(words.substr(at, end - at))) return true;
      at = end + 1;
    }
    return false;
  });
}

}  // namespace saffron
