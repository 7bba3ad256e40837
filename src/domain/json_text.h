// JSON text without a tree: a strict scanner over borrowed bytes, and the writing of strings.
// Everything in the domain that must keep bytes as received is built on it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace saffron::json {

// Appends `text` as a JSON string with the least escaping (RFC 8785, 3.2.2.2). Bytes that are not
// UTF-8 become U+FFFD, so that what is written is always JSON.
void AppendString(std::string& out, std::string_view text);
void AppendNumber(std::string& out, std::uint64_t value);

enum class Kind : std::uint8_t { kObject, kArray, kString, kNumber, kTrue, kFalse, kNull };

// One value as it stands in its text: `raw` has no white space around it.
struct Value {
  Kind kind = Kind::kNull;
  std::string_view raw;

  // Of a string, what stands between the quotes, escapes untouched.
  std::string_view inner() const { return raw.substr(1, raw.size() - 2); }
  bool has_escapes() const { return raw.find('\\') != std::string_view::npos; }
};

// The text of a string value. A view into it where nothing is escaped, else into `scratch`.
std::string_view TextOf(const Value& string, std::string& scratch);

inline constexpr int kMaxDepth = 64;

// Reads one JSON text from left to right and refuses what RFC 8259 does not allow, lone surrogates
// and nesting beyond kMaxDepth included; only the encoding is not checked (see CheckClientJson).
// Every call but position() returns false at the first error and for ever after it. A scanner is a
// value on the stack of one function; the bytes must outlive it.
class Scanner {
 public:
  explicit Scanner(std::string_view text)
      : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()) {}

  std::size_t position() const { return static_cast<std::size_t>(at_ - begin_); }
  const char* error() const { return error_; }  // static text; null when there was none
  int depth() const { return depth_; }

  // Which kind of value comes next; false at the end or at a character that starts none.
  bool Peek(Kind& kind);
  // Enters the object or array that comes next.
  bool Enter();
  // After Enter: true when a member (its key read) or an element comes. At the end it leaves the
  // object or array, sets `done` and returns true.
  bool NextMember(Value& key, bool& done);
  bool NextElement(bool& done);
  bool ReadString(Value& out);
  bool ReadNumber(Value& out);
  // A whole value of any kind.
  bool ReadValue(Value& out);
  // Nothing but white space is left.
  bool AtEnd();

 private:
  bool Fail(const char* error);
  void SkipSpace();
  bool ScanStringTail();
  bool ScanEscape();
  bool ScanHex4(unsigned& unit);
  bool ScanDigits();
  bool ReadWord(std::string_view word);
  bool Next(char close, bool& done);

  const char* begin_;
  const char* at_;
  const char* end_;
  const char* error_ = nullptr;
  int depth_ = 0;
  bool first_ = false;  // nothing read yet of the innermost object or array
};

struct Member {
  Value key;
  Value value;
};
// The members of one object, in order; nothing when `object` is not one whole JSON object.
std::optional<std::vector<Member>> MembersOf(std::string_view object);
// The elements of one array.
std::optional<std::vector<Value>> ElementsOf(std::string_view array);

// The value of a number that the scanner has read: finite or infinite.
double NumberOf(std::string_view raw);
// "/name" with '~' and '/' escaped: a step of a pointer (RFC 6901).
std::string PointerStep(std::string_view name);

// The order of RFC 8785: by UTF-16 code units, of two strings in UTF-8.
bool LessUtf16(std::string_view a, std::string_view b);
// RFC 8785 but for numbers, which stay as received: members sorted, strings with the least
// escaping, no white space. False when `json` is not one JSON value.
bool AppendCanonical(std::string& out, std::string_view json);

}  // namespace saffron::json
