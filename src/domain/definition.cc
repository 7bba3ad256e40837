// Class definitions as JSON.
#include <re2/re2.h>

#include <algorithm>
#include <set>

#include "domain/json_text.h"
#include "domain/ontology.h"

namespace saffron {
namespace {

using json::Kind;
using json::Member;
using json::Value;

constexpr std::size_t kMaxPatternBytes = 1000;
constexpr std::int64_t kMaxPatternMemoryBytes = 1 << 20;

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

// Reads one definition; collects what is wrong with it. Lives for one call.
class DefinitionReader {
 public:
  explicit DefinitionReader(DefinitionResult& result) : result_(result) {}

  void Read(std::string_view json, std::string_view expected_id) {
    ClassDefinition& definition = result_.definition;
    auto members = json::MembersOf(json);
    if (!members) return Add("", "wrong_type", "a class definition is a JSON object");
    CheckTwice(*members, "");
    for (const Member& member : *members) ReadClassMember(member);
    if (definition.id.empty()) definition.id = expected_id;
    if (definition.id.empty()) {
      Add("/id", "missing_required", "id is missing");
    } else if (Status named = CheckClassName(definition.id); !named.ok()) {
      Add("/id", "bad_name", named.error().message());
    } else if (!expected_id.empty() && definition.id != expected_id) {
      Add("/id", "id_mismatch", "id is not \"" + std::string(expected_id) + "\"");
    }
    CheckNames();
  }

 private:
  void Add(std::string pointer, std::string code, std::string message) {
    result_.violations.push_back({std::move(pointer), std::move(code), std::move(message)});
  }
  void Unknown(const std::string& pointer) {
    Add(pointer, "unknown_member", "a member that definitions do not have");
  }

  static std::string NameOf(const Member& member) {
    std::string scratch;
    return std::string(json::TextOf(member.key, scratch));
  }

  void CheckTwice(const std::vector<Member>& members, const std::string& pointer) {
    std::set<std::string> names;
    for (const Member& member : members) {
      if (!names.insert(NameOf(member)).second) {
        Add(pointer + json::PointerStep(NameOf(member)), "duplicate_name",
            "a member stands here twice");
      }
    }
  }

  bool ReadText(const Value& value, const std::string& pointer, std::string& out) {
    if (value.kind != Kind::kString) {
      Add(pointer, "wrong_type", "a string is expected");
      return false;
    }
    std::string scratch;
    out = json::TextOf(value, scratch);
    return true;
  }

  void ReadFlag(const Value& value, const std::string& pointer, bool& out) {
    if (value.kind != Kind::kTrue && value.kind != Kind::kFalse) {
      return Add(pointer, "wrong_type", "true or false is expected");
    }
    out = value.kind == Kind::kTrue;
  }

  // A string or a map from language to string; kept as it stands.
  void ReadLabel(const Value& value, const std::string& pointer, std::string& out) {
    bool good = value.kind == Kind::kString;
    if (value.kind == Kind::kObject) {
      auto members = json::MembersOf(value.raw);
      good = members && std::all_of(members->begin(), members->end(), [](const Member& member) {
               return member.value.kind == Kind::kString;
             });
    }
    if (!good) return Add(pointer, "wrong_type", "a string or a language map is expected");
    out = value.raw;
  }

  void ReadClassMember(const Member& member) {
    ClassDefinition& definition = result_.definition;
    std::string name = NameOf(member);
    std::string pointer = json::PointerStep(name);
    const Value& value = member.value;
    if (name == "id") {
      ReadText(value, pointer, definition.id);
    } else if (name == "label") {
      ReadLabel(value, pointer, definition.label);
    } else if (name == "description") {
      ReadLabel(value, pointer, definition.description);
    } else if (name == "parent_class") {
      if (value.kind != Kind::kNull) ReadText(value, pointer, definition.parent_class);
    } else if (name == "abstract") {
      ReadFlag(value, pointer, definition.abstract);
    } else if (name == "properties") {
      ReadList(value, pointer, [this](const std::vector<Member>& members, const std::string& at) {
        ReadProperty(members, at);
      });
    } else if (name == "relationships") {
      ReadList(value, pointer, [this](const std::vector<Member>& members, const std::string& at) {
        ReadRelationship(members, at);
      });
    } else {
      Unknown(pointer);
    }
  }

