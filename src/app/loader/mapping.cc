#include "app/loader/mapping.h"

#include <algorithm>
#include <map>

#include "app/json_view.h"
#include "domain/instance.h"
#include "domain/names.h"

namespace saffron {
namespace {

using json::Kind;

Error BadClass(std::string_view class_id, std::string_view problem) {
  return Invalid("class " + std::string(class_id) + ": " + std::string(problem));
}

bool Contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

Result<std::vector<std::string>> Texts(const JsonView& array, std::string_view name) {
  std::vector<std::string> texts;
  for (const JsonView& element : array.Elements()) {
    auto text = element.Text();
    if (!text) return Invalid("\"" + std::string(name) + "\" is a list of strings");
    texts.push_back(std::move(*text));
  }
  if (array.exists() && !array.Is(Kind::kArray)) {
    return Invalid("\"" + std::string(name) + "\" is a list of strings");
  }
  return texts;
}

Status CheckMembers(const JsonView& object, std::initializer_list<std::string_view> known,
                    std::string_view what) {
  for (const auto& [name, value] : object.Members()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return Invalid(std::string(what) + " has no member \"" + name + "\"");
    }
  }
  return Ok();
}

// Reads the mapping of one class. Lives for one call.
class ClassMappingReader {
 public:
  ClassMappingReader(JsonView json, const std::map<std::string, ClassDefinition>& known)
      : json_(json), known_(known) {}

  Status Read() {
    SAFFRON_TRY(CheckMembers(json_,
                             {"class", "label", "description", "file", "key", "id", "columns",
                              "relationships", "constants", "ignore", "skip_empty"},
                             "the mapping of a class"));
    mapping_.class_id = json_["class"].TextOr("");
    mapping_.file = json_["file"].TextOr("");
    if (mapping_.file.empty()) return Invalid("\"file\" is missing");
    SAFFRON_TRY(CheckClassName(mapping_.class_id));
    auto found = known_.find(mapping_.class_id);
    given_ = found == known_.end() ? nullptr : &found->second;
    definition_.id = mapping_.class_id;
    definition_.label = json_["label"].raw();
    definition_.description = json_["description"].raw();
    if (json_["skip_empty"].Is(Kind::kFalse)) mapping_.skip_empty = false;
    SAFFRON_ASSIGN(keys_, Texts(json_["key"], "key"));
    SAFFRON_ASSIGN(mapping_.ignored, Texts(json_["ignore"], "ignore"));
    for (const auto& [column, how] : json_["columns"].Members()) {
      SAFFRON_TRY(ReadColumn(column, how));
    }
    for (const JsonView& one : json_["relationships"].Elements()) {
      SAFFRON_TRY(ReadRelationship(one));
    }
    SAFFRON_TRY(ReadConstants());
    SAFFRON_TRY(ReadId());
    return CheckKeys();
  }

  ClassMapping TakeMapping() { return std::move(mapping_); }
  bool Describes() const { return given_ == nullptr; }
  ClassDefinition TakeDefinition() { return std::move(definition_); }

 private:
  // The type of a property: what the class says, else what the mapping says.
  Result<PropertyType> TypeOf(const std::string& property, const std::string& type_name) {
    if (given_ != nullptr) {
      // Inherited properties are looked up along the parents.
      const ClassDefinition* at = given_;
      for (std::size_t generation = 0; at != nullptr; ++generation) {
        if (generation > known_.size()) return Invalid("the class inherits in a circle");
        for (const Property& p : at->properties) {
          if (p.name == property) return p.type;
        }
        auto parent = known_.find(at->parent_class);
        at = parent == known_.end() ? nullptr : &parent->second;
      }
      return Invalid("the class has no property \"" + property + "\"");
    }
    auto type = ParsePropertyType(type_name.empty() ? "string" : type_name);
    if (!type) return Invalid("\"" + type_name + "\" is no type of a property");
    return *type;
  }

  Status AddProperty(const std::string& column, const std::string& property,
                     const std::string& type_name, bool required) {
    SAFFRON_TRY(CheckPropertyName(property));
    SAFFRON_ASSIGN(PropertyType type, TypeOf(property, type_name));
    if (!column.empty()) mapping_.properties.push_back({column, property, type});
    Property declared;
    declared.name = property;
    declared.type = type;
    declared.required = required;
    definition_.properties.push_back(std::move(declared));
    return Ok();
  }

