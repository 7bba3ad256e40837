#include "domain/json_text.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>

namespace saffron::json {
namespace {

// 0: plain; 1: must be escaped in a string; 2: part of a sequence of several bytes.
constexpr std::array<std::uint8_t, 256> kByteClass = [] {
  std::array<std::uint8_t, 256> table{};
  for (int i = 0; i < 0x20; ++i) table[static_cast<std::size_t>(i)] = 1;
  table['"'] = 1;
  table['\\'] = 1;
  for (int i = 0x80; i < 0x100; ++i) table[static_cast<std::size_t>(i)] = 2;
  return table;
}();

std::uint8_t ByteClass(char c) { return kByteClass[static_cast<unsigned char>(c)]; }

void AppendEscaped(std::string& out, char c) {
  switch (c) {
    case '"': out.append("\\\""); return;
    case '\\': out.append("\\\\"); return;
    case '\b': out.append("\\b"); return;
    case '\t': out.append("\\t"); return;
    case '\n': out.append("\\n"); return;
    case '\f': out.append("\\f"); return;
    case '\r': out.append("\\r"); return;
    default: break;
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  auto byte = static_cast<unsigned char>(c);
  out.append("\\u00");
  out.push_back(kHex[byte >> 4]);
  out.push_back(kHex[byte & 15]);
}

// The length of the UTF-8 sequence at the start of `text`, or 0.
std::size_t Utf8SequenceLength(std::string_view text) {
  auto lead = static_cast<unsigned char>(text[0]);
  std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (length > text.size() || !simdjson::validate_utf8(text.data(), length)) return 0;
  return length;
}

std::string ReplaceInvalidUtf8(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    std::size_t length = Utf8SequenceLength(text);
    if (length > 0) {
      clean.append(text.substr(0, length));
    } else {
      clean.append("\xEF\xBF\xBD");
    }
    text.remove_prefix(length > 0 ? length : 1);
  }
  return clean;
}

unsigned HexValue(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return 16;
}

unsigned Hex4(std::string_view digits) {
  unsigned value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 4 | HexValue(digits[i]);
  return value;
}

void AppendUtf8(std::string& out, unsigned code) {
  auto put = [&out](unsigned byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xc0 | code >> 6);
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
  }
  put(0x80 | (code & 0x3f));
}

char Unescaped(char c) {
  switch (c) {
    case 'b': return '\b';
    case 't': return '\t';
    case 'n': return '\n';
    case 'f': return '\f';
    case 'r': return '\r';
    default: return c;  // '"', '\\' and '/'
  }
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

void AppendString(std::string& out, std::string_view text) {
  const std::size_t start = out.size();
  out.push_back('"');
  std::size_t plain = 0;
  bool wide = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::uint8_t kind = ByteClass(text[i]);
    if (kind == 0) continue;
    if (kind == 2) {
      wide = true;
      continue;
    }
    out.append(text.substr(plain, i - plain));
    AppendEscaped(out, text[i]);
    plain = i + 1;
  }
  out.append(text.substr(plain));
  out.push_back('"');
  if (wide && !simdjson::validate_utf8(text.data(), text.size())) {
    out.resize(start);
    AppendString(out, ReplaceInvalidUtf8(text));
  }
}

void AppendNumber(std::string& out, std::uint64_t value) {
  std::array<char, 20> digits;
  auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  out.append(digits.data(), end);
}

std::string_view TextOf(const Value& string, std::string& scratch) {
  std::string_view rest = string.inner();
  std::size_t escape = rest.find('\\');
  if (escape == std::string_view::npos) return rest;
  scratch.clear();
  for (; escape != std::string_view::npos; escape = rest.find('\\')) {
    scratch.append(rest.substr(0, escape));
    char kind = rest[escape + 1];
    rest.remove_prefix(escape + 2);
    if (kind != 'u') {
      scratch.push_back(Unescaped(kind));
      continue;
    }
    unsigned code = Hex4(rest);
    rest.remove_prefix(4);
    if (code >= 0xd800 && code < 0xdc00) {
      code = 0x10000 + ((code - 0xd800) << 10) + (Hex4(rest.substr(2)) - 0xdc00);
      rest.remove_prefix(6);
    }
    AppendUtf8(scratch, code);
  }
  scratch.append(rest);
  return scratch;
}

bool Scanner::Fail(const char* error) {
  if (error_ == nullptr) error_ = error;
  end_ = at_;
  return false;
}

void Scanner::SkipSpace() {
  while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
}

bool Scanner::Peek(Kind& kind) {
  SkipSpace();
  if (at_ == end_) return Fail("the text ends too early");
  switch (*at_) {
    case '{': kind = Kind::kObject; return true;
    case '[': kind = Kind::kArray; return true;
    case '"': kind = Kind::kString; return true;
    case 't': kind = Kind::kTrue; return true;
    case 'f': kind = Kind::kFalse; return true;
    case 'n': kind = Kind::kNull; return true;
    default: break;
  }
  if (!IsDigit(*at_) && *at_ != '-') return Fail("no JSON value starts like this");
  kind = Kind::kNumber;
  return true;
}

bool Scanner::Enter() {
  SkipSpace();
  if (at_ == end_ || (*at_ != '{' && *at_ != '[')) return Fail("an object or array is expected");
  if (depth_ == kMaxDepth) return Fail("nested too deeply");
  ++at_;
  ++depth_;
  first_ = true;
  return true;
}

// To the next member or element, or past the end of the object or array.
bool Scanner::Next(char close, bool& done) {
  SkipSpace();
  if (at_ == end_) return Fail("the text ends too early");
  bool first = first_;
  first_ = false;
  done = *at_ == close;
  if (done) {
    ++at_;
    --depth_;
    return true;
  }
  if (first) return true;
  if (*at_ != ',') return Fail("a comma or the end of the object or array is expected");
  ++at_;
  return true;
}

bool Scanner::NextMember(Value& key, bool& done) {
  if (!Next('}', done)) return false;
  if (done) return true;
  if (!ReadString(key)) return false;
  SkipSpace();
  if (at_ == end_ || *at_ != ':') return Fail("a colon is expected");
  ++at_;
  return true;
}

bool Scanner::NextElement(bool& done) { return Next(']', done); }

bool Scanner::ScanHex4(unsigned& unit) {
  if (end_ - at_ < 4) return Fail("the text ends too early");
  unit = 0;
  for (int i = 0; i < 4; ++i) {
    unsigned digit = HexValue(*at_);
    if (digit > 15) return Fail("four hexadecimal digits are expected");
    unit = unit << 4 | digit;
    ++at_;
  }
  return true;
}

// What follows a backslash.
bool Scanner::ScanEscape() {
  if (at_ == end_) return Fail("the text ends too early");
  char kind = *at_++;
  if (kind != 'u') {
    constexpr std::string_view kSimple = "\"\\/bfnrt";
    return kSimple.find(kind) != std::string_view::npos ? true : Fail("an unknown escape");
  }
  unsigned unit = 0;
  if (!ScanHex4(unit)) return false;
  if (unit < 0xd800 || unit > 0xdfff) return true;
  if (unit > 0xdbff || end_ - at_ < 6 || at_[0] != '\\' || at_[1] != 'u') {
    return Fail("a lone surrogate");
  }
  at_ += 2;
  if (!ScanHex4(unit)) return false;
  return unit >= 0xdc00 && unit <= 0xdfff ? true : Fail("a lone surrogate");
}

bool Scanner::ScanStringTail() {
  while (at_ != end_) {
    if (ByteClass(*at_) != 1) {
      ++at_;
    } else if (*at_ == '"') {
      ++at_;
      return true;
    } else if (*at_ == '\\') {
      ++at_;
      if (!ScanEscape()) return false;
    } else {
      return Fail("a control character in a string");
    }
  }
  return Fail("the text ends within a string");
}

bool Scanner::ReadString(Value& out) {
  SkipSpace();
  if (at_ == end_ || *at_ != '"') return Fail("a string is expected");
  const char* start = at_++;
  if (!ScanStringTail()) return false;
  out = {Kind::kString, {start, static_cast<std::size_t>(at_ - start)}};
  return true;
}

bool Scanner::ScanDigits() {
  if (at_ == end_ || !IsDigit(*at_)) return Fail("a digit is expected");
  while (at_ != end_ && IsDigit(*at_)) ++at_;
  return true;
}

bool Scanner::ReadNumber(Value& out) {
  SkipSpace();
  const char* start = at_;
  if (at_ != end_ && *at_ == '-') ++at_;
  if (at_ != end_ && *at_ == '0') {
    ++at_;
    if (at_ != end_ && IsDigit(*at_)) return Fail("a number with a leading zero");
  } else if (!ScanDigits()) {
    return false;
  }
  if (at_ != end_ && *at_ == '.') {
    ++at_;
    if (!ScanDigits()) return false;
  }
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    ++at_;
    if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    if (!ScanDigits()) return false;
  }
  out = {Kind::kNumber, {start, static_cast<std::size_t>(at_ - start)}};
  return true;
}