  template <class Read>
  void ReadList(const Value& value, const std::string& pointer, Read read) {
    auto elements = json::ElementsOf(value.raw);
    if (!elements) return Add(pointer, "wrong_type", "an array is expected");
    for (std::size_t i = 0; i < elements->size(); ++i) {
      std::string at = pointer + "/" + std::to_string(i);
      auto members = json::MembersOf((*elements)[i].raw);
      if (!members) {
        Add(at, "wrong_type", "an object is expected");
        continue;
      }
      CheckTwice(*members, at);
      read(*members, at);
    }
  }

  void ReadProperty(const std::vector<Member>& members, const std::string& at) {
    Property property;
    bool typed = false;
    for (const Member& member : members) {
      std::string name = NameOf(member);
      std::string pointer = at + json::PointerStep(name);
      const Value& value = member.value;
      if (name == "name") {
        ReadText(value, pointer, property.name);
      } else if (name == "type") {
        typed = true;
        ReadType(value, pointer, property);
      } else if (name == "required") {
        ReadFlag(value, pointer, property.required);
      } else if (name == "primary_key") {
        ReadFlag(value, pointer, property.primary_key);
      } else if (name == "default") {
        if (value.kind != Kind::kNull) property.default_value = value.raw;
      } else if (name == "label") {
        ReadLabel(value, pointer, property.label);
      } else if (name == "constraints") {
        ReadConstraints(value, pointer, property);
      } else {
        Unknown(pointer);
      }
    }
    if (!typed) Add(at + "/type", "missing_required", "type is missing");
    CheckMemberName(property.name, at + "/name");
    result_.definition.properties.push_back(std::move(property));
  }

  void ReadType(const Value& value, const std::string& pointer, Property& property) {
    std::string text;
    if (!ReadText(value, pointer, text)) return;
    auto type = ParsePropertyType(text);
    if (!type) return Add(pointer, "unknown_type", "there is no type \"" + text + "\"");
    property.type = *type;
  }

  void ReadConstraints(const Value& value, const std::string& at, Property& property) {
    if (value.kind == Kind::kNull) return;
    auto members = json::MembersOf(value.raw);
    if (!members) return Add(at, "wrong_type", "an object is expected");
    CheckTwice(*members, at);
    for (const Member& member : *members) {
      std::string name = NameOf(member);
      std::string pointer = at + json::PointerStep(name);
      if (name == "min" || name == "min_length") {
        ReadBound(member.value, pointer, property.min);
      } else if (name == "max" || name == "max_length") {
        ReadBound(member.value, pointer, property.max);
      } else if (name == "pattern") {
        std::string pattern;
        if (!ReadText(member.value, pointer, pattern)) continue;
        property.matcher = Pattern::Compile(pattern);
        property.pattern = std::move(pattern);
      } else if (name == "enum") {
        ReadAllowed(member.value, pointer, property);
      } else {
        Unknown(pointer);
      }
    }
  }

  void ReadBound(const Value& value, const std::string& pointer, std::optional<double>& out) {
    if (value.kind != Kind::kNumber) return Add(pointer, "wrong_type", "a number is expected");
    if (out) return Add(pointer, "duplicate_name", "this bound is given twice");
    out = json::NumberOf(value.raw);
  }

  void ReadAllowed(const Value& value, const std::string& pointer, Property& property) {
    auto elements = json::ElementsOf(value.raw);
    if (!elements || elements->empty()) {
      return Add(pointer, "wrong_type", "an array with at least one value is expected");
    }
    for (const Value& element : *elements) property.allowed.emplace_back(element.raw);
  }

  void ReadRelationship(const std::vector<Member>& members, const std::string& at) {
    Relationship relationship;
    for (const Member& member : members) {
      std::string name = NameOf(member);
      std::string pointer = at + json::PointerStep(name);
      const Value& value = member.value;
      if (name == "predicate") {
        ReadText(value, pointer, relationship.predicate);
      } else if (name == "target") {
        ReadText(value, pointer, relationship.target);
      } else if (name == "cardinality") {
        ReadCardinality(value, pointer, relationship);
      } else if (name == "inverse_predicate") {
        if (value.kind != Kind::kNull) ReadText(value, pointer, relationship.inverse_predicate);
      } else if (name == "label") {
        ReadLabel(value, pointer, relationship.label);
      } else {
        Unknown(pointer);
      }
    }
    if (relationship.target.empty()) {
      Add(at + "/target", "missing_required", "target is missing");
    }
    CheckMemberName(relationship.predicate, at + "/predicate");
    if (!relationship.inverse_predicate.empty()) {
      CheckMemberName(relationship.inverse_predicate, at + "/inverse_predicate");
    }
    result_.definition.relationships.push_back(std::move(relationship));
  }

