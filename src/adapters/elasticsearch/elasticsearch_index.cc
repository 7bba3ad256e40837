#include "adapters/elasticsearch/elasticsearch_index.h"

#include <simdjson.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "adapters/elasticsearch/elastic_client.h"
#include "adapters/elasticsearch/elastic_document.h"
#include "adapters/elasticsearch/elastic_query.h"
#include "adapters/elasticsearch/elastic_schema.h"
#include "adapters/elasticsearch/elastic_writer.h"
#include "base/sha256.h"
#include "domain/json_text.h"

namespace saffron {
namespace {

using Effect = ElasticClient::Effect;
using elastic::QueryPlan;
using elastic::SortValues;
using simdjson::SUCCESS;
using simdjson::dom::element;

// Of a request: the largest documents there may be still fit into an answer.
constexpr std::size_t kPageDocuments = 250;

Error Unreadable() { return Unavailable("Elasticsearch: an answer that is not understood"); }

// Documents as they come, page after page.
struct Found {
  std::vector<SearchDocument> documents;
  std::size_t limit = 0;
  std::optional<SortValues> after;  // where the last of them, or the start, lies
  bool more = false;                // at least one is behind the last, and was not taken

  Status Take(const HttpResponse& response);
};

Result<SortValues> PlaceOf(element hit) {
  simdjson::dom::array sort;
  if (hit["sort"].get_array().get(sort) != SUCCESS) return Unreadable();
  SortValues place;
  for (element value : sort) {
    std::string_view text;
    const bool there = value.get_string().get(text) == SUCCESS;
    place.push_back(there ? std::optional<std::string>(text) : std::nullopt);
  }
  return place;
}

Status Found::Take(const HttpResponse& response) {
  simdjson::dom::parser parser;
  element answer;
  simdjson::dom::array hits;
  std::int64_t failed = 0;
  if (parser.parse(response.body).get(answer) != SUCCESS ||
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
    SAFFRON_ASSIGN(SearchDocument document, elastic::DocumentOfHit(hit));
    documents.push_back(std::move(document));
    last = hit;
  }
  if (!last) return Ok();
  SAFFRON_ASSIGN(after, PlaceOf(*last));
  return Ok();
}

}  // namespace

// One generation, or whichever is live. What a generation that is not live has written is refreshed
// when it is first read, not with every write: nobody else reads it.
class ElasticsearchSearch final : public SearchIndex {
 public:
  ElasticsearchSearch(std::shared_ptr<ElasticClient> client,
                      std::shared_ptr<ElasticIndexes> indexes, const ElasticsearchOptions& options)
      : client_(std::move(client)),
        indexes_(std::move(indexes)),
        stem_(indexes_->live()),
        bulk_bytes_(options.bulk_bytes),
        patience_(options.retry_writes_for) {}
  ElasticsearchSearch(const ElasticsearchSearch& live, std::uint64_t generation)
      : client_(live.client_),
        indexes_(live.indexes_),
        stem_(indexes_->StemOf(generation)),
        bulk_bytes_(live.bulk_bytes_),
        patience_(live.patience_),
        unfinished_(generation) {}
  ~ElasticsearchSearch() override;

  Result<std::vector<WriteRefusal>> Write(const std::vector<SearchDocument>& documents) override;
  Result<std::map<AggregateKey, SearchDocument>> Get(
      const std::vector<AggregateKey>& keys) override;
  Result<SearchPage> Search(const SearchQuery& query) override;
  Result<std::vector<SearchDocument>> Scan(const std::optional<AggregateKey>& after,
                                           std::size_t limit) override;
  Result<std::string> Watermark() override;
  Status SetWatermark(std::string_view value) override;
  Result<std::unique_ptr<SearchIndex>> NewGeneration() override;
  Status Activate(SearchIndex& next) override;

 private:
  bool IsLive() const { return unfinished_.load() == 0; }
  Status MakeReadable();
  Status GetSome(const AggregateKey* keys, std::size_t count,
                 std::map<AggregateKey, SearchDocument>& found);
  Result<HttpResponse> Ask(const std::string& index, std::string body);