bool Scanner::ReadWord(std::string_view word) {
  if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).substr(0, word.size()) != word) {
    return Fail("no JSON value starts like this");
  }
  at_ += word.size();
  return true;
}

bool Scanner::ReadValue(Value& out) {
  if (!Peek(out.kind)) return false;
  const char* start = at_;
  const Kind kind = out.kind;
  bool done = false;
  Value part;
  switch (kind) {
    case Kind::kString: return ReadString(out);
    case Kind::kNumber: return ReadNumber(out);
    case Kind::kTrue:
      if (!ReadWord("true")) return false;
      break;
    case Kind::kFalse:
      if (!ReadWord("false")) return false;
      break;
    case Kind::kNull:
      if (!ReadWord("null")) return false;
      break;
    case Kind::kObject:
      if (!Enter()) return false;
      while (NextMember(part, done) && !done) {
        if (!ReadValue(part)) return false;
      }
      break;
    case Kind::kArray:
      if (!Enter()) return false;
      while (NextElement(done) && !done) {
        if (!ReadValue(part)) return false;
      }
      break;
  }
  if (error_ != nullptr) return false;
  out = {kind, {start, static_cast<std::size_t>(at_ - start)}};
  return true;
}

bool Scanner::AtEnd() {
  if (error_ != nullptr) return false;
  SkipSpace();
  return at_ == end_ ? true : Fail("something follows the value");
}

