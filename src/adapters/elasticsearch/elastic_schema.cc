#include "adapters/elasticsearch/elastic_schema.h"

#include <algorithm>
#include <utility>

#include "adapters/elasticsearch/elastic_answers.h"
#include "base/sha256.h"
#include "domain/json_text.h"
#include "domain/names.h"

namespace saffron {
namespace {

using Effect = ElasticClient::Effect;

constexpr std::uint64_t kFormat = 1;
constexpr std::uint32_t kFixedFields = 16;  // more than the mapping has without columns

// What is searched is `property`, `values`, `words` and `scope`; what is read is stored. Nothing a
// user wrote is the name of a field but under `property`, and every value there is a keyword.
// `document` is a text that is not indexed: stored without a bound.
constexpr std::string_view kMappings = R"({"dynamic":"strict","_source":{"enabled":false},
"_meta":{"saffron_format":1},"properties":{
"key":{"type":"keyword","store":true,"index":false},
"scope":{"type":"keyword","doc_values":false},
"values":{"type":"keyword","doc_values":false},
"words":{"type":"text","analyzer":"whitespace","index_options":"docs","norms":false},
"property":{"type":"object","dynamic":"strict"},
"more":{"type":"nested","dynamic":"strict","properties":{
"name":{"type":"keyword","doc_values":false},"value":{"type":"keyword","index":false}}},
"present":{"type":"boolean","store":true,"index":false,"doc_values":false},
"database":{"type":"long","store":true,"index":false,"doc_values":false},
"class":{"type":"long","store":true,"index":false,"doc_values":false},
"updated_ms":{"type":"long","store":true,"index":false,"doc_values":false},
"document":{"type":"text","store":true,"index":false,"norms":false}}})";

constexpr std::string_view kHeadBody = R"({"settings":{"index":{"number_of_shards":1,
"auto_expand_replicas":"0-1"}},"mappings":{"dynamic":false,"_meta":{"saffron_format":1}})";

std::string ColumnMapping(const std::set<std::string>& names) {
  std::string body = R"({"properties":{"property":{"properties":{)";
  for (const std::string& name : names) {
    if (body.back() != '{') body += ',';
    json::AppendString(body, name);
    body += R"(:{"type":"keyword"})";
  }
  return body + "}}}}";
}

void AppendAction(std::string& actions, std::string_view kind, std::string_view index,
                  std::string_view alias) {
  if (!actions.empty()) actions += ',';
  actions.append("{\"").append(kind).append("\":{\"index\":");
  json::AppendString(actions, index);
  if (!alias.empty()) {
    actions += ",\"alias\":";
    json::AppendString(actions, alias);
  }
  actions += "}}";
}

}  // namespace

ElasticIndexes::ElasticIndexes(std::shared_ptr<ElasticClient> client,
                               const ElasticsearchOptions& options)
    : client_(std::move(client)),
      prefix_(options.prefix),
      shards_(options.shards),
      max_columns_(options.max_columns) {}

// A database's name is one of the engine's as it is; another name never begins with a digit.
std::string ElasticIndexes::IndexOf(std::string_view stem, std::string_view db) {
  const bool plain = CheckDatabaseName(db).ok();
  return std::string(stem) + "." + (plain ? std::string(db) : "0" + Sha256Hex(db));
}

Status ElasticIndexes::Prepare() {
  std::string body = "{\"index_patterns\":[\"" + prefix_ + ".g*.*\"],\"priority\":500,";
  body += R"("template":{"settings":{"index":{"auto_expand_replicas":"0-1","number_of_shards":)";
  body += std::to_string(shards_);
  // Visible is what was refreshed by its writer; the engine's own refresh is for answers that
  // broke.
  body += R"(,"refresh_interval":"30s","translog.durability":"request",)";
  body += "\"mapping.total_fields.limit\":" + std::to_string(max_columns_ + kFixedFields);
  // Bits of the nested documents are made when something is sorted by them, not with each refresh.
  body += R"(,"load_fixed_bitset_filters_eagerly":false)";
  body += R"(,"mapping.nested_objects.limit":1000000}},"mappings":)";
  body.append(kMappings).append("}}");
  SAFFRON_TRY(client_->Demand(Effect::kIdempotent, "PUT",
                              "_index_template/" + prefix_ + ".v" + std::to_string(kFormat), body));
  Result<std::uint64_t> live = LiveGeneration();
  if (live.Is(Code::kNotFound)) return CreateHead(1, true);
  if (!live.ok()) return std::move(live).error();
  return CheckFormat();
}

Status ElasticIndexes::Find() {
  SAFFRON_TRY(LiveGeneration());
  return CheckFormat();
}

