// Reads the members of a request's JSON object, strictly: every member must be asked for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/json_text.h"
#include "domain/ontology.h"

namespace saffron {

// Views go into the body given. What is wrong is collected: read everything, then ask. One thread.
class BodyReader {
 public:
  // `json` has passed CheckClientJson (or is a value out of one that has). `at` is the pointer of
  // the object, "" for the body.
  explicit BodyReader(std::string_view json, std::string at = {});

  bool Has(std::string_view name) const { return Find(name) != nullptr; }
  // null counts as absent for what is optional.
  std::optional<std::string> OptionalText(std::string_view name);
  // "" only with a violation.
  std::string RequiredText(std::string_view name);
  // Raw JSON.
  std::optional<std::string_view> OptionalObject(std::string_view name);
  std::string_view RequiredObject(std::string_view name);
  std::optional<std::vector<json::Value>> OptionalArray(std::string_view name);
  std::optional<std::vector<json::Value>> RequiredArray(std::string_view name);
  std::optional<json::Value> OptionalValue(std::string_view name);
  std::optional<std::uint64_t> OptionalUnsigned(std::string_view name, std::uint64_t max,
                                                std::uint64_t least = 0);
  bool OptionalFlag(std::string_view name, bool otherwise);

  void Complain(std::string_view name, std::string code, std::string message);
  void Add(std::vector<Violation> violations);
  std::string PointerTo(std::string_view name) const;

  // Members that nobody asked for are violations. Everything found so far.
  std::vector<Violation> Finish();

 private:
  struct Member {
    std::string name;
    json::Value value;
    bool asked = false;
  };
  const Member* Find(std::string_view name) const;
  // Marks it; null when absent.
  const json::Value* Ask(std::string_view name);
  const json::Value* AskOptional(std::string_view name, json::Kind kind, std::string_view what);
  void Missing(std::string_view name);

  const std::string at_;
  std::vector<Member> members_;
  std::vector<Violation> violations_;
};

// A decimal number without sign, at most `max`.
std::optional<std::uint64_t> ParseUnsigned(std::string_view text, std::uint64_t max);

}  // namespace saffron
