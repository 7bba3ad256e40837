#include "adapters/elasticsearch/elastic_writer.h"

#include <simdjson.h>

#include <numeric>
#include <set>

#include "adapters/elasticsearch/elastic_document.h"
#include "domain/names.h"

namespace saffron {
namespace {

using simdjson::SUCCESS;
using simdjson::dom::element;

std::string_view DatabaseOf(const SearchDocument& document) {
  const std::string_view id = document.key.id;
  return id.substr(0, std::min(id.find(':'), id.size()));
}

enum class Fate { kDone, kAgain, kForget, kRefused };

Fate FateOf(int status, std::string_view type, std::string_view reason) {
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

Result<std::vector<WriteRefusal>> ElasticWriter::Run() {
  Numbers pending(documents_.size());
  std::iota(pending.begin(), pending.end(), 0);
  Backoff backoff(client_.runtime(), options_.patience);
  while (!pending.empty()) {
    again_.clear();
    Status round = Round(pending);
    if (!round.ok()) {
      if (applied_ && round.Is(Code::kUnavailable)) return UnknownOutcome(round.error().message());
      return std::move(round).error();
    }
    pending = again_;
    if (pending.empty()) break;
    if (!backoff.Wait()) {
      const std::string message = "Elasticsearch does not take " + std::to_string(pending.size()) +
                                  " documents now: " + why_;
      return applied_ ? UnknownOutcome(message) : Unavailable(message);
    }
    client_.log().Debug("elasticsearch.items_again",
                        {{"items", static_cast<std::uint64_t>(pending.size())}, {"why", why_}});
  }
  return std::move(refusals_);
}

Status ElasticWriter::Round(const Numbers& pending) {
  SAFFRON_TRY(EnsureIndexes(pending));
  std::string body;
  Numbers items;
  for (const std::size_t number : pending) {
    SAFFRON_ASSIGN(std::string lines, Encode(number));
    if (!items.empty() && body.size() + lines.size() > options_.bulk_bytes) {
      SAFFRON_TRY(Send(std::exchange(body, {}), std::exchange(items, {})));
    }
    if (body.empty()) body.reserve(std::min(options_.bulk_bytes, pending.size() * lines.size()));
    body += lines;
    items.push_back(number);
  }
  return Send(std::move(body), items);
}

Status ElasticWriter::EnsureIndexes(const Numbers& pending) {
  std::set<std::string, std::less<>> seen;
  for (const std::size_t number : pending) {
    const std::string_view db = DatabaseOf(documents_[number]);
    if (seen.contains(db)) continue;
    seen.emplace(db);
    if (indexes_.Columns(options_.stem, db) != nullptr) continue;
    SAFFRON_TRY(indexes_.Ensure(options_.stem, std::string(db), {}));
  }
  return Ok();
}

Result<std::string> ElasticWriter::Encode(std::size_t number) {
  const SearchDocument& document = documents_[number];
  const std::string db(DatabaseOf(document));
  const std::string index = ElasticIndexes::IndexOf(options_.stem, db);
  constexpr int kAttempts = 3;  // another thread may forget the columns in between
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto columns = indexes_.Columns(options_.stem, db);
    std::set<std::string> unknown;
    std::string lines;
    if (columns != nullptr) {
      elastic::AppendBulkLines(document, index, *columns, lines, unknown);
      if (unknown.empty()) return lines;
    }
    SAFFRON_TRY(indexes_.Ensure(options_.stem, db, unknown));
  }
  return Unavailable("the index " + index + " changes all the time");
}

Status ElasticWriter::Send(std::string body, const Numbers& items) {
  auto response = client_.Send(ElasticClient::Effect::kIdempotent, "POST",
                               "_bulk?filter_path=errors,items.*.status,items.*.error.type,"
                               "items.*.error.reason" +
                                   options_.query,
                               std::move(body));
  if (!response.ok()) return std::move(response).error();
  if (response->status != 200) {
    return Error(Code::kInvalid, "Elasticsearch: " + ExplainAnswer(*response));
  }
  return TakeAnswer(*response, items);
}

Status ElasticWriter::TakeAnswer(const HttpResponse& response, const Numbers& items) {
  simdjson::dom::parser parser;
  element answer;
  simdjson::dom::array list;
  if (parser.parse(response.body).get(answer) != SUCCESS ||
      answer["items"].get_array().get(list) != SUCCESS || list.size() != items.size()) {
    return UnknownOutcome("Elasticsearch: a bulk answer that is not understood");
  }
  std::size_t i = 0;
  for (element item : list) {
    std::int64_t status = 0;
    std::string_view type, reason;
    const element result = item["index"];
    if (result["status"].get_int64().get(status) != SUCCESS) {
      return UnknownOutcome("Elasticsearch: a bulk answer that is not understood");
    }
    if (result["error"]["type"].get_string().get(type) != SUCCESS) type = {};  // no error
    if (result["error"]["reason"].get_string().get(reason) != SUCCESS) reason = {};
    TakeItem(items[i++], static_cast<int>(status), type, reason);
  }
  return Ok();
}

void ElasticWriter::TakeItem(std::size_t number, int status, std::string_view type,
                             std::string_view reason) {
  const Fate fate = FateOf(status, type, reason);
  if (fate == Fate::kDone) {
    applied_ = true;
    return;
  }
  std::string why = "HTTP " + std::to_string(status);
  why.append(" ").append(type).append(": ").append(reason.substr(0, 300));
  if (fate == Fate::kRefused) {
    refusals_[number] = Invalid("Elasticsearch refuses it: " + why);
    return;
  }
  if (fate == Fate::kForget) indexes_.Forget(options_.stem, DatabaseOf(documents_[number]));
  again_.push_back(number);
  why_ = std::move(why);
}

}  // namespace saffron