std::optional<std::vector<Member>> MembersOf(std::string_view object) {
  Scanner scanner(object);
  Kind kind = Kind::kNull;
  if (!scanner.Peek(kind) || kind != Kind::kObject || !scanner.Enter()) return std::nullopt;
  std::vector<Member> members;
  members.reserve(8);
  for (;;) {
    Member member;
    bool done = false;
    if (!scanner.NextMember(member.key, done)) return std::nullopt;
    if (done) break;
    if (!scanner.ReadValue(member.value)) return std::nullopt;
    members.push_back(member);
  }
  if (!scanner.AtEnd()) return std::nullopt;
  return members;
}

std::optional<std::vector<Value>> ElementsOf(std::string_view array) {
  Scanner scanner(array);
  Kind kind = Kind::kNull;
  if (!scanner.Peek(kind) || kind != Kind::kArray || !scanner.Enter()) return std::nullopt;
  std::vector<Value> elements;
  for (;;) {
    Value element;
    bool done = false;
    if (!scanner.NextElement(done)) return std::nullopt;
    if (done) break;
    if (!scanner.ReadValue(element)) return std::nullopt;
    elements.push_back(element);
  }
  if (!scanner.AtEnd()) return std::nullopt;
  return elements;
}

std::string PointerStep(std::string_view name) {
  std::string step = "/";
  for (char c : name) {
    if (c == '~') {
      step.append("~0");
    } else if (c == '/') {
      step.append("~1");
    } else {
      step.push_back(c);
    }
  }
  return step;
}

double NumberOf(std::string_view raw) {
  double value = 0;
  auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (error != std::errc::result_out_of_range) return value;
  // Too large or too small: told apart by the power of ten of the first digit that is not zero.
  std::size_t exponent_at = std::min(raw.find_first_of("eE"), raw.size());
  std::string_view mantissa = raw.substr(0, exponent_at);
  std::int64_t exponent = 0;
  if (exponent_at < raw.size()) {
    std::string_view digits = raw.substr(exponent_at + 1);
    bool negative = digits[0] == '-';
    if (negative || digits[0] == '+') digits.remove_prefix(1);
    auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    // Beyond every text's length, and far from where adding to it overflows.
    constexpr std::int64_t kFar = std::int64_t{1} << 40;
    if (parsed.ec != std::errc() || exponent > kFar) exponent = kFar;
    if (negative) exponent = -exponent;
  }
  std::size_t first = mantissa.find_first_of("123456789");
  if (first == std::string_view::npos) return 0;
  std::size_t point = std::min(mantissa.find('.'), mantissa.size());
  auto place = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  if (place + exponent < 0) return 0;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return raw[0] == '-' ? -kInfinity : kInfinity;
}

}  // namespace saffron::json
