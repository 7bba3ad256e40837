// Writing JSON member by member.
#pragma once

#include <string>
#include <string_view>

#include "domain/json_text.h"

namespace saffron {

// One object, as text. Raw takes what is JSON already.
class JsonWriter {
 public:
  JsonWriter& Raw(std::string_view name, std::string_view json) {
    out_.push_back(out_.empty() ? '{' : ',');
    json::AppendString(out_, name);
    out_.append(":").append(json);
    return *this;
  }
  JsonWriter& Text(std::string_view name, std::string_view text) {
    std::string quoted;
    json::AppendString(quoted, text);
    return Raw(name, quoted);
  }
  JsonWriter& Number(std::string_view name, std::uint64_t number) {
    return Raw(name, std::to_string(number));
  }
  JsonWriter& Flag(std::string_view name, bool flag) { return Raw(name, flag ? "true" : "false"); }
  std::string Take() { return out_.empty() ? "{}" : std::move(out_) + "}"; }

 private:
  std::string out_;
};

// "[a,b]": `encode` gives the JSON of an element.
template <class List, class Encode>
std::string JsonArray(const List& list, Encode encode) {
  std::string out = "[";
  for (const auto& element : list) {
    if (out.size() > 1) out.push_back(',');
    out.append(encode(element));
  }
  return out.append("]");
}

}  // namespace saffron
