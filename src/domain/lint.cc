// Lint of a class definition against the decided classes of its branch.
#include <algorithm>

#include "domain/ontology.h"
#include "domain/value_check.h"

namespace saffron {
namespace {

std::string PropertyPointer(const ClassDefinition& definition, std::string_view name) {
  for (std::size_t i = 0; i < definition.properties.size(); ++i) {
    if (definition.properties[i].name == name) return "/properties/" + std::to_string(i);
  }
  return "/properties";
}

bool IsScalar(PropertyType type) {
  return type != PropertyType::kObject && type != PropertyType::kArray;
}

// Finds what is wrong with one definition. Lives for one call of Ontology::Lint.
class Linter {
 public:
  explicit Linter(const ClassDefinition& definition) : definition_(definition) {}

  void CheckParts() {
    for (std::size_t i = 0; i < definition_.properties.size(); ++i) {
      CheckProperty(definition_.properties[i], "/properties/" + std::to_string(i));
    }
  }

  void CheckTargets(const Ontology& ontology) {
    for (std::size_t i = 0; i < definition_.relationships.size(); ++i) {
      const std::string& target = definition_.relationships[i].target;
      if (target.empty() || target == definition_.id || ontology.Find(target)) continue;
      Add("/relationships/" + std::to_string(i) + "/target", "unknown_target",
          "there is no class \"" + target + "\"");
    }
  }

  // Names that a class of this line of inheritance has already.
  void CheckNamesAgainst(const ClassDefinition& other) {
    for (std::size_t i = 0; i < definition_.properties.size(); ++i) {
      CheckName(definition_.properties[i].name, other,
                "/properties/" + std::to_string(i) + "/name");
    }
    for (std::size_t i = 0; i < definition_.relationships.size(); ++i) {
      CheckName(definition_.relationships[i].predicate, other,
                "/relationships/" + std::to_string(i) + "/predicate");
    }
  }

  // Names of a subclass, against a class that it would inherit from now.
  void CheckSubclass(const ClassDefinition& subclass, const ClassDefinition& ancestor) {
    for (const Property& property : subclass.properties) {
      CheckName(property.name, ancestor, "/parent_class");
    }
    for (const Relationship& relationship : subclass.relationships) {
      CheckName(relationship.predicate, ancestor, "/parent_class");
    }
  }

  void CheckPrimaryKey(const EffectiveClass& effective) {
    if (effective.primary_key.empty() && !definition_.abstract) {
      Add("/properties", "missing_primary_key", "no property is the primary key");
    }
  }

  // What instances of the class may rely on.
  void CheckCompatible(const EffectiveClass& before, const EffectiveClass& after) {
    if (after.abstract && !before.abstract) {
      Incompatible("/abstract", "a class with instances cannot become abstract");
    }
    if (before.primary_key != after.primary_key) {
      Incompatible("/properties", "the primary key changed");
    }
    for (const Property& old : before.properties) CheckKept(old, after.FindProperty(old.name));
    for (const Property& property : after.properties) {
      const Property* old = before.FindProperty(property.name);
      bool newly_required = property.required && (old == nullptr || !old->required);
      if (newly_required && property.default_value.empty()) {
        Incompatible(PropertyPointer(definition_, property.name),
                     "\"" + property.name + "\" became required and has no default");
      }
    }
    for (const Relationship& old : before.relationships) {
      const Relationship* now = after.FindRelationship(old.predicate);
      if (now == nullptr) {
        Incompatible("/relationships", "relationship \"" + old.predicate + "\" was removed");
      } else if (now->target != old.target || now->cardinality != old.cardinality) {
        Incompatible("/relationships",
                     "target or cardinality of \"" + old.predicate + "\" changed");
      }
    }
  }

  void Add(std::string pointer, std::string code, std::string message) {
    Violation violation{std::move(pointer), std::move(code), std::move(message)};
    if (std::find(violations_.begin(), violations_.end(), violation) == violations_.end()) {
      violations_.push_back(std::move(violation));
    }
  }

  std::vector<Violation> Take() { return std::move(violations_); }

 private:
  void Incompatible(std::string pointer, std::string message) {
    Add(std::move(pointer), "incompatible_change", std::move(message));
  }

