#include "app/loader/document.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "domain/instance.h"
#include "domain/json_text.h"
#include "domain/value_check.h"

namespace saffron {
namespace {

Error Within(const std::string& column, std::string_view problem) {
  return Invalid("column " + column + ": " + std::string(problem));
}

std::string Quoted(std::string_view text) {
  std::string out;
  json::AppendString(out, text);
  return out;
}

std::string Shortened(std::string_view text) {
  return Quoted(text.size() <= 60 ? text : text.substr(0, 60));
}

Result<std::string> ConvertInteger(std::string_view text) {
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Invalid(Shortened(text) + " is not an integer");
  }
  return std::to_string(value);
}

Result<std::string> ConvertNumber(std::string_view text) {
  // Keeps the digits: 19.90 stays 19.90.
  json::Scanner scanner(text);
  json::Value number;
  if (scanner.ReadNumber(number) && scanner.AtEnd() && number.raw.size() == text.size() &&
      std::isfinite(json::NumberOf(text))) {
    return std::string(text);
  }
  return Invalid(Shortened(text) + " is not a number");
}

Result<std::string> ConvertBoolean(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  for (std::string_view word : {"true", "t", "yes", "y", "1"}) {
    if (lower == word) return std::string("true");
  }
  for (std::string_view word : {"false", "f", "no", "n", "0"}) {
    if (lower == word) return std::string("false");
  }
  return Invalid(Shortened(text) + " is neither true nor false");
}

Result<std::string> ConvertText(std::string_view text) {
  if (!simdjson::validate_utf8(text.data(), text.size())) return Invalid("not valid UTF-8");
  if (text.find('\0') != std::string_view::npos) return Invalid("holds a NUL");
  return Quoted(text);
}

Result<std::string> ConvertJson(PropertyType type, std::string_view text) {
  bool object = type == PropertyType::kObject;
  // What a client may send is checked of objects: an array goes in wrapped.
  std::string wrapped = object ? std::string(text) : "{\"a\":" + std::string(text) + "}";
  Status status = CheckClientJson(wrapped);
  bool right = status.ok() && (object || json::ElementsOf(text).has_value());
  if (!right)
    return Invalid(Shortened(text) + (object ? " is no JSON object" : " is no JSON array"));
  return MinifyJson(text);
}

// Appends members and keeps track of the comma.
class DocumentWriter {
 public:
  void Add(std::string_view name, std::string_view raw) {
    out_.push_back(out_.empty() ? '{' : ',');
    json::AppendString(out_, name);
    out_.push_back(':');
    out_.append(raw);
  }
  std::string Take() {
    if (out_.empty()) out_.push_back('{');
    out_.push_back('}');
    return std::move(out_);
  }

 private:
  std::string out_;
};

// Nothing when a cell it needs is missing or empty.
std::optional<std::string> FillTemplate(const IdTemplate& id, const RowSource& row) {
  std::string text;
  for (const IdTemplate::Part& part : id.parts) {
    text.append(part.literal);
    if (part.column.empty()) continue;
    const Cell* cell = row.Find(part.column);
    if (cell == nullptr || cell->text.empty()) return std::nullopt;
    text.append(cell->text);
  }
  return text;
}

Result<std::string> ReferenceTo(const RelationshipColumns& relationship, std::string_view id) {
  std::string reference(id);
  bool single = relationship.id.Columns().size() == 1;
  if (!single || id.find('/') == std::string_view::npos) {
    reference = relationship.target + "/" + std::string(id);
  }
  if (!SplitReference(reference)) return Invalid(Shortened(id) + " is no id");
  return Quoted(reference);
}

Result<std::string> ReferencesTo(const RelationshipColumns& relationship, const std::string& text) {
  bool many = relationship.cardinality == Cardinality::kOneToMany ||
              relationship.cardinality == Cardinality::kManyToMany;
  if (!many) return ReferenceTo(relationship, text);
  bool separated = relationship.id.Columns().size() == 1;
  std::string out = "[";
  std::string_view rest = text;
  while (!rest.empty()) {
    std::size_t end = separated ? std::min(rest.find(';'), rest.size()) : rest.size();
    SAFFRON_ASSIGN(std::string one, ReferenceTo(relationship, rest.substr(0, end)));
    if (out.size() > 1) out.push_back(',');
    out.append(one);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out.append("]");
}

Result<std::string> ConvertOf(const PropertyColumn& property, const Cell& cell) {
  if (cell.is_json) return cell.text;  // JSONL: the validation judges its type
  return ConvertCell(property.type, cell.text);
}

}  // namespace

Result<std::string> ConvertCell(PropertyType type, std::string_view text) {
  switch (type) {
    case PropertyType::kInteger: return ConvertInteger(text);
    case PropertyType::kNumber: return ConvertNumber(text);
    case PropertyType::kBoolean: return ConvertBoolean(text);
    case PropertyType::kObject:
    case PropertyType::kArray: return ConvertJson(type, text);
    case PropertyType::kDateTime: {
      std::string time(text);
      if (time.size() > 10 && time[10] == ' ') time[10] = 'T';
      return ConvertText(time);
    }
    case PropertyType::kString:
    case PropertyType::kDate:
    case PropertyType::kReference: break;
  }
  return ConvertText(text);
}

Result<std::string> BuildDocument(const ClassMapping& mapping, const RowSource& row) {
  if (mapping.whole_document) return MinifyJson(row.Line());
  DocumentWriter document;
  if (mapping.id) {
    auto id = FillTemplate(*mapping.id, row);
    if (!id) return Invalid("a column of the id is empty");
    SAFFRON_ASSIGN(std::string text, ConvertText(*id));
    document.Add(mapping.id_property, text);
  }
  for (const PropertyColumn& property : mapping.properties) {
    const Cell* cell = row.Find(property.column);
    if (cell == nullptr) continue;
    if (cell->text.empty() && (mapping.skip_empty || property.type != PropertyType::kString)) {
      continue;
    }
    auto value = ConvertOf(property, *cell);
    if (!value.ok()) return Within(property.column, value.error().message());
    document.Add(property.property, *value);
  }
  for (const RelationshipColumns& relationship : mapping.relationships) {
    const auto columns = relationship.id.Columns();
    const Cell* only = columns.size() == 1 ? row.Find(columns.front()) : nullptr;
    if (only != nullptr && only->is_json) {
      document.Add(relationship.predicate, only->text);
      continue;
    }
    auto id = FillTemplate(relationship.id, row);
    if (!id) continue;
    auto value = ReferencesTo(relationship, *id);
    if (!value.ok()) return Within(columns.front(), value.error().message());
    document.Add(relationship.predicate, *value);
  }
  for (const auto& [property, value] : mapping.constants) document.Add(property, value);
  return document.Take();
}

}  // namespace saffron
