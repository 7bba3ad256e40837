// Looking things up in a JSON answer or file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/json_text.h"

namespace saffron {

// One value of a JSON text, or nothing: asking nothing for a member gives nothing. Borrows the
// text; each look-up scans it, so it is for small texts or few questions.
class JsonView {
 public:
  JsonView() = default;
  // Nothing when `text` is not one JSON value.
  static JsonView Of(std::string_view text);

  bool exists() const { return value_.has_value(); }
  bool Is(json::Kind kind) const { return value_ && value_->kind == kind; }
  std::string_view raw() const { return value_ ? value_->raw : std::string_view(); }

  JsonView operator[](std::string_view name) const;
  // Empty when it is no object (no array).
  std::vector<std::pair<std::string, JsonView>> Members() const;
  std::vector<JsonView> Elements() const;
  // Of a string its text, else nothing.
  std::optional<std::string> Text() const;
  std::string TextOr(std::string_view fallback) const;
  std::optional<std::uint64_t> Unsigned() const;
  bool IsTrue() const { return Is(json::Kind::kTrue); }

 private:
  explicit JsonView(const json::Value& value) : value_(value) {}

  std::optional<json::Value> value_;
};

}  // namespace saffron
