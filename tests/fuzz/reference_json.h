// JSON read by RapidJSON into a plain tree: what Saffron's own reading of JSON is compared with.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace saffron::fuzz {

struct JsonNode {
  enum class Kind { kNull, kFalse, kTrue, kNumber, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  std::string text;  // of a string its text, of a number its digits as they stand
  std::vector<std::pair<std::string, JsonNode>> members;
  std::vector<JsonNode> elements;

  // The first of that name; null when there is none.
  const JsonNode* Find(std::string_view name) const;
  friend bool operator==(const JsonNode&, const JsonNode&) = default;
};

// Nothing when `text` is not one JSON value in valid UTF-8.
std::optional<JsonNode> ReadJson(std::string_view text);

int DepthOf(const JsonNode& node);
// As CheckClientJson has it.
bool IsClientJson(const JsonNode& node);
// The members of every object in the order of their names.
JsonNode Sorted(JsonNode node);
// RFC 8785 but for numbers, which stay as received.
std::string CanonicalText(const JsonNode& node);
// RFC 7396, section 2, word for word.
JsonNode Merged(JsonNode target, const JsonNode& patch);

}  // namespace saffron::fuzz
