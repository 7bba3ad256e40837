#include "app/json_view.h"

#include <charconv>

namespace saffron {

JsonView JsonView::Of(std::string_view text) {
  json::Scanner scanner(text);
  json::Value value;
  if (!scanner.ReadValue(value) || !scanner.AtEnd()) return {};
  return JsonView(value);
}

JsonView JsonView::operator[](std::string_view name) const {
  if (!Is(json::Kind::kObject)) return {};
  auto members = json::MembersOf(value_->raw);
  if (!members) return {};
  std::string scratch;
  for (const json::Member& member : *members) {
    if (json::TextOf(member.key, scratch) == name) return JsonView(member.value);
  }
  return {};
}

std::vector<std::pair<std::string, JsonView>> JsonView::Members() const {
  std::vector<std::pair<std::string, JsonView>> found;
  if (!Is(json::Kind::kObject)) return found;
  auto members = json::MembersOf(value_->raw);
  if (!members) return found;
  std::string scratch;
  for (const json::Member& member : *members) {
    found.emplace_back(json::TextOf(member.key, scratch), JsonView(member.value));
  }
  return found;
}

std::vector<JsonView> JsonView::Elements() const {
  std::vector<JsonView> found;
  if (!Is(json::Kind::kArray)) return found;
  auto elements = json::ElementsOf(value_->raw);
  if (!elements) return found;
  for (const json::Value& value : *elements) found.push_back(JsonView(value));
  return found;
}

std::optional<std::string> JsonView::Text() const {
  if (!Is(json::Kind::kString)) return std::nullopt;
  std::string scratch;
  return std::string(json::TextOf(*value_, scratch));
}

std::string JsonView::TextOr(std::string_view fallback) const {
  auto text = Text();
  return text ? std::move(*text) : std::string(fallback);
}

std::optional<std::uint64_t> JsonView::Unsigned() const {
  if (!Is(json::Kind::kNumber)) return std::nullopt;
  std::uint64_t number = 0;
  const char* end = value_->raw.data() + value_->raw.size();
  auto [stopped, error] = std::from_chars(value_->raw.data(), end, number);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return number;
}

}  // namespace saffron
