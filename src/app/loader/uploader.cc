#include "app/loader/uploader.h"

#include <algorithm>

#include "app/json_view.h"
#include "domain/names.h"
#include "net/url.h"

namespace saffron {
namespace {

// What the server said of one item of a bulk.
struct ItemResult {
  enum class Kind { kAccepted, kDuplicate, kPresent, kRetry, kRefused };
  Kind kind = Kind::kRefused;
  std::string reason;
};

bool IsLater(std::string_view code) {
  return code == "unavailable" || code == "unknown" || code == "busy" ||
         code == "ontology_change_pending" || code == "timeout";
}

// An item is {"instance_id","command_id","sequence_number"} or has an "error": a code, or an object
// with one, and the status a single create would have got.
ItemResult ResultOf(const JsonView& item) {
  JsonView error = item["error"];
  if (!error.exists() || error.Is(json::Kind::kNull)) {
    bool duplicate = item["duplicate"].IsTrue();
    return {duplicate ? ItemResult::Kind::kDuplicate : ItemResult::Kind::kAccepted, ""};
  }
  std::string code = error.TextOr(error["error"].TextOr(error["code"].TextOr("")));
  std::uint64_t status = item["status"].Unsigned().value_or(error["status"].Unsigned().value_or(0));
  std::string message = item["message"].TextOr(error["message"].TextOr(""));
  auto errors = item["errors"].exists() ? item["errors"].Elements() : error["errors"].Elements();
  if (!errors.empty()) {
    message = errors.front()["pointer"].TextOr("") + ": " + errors.front()["message"].TextOr("");
  }
  ItemResult result;
  result.reason = message.empty() ? code : code + ": " + message;
  if (status == 429 || status >= 500 || IsLater(code)) {
    result.kind = ItemResult::Kind::kRetry;
  } else if (status == 409 || code == "optimistic_concurrency_conflict") {
    result.kind = ItemResult::Kind::kPresent;
  }
  return result;
}

// The items of a bulk answer, in the order sent; empty when it names none.
std::vector<JsonView> ItemsOf(const JsonView& answer) {
  for (const JsonView& holder : {answer["result"], answer["data"], answer["detail"], answer}) {
    for (std::string_view name : {"instances", "items", "results"}) {
      if (holder[name].Is(json::Kind::kArray)) return holder[name].Elements();
    }
  }
  return {};
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
    JsonView json = JsonView::Of(answer.response.body);
    auto items = ItemsOf(json);
    bool again = std::any_of(items.begin(), items.end(), [](const JsonView& item) {
      return ResultOf(item).kind == ItemResult::Kind::kRetry;
    });
    if (!again) return TakeAnswer(client, batch, answer);
    if (runtime_.Now() >= deadline) return Unavailable("the server keeps refusing some rows");
    ++counts_.retries;
    if (!runtime_.SleepFor(milliseconds(100))) return Cancelled("stopping");
  }
}

Status Uploader::TakeAnswer(PatientClient& client, const Batch& batch,
                            const PatientClient::Answer& answer) {
  JsonView json = JsonView::Of(answer.response.body);
  auto items = ItemsOf(json);
  if (items.size() != batch.rows.size()) {
    // Not about its items: a token that is too weak, an unknown database, a body too large.
    return Conflict("bulk create: " + ErrorMessage(answer.response));
  }
  std::vector<SentRow> sent;
  for (std::size_t i = 0; i < items.size(); ++i) {
    ItemResult result = ResultOf(items[i]);
    bool accepted = result.kind == ItemResult::Kind::kAccepted;
    bool duplicate = result.kind == ItemResult::Kind::kDuplicate;
    // A request that was sent twice meets its own first sending.
    if (accepted || (duplicate && answer.attempts > 1)) ++counts_.accepted;
    if (duplicate && answer.attempts == 1) ++counts_.duplicates;
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
  JsonView events = json["events"].exists() ? json["events"] : json["data"]["events"];
  const std::string ours = Canonical(at.document);
  for (const JsonView& event : events.Elements()) {
    if (event["event_type"].TextOr("") != "CREATE_INSTANCE_REQUESTED") continue;
    if (Canonical(event["data"]["document"].raw()) != ours) continue;
    ++counts_.duplicates;
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