  const std::shared_ptr<ElasticClient> client_;
  const std::shared_ptr<ElasticIndexes> indexes_;
  const std::string stem_;
  const std::size_t bulk_bytes_;
  const Duration patience_;
  std::atomic<std::uint64_t> unfinished_{0};  // the generation, until it goes live; 0: the live one
  std::atomic<bool> unread_{false};           // written, not refreshed
};

ElasticsearchSearch::~ElasticsearchSearch() {
  if (IsLive()) return;
  if (Status dropped = indexes_->Drop(unfinished_); !dropped.ok()) {
    // The next generation drops it.
    client_->log().Warning("elasticsearch.not_dropped", {{"error", dropped.error().message()}});
  }
}

Result<std::vector<WriteRefusal>> ElasticsearchSearch::Write(
    const std::vector<SearchDocument>& documents) {
  ElasticWriterOptions options{stem_, {}, bulk_bytes_, patience_};
  if (stem_ == indexes_->live()) options.query = "&require_alias=true";
  if (IsLive()) {
    options.query += "&refresh=true";
  } else {
    unread_ = true;
  }
  return ElasticWriter(*client_, *indexes_, std::move(options), documents).Run();
}

Status ElasticsearchSearch::MakeReadable() {
  if (!unread_.exchange(false)) return Ok();
  auto refreshed = client_->Demand(Effect::kIdempotent, "POST", stem_ + ".*/_refresh");
  if (refreshed.ok()) return Ok();
  unread_ = true;
  return std::move(refreshed).error();
}

Result<std::map<AggregateKey, SearchDocument>> ElasticsearchSearch::Get(
    const std::vector<AggregateKey>& keys) {
  SAFFRON_TRY(MakeReadable());
  std::map<AggregateKey, SearchDocument> found;
  for (std::size_t at = 0; at < keys.size(); at += kPageDocuments) {
    SAFFRON_TRY(GetSome(&keys[at], std::min(kPageDocuments, keys.size() - at), found));
  }
  return found;
}

Status ElasticsearchSearch::GetSome(const AggregateKey* keys, std::size_t count,
                                    std::map<AggregateKey, SearchDocument>& found) {
  std::string body = "{\"docs\":[";
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& id = keys[i].id;
    body += i == 0 ? "{\"_index\":" : ",{\"_index\":";
    json::AppendString(body, ElasticIndexes::IndexOf(stem_, id.substr(0, id.find(':'))));
    body += ",\"_id\":";
    json::AppendString(body, elastic::IdOf(keys[i]));
    body.append(",\"stored_fields\":").append(elastic::kStoredFields).append("}");
  }
  SAFFRON_ASSIGN(HttpResponse response,
                 client_->Demand(Effect::kNone, "POST", "_mget?realtime=false", body + "]}"));
  simdjson::dom::parser parser;
  element answer;
  simdjson::dom::array list;
  if (parser.parse(response.body).get(answer) != SUCCESS ||
      answer["docs"].get_array().get(list) != SUCCESS) {
    return Unreadable();
  }
  for (element hit : list) {
    bool there = false;
    std::string_view error;
    if (hit["error"]["type"].get_string().get(error) == SUCCESS) {
      if (error == "index_not_found_exception") continue;  // nothing of that database yet
      return Unavailable("Elasticsearch: " + std::string(error));
    }
    if (hit["found"].get_bool().get(there) != SUCCESS) return Unreadable();
    if (!there) continue;
    SAFFRON_ASSIGN(SearchDocument document, elastic::DocumentOfHit(hit));
    AggregateKey key = document.key;
    found.insert_or_assign(std::move(key), std::move(document));
  }
  return Ok();
}

// Of an index that does not exist nothing is found.
Result<HttpResponse> ElasticsearchSearch::Ask(const std::string& index, std::string body) {
  return client_->Demand(Effect::kNone, "POST",
                         index +
                             "/_search?ignore_unavailable=true&allow_no_indices=true"
                             "&allow_partial_search_results=false",
                         std::move(body));
}

Result<SearchPage> ElasticsearchSearch::Search(const SearchQuery& query) {
  SAFFRON_ASSIGN(QueryPlan plan, QueryPlan::Compile(query));
  SearchPage page;
  if (plan.empty()) return page;
  SAFFRON_TRY(MakeReadable());
  const std::string index = ElasticIndexes::IndexOf(stem_, query.scope.db);
  if (query.limit == 0) {
    SAFFRON_ASSIGN(HttpResponse response, Ask(index, plan.CountRequest()));
    simdjson::dom::parser parser;
    element answer;
    if (parser.parse(response.body).get(answer) != SUCCESS ||
        answer["hits"]["total"]["value"].get_uint64().get(page.total) != SUCCESS) {
      return Unreadable();
    }
    return page;
  }
  Found found{.documents = {}, .limit = query.limit, .after = plan.start()};
  bool ended = false;
  while (!found.more && !ended) {
    // One more than wanted tells whether there is a next page.
    const std::size_t wanted = std::min(kPageDocuments, query.limit - found.documents.size() + 1);
    const std::size_t before = found.documents.size();
    SAFFRON_ASSIGN(HttpResponse response, Ask(index, plan.PageRequest(wanted, found.after)));
    SAFFRON_TRY(found.Take(response));
    ended = found.documents.size() - before < wanted;
  }
  if (found.more) page.next_cursor = plan.CursorAfter(*found.after);
  page.documents = std::move(found.documents);
  return page;
}

