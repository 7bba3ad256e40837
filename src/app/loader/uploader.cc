#include "app/loader/uploader.h"

#include <algorithm>

#include "app/json_view.h"
#include "domain/names.h"
#include "net/url.h"

namespace saffron {
namespace {

using ItemResult = UploadItemResult;

bool IsLater(std::string_view code) {
  return code == "unavailable" || code == "unknown_outcome" || code == "busy" ||
         code == "ontology_change_pending";
}

// An item is {"instance_id","command_id","sequence_number","duplicate"?} or has an "error" like the
// detail of a single create: {"error": code, "message"?, "errors"?}.
ItemResult ResultOf(const JsonView& item) {
  JsonView error = item["error"];
  if (!error.exists() || error.Is(json::Kind::kNull)) {
    bool duplicate = item["duplicate"].IsTrue();
    return {duplicate ? ItemResult::Kind::kDuplicate : ItemResult::Kind::kAccepted, ""};
  }
  std::string code = error["error"].TextOr("");
  std::string message = error["message"].TextOr("");
  auto errors = error["errors"].Elements();
  if (!errors.empty()) {
    message = errors.front()["pointer"].TextOr("") + ": " + errors.front()["message"].TextOr("");
  }
  ItemResult result;
  result.reason = message.empty() ? code : code + ": " + message;
  if (IsLater(code)) {
    result.kind = ItemResult::Kind::kRetry;
  } else if (code == "optimistic_concurrency_conflict") {
    result.kind = ItemResult::Kind::kPresent;
  }
  return result;
}

// What was said of each of `rows` rows. All refused for one reason make an answer of that reason
// alone. Empty when the answer is not about the rows: a token that is too weak, an unknown class.
std::vector<ItemResult> ResultsOf(const HttpResponse& response, std::size_t rows) {
  std::vector<ItemResult> results;
  if (response.status == 409) {
    results.assign(rows, {ItemResult::Kind::kPresent, "optimistic_concurrency_conflict"});
  } else if (response.status == 413 || response.status == 422) {
    results.assign(rows, {ItemResult::Kind::kRefused, ErrorMessage(response)});
  } else if (response.status / 100 == 2) {
    JsonView answer = JsonView::Of(response.body);
    for (const JsonView& item : answer["result"]["items"].Elements()) {
      results.push_back(ResultOf(item));
    }
    if (results.size() != rows) results.clear();
  }
  return results;
}

std::string Canonical(std::string_view json) {
  std::string out;
  if (!json::AppendCanonical(out, json)) out.clear();
  return out;
}

}  // namespace

Uploader::Uploader(Runtime& runtime, UploadOptions options, const LoadPlan& plan,
                   std::map<std::string, std::string> generations)
    : runtime_(runtime),
      options_(std::move(options)),
      plan_(plan),
      generations_(std::move(generations)) {}

void Uploader::Fail(Error error) {
  std::lock_guard<std::mutex> held(mutex_);
  if (!failure_) failure_ = std::move(error);
  failed_ = true;
}

void Uploader::Reject(const Batch& batch, std::size_t row, std::string reason) {
  ++counts_.rejected;
  const ValidRow& at = batch.rows[row];
  std::lock_guard<std::mutex> held(mutex_);
  rejected_.push_back({plan_.files[batch.file].name, at.line, at.instance_id, std::move(reason)});
}

std::unique_ptr<PatientClient> Uploader::OpenClient() {
  auto client = PatientClient::Open(runtime_, options_.api, options_.give_up);
  if (client.ok()) return std::move(*client);
  Fail(client.error());
  return nullptr;
}

void Uploader::Produce(PlanRows rows, Channel<Batch>& batches) {
  BatchBuilder builder(options_.db, plan_, generations_);
  ValidRow row;
  RejectedRow ignored;
  auto push = [&](Batch batch) { return batches.Push(std::move(batch), Instant::Max()); };
  for (;;) {
    RowChecker::Step step = rows.Next(row, ignored);
    if (step == RowChecker::Step::kEnd) break;
    if (step == RowChecker::Step::kRejected) continue;
    for (Batch& batch : builder.Add(rows.file(), std::move(row))) {
      if (!push(std::move(batch))) return;
    }
    row = ValidRow();
  }
  if (auto last = builder.Flush()) push(std::move(*last));
}

Status Uploader::Upload(PlanRows rows) {
  Channel<Batch> batches(runtime_, options_.jobs);
  TaskGroup senders(runtime_);
  for (std::size_t i = 0; i < options_.jobs; ++i) {
    senders.Spawn("load-send", [this, &batches] { SendBatches(batches); });
  }
  Produce(std::move(rows), batches);
  batches.Close();
  senders.JoinAll();
  std::lock_guard<std::mutex> held(mutex_);
  if (failure_) return *failure_;
  return Ok();
}

void Uploader::SendBatches(Channel<Batch>& batches) {
  auto client = OpenClient();
  while (client != nullptr && !failed_) {
    auto batch = batches.Pop(Instant::Max());
    if (!batch) break;
    Status status = SendBatch(*client, *batch);
    if (!status.ok()) Fail(std::move(status).error());
  }
  // Nobody takes what the producer would still push.
  if (failed_) batches.Close();
  if (client != nullptr) counts_.retries += client->retries();
}

Status Uploader::SendBatch(PatientClient& client, const Batch& batch) {
  const std::string path = "/api/v1/instances/" + PercentEncode(options_.db) + "/async/" +
                           PercentEncode(plan_.files[batch.file].mapping.class_id) + "/bulk-create";
  const std::string body = batch.Body();
  const std::string key = batch.request_id.ToString();
  const Instant deadline = runtime_.Now() + options_.give_up;
  // A bulk may be accepted in part: the rest is sent again under the same key.
  for (int round = 1;; ++round) {
    SAFFRON_ASSIGN(PatientClient::Answer answer, client.Send("POST", path, body, key));
    answer.attempts += round - 1;
    auto results = ResultsOf(answer.response, batch.rows.size());
    bool again = std::any_of(results.begin(), results.end(), [](const ItemResult& result) {
      return result.kind == ItemResult::Kind::kRetry;
    });
    if (results.empty()) return Conflict("bulk create: " + ErrorMessage(answer.response));
    if (!again) return TakeResults(client, batch, results, answer.attempts);
    if (runtime_.Now() >= deadline) return Unavailable("the server keeps refusing some rows");
    ++counts_.retries;
    if (!runtime_.SleepFor(milliseconds(100))) return Cancelled("stopping");
  }
}

Status Uploader::TakeResults(PatientClient& client, const Batch& batch,
                             const std::vector<ItemResult>& results, int attempts) {
  std::vector<SentRow> sent;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const ItemResult& result = results[i];
    bool accepted = result.kind == ItemResult::Kind::kAccepted;
    bool duplicate = result.kind == ItemResult::Kind::kDuplicate;
    // A request that was sent twice meets its own first sending.
    if (accepted || (duplicate && attempts > 1)) ++counts_.accepted;
    if (duplicate && attempts == 1) ++counts_.duplicates;
    if (accepted || duplicate) {
      sent.push_back(
          {batch.CommandId(i), static_cast<std::uint32_t>(batch.file), batch.rows[i].line});
    } else if (result.kind == ItemResult::Kind::kPresent) {
      SAFFRON_TRY(ResolveConflict(client, batch, i, result.reason));
    } else {
      Reject(batch, i, result.reason);
    }
    ++counts_.sent;
  }
  std::lock_guard<std::mutex> held(mutex_);
  sent_.insert(sent_.end(), sent.begin(), sent.end());
  return Ok();
}

