#include "services/oms/body_reader.h"

#include <charconv>

namespace saffron {

using json::Kind;
using json::Value;

BodyReader::BodyReader(std::string_view json, std::string at) : at_(std::move(at)) {
  auto members = json::MembersOf(json);
  if (!members) {
    violations_.push_back({at_, "wrong_type", "an object is expected"});
    return;
  }
  std::string scratch;
  for (const json::Member& member : *members) {
    members_.push_back({std::string(json::TextOf(member.key, scratch)), member.value, false});
  }
}

const BodyReader::Member* BodyReader::Find(std::string_view name) const {
  for (const Member& member : members_) {
    if (member.name == name) return &member;
  }
  return nullptr;
}

const Value* BodyReader::Ask(std::string_view name) {
  for (Member& member : members_) {
    if (member.name != name) continue;
    member.asked = true;
    return &member.value;
  }
  return nullptr;
}

const Value* BodyReader::AskOptional(std::string_view name, Kind kind, std::string_view what) {
  const Value* value = Ask(name);
  if (value == nullptr || value->kind == Kind::kNull) return nullptr;
  if (value->kind == kind) return value;
  Complain(name, "wrong_type", std::string(what) + " is expected");
  return nullptr;
}

void BodyReader::Missing(std::string_view name) {
  const Member* member = Find(name);
  if (member == nullptr || member->value.kind == Kind::kNull) {
    Complain(name, "missing_required", std::string(name) + " is required");
  }
}

std::optional<std::string> BodyReader::OptionalText(std::string_view name) {
  const Value* value = AskOptional(name, Kind::kString, "a string");
  if (value == nullptr) return std::nullopt;
  std::string scratch;
  return std::string(json::TextOf(*value, scratch));
}

std::string BodyReader::RequiredText(std::string_view name) {
  std::optional<std::string> text = OptionalText(name);
  if (!text) Missing(name);
  if (text && text->empty()) Complain(name, "empty", std::string(name) + " must not be empty");
  return text.value_or(std::string());
}

std::optional<std::string_view> BodyReader::OptionalObject(std::string_view name) {
  const Value* value = AskOptional(name, Kind::kObject, "an object");
  if (value == nullptr) return std::nullopt;
  return value->raw;
}

std::string_view BodyReader::RequiredObject(std::string_view name) {
  std::optional<std::string_view> object = OptionalObject(name);
  if (!object) Missing(name);
  return object.value_or("{}");
}

std::optional<std::vector<Value>> BodyReader::OptionalArray(std::string_view name) {
  const Value* value = AskOptional(name, Kind::kArray, "an array");
  if (value == nullptr) return std::nullopt;
  return json::ElementsOf(value->raw);
}

std::optional<std::vector<Value>> BodyReader::RequiredArray(std::string_view name) {
  auto array = OptionalArray(name);
  if (!array) Missing(name);
  return array;
}

std::optional<Value> BodyReader::OptionalValue(std::string_view name) {
  const Value* value = Ask(name);
  if (value == nullptr) return std::nullopt;
  return *value;
}

std::optional<std::uint64_t> BodyReader::OptionalUnsigned(std::string_view name, std::uint64_t max,
                                                          std::uint64_t least) {
  const Value* value = AskOptional(name, Kind::kNumber, "a number");
  if (value == nullptr) return std::nullopt;
  std::optional<std::uint64_t> number = ParseUnsigned(value->raw, max);
  if (number && *number >= least) return number;
  Complain(name, "out_of_range",
           "a whole number from " + std::to_string(least) + " to " + std::to_string(max));
  return std::nullopt;
}

bool BodyReader::OptionalFlag(std::string_view name, bool otherwise) {
  const Value* value = Ask(name);
  if (value == nullptr || value->kind == Kind::kNull) return otherwise;
  if (value->kind == Kind::kTrue || value->kind == Kind::kFalse) {
    return value->kind == Kind::kTrue;
  }
  Complain(name, "wrong_type", "true or false is expected");
  return otherwise;
}

std::string BodyReader::PointerTo(std::string_view name) const {
  return at_ + json::PointerStep(name);
}

void BodyReader::Complain(std::string_view name, std::string code, std::string message) {
  violations_.push_back({PointerTo(name), std::move(code), std::move(message)});
}

void BodyReader::Add(std::vector<Violation> violations) {
  for (Violation& violation : violations) violations_.push_back(std::move(violation));
}

std::vector<Violation> BodyReader::Finish() {
  for (const Member& member : members_) {
    if (!member.asked) Complain(member.name, "unknown_field", "this field is not known here");
  }
  return std::move(violations_);
}

std::optional<std::uint64_t> ParseUnsigned(std::string_view text, std::uint64_t max) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || number > max) return std::nullopt;
  return number;
}

}  // namespace saffron
