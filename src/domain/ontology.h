// Ontology classes: model, codec, lint, and the effective class (with inherited parts).
// Pure functions; no I/O. An Ontology is a snapshot of the decided classes of one (db, branch).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "domain/envelope.h"

namespace saffron {

// One thing wrong with a document or a definition.
struct Violation {
  std::string pointer;  // RFC 6901, "/properties/2/type"
  std::string code;     // stable: "missing_required", "unknown_property", "wrong_type", ...
  std::string message;
  friend bool operator==(const Violation&, const Violation&) = default;
};

enum class PropertyType : std::uint8_t {
  kString,   // JSON string
  kInteger,  // JSON number without fraction or exponent, in int64
  kNumber,   // any finite JSON number (double)
  kBoolean,
  kDate,       // "YYYY-MM-DD"
  kDateTime,   // RFC 3339; a time without an offset is taken as it is and must be valid
  kReference,  // "Class/id"
  kObject,     // any JSON object
  kArray,      // any JSON array
};
std::optional<PropertyType> ParsePropertyType(std::string_view name);  // accepts xsd:* aliases too
std::string_view PropertyTypeName(PropertyType type);

// A compiled regular expression: linear in the text, never recursive. Immutable; any thread.
class Pattern {
 public:
  // Null when the expression is malformed or too large.
  static std::shared_ptr<const Pattern> Compile(std::string_view expression);
  ~Pattern();
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
  bool FoundIn(std::string_view text) const;

 private:
  struct Impl;
  explicit Pattern(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

struct Property {
  std::string name;
  PropertyType type = PropertyType::kString;
  bool required = false;
  bool primary_key = false;
  std::string default_value;       // raw JSON; empty: none
  std::optional<double> min, max;  // of numbers: the value; of strings: the length in characters
  std::optional<std::string> pattern;      // RE2 syntax, of strings; found anywhere in the text
  std::shared_ptr<const Pattern> matcher;  // compiled by ParseClassDefinition; null: bad or none
  std::vector<std::string> allowed;        // raw JSON values ("enum"); empty: any
  std::string label;                       // raw JSON: string or language map; empty: none
};

enum class Cardinality : std::uint8_t { kOneToOne, kOneToMany, kManyToOne, kManyToMany };
std::optional<Cardinality> ParseCardinality(std::string_view name);  // "1:1" "1:n" "n:1" "n:m"
std::string_view CardinalityName(Cardinality cardinality);

struct Relationship {
  std::string predicate;
  std::string target;  // class id
  Cardinality cardinality = Cardinality::kManyToOne;
  std::string inverse_predicate;  // may be empty
  std::string label;              // raw JSON; empty: none
};

struct ClassDefinition {
  std::string id;
  std::string label, description;  // raw JSON: string or language map; empty: none
  std::string parent_class;        // empty: none
  bool abstract = false;
  std::vector<Property> properties;
  std::vector<Relationship> relationships;
};

// Reads a class definition as sent by a client or stored in an outcome:
//   {"id","label"?,"description"?,"parent_class"?,"abstract"?,
//    "properties":[{"name","type","required"?,"primary_key"?,"default"?,"label"?,
//                   "constraints":{"min"?,"max"?,"min_length"?,"max_length"?,"pattern"?,
//                                  "enum"?}?}],
//    "relationships":[{"predicate","target","cardinality"?,"inverse_predicate"?,"label"?}]}
// min_length and max_length are other names of min and max. Unknown members, wrong types and
// duplicate names are violations with pointers; every violation found is returned. With an empty
// `expected_id` the definition must name its id; else it may, and then the same.
struct DefinitionResult {
  ClassDefinition definition;
  std::vector<Violation> violations;
};
DefinitionResult ParseClassDefinition(std::string_view json, std::string_view expected_id);
std::string EncodeClassDefinition(const ClassDefinition& definition);

// A class with everything it inherits; what instances are validated against.
struct EffectiveClass {
  std::string id;
  bool abstract = false;
  std::vector<Property> properties;  // ancestors' first, in the order declared
  std::vector<Relationship> relationships;
  std::vector<std::string> primary_key;  // property names in the order declared
  std::vector<std::string> ancestors;    // nearest first
  const Property* FindProperty(std::string_view name) const;
  const Relationship* FindRelationship(std::string_view predicate) const;
};

// One decided class.
struct OntologyClass {
  SequenceNumber number;       // decided
  SequenceNumber incarnation;  // of its creation
  ClassDefinition definition;
};

// A snapshot of the decided classes of a branch. Immutable once built; shared by threads.
class Ontology {
 public:
  // `classes`: only present ones of the database's live incarnation.
  Ontology(OntologyStamp database, SequenceNumber head,
           std::map<std::string, OntologyClass> classes);

  const OntologyStamp& database() const { return database_; }
  SequenceNumber head() const { return head_; }
  const std::map<std::string, OntologyClass, std::less<>>& classes() const { return classes_; }
  const OntologyClass* Find(std::string_view class_id) const;
  // kNotFound when the class or an ancestor is missing.
  Result<std::shared_ptr<const EffectiveClass>> Effective(std::string_view class_id) const;
  // Database, class and ancestors: what a command on an instance of the class is stamped with.
  std::vector<OntologyStamp> StampsFor(std::string_view db, std::string_view branch,
                                       std::string_view class_id) const;

  // Lint of a new or changed class against this snapshot: missing primary key (unless abstract or
  // inherited), unknown parent or target, inheritance cycle, duplicate names (inherited ones too),
  // bad constraints or defaults, incompatible change of an existing class (type changed, required
  // added without default, primary key changed, property removed).
  std::vector<Violation> Lint(const ClassDefinition& definition, Operation operation) const;
  // A class that others inherit from or point at cannot be deleted: their names.
  std::vector<std::string> Dependents(std::string_view class_id) const;

 private:
  // kNotFound when an ancestor is missing, kConflict when the class inherits from itself.
  Result<EffectiveClass> EffectiveOf(const ClassDefinition& definition) const;

  OntologyStamp database_;
  SequenceNumber head_;
  std::map<std::string, OntologyClass, std::less<>> classes_;
  std::map<std::string, std::shared_ptr<const EffectiveClass>, std::less<>> effective_;
};

}  // namespace saffron
