#include "app/commands/check_test_home.h"

#include <gtest/gtest.h>

#include "adapters/memory/memory_bus.h"
#include "adapters/memory/memory_graph.h"
#include "adapters/memory/memory_search.h"
#include "app/json_view.h"
#include "eventlog/by_date_index.h"
#include "eventlog/recovery.h"
#include "services/publisher/checkpoint.h"
#include "services/publisher/publisher.h"

namespace saffron {
namespace {

constexpr std::string_view kCheckpoint = "checkpoints/event_publisher.json";

// The home's store, which stays when the check lets go of it.
class StoreView final : public ObjectStore {
 public:
  StoreView(ObjectStore& store, bool ignores) : store_(store), ignores_(ignores) {}
  Result<std::string> PutIfAbsent(std::string_view key, std::string_view bytes) override {
    if (!ignores_) return store_.PutIfAbsent(key, bytes);
    SAFFRON_TRY(store_.Put(key, bytes));
    return std::string("any");
  }
  Result<std::string> PutIfMatch(std::string_view key, std::string_view bytes,
                                 std::string_view etag) override {
    return store_.PutIfMatch(key, bytes, etag);
  }
  Status Put(std::string_view key, std::string_view bytes) override {
    return store_.Put(key, bytes);
  }
  Result<StoredObject> Get(std::string_view key) override { return store_.Get(key); }
  Result<std::string> GetRange(std::string_view key, std::uint64_t offset_bytes,
                               std::uint64_t length_bytes) override {
    return store_.GetRange(key, offset_bytes, length_bytes);
  }
  Result<std::vector<std::string>> List(std::string_view prefix, std::string_view after,
                                        std::size_t limit) override {
    return store_.List(prefix, after, limit);
  }
  Status Delete(std::string_view key) override { return store_.Delete(key); }
  std::string Describe() const override { return "the store of a test"; }

