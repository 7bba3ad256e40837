#include "adapters/elasticsearch/elastic_answers.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>

#include "adapters/elasticsearch/elastic_document.h"

namespace saffron::elastic {
namespace {

using simdjson::SUCCESS;
using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t kLongestReason = 300;

Error Unreadable() { return Unavailable("Elasticsearch: an answer that is not understood"); }

bool Parse(std::string_view body, simdjson::dom::parser& parser, element& answer) {
  return parser.parse(body.data(), body.size()).get(answer) == SUCCESS;
}

// The members of an answer by index.
bool ParseIndexes(std::string_view body, simdjson::dom::parser& parser, object& indexes) {
  element answer;
  return Parse(body, parser, answer) && answer.get_object().get(indexes) == SUCCESS;
}

// Empty: not there, or no text.
std::string_view TextAt(simdjson::simdjson_result<element> value) {
  std::string_view text;
  return value.get_string().get(text) == SUCCESS ? text : std::string_view();
}

// The first bytes, between characters.
std::string_view Shortened(std::string_view text) {
  std::size_t size = std::min(text.size(), kLongestReason);
  while (size < text.size() && size > 0 && (text[size] & 0xc0) == 0x80) --size;
  return text.substr(0, size);
}

Result<SortValues> PlaceOf(element hit, std::size_t sort_values) {
  array sort;
  if (hit["sort"].get_array().get(sort) != SUCCESS || sort.size() != sort_values) {
    return Unreadable();
  }
  SortValues place;
  for (element value : sort) {
    std::string_view text;
    const bool there = value.get_string().get(text) == SUCCESS;
    place.push_back(there ? std::optional<std::string>(text) : std::nullopt);
  }
  if (!place.back()) return Unreadable();  // the key, which each document has
  return place;
}

BulkItem::Fate FateOf(std::int64_t status, std::string_view type, std::string_view reason) {
  using Fate = BulkItem::Fate;
  if (status / 100 == 2 || type == "version_conflict_engine_exception") return Fate::kDone;
  // Switched or dropped meanwhile: the index, or its columns, are others than the known ones.
  if (status == 404 || type == "strict_dynamic_mapping_exception") return Fate::kForget;
  // Two generations under one alias, for a moment.
  if (reason.find("no write index") != std::string_view::npos) return Fate::kAgain;
  // Among them: full disk (403 cluster_block_exception), overload (429), a lost shard (503).
  if (status == 401 || status == 403 || status == 409 || status == 429 || status >= 500) {
    return Fate::kAgain;
  }
  return Fate::kRefused;
}

}  // namespace

std::string ExplainAnswer(const HttpResponse& response) {
  std::string text = "HTTP " + std::to_string(response.status);
  simdjson::dom::parser parser;
  element answer;
  if (!Parse(response.body, parser, answer)) return text;
  const std::string_view type = TextAt(answer["error"]["type"]);
  if (!type.empty()) text.append(" ").append(Shortened(type));
  if (type == "security_exception") return text;  // its words may repeat what was sent
  const std::string_view reason = TextAt(answer["error"]["reason"]);
  if (!reason.empty()) text.append(": ").append(Shortened(reason));
  return text;
}

Result<std::vector<BulkItem>> ParseBulk(std::string_view body, std::size_t items) {
  const Error unknown = UnknownOutcome("Elasticsearch: a bulk answer that is not understood");
  simdjson::dom::parser parser;
  element answer;
  array list;
  if (!Parse(body, parser, answer) || answer["items"].get_array().get(list) != SUCCESS ||
      list.size() != items) {
    return unknown;
  }
  std::vector<BulkItem> parsed;
  parsed.reserve(items);
  for (element item : list) {
    const auto result = item["index"];
    std::int64_t status = 0;
    if (result["status"].get_int64().get(status) != SUCCESS) return unknown;
    const std::string_view type = TextAt(result["error"]["type"]);
    const std::string_view reason = TextAt(result["error"]["reason"]);
    BulkItem& one = parsed.emplace_back();
    one.fate = FateOf(status, type, reason);
    if (one.fate == BulkItem::Fate::kDone) continue;
    one.why = "HTTP " + std::to_string(status) + " ";
    one.why.append(Shortened(type)).append(": ").append(Shortened(reason));
  }
  return parsed;
}

Status FoundDocuments::Take(std::string_view body) {
  simdjson::dom::parser parser;
  element answer;
  array hits;
  std::int64_t failed = 0;
  if (!Parse(body, parser, answer) ||
      answer["_shards"]["failed"].get_int64().get(failed) != SUCCESS ||
      answer["hits"]["hits"].get_array().get(hits) != SUCCESS) {
    return Unreadable();
  }
  if (failed != 0) return Unavailable("Elasticsearch: some shards do not answer");
  std::optional<element> last;
  for (element hit : hits) {
    if (documents.size() == limit) {
      more = true;
      break;
    }
    SAFFRON_ASSIGN(SearchDocument document, DocumentOfHit(hit));
    documents.push_back(std::move(document));
    last = hit;
  }
  if (!last) return Ok();
  SAFFRON_ASSIGN(after, PlaceOf(*last, sort_values));
  return Ok();
}

Result<std::uint64_t> ParseTotal(std::string_view body) {
  simdjson::dom::parser parser;
  element answer;
  std::uint64_t total = 0;
  if (!Parse(body, parser, answer) ||
      answer["hits"]["total"]["value"].get_uint64().get(total) != SUCCESS) {
    return Unreadable();
  }
  return total;
}

Result<std::vector<SearchDocument>> ParseDocuments(std::string_view body) {
  simdjson::dom::parser parser;
  element answer;
  array list;
  if (!Parse(body, parser, answer) || answer["docs"].get_array().get(list) != SUCCESS) {
    return Unreadable();
  }
  std::vector<SearchDocument> found;
  for (element hit : list) {
    bool there = false;
    std::string_view error;
    if (hit["error"]["type"].get_string().get(error) == SUCCESS) {
      if (error == "index_not_found_exception") continue;  // nothing of that database yet
      return Unavailable("Elasticsearch: " + std::string(Shortened(error)));
    }
    if (hit["found"].get_bool().get(there) != SUCCESS) return Unreadable();
    if (!there) continue;
    SAFFRON_ASSIGN(SearchDocument document, DocumentOfHit(hit));
    found.push_back(std::move(document));
  }
  return found;
}

// In hexadecimal: it may be any bytes.
Status CheckRefresh(std::string_view body) {
  simdjson::dom::parser parser;
  element answer;
  std::uint64_t failed = 0;
  if (!Parse(body, parser, answer)) return Unreadable();
  if (answer["_shards"]["failed"].get_uint64().get(failed) != SUCCESS) return Unreadable();
  if (failed == 0) return Ok();
  return Unavailable("Elasticsearch: the refresh failed on " + std::to_string(failed) +
                     " copies of shards");
}

Result<std::string> ParseWatermark(const HttpResponse& response) {
  simdjson::dom::parser parser;
  element answer;
  bool there = false;
  if (!Parse(response.body, parser, answer)) return Unreadable();
  if (response.status == 404 && answer["found"].get_bool().get(there) == SUCCESS) {
    return std::string();  // never set
  }
  std::string_view hex;
  if (response.status != 200 || answer["_source"]["value"].get_string().get(hex) != SUCCESS) {
    return Unavailable("Elasticsearch: " + ExplainAnswer(response));
  }
  std::optional<std::string> value = DecodeHex(hex);
  if (!value) return Corrupt("the watermark in the search index is damaged");
  return *std::move(value);
}

Result<std::vector<std::string>> ParseIndexNames(std::string_view body) {
  simdjson::dom::parser parser;
  object indexes;
  if (!ParseIndexes(body, parser, indexes)) return Unreadable();
  std::vector<std::string> names;
  for (auto [name, value] : indexes) names.emplace_back(name);
  return names;
}

Result<std::vector<std::string>> ParseColumnNames(std::string_view body) {
  simdjson::dom::parser parser;
  object indexes;
  if (!ParseIndexes(body, parser, indexes)) return Unreadable();
  std::vector<std::string> columns;
  for (auto [name, value] : indexes) {
    object properties;
    if (value["mappings"]["properties"]["property"]["properties"].get_object().get(properties) !=
        SUCCESS) {
      continue;  // none yet
    }
    for (auto [column, mapping] : properties) columns.emplace_back(column);
  }
  return columns;
}

Result<std::optional<std::string>> FindOtherFormat(std::string_view body, std::uint64_t format) {
  simdjson::dom::parser parser;
  object indexes;
  if (!ParseIndexes(body, parser, indexes)) return Unreadable();
  for (auto [name, index] : indexes) {
    std::uint64_t found = 0;
    const auto error = index["mappings"]["_meta"]["saffron_format"].get_uint64().get(found);
    if (error != SUCCESS || found != format) return std::optional<std::string>(name);
  }
  return std::optional<std::string>();
}

std::optional<std::uint64_t> GenerationOf(std::string_view prefix, std::string_view index) {
  const std::string stem = std::string(prefix) + ".g";
  if (!index.starts_with(stem)) return std::nullopt;
  index.remove_prefix(stem.size());
  const std::string_view digits = index.substr(0, index.find('.'));
  std::uint64_t generation = 0;
  const char* end = digits.data() + digits.size();
  const auto [at, error] = std::from_chars(digits.data(), end, generation);
  // "g07" is nobody's: what is not written so is not ours to drop.
  if (error != std::errc() || digits != std::to_string(generation)) return std::nullopt;
  return generation;
}

}  // namespace saffron::elastic