  void CheckKept(const Property& old, const Property* now) {
    if (now == nullptr) {
      Incompatible("/properties", "property \"" + old.name + "\" was removed");
    } else if (now->type != old.type) {
      Incompatible(PropertyPointer(definition_, old.name) + "/type",
                   "the type of \"" + old.name + "\" changed");
    }
  }

  void CheckName(const std::string& name, const ClassDefinition& other, std::string pointer) {
    bool taken = std::any_of(other.properties.begin(), other.properties.end(),
                             [&](const Property& p) { return p.name == name; }) ||
                 std::any_of(other.relationships.begin(), other.relationships.end(),
                             [&](const Relationship& r) { return r.predicate == name; });
    if (taken) {
      Add(std::move(pointer), "duplicate_name", "\"" + name + "\" is taken by class " + other.id);
    }
  }

  void CheckProperty(const Property& property, const std::string& at) {
    bool number = property.type == PropertyType::kInteger || property.type == PropertyType::kNumber;
    bool text = property.type == PropertyType::kString;
    std::string constraints = at + "/constraints";
    if ((property.min || property.max) && !number && !text) {
      Add(constraints, "bad_constraint", "min and max are for numbers and strings");
    }
    if (property.min && property.max && *property.min > *property.max) {
      Add(constraints, "bad_constraint", "min is above max");
    }
    if (property.pattern && !text) {
      Add(constraints + "/pattern", "bad_constraint", "a pattern is for strings");
    } else if (property.pattern && !Pattern::Compile(*property.pattern)) {
      Add(constraints + "/pattern", "bad_constraint", "not a regular expression (RE2 syntax)");
    }
    if (property.primary_key && !IsScalar(property.type)) {
      Add(at + "/primary_key", "bad_primary_key", "a primary key is a scalar");
    }
    if (property.primary_key && !property.default_value.empty()) {
      Add(at + "/default", "bad_default", "a primary key has none: it tells instances apart");
    }
    CheckAllowed(property, constraints);
    CheckDefault(property, at);
  }

  void CheckAllowed(const Property& property, const std::string& constraints) {
    Property plain = property;
    plain.allowed.clear();
    for (std::size_t i = 0; i < property.allowed.size(); ++i) {
      if (!Accepts(plain, property.allowed[i])) {
        Add(constraints + "/enum/" + std::to_string(i), "bad_constraint",
            "not a value that the property may have");
      }
    }
  }

  void CheckDefault(const Property& property, const std::string& at) {
    if (!property.default_value.empty() && !Accepts(property, property.default_value)) {
      Add(at + "/default", "bad_default", "not a value that the property may have");
    }
  }

  static bool Accepts(const Property& property, std::string_view raw) {
    json::Scanner scanner(raw);
    json::Value value;
    return scanner.ReadValue(value) && scanner.AtEnd() && !CheckValue(property, value);
  }

  const ClassDefinition& definition_;
  std::vector<Violation> violations_;
};

}  // namespace

std::vector<Violation> Ontology::Lint(const ClassDefinition& definition,
                                      Operation operation) const {
  Linter linter(definition);
  linter.CheckParts();
  linter.CheckTargets(*this);
  auto after = EffectiveOf(definition);
  if (after.Is(Code::kConflict)) {
    linter.Add("/parent_class", "inheritance_cycle", after.error().message());
    return linter.Take();
  }
  if (!after.ok()) {
    linter.Add("/parent_class", "unknown_parent", after.error().message());
    return linter.Take();
  }
  for (const std::string& ancestor : after->ancestors) {
    linter.CheckNamesAgainst(Find(ancestor)->definition);
  }
  auto before = effective_.find(definition.id);
  const bool moved = before != effective_.end() && before->second->ancestors != after->ancestors;
  for (const auto& [id, effective] : effective_) {
    const auto& ancestors = effective->ancestors;
    if (std::find(ancestors.begin(), ancestors.end(), definition.id) == ancestors.end()) continue;
    linter.CheckNamesAgainst(Find(id)->definition);
    for (const std::string& ancestor : after->ancestors) {
      if (moved) linter.CheckSubclass(Find(id)->definition, Find(ancestor)->definition);
    }
  }
  linter.CheckPrimaryKey(*after);
  if (operation == Operation::kUpdate && before != effective_.end()) {
    linter.CheckCompatible(*before->second, *after);
  }
  return linter.Take();
}

}  // namespace saffron
