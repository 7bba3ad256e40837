// How the files of a folder become instances: docs/loading.md says what a user writes.
//
// Values; built once, then only read.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "domain/ontology.h"

namespace saffron {

// Text with {columns} in it: "{order_id}.{line_no}".
struct IdTemplate {
  struct Part {
    std::string literal;
    std::string column;  // empty: only the literal
  };
  std::vector<Part> parts;

  static Result<IdTemplate> Parse(std::string_view text);
  static IdTemplate Joined(const std::vector<std::string>& columns);  // by '.'
  std::vector<std::string> Columns() const;
};

struct PropertyColumn {
  std::string column;
  std::string property;
  PropertyType type = PropertyType::kString;
};

struct RelationshipColumns {
  std::string predicate;
  std::string target;
  Cardinality cardinality = Cardinality::kManyToOne;
  std::string inverse_predicate;
  // Of the target's id. When a single column holds it, the cell may also say "Class/id", and, where
  // many are allowed, several separated by ';'.
  IdTemplate id;
};

struct ClassMapping {
  std::string class_id;
  std::string file;  // relative to the data folder; .csv or .jsonl
  std::vector<PropertyColumn> properties;
  std::vector<RelationshipColumns> relationships;
  // Of the class's only primary key, when that is made of columns.
  std::string id_property;
  std::optional<IdTemplate> id;
  std::vector<std::pair<std::string, std::string>> constants;  // property, raw JSON
  std::vector<std::string> ignored;                            // columns that are not loaded
  bool skip_empty = true;       // an empty cell is a member left out, else an empty string
  bool whole_document = false;  // of JSONL without a mapping: each line is the document

  bool Mentions(std::string_view column) const;
};

struct Mapping {
  std::vector<ClassMapping> classes;
  // Those that the mapping itself describes (there was no ontology file for them).
  std::vector<ClassDefinition> definitions;
};

// Reads a mapping file. Types come from `known` where a class is there, else from the mapping.
// kInvalid names the class and what is wrong.
Result<Mapping> ParseMapping(std::string_view json, const std::vector<ClassDefinition>& known);

// Reads {"classes":[definition...]}.
Result<std::vector<ClassDefinition>> ParseOntologyFile(std::string_view json);

// The mapping of a file that is named like its class: columns are its properties and relationships.
ClassMapping DefaultMapping(const EffectiveClass& type, std::string file);

}  // namespace saffron
