#include "tests/fuzz/reference_json.h"

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <set>

namespace saffron::fuzz {
namespace {

using Kind = JsonNode::Kind;

constexpr int kClientDepth = 32;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// A number in fewer digits, well-formed only if it was: RapidJSON refuses what a double does not
// hold, even where it is asked for the text alone.
std::string ShortNumber(std::string_view number) {
  constexpr std::size_t kDigits = 15;
  std::string out;
  std::size_t run = 0;
  bool exponent = false;
  for (const char c : number) {
    if (!IsDigit(c)) {
      exponent = exponent || c == 'e' || c == 'E';
      run = 0;
      out.push_back(c);
    } else if (++run <= (exponent ? 1 : kDigits)) {
      out.push_back(exponent ? '0' : c);
    }
  }
  return out;
}

// JSON with short numbers, and the numbers as they stood.
struct ShortText {
  std::string text;
  std::vector<std::string> numbers;
};

ShortText WithShortNumbers(std::string_view text) {
  ShortText out;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i + 1;
    if (text[i] == '"') {
      while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
      end = std::min(end + 1, text.size());
    } else if (text[i] == '-' || IsDigit(text[i])) {
      end = std::min(text.find_first_not_of("0123456789+-.eE", i), text.size());
      out.numbers.emplace_back(text.substr(i, end - i));
      out.text.append(ShortNumber(out.numbers.back()));
      i = end;
      continue;
    }
    out.text.append(text.substr(i, end - i));
    i = end;
  }
  return out;
}

// RapidJSON takes an escaped low surrogate without a high one, and writes what is no UTF-8.
bool IsUnicode(std::string_view text) {
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == '\xed' && static_cast<unsigned char>(text[i + 1]) >= 0xa0) return false;
  }
  return true;
}

// Builds the tree from RapidJSON's events. Lives for one text.
class TreeBuilder {
 public:
  explicit TreeBuilder(const std::vector<std::string>& numbers) : numbers_(numbers) {}

  bool Null() { return Put({Kind::kNull, {}, {}, {}}); }
  bool Bool(bool value) { return Put({value ? Kind::kTrue : Kind::kFalse, {}, {}, {}}); }
  bool RawNumber(const char*, rapidjson::SizeType, bool) {
    return Put({Kind::kNumber, numbers_.at(next_number_++), {}, {}});
  }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    return IsUnicode({text, size}) && Put({Kind::kString, std::string(text, size), {}, {}});
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    keys_.emplace_back(text, size);
    return IsUnicode(keys_.back());
  }
  bool StartObject() { return Open(Kind::kObject); }
  bool EndObject(rapidjson::SizeType) { return Close(); }
  bool StartArray() { return Open(Kind::kArray); }
  bool EndArray(rapidjson::SizeType) { return Close(); }
  // Numbers come as text only.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }

  JsonNode Take() { return std::move(root_); }

 private:
  bool Open(Kind kind) {
    open_.push_back({kind, {}, {}, {}});
    return true;
  }
  bool Close() {
    JsonNode node = std::move(open_.back());
    open_.pop_back();
    return Put(std::move(node));
  }
  bool Put(JsonNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (open_.back().kind == Kind::kArray) {
      open_.back().elements.push_back(std::move(node));
    } else {
      open_.back().members.emplace_back(std::move(keys_.back()), std::move(node));
      keys_.pop_back();
    }
    return true;
  }

  const std::vector<std::string>& numbers_;
  std::size_t next_number_ = 0;
  JsonNode root_;
  std::vector<JsonNode> open_;
  std::vector<std::string> keys_;  // of the members that are being read
};

std::u16string Utf16(std::string_view text) {
  std::u16string units;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    std::uint32_t code = length == 1 ? lead : lead & (0xffu >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) {
      code = code << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3fu);
    }
    if (code >= 0x10000) {
      units.push_back(static_cast<char16_t>(0xd800 + ((code - 0x10000) >> 10)));
      code = 0xdc00 + ((code - 0x10000) & 0x3ff);
    }
    units.push_back(static_cast<char16_t>(code));
    i += length;
  }
  return units;
}

std::string QuotedText(std::string_view text) {
  static constexpr std::string_view kShort = "\b\t\n\f\r\"\\";
  static constexpr std::string_view kLetters = "btnfr\"\\";
  std::string out = "\"";
  for (const char c : text) {
    if (const std::size_t at = kShort.find(c); at != std::string_view::npos) {
      out.append({'\\', kLetters[at]});
    } else if (static_cast<unsigned char>(c) < 0x20) {
      static constexpr std::string_view kHex = "0123456789abcdef";
      out.append("\\u00").append({kHex[static_cast<unsigned char>(c) >> 4], kHex[c & 15]});
    } else {
      out.push_back(c);
    }
  }
  return out.append("\"");
}

