#include <algorithm>
#include <utility>

#include "domain/json_text.h"

namespace saffron::json {
namespace {

// UTF-16 puts U+E000 to U+FFFF (lead bytes EE, EF) after the surrogate pairs (F0 to F4).
unsigned Utf16Rank(char c) {
  auto byte = static_cast<unsigned char>(c);
  return byte == 0xee || byte == 0xef ? byte + 0x10u : byte;
}

void AppendCanonicalString(std::string& out, const Value& string) {
  if (!string.has_escapes()) {
    out.append(string.raw);
    return;
  }
  std::string scratch;
  AppendString(out, TextOf(string, scratch));
}

bool AppendValue(std::string& out, Scanner& scanner);

bool AppendArray(std::string& out, Scanner& scanner) {
  if (!scanner.Enter()) return false;
  out.push_back('[');
  for (bool first = true;; first = false) {
    bool done = false;
    if (!scanner.NextElement(done)) return false;
    if (done) break;
    if (!first) out.push_back(',');
    if (!AppendValue(out, scanner)) return false;
  }
  out.push_back(']');
  return true;
}

// A member of the object being written: where its canonical bytes lie in the output.
struct Written {
  std::string name;
  std::size_t begin = 0;
  std::size_t end = 0;
};

bool AppendObject(std::string& out, Scanner& scanner) {
  if (!scanner.Enter()) return false;
  out.push_back('{');
  const std::size_t begin = out.size();
  std::vector<Written> members;
  bool sorted = true;
  for (;;) {
    Value key;
    bool done = false;
    if (!scanner.NextMember(key, done)) return false;
    if (done) break;
    if (!members.empty()) out.push_back(',');
    Written member;
    member.name = TextOf(key, member.name);
    member.begin = out.size();
    AppendCanonicalString(out, key);
    out.push_back(':');
    if (!AppendValue(out, scanner)) return false;
    member.end = out.size();
    sorted = sorted && (members.empty() || !LessUtf16(member.name, members.back().name));
    members.push_back(std::move(member));
  }
  if (!sorted) {
    std::stable_sort(members.begin(), members.end(),
                     [](const Written& a, const Written& b) { return LessUtf16(a.name, b.name); });
    std::string unsorted = out.substr(begin);
    out.resize(begin);
    for (const Written& member : members) {
      if (out.size() > begin) out.push_back(',');
      out.append(unsorted, member.begin - begin, member.end - member.begin);
    }
  }
  out.push_back('}');
  return true;
}

bool AppendValue(std::string& out, Scanner& scanner) {
  Kind kind = Kind::kNull;
  if (!scanner.Peek(kind)) return false;
  if (kind == Kind::kObject) return AppendObject(out, scanner);
  if (kind == Kind::kArray) return AppendArray(out, scanner);
  Value value;
  if (!scanner.ReadValue(value)) return false;
  if (kind == Kind::kString) {
    AppendCanonicalString(out, value);
  } else {
    out.append(value.raw);
  }
  return true;
}

}  // namespace

bool LessUtf16(std::string_view a, std::string_view b) {
  auto [left, right] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (left == a.end() || right == b.end()) return left == a.end() && right != b.end();
  return Utf16Rank(*left) < Utf16Rank(*right);
}

bool AppendCanonical(std::string& out, std::string_view json) {
  const std::size_t size = out.size();
  Scanner scanner(json);
  if (AppendValue(out, scanner) && scanner.AtEnd()) return true;
  out.resize(size);
  return false;
}

}  // namespace saffron::json
