// Writing JSON member by member.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "domain/json_text.h"

namespace saffron {

// Appends one object to `out`. Lives for one object; Close ends it.
class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_.push_back('{'); }

  JsonObject& Raw(std::string_view name, std::string_view json) {
    Key(name).append(json);
    return *this;
  }
  JsonObject& Text(std::string_view name, std::string_view text) {
    json::AppendString(Key(name), text);
    return *this;
  }
  JsonObject& Number(std::string_view name, std::uint64_t value) {
    json::AppendNumber(Key(name), value);
    return *this;
  }
  JsonObject& Flag(std::string_view name, bool value) {
    return Raw(name, value ? "true" : "false");
  }
  JsonObject& Null(std::string_view name) { return Raw(name, "null"); }
  // Where the value of a new member is to be appended.
  std::string& Key(std::string_view name) {
    if (!first_) out_.push_back(',');
    first_ = false;
    return out_.append("\"").append(name).append("\":");
  }
  void Close() { out_.push_back('}'); }

 private:
  std::string& out_;
  bool first_ = true;
};

// "[a,b]": each element is appended by `append(out, element)`.
template <class List, class Append>
void AppendArray(std::string& out, const List& list, Append append) {
  out.push_back('[');
  bool first = true;
  for (const auto& element : list) {
    if (!first) out.push_back(',');
    first = false;
    append(out, element);
  }
  out.push_back(']');
}

}  // namespace saffron