  Status ReadColumn(const std::string& column, const JsonView& how) {
    bool key = Contains(keys_, column);
    if (auto type_name = how.Text()) return AddProperty(column, column, *type_name, key);
    if (!how.Is(Kind::kObject)) return Invalid("column \"" + column + "\": a type or an object");
    SAFFRON_TRY(CheckMembers(
        how, {"property", "type", "required", "relationship", "target", "cardinality", "inverse"},
        "column \"" + column + "\""));
    bool linked = how["relationship"].exists();
    // A column that is a link is a property as well only when it says so or is part of the key.
    if (!linked || how["property"].exists() || how["type"].exists() || key) {
      SAFFRON_TRY(AddProperty(column, how["property"].TextOr(column), how["type"].TextOr(""),
                              key || how["required"].IsTrue()));
    }
    if (!linked) return Ok();
    return AddRelationship(how["relationship"].TextOr(""), how, IdTemplate::Joined({column}));
  }

  Status ReadRelationship(const JsonView& json) {
    SAFFRON_TRY(CheckMembers(json,
                             {"relationship", "target", "columns", "id", "cardinality", "inverse"},
                             "a relationship"));
    SAFFRON_ASSIGN(auto columns, Texts(json["columns"], "columns"));
    IdTemplate id = IdTemplate::Joined(columns);
    if (auto text = json["id"].Text()) {
      SAFFRON_ASSIGN(id, IdTemplate::Parse(*text));
    }
    if (id.Columns().empty()) return Invalid("a relationship names no column");
    return AddRelationship(json["relationship"].TextOr(""), json, std::move(id));
  }

  Status AddRelationship(const std::string& predicate, const JsonView& json, IdTemplate id) {
    RelationshipColumns columns;
    columns.predicate = predicate;
    columns.target = json["target"].TextOr("");
    columns.inverse_predicate = json["inverse"].TextOr("");
    columns.id = std::move(id);
    SAFFRON_TRY(CheckPropertyName(predicate));
    SAFFRON_TRY(CheckClassName(columns.target));
    auto cardinality = ParseCardinality(json["cardinality"].TextOr("n:1"));
    if (!cardinality) return Invalid("relationship \"" + predicate + "\": no such cardinality");
    columns.cardinality = *cardinality;
    definition_.relationships.push_back(
        {predicate, columns.target, columns.cardinality, columns.inverse_predicate, ""});
    mapping_.relationships.push_back(std::move(columns));
    return Ok();
  }

  Status ReadConstants() {
    for (const auto& [property, value] : json_["constants"].Members()) {
      if (given_ == nullptr) {
        bool number = value.Is(Kind::kNumber);
        bool truth = value.Is(Kind::kTrue) || value.Is(Kind::kFalse);
        SAFFRON_TRY(AddProperty("", property,
                                number  ? "number"
                                : truth ? "boolean"
                                        : "string",
                                false));
      }
      mapping_.constants.emplace_back(property, std::string(value.raw()));
    }
    return Ok();
  }

  // "id": a property of its own, made of columns, that is the primary key.
  Status ReadId() {
    JsonView id = json_["id"];
    if (!id.exists()) return Ok();
    SAFFRON_TRY(CheckMembers(id, {"property", "template"}, "\"id\""));
    mapping_.id_property = id["property"].TextOr("id");
    SAFFRON_ASSIGN(mapping_.id, IdTemplate::Parse(id["template"].TextOr("")));
    if (mapping_.id->Columns().empty()) return Invalid("\"id\": the template names no column");
    SAFFRON_TRY(AddProperty("", mapping_.id_property, "string", true));
    keys_.push_back("");
    return Ok();
  }

  // Marks the primary key in the order of "key".
  Status CheckKeys() {
    if (keys_.empty() && given_ == nullptr) {
      return Invalid("neither \"key\" nor \"id\"");
    }
    std::vector<Property> ordered;
    for (const std::string& key : keys_) {
      if (std::count(keys_.begin(), keys_.end(), key) > 1) {
        return Invalid("\"key\" names column \"" + key + "\" twice");
      }
      std::string name = key.empty() ? mapping_.id_property : "";
      for (const PropertyColumn& column : mapping_.properties) {
        if (!key.empty() && column.column == key) name = column.property;
      }
      if (name.empty()) return Invalid("key column \"" + key + "\" is not among the columns");
      auto found = std::find_if(definition_.properties.begin(), definition_.properties.end(),
                                [&](const Property& p) { return p.name == name; });
      SAFFRON_ASSERT(found != definition_.properties.end());
      found->primary_key = true;
      found->required = true;
      ordered.push_back(std::move(*found));
      definition_.properties.erase(found);
    }
    for (Property& rest : definition_.properties) ordered.push_back(std::move(rest));
    definition_.properties = std::move(ordered);
    return Ok();
  }