  void ReadCardinality(const Value& value, const std::string& pointer, Relationship& out) {
    std::string text;
    if (!ReadText(value, pointer, text)) return;
    auto cardinality = ParseCardinality(text);
    if (!cardinality) return Add(pointer, "unknown_cardinality", "not one of 1:1 1:n n:1 n:m");
    out.cardinality = *cardinality;
  }

  void CheckMemberName(const std::string& name, const std::string& pointer) {
    if (name.empty()) return Add(pointer, "missing_required", "the name is missing");
    Status named = CheckPropertyName(name);
    if (!named.ok()) Add(pointer, "bad_name", named.error().message());
  }

  // Properties and relationships are members of one document: one space of names.
  void CheckNames() {
    const ClassDefinition& definition = result_.definition;
    std::set<std::string_view> names;
    auto check = [&](std::string_view name, const std::string& pointer) {
      if (!name.empty() && !names.insert(name).second) {
        Add(pointer, "duplicate_name", "\"" + std::string(name) + "\" is taken");
      }
    };
    for (std::size_t i = 0; i < definition.properties.size(); ++i) {
      check(definition.properties[i].name, "/properties/" + std::to_string(i) + "/name");
    }
    for (std::size_t i = 0; i < definition.relationships.size(); ++i) {
      check(definition.relationships[i].predicate,
            "/relationships/" + std::to_string(i) + "/predicate");
    }
  }

  DefinitionResult& result_;
};

}  // namespace

struct Pattern::Impl {
  re2::RE2 expression;
};

Pattern::Pattern(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Pattern::~Pattern() = default;

std::shared_ptr<const Pattern> Pattern::Compile(std::string_view expression) {
  if (expression.size() > kMaxPatternBytes) return nullptr;
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxPatternMemoryBytes);
  re2::StringPiece text(expression.data(), expression.size());
  std::unique_ptr<const Impl> impl(new Impl{re2::RE2(text, options)});
  if (!impl->expression.ok()) return nullptr;
  return std::shared_ptr<const Pattern>(new Pattern(std::move(impl)));
}

bool Pattern::FoundIn(std::string_view text) const {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), impl_->expression);
}

std::optional<PropertyType> ParsePropertyType(std::string_view name) {
  static const std::map<std::string, PropertyType, std::less<>> kTypes = {
      {"string", PropertyType::kString},     {"text", PropertyType::kString},
      {"integer", PropertyType::kInteger},   {"int", PropertyType::kInteger},
      {"long", PropertyType::kInteger},      {"number", PropertyType::kNumber},
      {"float", PropertyType::kNumber},      {"double", PropertyType::kNumber},
      {"decimal", PropertyType::kNumber},    {"boolean", PropertyType::kBoolean},
      {"bool", PropertyType::kBoolean},      {"date", PropertyType::kDate},
      {"datetime", PropertyType::kDateTime}, {"reference", PropertyType::kReference},
      {"link", PropertyType::kReference},    {"object", PropertyType::kObject},
      {"json", PropertyType::kObject},       {"array", PropertyType::kArray},
      {"list", PropertyType::kArray},
  };
  std::string lower = Lower(name);
  std::string_view key = lower;
  if (key.starts_with("xsd:")) key.remove_prefix(4);
  auto found = kTypes.find(key);
  if (found == kTypes.end()) return std::nullopt;
  return found->second;
}

std::string_view PropertyTypeName(PropertyType type) {
  switch (type) {
    case PropertyType::kString: return "string";
    case PropertyType::kInteger: return "integer";
    case PropertyType::kNumber: return "number";
    case PropertyType::kBoolean: return "boolean";
    case PropertyType::kDate: return "date";
    case PropertyType::kDateTime: return "datetime";
    case PropertyType::kReference: return "reference";
    case PropertyType::kObject: return "object";
    case PropertyType::kArray: return "array";
  }
  return "unknown";
}

DefinitionResult ParseClassDefinition(std::string_view json, std::string_view expected_id) {
  DefinitionResult result;
  DefinitionReader(result).Read(json, expected_id);
  return result;
}

}  // namespace saffron
