#include "domain/ontology.h"

#include <set>

namespace saffron {
namespace {

bool Has(const EffectiveClass& type, std::string_view name) {
  return type.FindProperty(name) != nullptr || type.FindRelationship(name) != nullptr;
}

// Adds the parts of one class that the ancestors added before have not.
void AddParts(const ClassDefinition& definition, EffectiveClass& out) {
  for (const Property& property : definition.properties) {
    if (Has(out, property.name)) continue;
    if (property.primary_key) out.primary_key.push_back(property.name);
    out.properties.push_back(property);
  }
  for (const Relationship& relationship : definition.relationships) {
    if (!Has(out, relationship.predicate)) out.relationships.push_back(relationship);
  }
}

}  // namespace

const Property* EffectiveClass::FindProperty(std::string_view name) const {
  for (const Property& property : properties) {
    if (property.name == name) return &property;
  }
  return nullptr;
}

const Relationship* EffectiveClass::FindRelationship(std::string_view predicate) const {
  for (const Relationship& relationship : relationships) {
    if (relationship.predicate == predicate) return &relationship;
  }
  return nullptr;
}

Result<EffectiveClass> Ontology::EffectiveOf(const ClassDefinition& definition) const {
  std::vector<const ClassDefinition*> chain = {&definition};
  std::set<std::string_view> visited = {definition.id};
  EffectiveClass out;
  for (std::string_view parent = definition.parent_class; !parent.empty();) {
    if (!visited.insert(parent).second) {
      return Conflict("class " + definition.id + " inherits from itself");
    }
    const OntologyClass* found = Find(parent);
    if (found == nullptr) return NotFound("class " + std::string(parent) + " is missing");
    chain.push_back(&found->definition);
    out.ancestors.emplace_back(parent);
    parent = found->definition.parent_class;
  }
  out.id = definition.id;
  out.abstract = definition.abstract;
  for (auto it = chain.rbegin(); it != chain.rend(); ++it) AddParts(**it, out);
  return out;
}

Ontology::Ontology(OntologyStamp database, SequenceNumber head,
                   std::map<std::string, OntologyClass> classes)
    : database_(std::move(database)), head_(head) {
  for (auto& [id, decided] : classes) classes_.emplace(id, std::move(decided));
  for (const auto& [id, decided] : classes_) {
    auto effective = EffectiveOf(decided.definition);
    if (!effective.ok()) continue;
    effective_.emplace(id, std::make_shared<const EffectiveClass>(std::move(*effective)));
  }
}

const OntologyClass* Ontology::Find(std::string_view class_id) const {
  auto found = classes_.find(class_id);
  return found == classes_.end() ? nullptr : &found->second;
}

Result<std::shared_ptr<const EffectiveClass>> Ontology::Effective(std::string_view class_id) const {
  auto found = effective_.find(class_id);
  if (found != effective_.end()) return found->second;
  return NotFound("class " + std::string(class_id) + " or one it inherits from is missing");
}

std::vector<OntologyStamp> Ontology::StampsFor(std::string_view db, std::string_view branch,
                                               std::string_view class_id) const {
  std::vector<OntologyStamp> stamps = {database_};
  auto add = [&](std::string_view id) {
    const OntologyClass* found = Find(id);
    if (found == nullptr) return;
    stamps.push_back(
        {AggregateKey::OntologyClass(db, branch, id), found->incarnation, found->number});
  };
  add(class_id);
  auto effective = effective_.find(class_id);
  if (effective == effective_.end()) return stamps;
  for (const std::string& ancestor : effective->second->ancestors) add(ancestor);
  return stamps;
}

std::vector<std::string> Ontology::Dependents(std::string_view class_id) const {
  std::vector<std::string> names;
  for (const auto& [id, decided] : classes_) {
    if (id == class_id) continue;
    bool depends = decided.definition.parent_class == class_id;
    for (const Relationship& relationship : decided.definition.relationships) {
      depends = depends || relationship.target == class_id;
    }
    if (depends) names.push_back(id);
  }
  return names;
}

}  // namespace saffron