Status ElasticIndexes::CheckFormat() {
  SAFFRON_ASSIGN(HttpResponse response,
                 client_->Demand(Effect::kNone, "GET", live() + "/_mapping"));
  SAFFRON_ASSIGN(auto other, elastic::FindOtherFormat(response.body, kFormat));
  if (!other) return Ok();
  return Invalid("the index " + *other +
                 " is not of this version: delete it (the log fills a new one), or choose "
                 "another prefix");
}

Result<std::uint64_t> ElasticIndexes::LiveGeneration() {
  SAFFRON_ASSIGN(HttpResponse response, client_->Send(Effect::kNone, "GET", "_alias/" + live()));
  if (response.status == 404) return NotFound("no live generation");
  if (response.status != 200) {
    return Unavailable("Elasticsearch: " + elastic::ExplainAnswer(response));
  }
  SAFFRON_ASSIGN(std::vector<std::string> names, elastic::ParseIndexNames(response.body));
  for (const std::string& name : names) {
    if (const auto generation = elastic::GenerationOf(prefix_, name)) return *generation;
  }
  return Unavailable("Elasticsearch: the alias " + live() + " is of no generation");
}

Result<ElasticIndexes::Listing> ElasticIndexes::List() {
  SAFFRON_ASSIGN(HttpResponse response,
                 client_->Demand(Effect::kNone, "GET", prefix_ + ".g*/_alias"));
  SAFFRON_ASSIGN(std::vector<std::string> names, elastic::ParseIndexNames(response.body));
  Listing listing;
  for (std::string& name : names) {
    const auto generation = elastic::GenerationOf(prefix_, name);
    if (generation) listing[*generation].push_back(std::move(name));
  }
  return listing;
}

Status ElasticIndexes::CreateHead(std::uint64_t generation, bool live_now) {
  std::string body(kHeadBody);
  if (live_now) body += ",\"aliases\":{\"" + live() + "\":{}}";
  SAFFRON_ASSIGN(HttpResponse response,
                 client_->Send(live_now ? Effect::kIdempotent : Effect::kOnce, "PUT",
                               StemOf(generation), body + "}"));
  if (response.status == 200) return Ok();
  // Made by another process, or by our own request whose answer was lost.
  const bool exists = response.body.find("resource_already_exists") != std::string::npos;
  if (exists && live_now) return Ok();
  return Error(exists ? Code::kUnavailable : Code::kInvalid,
               "Elasticsearch: " + elastic::ExplainAnswer(response));
}

Result<std::uint64_t> ElasticIndexes::NewGeneration() {
  SAFFRON_ASSIGN(std::uint64_t live_one, LiveGeneration());
  SAFFRON_ASSIGN(Listing listing, List());
  const std::uint64_t next = std::max(live_one, listing.empty() ? 0 : listing.rbegin()->first) + 1;
  for (const auto& [generation, indexes] : listing) {
    if (generation != live_one) SAFFRON_TRY(Delete(indexes));
  }
  SAFFRON_TRY(CreateHead(next, false));
  return next;
}

Status ElasticIndexes::MakeLive(std::uint64_t generation) {
  SAFFRON_ASSIGN(std::uint64_t live_one, LiveGeneration());
  if (live_one == generation) return Ok();
  SAFFRON_ASSIGN(Listing listing, List());
  if (!listing.contains(generation)) return NotFound("the generation has been dropped");
  std::string actions;
  for (const auto& [other, indexes] : listing) {
    for (const std::string& index : indexes) {
      const std::string tail = index.substr(StemOf(other).size());  // "", ".db"
      if (other == generation) {
        AppendAction(actions, "add", index, live() + tail);
      } else {
        AppendAction(actions, "remove_index", index, "");
      }
    }
  }
  Result<HttpResponse> response =
      client_->Demand(Effect::kOnce, "POST", "_aliases", "{\"actions\":[" + actions + "]}");
  if (response.Is(Code::kUnknownOutcome)) {
    SAFFRON_ASSIGN(live_one, LiveGeneration());
    if (live_one != generation) return std::move(response).error();
  } else if (!response.ok()) {
    return std::move(response).error();
  }
  std::lock_guard<std::mutex> lock(mutex_);
  known_.clear();
  return Ok();
}

Status ElasticIndexes::Drop(std::uint64_t generation) {
  SAFFRON_ASSIGN(Listing listing, List());
  return Delete(listing[generation]);
}

// By name: a pattern may be forbidden.
Status ElasticIndexes::Delete(const std::vector<std::string>& indexes) {
  for (const std::string& index : indexes) {
    SAFFRON_ASSIGN(HttpResponse response, client_->Send(Effect::kIdempotent, "DELETE", index));
    if (response.status != 200 && response.status != 404) {
      return Unavailable("Elasticsearch: " + elastic::ExplainAnswer(response));
    }
  }
  return Ok();
}

