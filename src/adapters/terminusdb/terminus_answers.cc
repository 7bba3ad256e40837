#include "adapters/terminusdb/terminus_answers.h"

#include <charconv>

#include "domain/json_text.h"

namespace saffron::terminus {
namespace {

constexpr std::size_t kMaxQuoted = 500;

// The first member of that name; nothing when there is none, or `object` is none.
std::optional<json::Value> MemberOf(std::string_view object, std::string_view name) {
  const auto members = json::MembersOf(object);
  for (const json::Member& member : members ? *members : std::vector<json::Member>()) {
    if (member.key.inner() == name) return member.value;
  }
  return std::nullopt;
}

// Empty: it is no string.
std::string TextOf(const std::optional<json::Value>& value) {
  if (!value || value->kind != json::Kind::kString) return {};
  std::string scratch;
  return std::string(json::TextOf(*value, scratch));
}

}  // namespace

std::string ErrorTypeOf(std::string_view body) {
  const auto error = MemberOf(body, "api:error");
  if (!error) return {};
  const std::string type = TextOf(MemberOf(error->raw, "@type"));
  return type.starts_with("api:") ? type.substr(4) : type;
}

std::string MessageOf(std::string_view body) {
  return TextOf(MemberOf(body, "api:message")).substr(0, kMaxQuoted);
}

Result<Bindings> ParseBindings(std::string_view body, std::string_view first,
                               std::string_view second) {
  const auto member = MemberOf(body, "bindings");
  const auto rows = member ? json::ElementsOf(member->raw) : std::nullopt;
  if (!rows) return Unavailable("TerminusDB: an answer to WOQL cannot be read");
  Bindings bindings;
  bindings.count = rows->size();
  if (first.empty()) return bindings;
  bindings.pairs.reserve(rows->size());
  for (const json::Value& row : *rows) {
    auto& pair = bindings.pairs.emplace_back();
    const auto values = json::MembersOf(row.raw);
    if (!values) continue;
    for (const json::Member& value : *values) {
      if (value.key.inner() == first) pair.first = TextOf(value.value);
      if (value.key.inner() == second) pair.second = TextOf(value.value);
    }
  }
  return bindings;
}

std::optional<std::vector<std::string_view>> ParseDocumentList(std::string_view body) {
  const auto elements = json::ElementsOf(body);
  if (!elements) return std::nullopt;
  std::vector<std::string_view> documents;
  documents.reserve(elements->size());
  for (const json::Value& element : *elements) documents.push_back(element.raw);
  return documents;
}

std::optional<std::uint64_t> ParseGeneration(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || number == 0 || text != std::to_string(number)) return std::nullopt;
  return number;
}

std::optional<std::vector<std::uint64_t>> ParseGenerations(std::string_view body,
                                                           std::string_view prefix) {
  const auto databases = ParseDocumentList(body);
  if (!databases) return std::nullopt;
  std::vector<std::uint64_t> numbers;
  for (const std::string_view database : *databases) {
    const std::string path = TextOf(MemberOf(database, "path"));
    if (!path.starts_with(prefix)) continue;
    if (auto number = ParseGeneration(std::string_view(path).substr(prefix.size()))) {
      numbers.push_back(*number);
    }
  }
  return numbers;
}

}  // namespace saffron::terminus
