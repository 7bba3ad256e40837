// The answers of Elasticsearch and OpenSearch, read by simdjson, against RapidJSON.
#include "adapters/elasticsearch/elastic_answers.h"

#include <simdjson.h>

#include "base/sha256.h"
#include "domain/json_text.h"
#include "tests/fuzz/properties.h"
#include "tests/fuzz/reference_json.h"

namespace saffron::fuzz {
namespace {

using elastic::BulkItem;

constexpr std::size_t kMostHits = 10;
constexpr std::string_view kPrefix = "saffron";

// Empty: not there.
const JsonNode& At(const JsonNode& node, std::initializer_list<std::string_view> path) {
  static const JsonNode kNothing;
  const JsonNode* at = &node;
  for (const std::string_view name : path) {
    at = at->Find(name);
    if (at == nullptr) return kNothing;
  }
  return *at;
}

template <class T>
void RequireRefusal(const Result<T>& result) {
  Require(result.Is(Code::kUnavailable) || result.Is(Code::kCorrupt), "a refusal has its code");
}

HttpResponse Answer(int status, std::string_view body) {
  HttpResponse response;
  response.status = status;
  response.body = body;
  return response;
}

bool IsUtf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

// Whatever the status: a document is done only when the engine says so.
void CheckBulk(std::string_view bytes, const JsonNode& answer) {
  const std::size_t items = At(answer, {"items"}).elements.size();
  Require(elastic::ParseBulk(bytes, items + 1).Is(Code::kUnknownOutcome),
          "an answer of too few items is not understood");
  const auto parsed = elastic::ParseBulk(bytes, items);
  if (!parsed.ok()) return Require(parsed.Is(Code::kUnknownOutcome), "what is unknown may be done");
  Require(parsed->size() == items, "each item has its fate");
  for (std::size_t i = 0; i < items; ++i) {
    const JsonNode& result = At(At(answer, {"items"}).elements[i], {"index"});
    const std::string& status = At(result, {"status"}).text;
    const JsonNode& type = At(result, {"error", "type"});
    const bool done =
        (status.size() == 3 && status[0] == '2') ||
        (type.kind == JsonNode::Kind::kString && type.text == "version_conflict_engine_exception");
    Require(((*parsed)[i].fate == BulkItem::Fate::kDone) == done, "done is what was written");
    Require((*parsed)[i].why.size() < 700 && IsUtf8((*parsed)[i].why), "a reason is short text");
  }
}

void AppendField(std::string& hit, std::string_view name, std::string_view value) {
  hit.append(hit.back() == '{' ? "\"" : ",\"").append(name).append("\":[");
  hit.append(value).append("]");
}

// As the engine tells of a stored document.
std::string Written(const SearchDocument& document) {
  std::string hit = "{\"_version\":" + std::to_string(document.version.value) + ",\"fields\":{";
  std::string text;
  json::AppendString(
      text, static_cast<char>('0' + static_cast<int>(document.key.type)) + document.key.id);
  const bool present = document.lifecycle == Lifecycle::kPresent;
  AppendField(hit, "key", text);
  AppendField(hit, "present", present ? "true" : "false");
  AppendField(hit, "database", std::to_string(document.scope.database.value));
  AppendField(hit, "class", std::to_string(document.scope.class_.value));
  AppendField(hit, "updated_ms", std::to_string(document.updated_ms));
  text.clear();
  json::AppendString(text, document.document);
  if (present) AppendField(hit, "document", text);
  return hit + "},\"sort\":[\"key\"]}";
}

void CheckDocuments(const std::vector<SearchDocument>& documents) {
  std::string body = "{\"_shards\":{\"failed\":0},\"hits\":{\"hits\":[";
  for (const SearchDocument& document : documents) {
    if (body.back() != '[') body.push_back(',');
    body += Written(document);
  }
  elastic::FoundDocuments again{.documents = {}, .limit = kMostHits, .after = std::nullopt};
  Require(again.Take(body + "]}}").ok(), "documents are found again");
  Require(again.documents == documents, "they come back as they were");
}

void CheckSearch(std::string_view bytes, const JsonNode& answer) {
  elastic::FoundDocuments found{.documents = {}, .limit = kMostHits, .after = std::nullopt};
  const Status taken = found.Take(bytes);
  const auto& hits = At(answer, {"hits", "hits"}).elements;
  if (!taken.ok()) {
    Require(taken.Is(Code::kUnavailable) || taken.Is(Code::kCorrupt), "a refusal has its code");
    return;
  }
  Require(found.documents.size() == std::min(hits.size(), kMostHits), "every hit is taken");
  Require(found.more == (hits.size() > kMostHits), "what was not taken is told");
  Require(!found.after || found.after->size() == 1, "a place is one to go on from");
  CheckDocuments(found.documents);
}

void CheckById(std::string_view bytes, const JsonNode& answer) {
  const auto documents = elastic::ParseDocuments(bytes);
  if (!documents.ok()) return RequireRefusal(documents);
  Require(documents->size() <= At(answer, {"docs"}).elements.size(), "no document is made up");
  if (documents->size() <= kMostHits) CheckDocuments(*documents);
}

void CheckWatermark(std::string_view bytes) {
  for (const int status : {200, 404, 500}) {
    const auto value = elastic::ParseWatermark(Answer(status, bytes));
    if (!value.ok()) {
      RequireRefusal(value);
      continue;
    }
    Require(status == 200 || value->empty(), "what is not there is empty");
    const std::string body = "{\"_source\":{\"value\":\"" + HexOf(*value) + "\"}}";
    const auto again = elastic::ParseWatermark(Answer(200, body));
    Require(again.ok() && *again == *value, "a watermark comes back");
  }
}

void CheckGeneration(std::string_view index) {
  const auto generation = elastic::GenerationOf(kPrefix, index);
  if (!generation) return;
  const std::string stem = std::string(kPrefix) + ".g" + std::to_string(*generation);
  Require(index.starts_with(stem), "a generation has one name");
  Require(index.size() == stem.size() || index[stem.size()] == '.', "nothing else has it");
}

void CheckIndexes(std::string_view bytes, const JsonNode& answer) {
  const auto names = elastic::ParseIndexNames(bytes);
  if (!names.ok()) return RequireRefusal(names);
  Require(names->size() == answer.members.size(), "every index is told");
  std::size_t columns = 0;
  for (std::size_t i = 0; i < names->size(); ++i) {
    const auto& [name, index] = answer.members[i];
    Require(name == (*names)[i], "an index has its name");
    CheckGeneration(name);
    columns += At(index, {"mappings", "properties", "property", "properties"}).members.size();
  }
  const auto found = elastic::ParseColumnNames(bytes);
  Require(found.ok() && found->size() == columns, "every column is told");
  const auto other = elastic::FindOtherFormat(bytes, 1);
  Require(other.ok(), "every index has a format");
  if (*other) return Require(answer.Find(**other) != nullptr, "another format is of an index");
  for (const auto& [name, index] : answer.members) {
    const std::string& format = At(index, {"mappings", "_meta", "saffron_format"}).text;
    Require(format == "1", "one format is ours");
  }
}

}  // namespace

void FuzzElasticsearch(std::string_view bytes) {
  CheckGeneration(bytes);
  CheckWatermark(bytes);
  const std::string said = elastic::ExplainAnswer(Answer(400, bytes));
  Require(said.starts_with("HTTP 400") && said.size() < 700, "an error is told in short");
  Require(IsUtf8(said), "and in text");
  const auto answer = ReadJson(bytes);
  if (!answer) {
    Require(!elastic::ParseIndexNames(bytes).ok(), "what simdjson reads is JSON");
    return;
  }
  CheckBulk(bytes, *answer);
  CheckSearch(bytes, *answer);
  CheckById(bytes, *answer);
  CheckIndexes(bytes, *answer);
  (void)elastic::CheckRefresh(bytes);
  const auto total = elastic::ParseTotal(bytes);
  if (!total.ok()) return RequireRefusal(total);
  const std::string& text = At(*answer, {"hits", "total", "value"}).text;
  Require(text == std::to_string(*total), "a total is the engine's");
}

}  // namespace saffron::fuzz
