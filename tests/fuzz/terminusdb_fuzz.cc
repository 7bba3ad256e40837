// What TerminusDB sends: nodes, fences, ids, bindings, errors. A node that was read is written as
// the writer writes it, and read again.
#include "adapters/terminusdb/terminus_answers.h"
#include "adapters/terminusdb/terminus_documents.h"
#include "tests/fuzz/properties.h"
#include "tests/fuzz/reference_json.h"

namespace saffron::fuzz {
namespace {

using terminus::StoredNode;
using terminus::Woql;

constexpr std::string_view kPrefix = "admin/saffron_g";

// The value of a field of the document that a query writes; null: none of that name.
const JsonNode* FieldOf(const JsonNode& query, std::string_view field) {
  const JsonNode& clause = query.Find("query")->Find("and")->elements.front();
  const JsonNode& data = *clause.Find("document")->Find("dictionary")->Find("data");
  for (const JsonNode& pair : data.elements) {
    if (pair.Find("field")->text != field) continue;
    const JsonNode* value = pair.Find("value")->Find("data");
    return value == nullptr ? nullptr : value->Find("@value");
  }
  return nullptr;
}

// The document that the server makes of it.
std::string WrittenNode(const StoredNode& stored) {
  const std::string id = terminus::IdOf(stored.node.key);
  Woql query;
  query.WriteNode(Woql::Mode::kInsert, id, stored.node);
  const auto written = ReadJson(std::move(query).Finish());
  Require(written.has_value(), "a query is JSON");
  std::string document = "{\"@id\":";
  json::AppendString(document, id);
  document += ",\"version\":" + FieldOf(*written, "version")->text;
  for (const std::string_view name : {"facts", "document"}) {
    const JsonNode* value = FieldOf(*written, name);
    if (value == nullptr) continue;
    document.append(",\"").append(name).append("\":");
    json::AppendString(document, value->text);
  }
  return document + "}";
}

void CheckNode(std::string_view bytes) {
  const auto stored = terminus::ParseNode(bytes);
  if (!stored.ok()) return Require(stored.Is(Code::kCorrupt), "what is no node is damaged");
  const auto document = ReadJson(bytes);
  if (document) Require(document->Find("version") != nullptr, "a node has a version");
  if (!SplitAggregateId(stored->node.key).ok()) return;  // no commit takes it
  if (stored->node.version == SequenceNumber()) return;  // a placeholder
  const auto again = terminus::ParseNode(WrittenNode(*stored));
  Require(again.ok(), "a node that was written is read");
  GraphNode expected = stored->node;
  // Bytes that are no UTF-8 are not sent.
  if (document) Require(again->node == expected, "a node comes back as it was");
}

void CheckIds(std::string_view bytes) {
  for (int type = 1; type <= 4; ++type) {
    const AggregateKey key{static_cast<AggregateType>(type), std::string(bytes)};
    Require(terminus::KeyOf(terminus::IdOf(key)) == key, "a key comes back from its id");
  }
  if (const auto key = terminus::KeyOf(bytes)) {
    Require(terminus::KeyOf(terminus::IdOf(*key)) == key, "an id that was read is written");
  }
  if (const auto fence = terminus::Fence::Parse(bytes)) {
    Require(fence->ToString() == bytes, "a fence has one text");
  }
  if (const auto generation = terminus::ParseGeneration(bytes)) {
    Require(*generation > 0 && std::to_string(*generation) == bytes, "a generation has one text");
  }
}

void CheckBindings(std::string_view bytes, const JsonNode& answer) {
  const auto bindings = terminus::ParseBindings(bytes, "S", "T");
  if (!bindings.ok()) return Require(bindings.Is(Code::kUnavailable), "a refusal has its code");
  const JsonNode* rows = answer.Find("bindings");
  if (rows == nullptr) return;  // its name has escapes
  Require(bindings->count == rows->elements.size(), "every row is counted");
  Require(bindings->pairs.size() == bindings->count, "every row is a pair");
  const auto counted = terminus::ParseBindings(bytes, {}, {});
  Require(counted.ok() && counted->count == bindings->count, "counting counts the same");
}

bool HasText(const JsonNode& node, std::string_view text) {
  if (node.kind == JsonNode::Kind::kString && node.text.find(text) != std::string::npos)
    return true;
  for (const auto& [name, value] : node.members) {
    if (HasText(value, text)) return true;
  }
  for (const JsonNode& element : node.elements) {
    if (HasText(element, text)) return true;
  }
  return false;
}

void CheckLists(std::string_view bytes, const JsonNode& answer) {
  const auto documents = terminus::ParseDocumentList(bytes);
  if (!documents) return;
  Require(documents->size() == answer.elements.size(), "every document of a list is told");
  for (std::size_t i = 0; i < documents->size(); ++i) {
    Require(ReadJson((*documents)[i]) == answer.elements[i], "as it stands there");
  }
  const auto generations = terminus::ParseGenerations(bytes, kPrefix);
  Require(generations.has_value(), "a list is one for both");
  for (const std::uint64_t generation : *generations) {
    Require(HasText(answer, std::string(kPrefix) + std::to_string(generation)),
            "a generation is of a database");
  }
}

}  // namespace

void FuzzTerminusdb(std::string_view bytes) {
  CheckIds(bytes);
  CheckNode(bytes);
  const std::string type = terminus::ErrorTypeOf(bytes), message = terminus::MessageOf(bytes);
  Require(message.size() <= 500, "a message is cut");
  const auto answer = ReadJson(bytes);
  if (!answer) return;
  Require(HasText(*answer, type) || type.empty(), "an error is the server's");
  Require(HasText(*answer, message) || message.empty(), "a message is the server's");
  CheckBindings(bytes, *answer);
  CheckLists(bytes, *answer);
}

}  // namespace saffron::fuzz