Result<std::vector<SearchDocument>> ElasticsearchSearch::Scan(
    const std::optional<AggregateKey>& after, std::size_t limit) {
  SAFFRON_TRY(MakeReadable());
  Found found{.documents = {}, .limit = limit, .after = std::nullopt};
  if (after) found.after = SortValues{elastic::KeyText(*after)};
  while (found.documents.size() < limit) {
    const std::size_t wanted = std::min(kPageDocuments, limit - found.documents.size());
    const std::size_t before = found.documents.size();
    std::optional<std::string> last;
    if (found.after) last = found.after->back();
    SAFFRON_ASSIGN(HttpResponse response, Ask(stem_ + ".*", elastic::ScanRequest(wanted, last)));
    SAFFRON_TRY(found.Take(response));
    if (found.documents.size() - before < wanted) break;
  }
  return std::move(found.documents);
}

// In hexadecimal: it may be any bytes.
Result<std::string> ElasticsearchSearch::Watermark() {
  SAFFRON_ASSIGN(HttpResponse response,
                 client_->Send(Effect::kNone, "GET", stem_ + "/_doc/watermark"));
  simdjson::dom::parser parser;
  element answer;
  bool there = false;
  if (parser.parse(response.body).get(answer) != SUCCESS) return Unreadable();
  if (response.status == 404 && answer["found"].get_bool().get(there) == SUCCESS) {
    return std::string();  // never set
  }
  std::string_view hex;
  if (response.status != 200 || answer["_source"]["value"].get_string().get(hex) != SUCCESS) {
    return Unavailable("Elasticsearch: " + ExplainAnswer(response));
  }
  std::optional<std::string> value = elastic::DecodeHex(hex);
  if (!value) return Corrupt("the watermark in the search index is damaged");
  return *std::move(value);
}

// Durable when it returns, and so are the documents before it: each request is synced.
Status ElasticsearchSearch::SetWatermark(std::string_view value) {
  std::string path = stem_ + "/_doc/watermark";
  if (stem_ == indexes_->live()) path += "?require_alias=true";
  auto put =
      client_->Demand(Effect::kIdempotent, "PUT", path, "{\"value\":\"" + HexOf(value) + "\"}");
  if (!put.ok()) return std::move(put).error();
  return Ok();
}

Result<std::unique_ptr<SearchIndex>> ElasticsearchSearch::NewGeneration() {
  SAFFRON_ASSIGN(std::uint64_t generation, indexes_->NewGeneration());
  return std::unique_ptr<SearchIndex>(std::make_unique<ElasticsearchSearch>(*this, generation));
}

Status ElasticsearchSearch::Activate(SearchIndex& next) {
  auto* other = dynamic_cast<ElasticsearchSearch*>(&next);
  if (other == nullptr || other->indexes_ != indexes_) {
    return Invalid("a generation of another index");
  }
  if (other->IsLive()) return Ok();
  SAFFRON_TRY(other->MakeReadable());
  SAFFRON_TRY(indexes_->MakeLive(other->unfinished_));
  other->unfinished_ = 0;
  return Ok();
}

Result<std::unique_ptr<SearchIndex>> ElasticsearchIndex::Open(ElasticsearchOptions options,
                                                              Runtime& runtime, Log& log) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  if (options.prefix.empty() || options.prefix.size() > 100 || options.prefix.front() == '_' ||
      options.prefix.front() == '-' ||
      !std::all_of(options.prefix.begin(), options.prefix.end(), allowed)) {
    return Invalid("the prefix of the search index must be of [a-z0-9_-], not begin with _ or -");
  }
  SAFFRON_ASSIGN(auto client, ElasticClient::Open(options, runtime, log));
  std::shared_ptr<ElasticClient> shared = std::move(client);
  auto indexes = std::make_shared<ElasticIndexes>(shared, options);
  SAFFRON_TRY(indexes->Prepare());
  return std::unique_ptr<SearchIndex>(
      std::make_unique<ElasticsearchSearch>(std::move(shared), std::move(indexes), options));
}

}  // namespace saffron
