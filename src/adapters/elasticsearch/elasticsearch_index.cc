#include "adapters/elasticsearch/elasticsearch_index.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "adapters/elasticsearch/elastic_answers.h"
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
using elastic::FoundDocuments;
using elastic::QueryPlan;
using elastic::SortValues;

// Of a request: the largest documents there may be still fit into an answer.
constexpr std::size_t kPageDocuments = 250;
constexpr std::size_t kRefreshedByName = 16;  // databases; if there are more, all are

}  // namespace

// One generation, or whichever is live.
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
  Status Refresh() override;
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
  Status GetSome(const AggregateKey* keys, std::size_t count,
                 std::map<AggregateKey, SearchDocument>& found);
  Result<HttpResponse> Ask(const std::string& index, std::string body);

  const std::shared_ptr<ElasticClient> client_;
  const std::shared_ptr<ElasticIndexes> indexes_;
  const std::string stem_;
  const std::size_t bulk_bytes_;
  const Duration patience_;
  std::atomic<std::uint64_t> unfinished_{0};  // the generation, until it goes live; 0: the live one
  std::mutex mutex_;
  std::set<std::string, std::less<>> unread_;  // under mutex_: databases written, not refreshed
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
  auto refusals = ElasticWriter(*client_, *indexes_, std::move(options), documents).Run();
  // Afterwards: the refresh of another thread may have been too early for it.
  std::lock_guard<std::mutex> lock(mutex_);
  for (const SearchDocument& document : documents) {
    const std::string_view db = elastic::DatabaseOf(document.key);
    if (!unread_.contains(db)) unread_.emplace(db);
  }
  return refusals;
}

// A shard that is not there counts as not failed: it is searched only after its recovery, which
// refreshes it.
Status ElasticsearchSearch::Refresh() {
  std::set<std::string, std::less<>> databases;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    databases.swap(unread_);
  }
  if (databases.empty()) return Ok();
  std::string indexes = databases.size() > kRefreshedByName ? stem_ + ".*" : std::string();
  for (const std::string& db : databases) {
    if (databases.size() > kRefreshedByName) break;
    if (!indexes.empty()) indexes += ',';
    indexes += ElasticIndexes::IndexOf(stem_, db);
  }
  auto answer =
      client_->Demand(Effect::kIdempotent, "POST", indexes + "/_refresh?ignore_unavailable=true");
  Status refreshed = answer.ok() ? elastic::CheckRefresh(answer->body) : Status(answer.error());
  if (!refreshed.ok()) {
    std::lock_guard<std::mutex> lock(mutex_);
    unread_.merge(databases);
  }
  return refreshed;
}

Result<std::map<AggregateKey, SearchDocument>> ElasticsearchSearch::Get(
    const std::vector<AggregateKey>& keys) {
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
    body += i == 0 ? "{\"_index\":" : ",{\"_index\":";
    json::AppendString(body,
                       ElasticIndexes::IndexOf(stem_, std::string(elastic::DatabaseOf(keys[i]))));
    body += ",\"_id\":";
    json::AppendString(body, elastic::IdOf(keys[i]));
    body.append(",\"stored_fields\":").append(elastic::kStoredFields).append("}");
  }
  SAFFRON_ASSIGN(HttpResponse response,
                 client_->Demand(Effect::kNone, "POST", "_mget?realtime=false", body + "]}"));
  SAFFRON_ASSIGN(std::vector<SearchDocument> documents, elastic::ParseDocuments(response.body));
  for (SearchDocument& document : documents) {
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
  const std::string index = ElasticIndexes::IndexOf(stem_, query.scope.db);
  if (query.limit == 0) {
    SAFFRON_ASSIGN(HttpResponse response, Ask(index, plan.CountRequest()));
    SAFFRON_ASSIGN(page.total, elastic::ParseTotal(response.body));
    return page;
  }
  FoundDocuments found{.documents = {},
                       .limit = query.limit,
                       .sort_values = plan.sort_values(),
                       .after = plan.start()};
  bool ended = false;
  while (!found.more && !ended) {
    // One more than wanted tells whether there is a next page.
    const std::size_t wanted = std::min(kPageDocuments, query.limit - found.documents.size() + 1);
    const std::size_t before = found.documents.size();
    SAFFRON_ASSIGN(HttpResponse response, Ask(index, plan.PageRequest(wanted, found.after)));
    SAFFRON_TRY(found.Take(response.body));
    ended = found.documents.size() - before < wanted;
  }
  if (found.more) page.next_cursor = plan.CursorAfter(*found.after);
  page.documents = std::move(found.documents);
  return page;
}

Result<std::vector<SearchDocument>> ElasticsearchSearch::Scan(
    const std::optional<AggregateKey>& after, std::size_t limit) {
  FoundDocuments found{.documents = {}, .limit = limit, .after = std::nullopt};
  if (after) found.after = SortValues{elastic::KeyText(*after)};
  while (found.documents.size() < limit) {
    const std::size_t wanted = std::min(kPageDocuments, limit - found.documents.size());
    const std::size_t before = found.documents.size();
    std::optional<std::string> last;
    if (found.after) last = found.after->back();
    SAFFRON_ASSIGN(HttpResponse response, Ask(stem_ + ".*", elastic::ScanRequest(wanted, last)));
    SAFFRON_TRY(found.Take(response.body));
    if (found.documents.size() - before < wanted) break;
  }
  return std::move(found.documents);
}

Result<std::string> ElasticsearchSearch::Watermark() {
  SAFFRON_ASSIGN(HttpResponse response,
                 client_->Send(Effect::kNone, "GET", stem_ + "/_doc/watermark"));
  return elastic::ParseWatermark(response);
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
  SAFFRON_TRY(options.when_missing == WhenMissing::kMake ? indexes->Prepare() : indexes->Find());
  return std::unique_ptr<SearchIndex>(
      std::make_unique<ElasticsearchSearch>(std::move(shared), std::move(indexes), options));
}

}  // namespace saffron
