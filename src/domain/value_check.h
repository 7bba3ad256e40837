// One JSON value against one property: type and constraints. Pure functions.
#pragma once

#include <optional>
#include <string_view>

#include "domain/json_text.h"
#include "domain/ontology.h"

namespace saffron {

// What is wrong with the value, with an empty pointer; nothing when it is right.
std::optional<Violation> CheckValue(const Property& property, const json::Value& value);

// A string "Class/id" with names as the grammars want them.
bool IsReference(const json::Value& value);
struct ReferenceParts {
  std::string_view target_class, target_id;
};
std::optional<ReferenceParts> SplitReference(std::string_view text);

bool IsDate(std::string_view text);      // "YYYY-MM-DD", a day that exists
bool IsDateTime(std::string_view text);  // RFC 3339; the offset may be left out

}  // namespace saffron
