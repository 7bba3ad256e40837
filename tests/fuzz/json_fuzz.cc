// JSON text: the scanner, the check of client JSON, minifying, the canonical form and the writing
// of strings, each against RapidJSON.
#include "domain/json_text.h"

#include <simdjson.h>

#include <cmath>
#include <cstdlib>

#include "domain/instance.h"
#include "tests/fuzz/properties.h"
#include "tests/fuzz/reference_json.h"

namespace saffron::fuzz {
namespace {

std::string Canonical(std::string_view json) {
  std::string out;
  Require(json::AppendCanonical(out, json), "what was accepted once is accepted again");
  return out;
}

void CheckClient(std::string_view bytes, const std::string& canonical) {
  const std::string minified = MinifyJson(bytes);
  Require(MinifyJson(minified) == minified, "minified JSON is minified");
  Require(minified.size() <= bytes.size(), "minifying adds nothing");
  Require(CheckClientJson(minified).ok(), "minified client JSON is client JSON");
  Require(Canonical(minified) == canonical, "minifying keeps the value");
}

void CheckNumbers(const JsonNode& node) {
  if (node.kind == JsonNode::Kind::kNumber) {
    const double expected = std::strtod(node.text.c_str(), nullptr);
    const double read = json::NumberOf(node.text);
    // What is too small for a normal double may become 0.
    const bool tiny = std::fabs(expected) < 2.3e-308;
    Require(tiny ? std::fabs(read) < 2.3e-308 : read == expected, "NumberOf reads like strtod");
  }
  for (const auto& [name, value] : node.members) CheckNumbers(value);
  for (const JsonNode& element : node.elements) CheckNumbers(element);
}

void CheckString(std::string_view bytes, bool utf8) {
  std::string quoted;
  json::AppendString(quoted, bytes);
  auto read = ReadJson(quoted);
  Require(read && read->kind == JsonNode::Kind::kString, "AppendString writes a JSON string");
  if (utf8) Require(read->text == bytes, "a string comes back as it was");
  std::string scratch;
  const json::Value value{json::Kind::kString, quoted};
  Require(json::TextOf(value, scratch) == read->text, "TextOf reads what AppendString wrote");
}

}  // namespace

void FuzzJson(std::string_view bytes) {
  const bool utf8 = simdjson::validate_utf8(bytes.data(), bytes.size());
  CheckString(bytes, utf8);
  const auto reference = ReadJson(bytes);
  std::string canonical;
  const bool accepted = json::AppendCanonical(canonical, bytes);
  const bool client = CheckClientJson(bytes).ok();
  if (!utf8) return Require(!client, "client JSON is UTF-8");
  const bool expected = reference && DepthOf(*reference) <= json::kMaxDepth;
  Require(accepted == expected, "the scanner accepts what RapidJSON accepts");
  Require(client == (reference && IsClientJson(*reference)), "client JSON, as the reference says");
  if (!accepted) return Require(canonical.empty(), "what is refused leaves nothing behind");
  Require(canonical == CanonicalText(*reference), "canonical, as the reference says");
  Require(Canonical(canonical) == canonical, "canonical JSON is canonical");
  CheckNumbers(*reference);
  if (client) CheckClient(bytes, canonical);
}

}  // namespace saffron::fuzz