bool HasNul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

bool IsClientValue(const JsonNode& node, int depth) {
  const bool nests = node.kind == Kind::kArray || node.kind == Kind::kObject;
  if (nests && depth > kClientDepth) return false;
  if (node.kind == Kind::kString && HasNul(node.text)) return false;
  if (node.kind == Kind::kNumber && !std::isfinite(std::strtod(node.text.c_str(), nullptr))) {
    return false;
  }
  std::set<std::string_view> names;
  for (const auto& [name, value] : node.members) {
    if (HasNul(name) || !names.insert(name).second) return false;
    if (!IsClientValue(value, depth + 1)) return false;
  }
  return std::all_of(node.elements.begin(), node.elements.end(), [depth](const JsonNode& element) {
    return IsClientValue(element, depth + 1);
  });
}

}  // namespace

const JsonNode* JsonNode::Find(std::string_view name) const {
  for (const auto& [key, value] : members) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::optional<JsonNode> ReadJson(std::string_view text) {
  // To RapidJSON a NUL is the end of the text; JSON has none.
  if (HasNul(text)) return std::nullopt;
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseValidateEncodingFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  const ShortText short_text = WithShortNumbers(text);
  rapidjson::MemoryStream stream(short_text.text.data(), short_text.text.size());
  rapidjson::Reader reader;
  TreeBuilder builder(short_text.numbers);
  if (reader.Parse<kFlags>(stream, builder).IsError()) return std::nullopt;
  return builder.Take();
}

int DepthOf(const JsonNode& node) {
  int deepest = 0;
  for (const auto& [name, value] : node.members) deepest = std::max(deepest, DepthOf(value));
  for (const JsonNode& element : node.elements) deepest = std::max(deepest, DepthOf(element));
  const bool nests = node.kind == Kind::kArray || node.kind == Kind::kObject;
  return deepest + (nests ? 1 : 0);
}

bool IsClientJson(const JsonNode& node) {
  return node.kind == Kind::kObject && IsClientValue(node, 1);
}

JsonNode Sorted(JsonNode node) {
  for (auto& [name, value] : node.members) value = Sorted(std::move(value));
  for (JsonNode& element : node.elements) element = Sorted(std::move(element));
  std::stable_sort(node.members.begin(), node.members.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  return node;
}

std::string CanonicalText(const JsonNode& node) {
  switch (node.kind) {
    case Kind::kNull: return "null";
    case Kind::kFalse: return "false";
    case Kind::kTrue: return "true";
    case Kind::kNumber: return node.text;
    case Kind::kString: return QuotedText(node.text);
    case Kind::kArray:
    case Kind::kObject: break;
  }
  std::string out;
  if (node.kind == Kind::kArray) {
    for (const JsonNode& element : node.elements) {
      out.append(out.empty() ? "[" : ",").append(CanonicalText(element));
    }
    return out.empty() ? "[]" : out.append("]");
  }
  std::vector<std::pair<std::u16string, const std::pair<std::string, JsonNode>*>> order;
  for (const auto& member : node.members) order.emplace_back(Utf16(member.first), &member);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [units, member] : order) {
    out.append(out.empty() ? "{" : ",").append(QuotedText(member->first)).append(":");
    out.append(CanonicalText(member->second));
  }
  return out.empty() ? "{}" : out.append("}");
}

JsonNode Merged(JsonNode target, const JsonNode& patch) {
  if (patch.kind != Kind::kObject) return patch;
  if (target.kind != Kind::kObject) target = {Kind::kObject, {}, {}, {}};
  for (const auto& [name, value] : patch.members) {
    auto at = std::find_if(target.members.begin(), target.members.end(),
                           [&name = name](const auto& member) { return member.first == name; });
    if (value.kind == Kind::kNull) {
      if (at != target.members.end()) target.members.erase(at);
      continue;
    }
    JsonNode old = at == target.members.end() ? JsonNode() : std::move(at->second);
    if (at == target.members.end()) {
      target.members.emplace_back(name, Merged(std::move(old), value));
    } else {
      at->second = Merged(std::move(old), value);
    }
  }
  return target;
}

}  // namespace saffron::fuzz
