#include "domain/value_check.h"

#include <charconv>
#include <cmath>

namespace saffron {
namespace {

using json::Kind;
using json::Value;

std::optional<Violation> Wrong(std::string code, std::string message) {
  return Violation{"", std::move(code), std::move(message)};
}

bool IsInt64(std::string_view raw) {
  std::int64_t number = 0;
  auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), number);
  return error == std::errc() && end == raw.data() + raw.size();
}

bool HasType(PropertyType type, const Value& value, std::string_view text) {
  switch (type) {
    case PropertyType::kString: return value.kind == Kind::kString;
    case PropertyType::kInteger: return value.kind == Kind::kNumber && IsInt64(value.raw);
    case PropertyType::kNumber:
      return value.kind == Kind::kNumber && std::isfinite(json::NumberOf(value.raw));
    case PropertyType::kBoolean: return value.kind == Kind::kTrue || value.kind == Kind::kFalse;
    case PropertyType::kDate: return value.kind == Kind::kString && IsDate(text);
    case PropertyType::kDateTime: return value.kind == Kind::kString && IsDateTime(text);
    case PropertyType::kReference: return value.kind == Kind::kString && SplitReference(text);
    case PropertyType::kObject: return value.kind == Kind::kObject;
    case PropertyType::kArray: return value.kind == Kind::kArray;
  }
  return false;
}

// Integers beyond 2^53 too.
long double ExactNumberOf(std::string_view raw) {
  std::int64_t whole = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), whole);
  const bool exact = error == std::errc() && end == raw.data() + raw.size();
  return exact ? static_cast<long double>(whole) : json::NumberOf(raw);
}

double LengthInCharacters(std::string_view utf8) {
  std::size_t count = 0;
  for (char c : utf8) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return static_cast<double>(count);
}

std::optional<Violation> CheckBounds(const Property& property, const Value& value,
                                     std::string_view text) {
  if (!property.min && !property.max) return std::nullopt;
  bool of_text = value.kind == Kind::kString;
  const long double size = of_text ? LengthInCharacters(text) : ExactNumberOf(value.raw);
  const char* what = of_text ? "the length" : "the value";
  if (property.min && size < *property.min) {
    return Wrong(of_text ? "too_short" : "too_small", std::string(what) + " is below the minimum");
  }
  if (property.max && size > *property.max) {
    return Wrong(of_text ? "too_long" : "too_large", std::string(what) + " is above the maximum");
  }
  return std::nullopt;
}

// Numbers are equal as numbers, everything else in its canonical form.
bool SameValue(std::string_view allowed, const Value& value) {
  if (value.kind == Kind::kNumber && !allowed.empty() &&
      (allowed[0] == '-' || (allowed[0] >= '0' && allowed[0] <= '9'))) {
    return ExactNumberOf(allowed) == ExactNumberOf(value.raw);
  }
  if (allowed == value.raw) return true;
  std::string a;
  std::string b;
  return json::AppendCanonical(a, allowed) && json::AppendCanonical(b, value.raw) && a == b;
}

bool TwoDigits(std::string_view text, std::size_t at, int low, int high) {
  if (at + 2 > text.size()) return false;
  char tens = text[at];
  char ones = text[at + 1];
  if (tens < '0' || tens > '9' || ones < '0' || ones > '9') return false;
  int value = (tens - '0') * 10 + (ones - '0');
  return value >= low && value <= high;
}

bool IsOffset(std::string_view text) {
  if (text.empty() || text == "Z" || text == "z") return true;
  return text.size() == 6 && (text[0] == '+' || text[0] == '-') && TwoDigits(text, 1, 0, 23) &&
         text[3] == ':' && TwoDigits(text, 4, 0, 59);
}

}  // namespace

bool IsDate(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  if (!TwoDigits(text, 0, 0, 99) || !TwoDigits(text, 2, 0, 99)) return false;
  if (!TwoDigits(text, 5, 1, 12)) return false;
  auto number = [text](std::size_t at) { return (text[at] - '0') * 10 + (text[at + 1] - '0'); };
  int year = number(0) * 100 + number(2);
  int month = number(5);
  bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  int days = month == 2                                              ? (leap ? 29 : 28)
             : month == 4 || month == 6 || month == 9 || month == 11 ? 30
                                                                     : 31;
  return TwoDigits(text, 8, 1, days);
}

bool IsDateTime(std::string_view text) {
  if (text.size() < 19 || !IsDate(text.substr(0, 10))) return false;
  if (text[10] != 'T' && text[10] != 't') return false;
  if (!TwoDigits(text, 11, 0, 23) || text[13] != ':' || !TwoDigits(text, 14, 0, 59)) return false;
  if (text[16] != ':' || !TwoDigits(text, 17, 0, 60)) return false;
  std::string_view rest = text.substr(19);
  if (!rest.empty() && rest[0] == '.') {
    std::size_t digits = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
    if (digits == 1) return false;
    rest.remove_prefix(digits);
  }
  return IsOffset(rest);
}

std::optional<ReferenceParts> SplitReference(std::string_view text) {
  std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  ReferenceParts parts{text.substr(0, slash), text.substr(slash + 1)};
  if (!CheckClassName(parts.target_class).ok() || !CheckInstanceId(parts.target_id).ok()) {
    return std::nullopt;
  }
  return parts;
}

bool IsReference(const Value& value) {
  if (value.kind != Kind::kString) return false;
  std::string scratch;
  return SplitReference(json::TextOf(value, scratch)).has_value();
}

std::optional<Violation> CheckValue(const Property& property, const Value& value) {
  std::string scratch;
  std::string_view text;
  if (value.kind == Kind::kString) text = json::TextOf(value, scratch);
  if (!HasType(property.type, value, text)) {
    return Wrong("wrong_type", "a value of type " + std::string(PropertyTypeName(property.type)) +
                                   " is expected");
  }
  if (value.kind == Kind::kString || value.kind == Kind::kNumber) {
    if (auto wrong = CheckBounds(property, value, text)) return wrong;
  }
  if (property.pattern && value.kind == Kind::kString) {
    auto matcher = property.matcher ? property.matcher : Pattern::Compile(*property.pattern);
    if (!matcher || !matcher->FoundIn(text)) {
      return Wrong("pattern_mismatch", "the text does not match the pattern");
    }
  }
  if (property.allowed.empty()) return std::nullopt;
  for (const std::string& allowed : property.allowed) {
    if (SameValue(allowed, value)) return std::nullopt;
  }
  return Wrong("not_allowed", "not one of the values of the enum");
}

}  // namespace saffron
