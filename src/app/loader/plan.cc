#include "app/loader/plan.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "app/loader/row_source.h"

namespace saffron {
namespace {

namespace fs = std::filesystem;

Result<std::string> ReadWhole(const std::string& path) {
  SAFFRON_ASSIGN(auto file, MappedFile::Open(path));
  return std::string(file->text());
}

Ontology OntologyOf(const std::vector<ClassDefinition>& definitions) {
  std::map<std::string, OntologyClass> classes;
  for (const ClassDefinition& definition : definitions) {
    classes[definition.id] = {SequenceNumber(1), SequenceNumber(1), definition};
  }
  OntologyStamp database{AggregateKey::Database("local"), SequenceNumber(1), SequenceNumber(1)};
  return Ontology(std::move(database), SequenceNumber(1), std::move(classes));
}

Status Lint(const Ontology& ontology, const std::vector<ClassDefinition>& definitions) {
  for (const ClassDefinition& definition : definitions) {
    auto violations = ontology.Lint(definition, Operation::kCreate);
    if (violations.empty()) continue;
    return Invalid("class " + definition.id + ": " + violations.front().pointer + ": " +
                   violations.front().message);
  }
  return Ok();
}

// Whether everything the mapping fills exists in its class; takes cardinalities from there.
Status Resolve(const EffectiveClass& type, ClassMapping& mapping) {
  auto missing = [&](const std::string& name) {
    return Invalid("class " + type.id + " has no property or relationship \"" + name + "\"");
  };
  for (const PropertyColumn& property : mapping.properties) {
    if (type.FindProperty(property.property) == nullptr) return missing(property.property);
  }
  for (const auto& [property, value] : mapping.constants) {
    bool known = type.FindProperty(property) != nullptr || type.FindRelationship(property);
    if (!known) return missing(property);
  }
  if (mapping.id && type.FindProperty(mapping.id_property) == nullptr) {
    return missing(mapping.id_property);
  }
  for (RelationshipColumns& columns : mapping.relationships) {
    const Relationship* relationship = type.FindRelationship(columns.predicate);
    if (relationship == nullptr) return missing(columns.predicate);
    columns.cardinality = relationship->cardinality;
  }
  if (type.abstract) return Invalid("class " + type.id + " is abstract and has no instances");
  return Ok();
}

std::vector<ClassMapping> MappingsByName(const Ontology& ontology,
                                         const std::vector<ClassDefinition>& classes,
                                         const fs::path& folder) {
  std::vector<ClassMapping> mappings;
  for (const ClassDefinition& definition : classes) {
    auto type = ontology.Effective(definition.id);
    if (!type.ok() || (*type)->abstract) continue;
    for (const char* ending : {".csv", ".jsonl"}) {
      std::string name = definition.id + ending;
      std::error_code ignored;
      if (fs::exists(folder / name, ignored)) mappings.push_back(DefaultMapping(**type, name));
    }
  }
  return mappings;
}

std::vector<std::string> UnreadFiles(const fs::path& folder, const std::vector<FileToLoad>& files) {
  std::set<std::string> read;
  for (const FileToLoad& file : files) read.insert(file.name);
  std::vector<std::string> warnings;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    std::string name = entry.path().filename().string();
    bool data = name.ends_with(".csv") || name.ends_with(".jsonl");
    if (data && read.count(name) == 0) warnings.push_back(name + " belongs to no class");
  }
  std::sort(warnings.begin(), warnings.end());
  return warnings;
}

Error InFile(const std::string& path, const Error& error) {
  return Invalid(path + ": " + error.message());
}

// The columns of a CSV header that the mapping does not know, and the other way round.
Status CheckHeader(const FileToLoad& file) {
  if (file.jsonl) return Ok();
  SAFFRON_ASSIGN(auto mapped, MappedFile::Open(file.path));
  auto rows = RowSource::Open(mapped->text(), false);
  if (!rows.ok()) return InFile(file.path, rows.error());
  auto header = (*rows)->Columns();
  for (const std::string& column : header) {
    if (!file.mapping.Mentions(column)) {
      return Invalid(file.path + ": nothing is said about column \"" + column + "\" of class " +
                     file.mapping.class_id);
    }
  }
  auto has = [&](const std::string& column) {
    return std::find(header.begin(), header.end(), column) != header.end();
  };
  std::vector<std::string> needed;
  for (const PropertyColumn& property : file.mapping.properties) {
    const Property* declared = file.type->FindProperty(property.property);
    bool must = declared->required && declared->default_value.empty();
    if (must) needed.push_back(property.column);
  }
  if (file.mapping.id) {
    for (std::string& column : file.mapping.id->Columns()) needed.push_back(std::move(column));
  }
  for (const std::string& column : needed) {
    if (!has(column)) return Invalid(file.path + ": there is no column \"" + column + "\"");
  }
  return Ok();
}

Result<FileToLoad> FileOf(const Ontology& ontology, const fs::path& folder, ClassMapping mapping) {
  FileToLoad file;
  file.name = mapping.file;
  file.path = (folder / mapping.file).string();
  file.jsonl = file.name.ends_with(".jsonl");
  if (!file.jsonl && !file.name.ends_with(".csv")) {
    return Invalid(file.path + ": neither .csv nor .jsonl");
  }
  SAFFRON_ASSIGN(file.type, ontology.Effective(mapping.class_id));
  SAFFRON_TRY(Resolve(*file.type, mapping));
  file.mapping = std::move(mapping);
  SAFFRON_TRY(CheckHeader(file));
  return file;
}

// Depth-first over parents and targets. Lives for one call.
class Sorter {
 public:
  explicit Sorter(std::vector<ClassDefinition> classes) {
    for (ClassDefinition& definition : classes) {
      order_.push_back(definition.id);
      std::string id = definition.id;
      classes_.emplace(std::move(id), std::move(definition));
    }
  }

