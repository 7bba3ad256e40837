#include <array>
#include <charconv>

#include "domain/json_text.h"
#include "domain/ontology.h"

namespace saffron {
namespace {

// Writes the members of one object. Lives for one object.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_.push_back('{'); }
  void Close() { out_.push_back('}'); }

  void Raw(std::string_view name, std::string_view raw) { Key(name).append(raw); }
  void Text(std::string_view name, std::string_view text) { json::AppendString(Key(name), text); }
  void Number(std::string_view name, double value) {
    std::array<char, 32> digits;
    auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    Key(name).append(digits.data(), end);
  }
  std::string& Key(std::string_view name) {
    if (!first_) out_.push_back(',');
    first_ = false;
    return out_.append("\"").append(name).append("\":");
  }

 private:
  std::string& out_;
  bool first_ = true;
};

void AppendConstraints(std::string& out, const Property& property) {
  ObjectWriter writer(out);
  if (property.min) writer.Number("min", *property.min);
  if (property.max) writer.Number("max", *property.max);
  if (property.pattern) writer.Text("pattern", *property.pattern);
  if (!property.allowed.empty()) {
    writer.Key("enum").push_back('[');
    for (const std::string& value : property.allowed) {
      if (&value != property.allowed.data()) out.push_back(',');
      out.append(value);
    }
    out.push_back(']');
  }
  writer.Close();
}

void AppendProperty(std::string& out, const Property& property) {
  ObjectWriter writer(out);
  writer.Text("name", property.name);
  writer.Text("type", PropertyTypeName(property.type));
  if (property.required) writer.Raw("required", "true");
  if (property.primary_key) writer.Raw("primary_key", "true");
  if (!property.default_value.empty()) writer.Raw("default", property.default_value);
  if (property.min || property.max || property.pattern || !property.allowed.empty()) {
    AppendConstraints(writer.Key("constraints"), property);
  }
  if (!property.label.empty()) writer.Raw("label", property.label);
  writer.Close();
}

void AppendRelationship(std::string& out, const Relationship& relationship) {
  ObjectWriter writer(out);
  writer.Text("predicate", relationship.predicate);
  writer.Text("target", relationship.target);
  writer.Text("cardinality", CardinalityName(relationship.cardinality));
  if (!relationship.inverse_predicate.empty()) {
    writer.Text("inverse_predicate", relationship.inverse_predicate);
  }
  if (!relationship.label.empty()) writer.Raw("label", relationship.label);
  writer.Close();
}

template <class T, class Append>
void AppendList(std::string& out, const std::vector<T>& items, Append append) {
  out.push_back('[');
  for (const T& item : items) {
    if (&item != items.data()) out.push_back(',');
    append(out, item);
  }
  out.push_back(']');
}

}  // namespace

std::string_view CardinalityName(Cardinality cardinality) {
  switch (cardinality) {
    case Cardinality::kOneToOne: return "1:1";
    case Cardinality::kOneToMany: return "1:n";
    case Cardinality::kManyToOne: return "n:1";
    case Cardinality::kManyToMany: return "n:m";
  }
  return "unknown";
}

std::optional<Cardinality> ParseCardinality(std::string_view name) {
  for (auto cardinality : {Cardinality::kOneToOne, Cardinality::kOneToMany, Cardinality::kManyToOne,
                           Cardinality::kManyToMany}) {
    if (CardinalityName(cardinality) == name) return cardinality;
  }
  return std::nullopt;
}

std::string EncodeClassDefinition(const ClassDefinition& definition) {
  std::string out;
  ObjectWriter writer(out);
  writer.Text("id", definition.id);
  if (!definition.label.empty()) writer.Raw("label", definition.label);
  if (!definition.description.empty()) writer.Raw("description", definition.description);
  if (!definition.parent_class.empty()) writer.Text("parent_class", definition.parent_class);
  if (definition.abstract) writer.Raw("abstract", "true");
  AppendList(writer.Key("properties"), definition.properties, AppendProperty);
  AppendList(writer.Key("relationships"), definition.relationships, AppendRelationship);
  writer.Close();
  return out;
}

}  // namespace saffron
