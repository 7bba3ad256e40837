// JSON text: the scanner, the check of client JSON, minifying, the canonical form and the writing
// of strings, each against RapidJSON.
#include "domain/json_text.h"

#include <simdjson.h>

#include <cmath>
#include <cstdlib>

#include "app/json_view.h"
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

// What command line and loader look things up with; small texts, as each look-up scans.
void CheckView(const JsonView& view, const JsonNode& node, int depth) {
  Require(view.exists() && !view.raw().empty(), "a value that is there is seen");
  Require(view.Text().has_value() == (node.kind == JsonNode::Kind::kString), "as what it is");
  if (view.Text()) Require(*view.Text() == node.text, "a text is the text");
  const auto members = view.Members();
  const auto elements = view.Elements();
  Require(members.size() == node.members.size(), "every member is seen");
  Require(elements.size() == node.elements.size(), "every element is seen");
  for (std::size_t i = 0; i < members.size(); ++i) {
    Require(members[i].first == node.members[i].first, "under its name");
    Require(view[members[i].first].exists(), "and is found by it");
    if (depth > 0) CheckView(members[i].second, node.members[i].second, depth - 1);
  }
  for (std::size_t i = 0; i < elements.size() && depth > 0; ++i) {
    CheckView(elements[i], node.elements[i], depth - 1);
  }
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
  Require(JsonView::Of(bytes).exists() == expected, "and so does who looks things up");
  Require(client == (reference && IsClientJson(*reference)), "client JSON, as the reference says");
  if (!accepted) return Require(canonical.empty(), "what is refused leaves nothing behind");
  Require(canonical == CanonicalText(*reference), "canonical, as the reference says");
  Require(Canonical(canonical) == canonical, "canonical JSON is canonical");
  CheckNumbers(*reference);
  if (bytes.size() < 500) CheckView(JsonView::Of(bytes), *reference, 3);
  if (client) CheckClient(bytes, canonical);
}

}  // namespace saffron::fuzz