 private:
  ObjectStore& store_;
  const bool ignores_;
};

HttpResponse Json(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

Environment EnvironmentOf(CheckedHome::Kind kind, const std::string& url) {
  if (kind == CheckedHome::Kind::kEmbedded) return {};
  return {{"MINIO_ENDPOINT_URL", url},
          {"MINIO_ACCESS_KEY", "key"},
          {"MINIO_SECRET_KEY", "s3cret"},
          {"POSTGRES_URL", "postgresql://user:s3cret@127.0.0.1:1/db"},
          {"KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"},
          {"TERMINUS_SERVER_URL", url},
          {"TERMINUS_KEY", "s3cret"},
          {"ELASTICSEARCH_URL", url}};
}

}  // namespace

std::string CheckOutcome::VerdictOf(const std::string& id) const {
  for (const JsonView& item : JsonView::Of(out)["items"].Elements()) {
    if (item["id"].TextOr("") == id) return item["verdict"].TextOr("");
  }
  return "";
}

std::vector<std::string> CheckOutcome::Crosses() const {
  std::vector<std::string> crosses;
  for (const JsonView& item : JsonView::Of(out)["items"].Elements()) {
    if (item["verdict"].TextOr("") != "failed") continue;
    EXPECT_NE(item["next_step"].TextOr(""), "") << item.raw();
    crosses.push_back(item["id"].TextOr(""));
  }
  return crosses;
}

CheckedHome::CheckedHome(Kind kind) {
  auto server = HttpServer::Open({}, [this](HttpRequest&& request, Responder responder) {
    std::lock_guard<std::mutex> held(mutex_);
    std::optional<HttpResponse> other = instead ? instead(request) : std::nullopt;
    responder.Send(other ? std::move(*other) : Answer(request));
  });
  EXPECT_TRUE(server.ok());
  server_ = std::move(*server);
  config = LoadConfig(EnvironmentOf(kind, url()))->config;
  options.remote.api.server_url = url();
  options.timeout = milliseconds(300);
  Result<EventLogFormat> format = OpenFormat(store_, runtime, EventLogFormat(), false);
  EXPECT_TRUE(format.ok());
  log_ = log_of_api = format->log;
  registry_ = std::make_shared<MemoryRegistry>(
      MemoryRegistry::Options{[] { return ThreadRuntime().WallNow().unix_ms; }});
  Publish(published_);
}

CheckedHome::~CheckedHome() = default;

CheckOutcome CheckedHome::Run(OutputFormat output) {
  std::ostringstream out, err;
  options.remote.output = output;
  CheckOutcome outcome;
  outcome.code = RunCheck(runtime, config, options, *this, {out, err});
  outcome.out = out.str();
  printed = outcome.out + err.str();
  return outcome;
}

bool CheckedHome::HasProbe() const {
  std::lock_guard<std::mutex> held(mutex_);
  return present_;
}

Result<std::unique_ptr<ObjectStore>> CheckedHome::OpenStore() {
  if (auto refused = refusals.find("store"); refused != refusals.end()) return refused->second;
  return std::unique_ptr<ObjectStore>(new StoreView(store_, store_ignores_conditions));
}

Result<DeployedRegistry> CheckedHome::OpenRegistry() {
  if (auto refused = refusals.find("registry"); refused != refusals.end()) return refused->second;
  DeployedRegistry found{schema_version, 1, "", {}, {}};
  if (schema_version != 1) return found;
  SAFFRON_TRY(registry_->Transact(RegistryRead{}, [this](const RegistryRows& rows) {
    RegistryWrite write;
    write.control = rows.control;
    write.control->log = log_;
    return write;
  }));
  found.append = registry_;
  found.claims = registry_;
  return found;
}

Result<std::unique_ptr<MessageBus>> CheckedHome::OpenBus() {
  if (auto refused = refusals.find("bus"); refused != refusals.end()) return refused->second;
  auto bus = std::make_unique<MemoryBus>(runtime, MemoryBus::Options{});
  if (!topics_are_missing) SAFFRON_TRY(bus->EnsureTopics(AllTopics(1)));
  return std::unique_ptr<MessageBus>(std::move(bus));
}

Result<std::unique_ptr<GraphStore>> CheckedHome::OpenGraph() {
  if (auto refused = refusals.find("graph"); refused != refusals.end()) return refused->second;
  return std::unique_ptr<GraphStore>(std::make_unique<MemoryGraph>());
}

Result<std::unique_ptr<SearchIndex>> CheckedHome::OpenSearch() {
  if (auto refused = refusals.find("search"); refused != refusals.end()) return refused->second;
  return std::unique_ptr<SearchIndex>(std::make_unique<MemorySearch>());
}

HttpResponse CheckedHome::Answer(const HttpRequest& request) {
  const std::string& path = request.path;
  if (path == "/health") {
    return Json(200, R"({"status":"healthy","components":{"object_store":{"status":"ok"},)"
                     R"("registry":{"status":"ok"},"publisher":{"status":"ok"},)"
                     R"("graph-writer":{"status":"ok"},"projection":{"status":"ok"}}})");
  }
  if (path == "/api/v1/admin/status") {
    return Json(200, "{\"log_id\":\"" + log_of_api.ToString() +
                         "\",\"publisher\":{\"slot\":" + std::to_string(published_.value) + "}}");
  }
  if (path == "/api/v1/database/create") return Create(request);
  if (request.method == "DELETE") return Delete(request);
  if (path.ends_with("/status")) {
    return Json(200, worker_runs ? R"({"status":"COMPLETED"})" : R"({"status":"PENDING"})");
  }
  if (path.ends_with("/events")) return Json(200, Events());
  if (path.starts_with("/api/v1/aggregates/")) {
    return Json(200, "{\"data\":{\"sequence_number\":" + std::to_string(commands_.size()) + "}}");
  }
  return Json(404, R"({"message":"no such route"})");
}

HttpResponse CheckedHome::Create(const HttpRequest& request) {
  const EventId command(*Uuid::Parse(*request.headers.Find("Idempotency-Key")));
  const HttpResponse lost = Json(503, R"({"message":"unknown","outcome":"unknown"})");
  if (!commands_.empty()) return lost;  // the same one again
  commands_.push_back(command);
  present_ = true;
  last_slot_ = last_slot_.Next();
  if (slot_is_written) WriteSlot(command);
  if (publisher_runs) Publish(last_slot_);
  if (publisher_goes_back) Publish(SlotNumber(3));
  if (worker_runs) NoteDone(command);
  if (answers_of_create_are_lost) return lost;
  return Json(202, "{\"data\":{\"sequence_number\":1,\"position\":\"" +
                       Position{0, last_slot_, 0}.ToString() + "\"}}");
}

HttpResponse CheckedHome::Delete(const HttpRequest& request) {
  const bool current = request.Query("expected_seq") == std::to_string(commands_.size());
  if (!current) {
    if (stale_write_appends) commands_.push_back(commands_.front());
    return Json(409, R"({"detail":{"error":"optimistic_concurrency_conflict"}})");
  }
  commands_.emplace_back(*Uuid::Parse(*request.headers.Find("Idempotency-Key")));
  present_ = false;
  return Json(202, "{\"data\":{\"sequence_number\":2}}");
}

std::string CheckedHome::Events() const {
  std::string events;
  for (std::size_t i = 0; i < commands_.size(); ++i) {
    events += (i == 0 ? "" : ",") + ("{\"position\":\"" + Position{0, last_slot_, 0}.ToString()) +
              "\",\"event\":{\"event_id\":\"" + commands_[i].ToString() +
              "\",\"sequence_number\":" + std::to_string(i + 1) + "}}";
  }
  return "{\"data\":{\"events\":[" + events + "]}}";
}

void CheckedHome::WriteSlot(const EventId& command) {
  SlotHeader header;
  header.log = log_;
  header.slot = last_slot_;
  header.batch = BatchId(command.uuid);
  header.writer = "test";
  header.reserved_at = ThreadRuntime().WallNow().ToRfc3339();
  LoggedEvent event;
  event.envelope.event_id = command;
  event.envelope.type = EventType::Requested(AggregateType::kDatabase, Operation::kCreate);
  event.envelope.aggregate = AggregateKey::Database("probe");
  event.envelope.occurred_at = header.reserved_at;
  event.envelope.actor = "tester";
  event.envelope.data = "{}";
  event.envelope.sequence_number = SequenceNumber(1);
  event.envelope.metadata.service = "test";
  event.envelope.metadata.command_id = command;
  event.envelope.metadata.command_type = event.envelope.type;
  const Slot slot = MakeBatchSlot(header, {event});
  EXPECT_TRUE(store_.PutIfAbsent(SlotKey(0, last_slot_), slot.bytes).ok());
  if (!publisher_runs || !by_date_is_written) return;
  ByDateRun run;
  run.Add(slot);
  EXPECT_TRUE(store_.Put(run.Key(), run.Json()).ok());
}

void CheckedHome::Publish(SlotNumber slot) {
  published_ = slot;
  PublisherCheckpoint checkpoint;
  checkpoint.renewed_at = "2026-01-01T00:00:00.000Z";
  checkpoint.shards[0] = slot;
  EXPECT_TRUE(store_.Put(kCheckpoint, EncodeCheckpoint(checkpoint)).ok());
}

void CheckedHome::NoteDone(const EventId& command) {
  const Status noted = registry_->Transact(ClaimRead{}, [&](const ClaimRows&) {
    ClaimRow row;
    row.key = {std::string(kOntologyWorker), command};
    row.aggregate = AggregateKey::Database("probe");
    row.number = SequenceNumber(1);
    row.status = ClaimStatus::kDone;
    ClaimWrite write;
    write.put_claims.push_back(row);
    return write;
  });
  EXPECT_TRUE(noted.ok());
}

}  // namespace saffron
