#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <deque>

#include "domain/instance.h"
#include "domain/json_text.h"

namespace saffron {
namespace {

using json::Kind;
using json::Scanner;
using json::Value;

constexpr int kMaxClientDepth = 32;
// Numbers shorter than this and without an exponent are finite for sure.
constexpr std::size_t kSurelyFiniteDigits = 300;

// One pass over one text. Lives for one call of CheckClientJson.
class ClientCheck {
 public:
  explicit ClientCheck(std::string_view json) : scanner_(json) {}

  Status Run() {
    Kind kind = Kind::kNull;
    if (scanner_.Peek(kind) && kind != Kind::kObject) return Refuse("the body must be an object");
    if (!CheckValue() || !scanner_.AtEnd()) return Refuse(why_.empty() ? scanner_.error() : why_);
    return Ok();
  }

 private:
  Error Refuse(std::string_view why) const {
    std::string message = "JSON, at byte " + std::to_string(scanner_.position()) + ": ";
    return Invalid(message.append(why));
  }

  bool Fail(std::string why) {
    why_ = std::move(why);
    return false;
  }

  bool CheckValue() {
    Kind kind = Kind::kNull;
    if (!scanner_.Peek(kind)) return false;
    if (kind == Kind::kObject) return CheckObject();
    if (kind == Kind::kArray) return CheckArray();
    Value value;
    if (!scanner_.ReadValue(value)) return false;
    if (kind == Kind::kString) return CheckText(value);
    if (kind == Kind::kNumber) return CheckNumber(value.raw);
    return true;
  }

  bool EnterChecked() {
    if (!scanner_.Enter()) return false;
    return scanner_.depth() <= kMaxClientDepth || Fail("nested deeper than 32");
  }

  bool CheckArray() {
    if (!EnterChecked()) return false;
    for (;;) {
      bool done = false;
      if (!scanner_.NextElement(done)) return false;
      if (done) return true;
      if (!CheckValue()) return false;
    }
  }

  bool CheckObject() {
    if (!EnterChecked()) return false;
    const std::size_t first = names_.size();
    for (;;) {
      Value key;
      bool done = false;
      if (!scanner_.NextMember(key, done)) return false;
      if (done) break;
      if (!CheckText(key)) return false;
      names_.push_back(NameOf(key));
      if (!CheckValue()) return false;
    }
    return CheckUnique(first);
  }

  std::string_view NameOf(const Value& key) {
    if (!key.has_escapes()) return key.inner();
    std::string& text = unescaped_.emplace_back();
    std::string_view view = json::TextOf(key, text);
    return view;
  }

  // The names of the object just read stand at the end of names_.
  bool CheckUnique(std::size_t first) {
    auto begin = names_.begin() + static_cast<std::ptrdiff_t>(first);
    if (names_.size() - first > 12) {
      std::sort(begin, names_.end());
      auto twin = std::adjacent_find(begin, names_.end());
      if (twin != names_.end()) return FailTwice(*twin);
    } else {
      for (auto a = begin; a != names_.end(); ++a) {
        if (std::find(begin, a, *a) != a) return FailTwice(*a);
      }
    }
    names_.resize(first);
    return true;
  }

  bool FailTwice(std::string_view name) {
    return Fail("the object that ends here has the member \"" + std::string(name.substr(0, 100)) +
                "\" twice");
  }

  bool CheckText(const Value& text) {
    for (std::size_t at = text.raw.find("\\u0000"); at != std::string_view::npos;
         at = text.raw.find("\\u0000", at + 1)) {
      // "\\u0000" after an escaped backslash is plain text.
      std::size_t slashes = 0;
      while (text.raw[at - 1 - slashes] == '\\') ++slashes;
      if (slashes % 2 == 0) return Fail("NUL in a string");
    }
    return true;
  }

  bool CheckNumber(std::string_view raw) {
    if (raw.size() < kSurelyFiniteDigits && raw.find_first_of("eE") == std::string_view::npos) {
      return true;
    }
    return std::isfinite(json::NumberOf(raw)) || Fail("a number beyond the range of a double");
  }

  Scanner scanner_;
  std::string why_;
  std::vector<std::string_view> names_;  // of the objects that are open, outermost first
  std::deque<std::string> unescaped_;    // what names_ points at where a name has escapes
};

}  // namespace

Status CheckClientJson(std::string_view json) {
  auto utf8 = simdjson::validate_utf8(json.data(), json.size());
  if (!utf8) return Invalid("JSON: not valid UTF-8");
  return ClientCheck(json).Run();
}

std::string MinifyJson(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    char c = json[i];
    if (in_string && c == '\\' && i + 1 < json.size()) {
      out.push_back(c);
      out.push_back(json[++i]);
      continue;
    }
    if (c == '"') in_string = !in_string;
    if (in_string || (c != ' ' && c != '\n' && c != '\t' && c != '\r')) out.push_back(c);
  }
  return out;
}

}  // namespace saffron
