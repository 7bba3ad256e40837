// Documents against their class.
#include <charconv>
#include <cmath>

#include "domain/instance.h"
#include "domain/json_text.h"
#include "domain/value_check.h"

namespace saffron {
namespace {

using json::Kind;
using json::Value;

constexpr std::size_t kMaxViolations = 100;

// One pass over the members of a document or patch. Lives for one call.
class DocumentCheck {
 public:
  explicit DocumentCheck(const EffectiveClass& type)
      : type_(type), seen_(type.properties.size(), false) {}

  std::vector<Violation> Whole(std::string_view document) {
    if (type_.abstract) Add("", "abstract_class", "an abstract class has no instances");
    if (!ForEachMember(document, [this](std::string_view name, const Value& value) {
          CheckMember(name, value);
        })) {
      return std::move(violations_);
    }
    for (std::size_t i = 0; i < seen_.size(); ++i) {
      const Property& property = type_.properties[i];
      if (property.required && !seen_[i] && property.default_value.empty()) {
        Add(json::PointerStep(property.name), "missing_required", property.name + " is required");
      }
    }
    return std::move(violations_);
  }

  std::vector<Violation> Patch(std::string_view patch) {
    ForEachMember(patch, [this](std::string_view name, const Value& value) {
      const Property* property = type_.FindProperty(name);
      if (property != nullptr && property->primary_key) {
        return Add(json::PointerStep(name), "primary_key_change", "a primary key never changes");
      }
      if (value.kind == Kind::kNull) return CheckRemoval(name, property);
      // A patch of an object is judged when it is merged.
      bool merges = property != nullptr && property->type == PropertyType::kObject;
      if (!merges || value.kind != Kind::kObject) CheckMember(name, value);
    });
    return std::move(violations_);
  }

 private:
  template <class Visit>
  bool ForEachMember(std::string_view document, Visit visit) {
    json::Scanner scanner(document);
    Kind kind = Kind::kNull;
    if (!scanner.Peek(kind) || kind != Kind::kObject || !scanner.Enter()) return Malformed();
    for (;;) {
      Value key;
      Value value;
      bool done = false;
      if (!scanner.NextMember(key, done)) return Malformed();
      if (done) break;
      if (!scanner.ReadValue(value)) return Malformed();
      visit(json::TextOf(key, scratch_), value);
      if (violations_.size() >= kMaxViolations) return false;
    }
    return scanner.AtEnd() || Malformed();
  }

  bool Malformed() {
    Add("", "wrong_type", "not a JSON object");
    return false;
  }

  void Add(std::string pointer, std::string code, std::string message) {
    violations_.push_back({std::move(pointer), std::move(code), std::move(message)});
  }

  void CheckRemoval(std::string_view name, const Property* property) {
    if (property == nullptr && type_.FindRelationship(name) == nullptr) return AddUnknown(name);
    if (property != nullptr && property->required) {
      Add(json::PointerStep(name), "missing_required", property->name + " is required");
    }
  }

  void AddUnknown(std::string_view name) {
    Add(json::PointerStep(name), "unknown_property",
        "class " + type_.id + " has no property or relationship of this name");
  }

  void CheckMember(std::string_view name, const Value& value) {
    if (const Property* property = type_.FindProperty(name)) {
      seen_[static_cast<std::size_t>(property - type_.properties.data())] = true;
      auto wrong = CheckValue(*property, value);
      if (wrong) Add(json::PointerStep(name), std::move(wrong->code), std::move(wrong->message));
      return;
    }
    const Relationship* relationship = type_.FindRelationship(name);
    if (relationship == nullptr) return AddUnknown(name);
    CheckRelationship(name, *relationship, value);
  }

  void CheckRelationship(std::string_view name, const Relationship& relationship,
                         const Value& value) {
    bool many = relationship.cardinality == Cardinality::kOneToMany ||
                relationship.cardinality == Cardinality::kManyToMany;
    if (!many) {
      if (!IsReference(value)) {
        Add(json::PointerStep(name), "wrong_type", "one reference \"Class/id\" is expected");
      }
      return;
    }
    auto elements = json::ElementsOf(value.raw);
    if (!elements) {
      return Add(json::PointerStep(name), "wrong_type",
                 "an array of references \"Class/id\" is expected");
    }
    for (std::size_t i = 0; i < elements->size() && violations_.size() < kMaxViolations; ++i) {
      if (IsReference((*elements)[i])) continue;
      Add(json::PointerStep(name) + "/" + std::to_string(i), "wrong_type",
          "a reference \"Class/id\" is expected");
    }
  }

  const EffectiveClass& type_;
  std::vector<bool> seen_;
  std::string scratch_;
  std::vector<Violation> violations_;
};

}  // namespace

std::vector<Violation> ValidateDocument(const EffectiveClass& type, std::string_view document) {
  return DocumentCheck(type).Whole(document);
}

std::vector<Violation> ValidatePatch(const EffectiveClass& type, std::string_view patch) {
  return DocumentCheck(type).Patch(patch);
}

}  // namespace saffron