  const JsonView json_;
  const std::map<std::string, ClassDefinition>& known_;
  const ClassDefinition* given_ = nullptr;
  std::vector<std::string> keys_;
  ClassMapping mapping_;
  ClassDefinition definition_;
};

}  // namespace

Result<IdTemplate> IdTemplate::Parse(std::string_view text) {
  IdTemplate parsed;
  while (!text.empty()) {
    std::size_t open = text.find('{');
    std::size_t close = text.find('}');
    if (open == std::string_view::npos && close == std::string_view::npos) {
      parsed.parts.push_back({std::string(text), ""});
      break;
    }
    if (open == std::string_view::npos || close == std::string_view::npos || close <= open + 1) {
      return Invalid("a template is text with {column} in it");
    }
    parsed.parts.push_back(
        {std::string(text.substr(0, open)), std::string(text.substr(open + 1, close - open - 1))});
    text.remove_prefix(close + 1);
  }
  return parsed;
}

IdTemplate IdTemplate::Joined(const std::vector<std::string>& columns) {
  IdTemplate joined;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    joined.parts.push_back({i == 0 ? "" : ".", columns[i]});
  }
  return joined;
}

std::vector<std::string> IdTemplate::Columns() const {
  std::vector<std::string> columns;
  for (const Part& part : parts) {
    if (!part.column.empty()) columns.push_back(part.column);
  }
  return columns;
}

bool ClassMapping::Mentions(std::string_view column) const {
  if (Contains(ignored, column)) return true;
  for (const PropertyColumn& property : properties) {
    if (property.column == column) return true;
  }
  for (const RelationshipColumns& relationship : relationships) {
    if (Contains(relationship.id.Columns(), column)) return true;
  }
  return id && Contains(id->Columns(), column);
}

Result<Mapping> ParseMapping(std::string_view json, const std::vector<ClassDefinition>& known) {
  SAFFRON_TRY(CheckClientJson(json));
  JsonView root = JsonView::Of(json);
  if (!root["classes"].Is(Kind::kArray)) {
    return Invalid("a mapping is {\"classes\":[...]}");
  }
  std::map<std::string, ClassDefinition> by_id;
  for (const ClassDefinition& definition : known) by_id.emplace(definition.id, definition);
  Mapping mapping;
  std::size_t number = 0;
  for (const JsonView& one : root["classes"].Elements()) {
    ClassMappingReader reader(one, by_id);
    Status status = reader.Read();
    if (!status.ok()) {
      return BadClass(one["class"].TextOr("number " + std::to_string(number + 1)),
                      status.error().message());
    }
    bool described =
        std::any_of(mapping.definitions.begin(), mapping.definitions.end(),
                    [&](const ClassDefinition& d) { return d.id == one["class"].TextOr(""); });
    if (reader.Describes() && described) {
      return BadClass(one["class"].TextOr(""), "is mapped twice; give an ontology file for it");
    }
    if (reader.Describes()) mapping.definitions.push_back(reader.TakeDefinition());
    mapping.classes.push_back(reader.TakeMapping());
    ++number;
  }
  return mapping;
}

Result<std::vector<ClassDefinition>> ParseOntologyFile(std::string_view json) {
  SAFFRON_TRY(CheckClientJson(json));
  JsonView root = JsonView::Of(json);
  if (!root["classes"].Is(Kind::kArray)) {
    return Invalid("an ontology file is {\"classes\":[...]}");
  }
  std::vector<ClassDefinition> definitions;
  for (const JsonView& one : root["classes"].Elements()) {
    DefinitionResult read = ParseClassDefinition(one.raw(), "");
    std::string id = one["id"].TextOr("number " + std::to_string(definitions.size() + 1));
    if (!read.violations.empty()) {
      const Violation& first = read.violations.front();
      return BadClass(id, first.pointer + ": " + first.message);
    }
    for (const ClassDefinition& other : definitions) {
      if (other.id == read.definition.id) return BadClass(id, "is defined twice");
    }
    definitions.push_back(std::move(read.definition));
  }
  return definitions;
}

ClassMapping DefaultMapping(const EffectiveClass& type, std::string file) {
  ClassMapping mapping;
  mapping.class_id = type.id;
  mapping.whole_document = file.ends_with(".jsonl");
  mapping.file = std::move(file);
  for (const Property& property : type.properties) {
    mapping.properties.push_back({property.name, property.name, property.type});
  }
  for (const Relationship& relationship : type.relationships) {
    mapping.relationships.push_back({relationship.predicate, relationship.target,
                                     relationship.cardinality, relationship.inverse_predicate,
                                     IdTemplate::Joined({relationship.predicate})});
  }
  return mapping;
}

}  // namespace saffron