Status ElasticIndexes::CreateIndex(const std::string& index, const std::string& alias) {
  const std::string body =
      alias.empty() ? std::string("{}") : "{\"aliases\":{\"" + alias + "\":{}}}";
  SAFFRON_ASSIGN(HttpResponse response, client_->Send(Effect::kIdempotent, "PUT", index, body));
  if (response.status == 200) return Ok();
  if (response.body.find("resource_already_exists") != std::string::npos) return Ok();
  return Unavailable("Elasticsearch: " + elastic::ExplainAnswer(response));
}

// A switch in between would leave the alias on two generations: then ours goes again.
Status ElasticIndexes::CreateLiveIndex(const std::string& db) {
  SAFFRON_ASSIGN(std::uint64_t generation, LiveGeneration());
  const std::string index = IndexOf(StemOf(generation), db);
  SAFFRON_TRY(CreateIndex(index, IndexOf(live(), db)));
  SAFFRON_ASSIGN(std::uint64_t now, LiveGeneration());
  if (now == generation) return Ok();
  SAFFRON_TRY(Delete({index}));
  return Unavailable("another generation has gone live");
}

std::shared_ptr<const PropertyColumns> ElasticIndexes::Columns(std::string_view stem,
                                                               std::string_view db) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto at = known_.find(IndexOf(stem, db));
  return at == known_.end() ? nullptr : at->second;
}

void ElasticIndexes::Forget(std::string_view stem, std::string_view db) {
  std::lock_guard<std::mutex> lock(mutex_);
  known_.erase(IndexOf(stem, db));
}

Status ElasticIndexes::Ensure(std::string_view stem, const std::string& db,
                              const std::set<std::string>& names) {
  const std::string index = IndexOf(stem, db);
  Result<PropertyColumns> read = ReadColumns(index);
  if (read.Is(Code::kNotFound)) {
    SAFFRON_TRY(stem == live() ? CreateLiveIndex(db) : CreateIndex(index, ""));
    read = ReadColumns(index);
  }
  if (!read.ok()) return std::move(read).error();
  PropertyColumns columns = std::move(*read);
  std::set<std::string> missing;
  for (const std::string& name : names) {
    if (columns.contains(name)) continue;
    // Others would mean something to the engine in the name of a field.
    if (CheckPropertyName(name).ok()) {
      missing.insert(name);
    } else {
      columns[name] = false;
    }
  }
  SAFFRON_ASSIGN(bool all, AddColumns(index, missing));
  if (!all) SAFFRON_TRY(FillColumns(index, missing, columns));
  for (const std::string& name : missing) columns.try_emplace(name, all);
  std::lock_guard<std::mutex> lock(mutex_);
  auto& known = known_[index];
  if (known != nullptr) columns.insert(known->begin(), known->end());
  known = std::make_shared<const PropertyColumns>(std::move(columns));
  return Ok();
}

// False: the engine bears no more fields.
Result<bool> ElasticIndexes::AddColumns(const std::string& index,
                                        const std::set<std::string>& names) {
  if (names.empty()) return true;
  SAFFRON_ASSIGN(HttpResponse response, client_->Send(Effect::kIdempotent, "PUT",
                                                      index + "/_mapping", ColumnMapping(names)));
  if (response.status == 200) return true;
  if (response.body.find("Limit of total fields") != std::string::npos) return false;
  return Unavailable("Elasticsearch: " + elastic::ExplainAnswer(response));
}

// As many as the engine still bears. The first one that it refuses alone shows that it is full, and
// it never is less full; what others have added until then, they have.
Status ElasticIndexes::FillColumns(const std::string& index, const std::set<std::string>& names,
                                   PropertyColumns& columns) {
  for (const std::string& name : names) {
    SAFFRON_ASSIGN(bool added, AddColumns(index, {name}));
    if (!added) break;
  }
  SAFFRON_ASSIGN(PropertyColumns read, ReadColumns(index));
  columns.insert(read.begin(), read.end());
  return Ok();
}

Result<PropertyColumns> ElasticIndexes::ReadColumns(const std::string& index) {
  SAFFRON_ASSIGN(HttpResponse response, client_->Send(Effect::kNone, "GET", index + "/_mapping"));
  if (response.status == 404) return NotFound("no index " + index);
  if (response.status != 200) {
    return Unavailable("Elasticsearch: " + elastic::ExplainAnswer(response));
  }
  SAFFRON_ASSIGN(std::vector<std::string> names, elastic::ParseColumnNames(response.body));
  PropertyColumns columns;
  for (std::string& name : names) columns.emplace(std::move(name), true);
  return columns;
}

}  // namespace saffron
