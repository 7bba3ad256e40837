#include "adapters/elasticsearch/elastic_document.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "adapters/elasticsearch/elastic_terms.h"
#include "base/sha256.h"
#include "domain/json_text.h"

namespace saffron::elastic {
namespace {

using simdjson::SUCCESS;
using simdjson::dom::element;

constexpr std::size_t kLongestId = 512;  // of the engine

void AppendMember(std::string& out, std::string_view name, std::string_view text) {
  out.append(",\"").append(name).append("\":");
  json::AppendString(out, text);
}

void AppendMember(std::string& out, std::string_view name, std::uint64_t number) {
  out.append(",\"").append(name).append("\":");
  json::AppendNumber(out, number);
}

void AppendText(std::string& list, std::string_view text) {
  if (!list.empty()) list += ',';
  json::AppendString(list, text);
}

// Without a column: to filter by, and the ends to sort by.
void AppendWithoutColumn(const IndexedProperty& property, std::string& values, std::string& more) {
  const std::string name = TermName(property.name);
  for (const std::string& value : property.values) AppendText(values, name + "=" + value);
  more += more.empty() ? "{\"name\":" : ",{\"name\":";
  json::AppendString(more, name);
  more += ",\"value\":[";
  json::AppendString(more, property.least);
  if (property.greatest != property.least) {
    more += ',';
    json::AppendString(more, property.greatest);
  }
  more += "]}";
}

void AppendColumn(const IndexedProperty& property, std::string& out) {
  AppendText(out, property.name);
  out += ':';
  std::string values;
  for (const std::string& value : property.values) AppendText(values, value);
  out.append("[").append(values).append("]");
}

// What an instance is found by.
void AppendSearched(const SearchDocument& document, const AggregateParts& parts,
                    const PropertyColumns& columns, std::string& body,
                    std::set<std::string>& unknown) {
  AppendMember(body, "scope", ScopeText(parts.branch, parts.class_id, document.scope));
  std::string words, own, values, more;
  ForEachProperty(document.document, [&](const IndexedProperty& property) {
    words += property.words;
    if (property.values.empty()) return;
    auto column = columns.find(property.name);
    if (column == columns.end()) {
      unknown.emplace(property.name);
    } else if (column->second) {
      AppendColumn(property, own);
    } else {
      AppendWithoutColumn(property, values, more);
    }
  });
  AppendMember(body, "words", words);
  if (!own.empty()) body.append(",\"property\":{").append(own).append("}");
  if (values.empty()) return;
  body.append(",\"values\":[").append(values).append("]");
  body.append(",\"more\":[").append(more).append("]");
}

// Stored fields are arrays.
std::optional<element> FieldOf(element hit, const char* name) {
  element value;
  if (hit["fields"][name].at(0).get(value) != SUCCESS) return std::nullopt;
  return value;
}

bool ReadNumber(element hit, const char* name, SequenceNumber& out) {
  const auto field = FieldOf(hit, name);
  return field && field->get_uint64().get(out.value) == SUCCESS;
}

bool ReadKey(std::string_view text, AggregateKey& key) {
  if (text.empty() || text.front() < '1' || text.front() > '4') return false;
  key.type = static_cast<AggregateType>(text.front() - '0');
  key.id = text.substr(1);
  return true;
}

}  // namespace

std::string_view DatabaseOf(const AggregateKey& key) {
  const std::string_view id = key.id;
  return id.substr(0, std::min(id.find(':'), id.size()));
}

std::string KeyText(const AggregateKey& key) {
  std::string text(1, static_cast<char>('0' + static_cast<int>(key.type)));
  return text += key.id;
}

std::string IdOf(const AggregateKey& key) {
  std::string text = KeyText(key);
  return text.size() <= kLongestId ? text : "#" + Sha256Hex(text);
}

std::string ScopeText(std::string_view branch, std::string_view class_id, const Scope& scope) {
  std::string text(branch);
  text.append(":").append(class_id).append(":");
  json::AppendNumber(text, scope.database.value);
  text += ':';
  json::AppendNumber(text, scope.class_.value);
  return text;
}

void AppendBulkLines(const SearchDocument& document, std::string_view index,
                     const PropertyColumns& columns, std::string& body,
                     std::set<std::string>& unknown) {
  body += "{\"index\":{\"_index\":";
  json::AppendString(body, index);
  AppendMember(body, "_id", IdOf(document.key));
  AppendMember(body, "version", document.version.value);
  body += ",\"version_type\":\"external\"}}\n{\"key\":";
  json::AppendString(body, KeyText(document.key));
  const bool present = document.lifecycle == Lifecycle::kPresent;
  body += present ? ",\"present\":true" : ",\"present\":false";
  AppendMember(body, "database", document.scope.database.value);
  AppendMember(body, "class", document.scope.class_.value);
  body += ",\"updated_ms\":" + std::to_string(document.updated_ms);
  if (present) AppendMember(body, "document", document.document);
  const auto parts = SplitAggregateId(document.key);
  if (present && document.key.type == AggregateType::kInstance && parts.ok()) {
    AppendSearched(document, *parts, columns, body, unknown);
  }
  body += "}\n";
}

Result<SearchDocument> DocumentOfHit(element hit) {
  SearchDocument document;
  std::string_view text;
  bool present = false;
  const auto key = FieldOf(hit, "key"), lifecycle = FieldOf(hit, "present");
  const auto updated = FieldOf(hit, "updated_ms");
  const bool good = key && key->get_string().get(text) == SUCCESS && ReadKey(text, document.key) &&
                    lifecycle && lifecycle->get_bool().get(present) == SUCCESS && updated &&
                    updated->get_int64().get(document.updated_ms) == SUCCESS &&
                    hit["_version"].get_uint64().get(document.version.value) == SUCCESS &&
                    ReadNumber(hit, "database", document.scope.database) &&
                    ReadNumber(hit, "class", document.scope.class_);
  if (!good) return Corrupt("a document in the search index is not one of Saffron's");
  document.lifecycle = present ? Lifecycle::kPresent : Lifecycle::kAbsent;
  if (!present) return document;
  const auto body = FieldOf(hit, "document");
  if (!body || body->get_string().get(text) != SUCCESS) {
    return Corrupt("a document in the search index has no body: " + document.key.ToString());
  }
  document.document = text;
  return document;
}

}  // namespace saffron::elastic
