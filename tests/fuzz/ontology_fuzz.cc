// Class definitions, and documents judged by them. Input: definition, document, patch.
#include "domain/ontology.h"

#include <algorithm>

#include "domain/instance.h"
#include "domain/json_text.h"
#include "tests/fuzz/properties.h"

namespace saffron::fuzz {
namespace {

constexpr std::size_t kMostViolations = 100;

Ontology With(const ClassDefinition* definition) {
  const OntologyStamp database{AggregateKey::Database("db1"), SequenceNumber(1), SequenceNumber(1)};
  std::map<std::string, OntologyClass> classes;
  for (const std::string_view id : {"Base", "Target"}) {
    OntologyClass& known = classes[std::string(id)];
    known = {SequenceNumber(1), SequenceNumber(1),
             ParseClassDefinition(R"({"properties":[{"name":"base_id","type":"string",)"
                                  R"("primary_key":true,"required":true}]})",
                                  id)
                 .definition};
  }
  if (definition != nullptr) {
    classes[definition->id] = {SequenceNumber(2), SequenceNumber(2), *definition};
  }
  return Ontology(database, SequenceNumber(2), std::move(classes));
}

void CheckDocument(const EffectiveClass& type, const std::string& document) {
  const auto wrong = ValidateDocument(type, document);
  Require(wrong.size() <= kMostViolations, "violations are bounded");
  const std::string whole = ApplyDefaults(type, document);
  Require(json::MembersOf(whole).has_value(), "a document with defaults is an object");
  Require(ApplyDefaults(type, whole) == whole, "defaults are given once");
  (void)InstanceIdOf(type, document);
  const auto references = ReferencesOf(type, document);
  const auto by_shape = ReferencesByShape(document);
  for (const Reference& reference : references) {
    Require(CheckClassName(reference.target_class).ok(), "a reference names a class");
    Require(CheckInstanceId(reference.target_id).ok(), "a reference names an instance");
    Require(std::find(by_shape.begin(), by_shape.end(), reference) != by_shape.end(),
            "what is a reference has the shape of one");
  }
  if (wrong.empty()) {
    Require(ValidateDocument(type, whole).empty(), "defaults leave a valid document valid");
  }
}

void CheckPatch(const EffectiveClass& type, const std::string& document, const std::string& patch) {
  const auto wrong = ValidatePatch(type, patch);
  Require(wrong.size() <= kMostViolations, "violations are bounded");
  const auto merged = MergePatch(document, patch);
  if (!merged.ok() || !wrong.empty() || !ValidateDocument(type, document).empty()) return;
  // Objects are merged below the top, where classes say nothing; else a good patch of a good
  // document makes a good one.
  for (const Violation& violation : ValidateDocument(type, *merged)) {
    const Property* property = type.FindProperty(std::string_view(violation.pointer).substr(1));
    Require(property != nullptr && property->type == PropertyType::kObject,
            "a valid patch of a valid document makes a valid one");
  }
}

}  // namespace

void FuzzOntology(std::string_view bytes) {
  const auto parts = SplitParts(bytes, 3);
  const DefinitionResult read = ParseClassDefinition(parts[0], "");
  if (!read.violations.empty() || !CheckClientJson(parts[0]).ok()) return;
  const ClassDefinition& definition = read.definition;
  const std::string encoded = EncodeClassDefinition(definition);
  Require(CheckClientJson(encoded).ok(), "a definition is written as client JSON");
  const DefinitionResult again = ParseClassDefinition(encoded, definition.id);
  Require(again.violations.empty(), "what was written is valid");
  Require(EncodeClassDefinition(again.definition) == encoded, "a definition comes back as it was");

  const Ontology before = With(nullptr);
  const bool known = before.Find(definition.id) != nullptr;
  const auto lint = before.Lint(definition, known ? Operation::kUpdate : Operation::kCreate);
  if (!lint.empty()) return;
  const Ontology ontology = With(&definition);
  Require(ontology.Lint(definition, Operation::kUpdate).empty(), "no change is a good change");
  const auto type = ontology.Effective(definition.id);
  Require(type.ok(), "a class without lint is effective");
  if (!CheckClientJson(parts[1]).ok()) return;
  const std::string document = MinifyJson(parts[1]);
  CheckDocument(**type, document);
  if (CheckClientJson(parts[2]).ok()) CheckPatch(**type, document, MinifyJson(parts[2]));
}

}  // namespace saffron::fuzz