// The id is taken. By this very row, when a create of its history says the same: another batch of
// an earlier load had it.
Status Uploader::ResolveConflict(PatientClient& client, const Batch& batch, std::size_t row,
                                 const std::string& message) {
  const ValidRow& at = batch.rows[row];
  auto key = AggregateKey::Instance(options_.db, "main", plan_.files[batch.file].mapping.class_id,
                                    at.instance_id);
  SAFFRON_ASSIGN(auto answer,
                 client.Get("/api/v1/aggregates/Instance/" + PercentEncode(key.id) + "/events"));
  JsonView json = JsonView::Of(answer.response.body);
  const std::string ours = Canonical(at.document);
  for (const JsonView& entry : json["data"]["events"].Elements()) {
    JsonView event = entry["event"];
    if (event["event_type"].TextOr("") != "CREATE_INSTANCE_REQUESTED") continue;
    if (Canonical(event["data"]["document"].raw()) != ours) continue;
    ++counts_.duplicates;
    // It is awaited like the others, under the id that it was created with.
    if (std::optional<Uuid> id = Uuid::Parse(event["event_id"].TextOr(""))) {
      std::lock_guard<std::mutex> held(mutex_);
      sent_.push_back({EventId(*id), static_cast<std::uint32_t>(batch.file), at.line});
    }
    return Ok();
  }
  Reject(batch, row, "present with other content (" + message + ")");
  return Ok();
}

Status Uploader::AwaitAll() {
  next_wait_ = 0;
  failed_ = false;
  TaskGroup waiters(runtime_);
  for (std::size_t i = 0; i < options_.jobs; ++i) {
    waiters.Spawn("load-wait", [this] {
      auto client = OpenClient();
      if (client == nullptr) return;
      Status status = AwaitSome(*client);
      if (!status.ok()) Fail(std::move(status).error());
    });
  }
  waiters.JoinAll();
  std::lock_guard<std::mutex> held(mutex_);
  if (failure_) return *failure_;
  return Ok();
}

Status Uploader::AwaitSome(PatientClient& client) {
  for (;;) {
    std::size_t at = next_wait_++;
    if (at >= sent_.size() || failed_) return Ok();
    const SentRow& row = sent_[at];
    const std::string path = "/api/v1/commands/" + row.command.ToString() + "/status?wait=20";
    const Instant deadline = runtime_.Now() + options_.give_up;
    for (;;) {
      SAFFRON_ASSIGN(auto answer, client.Get(path));
      JsonView json = JsonView::Of(answer.response.body);
      std::string status = json["status"].TextOr("");
      if (status == "COMPLETED") {
        ++counts_.completed;
        break;
      }
      if (status == "FAILED") {
        ++counts_.rejected;
        std::string reason = json["error"].TextOr(json["error"]["message"].TextOr(status));
        std::lock_guard<std::mutex> held(mutex_);
        rejected_.push_back({plan_.files[row.file].name, row.line, "", "FAILED: " + reason});
        break;
      }
      if (answer.response.status != 200)
        return Conflict(path + ": " + ErrorMessage(answer.response));
      if (runtime_.Now() >= deadline) {
        return Unavailable("command " + row.command.ToString() + " is still " + status);
      }
      if (!runtime_.SleepFor(milliseconds(5))) return Cancelled("stopping");
    }
  }
}

std::vector<RejectedRow> Uploader::TakeRejected() {
  std::lock_guard<std::mutex> held(mutex_);
  std::sort(rejected_.begin(), rejected_.end(), [](const RejectedRow& a, const RejectedRow& b) {
    return std::tie(a.file, a.line) < std::tie(b.file, b.line);
  });
  return std::move(rejected_);
}

}  // namespace saffron
