#include "adapters/elasticsearch/elastic_writer.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "adapters/elasticsearch/elastic_document.h"
#include "domain/names.h"

namespace saffron {

using elastic::DatabaseOf;

namespace {

constexpr std::size_t kParts = 2;
constexpr std::size_t kLeastOfAPart = 250;

}  // namespace

Result<std::vector<WriteRefusal>> ElasticWriter::Run() {
  Numbers pending(documents_.size());
  std::iota(pending.begin(), pending.end(), 0);
  Backoff backoff(client_.runtime(), options_.patience);
  while (!pending.empty()) {
    Status round = Round(std::move(pending));
    if (!round.ok()) {
      if (applied_ && round.Is(Code::kUnavailable)) return UnknownOutcome(round.error().message());
      return std::move(round).error();
    }
    pending = std::exchange(again_, {});
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

Status ElasticWriter::Round(Numbers pending) {
  SAFFRON_TRY(EnsureIndexes(pending));
  std::vector<Part> parts = Divide(std::move(pending));
  {
    TaskGroup tasks(client_.runtime());
    for (std::size_t i = 1; i < parts.size(); ++i) {
      tasks.Spawn("elastic-bulk", [this, &part = parts[i]] { part.status = SendPart(part); });
    }
    parts[0].status = SendPart(parts[0]);
  }
  Status round;
  for (Part& part : parts) {
    applied_ = applied_ || part.applied || part.status.Is(Code::kUnknownOutcome);
    again_.insert(again_.end(), part.again.begin(), part.again.end());
    if (!part.again.empty()) why_ = std::move(part.why);
    if (round.ok()) round = std::move(part.status);
  }
  return round;
}

std::vector<ElasticWriter::Part> ElasticWriter::Divide(Numbers pending) const {
  const std::size_t count = std::clamp<std::size_t>(pending.size() / kLeastOfAPart, 1, kParts);
  std::vector<Part> parts(count);
  for (std::size_t i = 0; i < pending.size(); ++i) {
    parts[i * count / pending.size()].pending.push_back(pending[i]);
  }
  return parts;
}

Status ElasticWriter::SendPart(Part& part) {
  std::string body;
  Numbers items;
  for (const std::size_t number : part.pending) {
    SAFFRON_ASSIGN(std::string lines, Encode(number));
    if (!items.empty() && body.size() + lines.size() > options_.bulk_bytes) {
      SAFFRON_TRY(Send(part, std::exchange(body, {}), std::exchange(items, {})));
    }
    if (body.empty()) {
      body.reserve(std::min(options_.bulk_bytes, part.pending.size() * lines.size()));
    }
    body += lines;
    items.push_back(number);
  }
  return Send(part, std::move(body), items);
}

Status ElasticWriter::EnsureIndexes(const Numbers& pending) {
  std::set<std::string, std::less<>> seen;
  for (const std::size_t number : pending) {
    const std::string_view db = DatabaseOf(documents_[number].key);
    if (seen.contains(db)) continue;
    seen.emplace(db);
    if (indexes_.Columns(options_.stem, db) != nullptr) continue;
    SAFFRON_TRY(indexes_.Ensure(options_.stem, std::string(db), {}));
  }
  return Ok();
}

Result<std::string> ElasticWriter::Encode(std::size_t number) {
  const SearchDocument& document = documents_[number];
  const std::string db(DatabaseOf(document.key));
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

Status ElasticWriter::Send(Part& part, std::string body, const Numbers& items) {
  auto response = client_.Send(ElasticClient::Effect::kIdempotent, "POST",
                               "_bulk?filter_path=errors,items.*.status,items.*.error.type,"
                               "items.*.error.reason" +
                                   options_.query,
                               std::move(body));
  if (!response.ok()) return std::move(response).error();
  if (response->status != 200) {
    return Error(Code::kInvalid, "Elasticsearch: " + elastic::ExplainAnswer(*response));
  }
  SAFFRON_ASSIGN(auto answers, elastic::ParseBulk(response->body, items.size()));
  for (std::size_t i = 0; i < items.size(); ++i) TakeItem(part, items[i], std::move(answers[i]));
  return Ok();
}

void ElasticWriter::TakeItem(Part& part, std::size_t number, elastic::BulkItem item) {
  using Fate = elastic::BulkItem::Fate;
  if (item.fate == Fate::kDone) {
    part.applied = true;
    return;
  }
  if (item.fate == Fate::kRefused) {
    refusals_[number] = Invalid("Elasticsearch refuses it: " + item.why);
    return;
  }
  if (item.fate == Fate::kForget)
    indexes_.Forget(options_.stem, DatabaseOf(documents_[number].key));
  part.again.push_back(number);
  part.why = std::move(item.why);
}

}  // namespace saffron
