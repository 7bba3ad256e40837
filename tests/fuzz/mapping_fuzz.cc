// What the loader reads. Input: ontology file, mapping file, rows (CSV).
#include "app/loader/mapping.h"

#include <simdjson.h>

#include "app/loader/csv.h"
#include "app/loader/document.h"
#include "app/loader/plan.h"
#include "domain/instance.h"
#include "domain/json_text.h"
#include "tests/fuzz/properties.h"
#include "tests/fuzz/reference_json.h"

namespace saffron::fuzz {
namespace {

constexpr int kMostRows = 20;

void CheckDefinition(const ClassDefinition& definition) {
  const std::string encoded = EncodeClassDefinition(definition);
  Require(ReadJson(encoded).has_value(), "a definition is written as JSON");
  const DefinitionResult again = ParseClassDefinition(encoded, definition.id);
  Require(EncodeClassDefinition(again.definition) == encoded, "a definition comes back as it was");
}

void CheckRows(const ClassMapping& mapping, std::string_view rows, bool jsonl) {
  auto source = RowSource::Open(rows, jsonl);
  if (!source.ok()) return;
  for (int i = 0; i < kMostRows; ++i) {
    const RowSource::Step step = (*source)->Next();
    if (step == RowSource::Step::kEnd) return;
    if (step == RowSource::Step::kBadRow) continue;
    const auto document = BuildDocument(mapping, **source);
    if (!document.ok()) {
      Require(document.Is(Code::kInvalid), "a row that makes no document is invalid");
      continue;
    }
    Require(ReadJson(*document).has_value(), "a document is JSON");
    Require(json::MembersOf(*document).has_value(), "a document is an object");
  }
}

void CheckCell(PropertyType type, std::string_view text) {
  const auto value = ConvertCell(type, text);
  if (!value.ok()) return Require(value.Is(Code::kInvalid), "a cell of no value is invalid");
  const auto node = ReadJson(*value);
  Require(node.has_value(), "a cell becomes a JSON value");
  if (type == PropertyType::kString) Require(node->text == text, "a string cell keeps its text");
}

}  // namespace

void FuzzMapping(std::string_view bytes) {
  const auto parts = SplitParts(bytes, 3);
  std::vector<ClassDefinition> classes;
  if (auto known = ParseOntologyFile(parts[0]); known.ok()) classes = std::move(*known);
  for (const ClassDefinition& definition : classes) {
    CheckDefinition(definition);
    Require(ParseClassDefinition(EncodeClassDefinition(definition), "").violations.empty(),
            "a definition that was read is valid");
  }
  (void)InOrderOfDependence(classes);
  const auto mapping = ParseMapping(parts[1], classes);
  for (int type = 0; type <= static_cast<int>(PropertyType::kArray); ++type) {
    CheckCell(static_cast<PropertyType>(type), parts[2]);
  }
  if (!mapping.ok()) return Require(mapping.Is(Code::kInvalid), "a bad mapping is invalid");
  for (const ClassDefinition& definition : mapping->definitions) CheckDefinition(definition);
  for (const ClassMapping& one : mapping->classes) {
    CheckRows(one, parts[2], false);
    CheckRows(one, parts[2], true);
  }
}

}  // namespace saffron::fuzz