  Result<std::vector<ClassDefinition>> Sort() {
    for (const std::string& id : order_) SAFFRON_TRY(CheckParents(id));
    for (const std::string& id : order_) Visit(id);
    return std::move(sorted_);
  }

 private:
  Status CheckParents(const std::string& id) {
    std::set<std::string> seen;
    for (auto at = classes_.find(id); at != classes_.end();
         at = classes_.find(at->second.parent_class)) {
      if (!seen.insert(at->first).second) return Invalid("class " + id + " inherits from itself");
    }
    return Ok();
  }

  bool InheritsFromOneOnThePath(const std::string& id) const {
    for (auto at = classes_.find(id); at != classes_.end();
         at = classes_.find(at->second.parent_class)) {
      if (on_path_.count(at->first) > 0) return true;
    }
    return false;
  }

  // Parents always come first; a target only when that closes no circle.
  void Visit(const std::string& id) {
    auto found = classes_.find(id);
    if (found == classes_.end() || done_.count(id) > 0) return;
    Visit(found->second.parent_class);
    on_path_.insert(id);
    for (const Relationship& relationship : found->second.relationships) {
      if (!InheritsFromOneOnThePath(relationship.target)) Visit(relationship.target);
    }
    on_path_.erase(id);
    done_.insert(id);
    sorted_.push_back(found->second);
  }

  std::vector<std::string> order_;
  std::map<std::string, ClassDefinition> classes_;
  std::set<std::string> on_path_, done_;
  std::vector<ClassDefinition> sorted_;
};

}  // namespace

Result<std::vector<ClassDefinition>> InOrderOfDependence(std::vector<ClassDefinition> classes) {
  return Sorter(std::move(classes)).Sort();
}

Result<LoadPlan> MakePlan(const PlanOptions& options) {
  LoadPlan plan;
  std::vector<ClassDefinition> classes;
  if (!options.ontology_file.empty()) {
    SAFFRON_ASSIGN(std::string text, ReadWhole(options.ontology_file));
    auto read = ParseOntologyFile(text);
    if (!read.ok()) return InFile(options.ontology_file, read.error());
    classes = std::move(*read);
  }
  Mapping mapping;
  if (!options.mapping_file.empty()) {
    SAFFRON_ASSIGN(std::string text, ReadWhole(options.mapping_file));
    auto read = ParseMapping(text, classes);
    if (!read.ok()) return InFile(options.mapping_file, read.error());
    mapping = std::move(*read);
    classes.insert(classes.end(), mapping.definitions.begin(), mapping.definitions.end());
  }
  if (classes.empty()) return Invalid("give an ontology file, a mapping file, or both");
  SAFFRON_ASSIGN(plan.classes, InOrderOfDependence(std::move(classes)));
  const Ontology ontology = OntologyOf(plan.classes);
  SAFFRON_TRY(Lint(ontology, plan.classes));
  const fs::path folder(options.data_dir);
  std::error_code error;
  if (!fs::is_directory(folder, error)) return Invalid(options.data_dir + ": not a folder");
  if (options.mapping_file.empty()) {
    mapping.classes = MappingsByName(ontology, plan.classes, folder);
  }
  for (const ClassDefinition& definition : plan.classes) {
    for (const ClassMapping& one : mapping.classes) {
      if (one.class_id != definition.id) continue;
      SAFFRON_ASSIGN(FileToLoad file, FileOf(ontology, folder, one));
      plan.files.push_back(std::move(file));
    }
  }
  if (plan.files.empty()) return Invalid(options.data_dir + ": no file of a class is in it");
  plan.warnings = UnreadFiles(folder, plan.files);
  return plan;
}

}  // namespace saffron
