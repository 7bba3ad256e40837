#include "app/pipeline.h"

#include <unistd.h>

#include "eventlog/recovery.h"

namespace saffron {
namespace {

constexpr Duration kDrain = seconds(3);
constexpr std::size_t kReadsAtOnce = 4;  // from a store on a server
// A transaction is two round trips to a registry on a server, and the next request waits behind it.
constexpr Duration kServerSettleLinger = milliseconds(2);

std::string OwnerName(const Config& config, Runtime& runtime) {
  std::string name = config.owner;
  if (name.empty()) {
    char host[256] = {};
    name = ::gethostname(host, sizeof(host) - 1) == 0 ? host : "localhost";
  }
  return name + "/" + runtime.NewUuid().ToString();
}

std::int64_t Milliseconds(Duration duration) {
  return std::chrono::duration_cast<milliseconds>(duration).count();
}

CommandWorkerOptions WorkerOptions(const Config& config, std::string_view handler,
                                   const std::string& owner, bool exclusive,
                                   std::int64_t max_attempts, std::vector<std::string> topics) {
  CommandWorkerOptions options;
  options.terms = {std::string(handler),
                   owner,
                   Milliseconds(config.lease_timeout),
                   Milliseconds(config.heartbeat_interval),
                   static_cast<std::uint32_t>(max_attempts),
                   exclusive};
  options.topics = std::move(topics);
  return options;
}

PublisherOptions PublisherOptionsOf(const Config& config, const std::string& owner) {
  PublisherOptions options;
  options.owner = owner;
  options.topics = AllTopics(config.TopicPartitions());
  options.batch_size = static_cast<std::size_t>(config.publisher_batch_size);
  options.flush_batch_size = static_cast<std::size_t>(config.publisher_flush_batch_size == 0
                                                          ? config.publisher_batch_size
                                                          : config.publisher_flush_batch_size);
  options.flush_timeout = config.publisher_flush_timeout;
  options.metrics_interval = config.publisher_metrics_interval;
  options.poll_interval = config.publisher_poll_interval;
  options.checkpoint_key = config.publisher_checkpoint_key;
  options.lease = config.publisher_lease;
  return options;
}

// Every process makes what is missing: a consumer may be there before the publisher. A topic that
// was made a moment ago is there for good when its ends can be read.
Status MakeTopics(MessageBus& bus, const std::vector<TopicSpec>& topics) {
  SAFFRON_TRY(bus.EnsureTopics(topics));
  for (const TopicSpec& topic : topics) SAFFRON_TRY(bus.Describe(topic.name));
  return Ok();
}

}  // namespace

Pipeline::Meters::Meters(Metrics& metrics)
    : append(metrics),
      publisher(metrics),
      ontology(metrics, std::string(kOntologyWorker)),
      instance(metrics, std::string(kInstanceWorker)),
      graph(metrics),
      projection(metrics) {}

Pipeline::Pipeline(const EngineSetting& setting, Engines& engines)
    : parts_(PartsOf(setting.service)),
      engines_(engines),
      runtime_(setting.runtime),
      log_(setting.log),
      meters_(setting.metrics),
      owner_(OwnerName(setting.config, runtime_)),
      tasks_(runtime_) {}

Pipeline::~Pipeline() { Stop(); }

Result<std::unique_ptr<Pipeline>> Pipeline::Open(const EngineSetting& setting, Engines& engines) {
  const Config& config = setting.config;
  std::unique_ptr<Pipeline> pipeline(new Pipeline(setting, engines));
  SAFFRON_TRY(pipeline->OpenLog());
  if (engines.bus != nullptr) {
    SAFFRON_TRY(MakeTopics(*engines.bus, AllTopics(config.TopicPartitions())));
  }
  const ServiceParts& parts = pipeline->parts_;
  if (parts.appends()) pipeline->MakeWriter(config);
  if (parts.resolves()) {
    pipeline->resolver_ = std::make_unique<Resolver>(*pipeline->context_, [at = pipeline.get()] {
      if (at->append_ != nullptr) at->append_->Wake();
      at->SweepSoon();
    });
  }
  if (parts.publisher) pipeline->MakePublisher(config);
  if (parts.graph_writer()) pipeline->MakeWorkers(config);
  if (parts.projection) pipeline->MakeProjection(config);
  if (engines.search != nullptr && !parts.projection) {
    pipeline->stored_progress_ =
        std::make_unique<StoredProgress>(setting.runtime, *engines.search, *engines.claims);
  }
  pipeline->ListenToOthers();
  return pipeline;
}

Result<EventLogFormat> OpenLogFormat(const Config& config, ObjectStore& store, Runtime& runtime) {
  SAFFRON_TRY(ProbeStore(store, runtime));
  EventLogFormat wanted;
  wanted.max_event_bytes = static_cast<std::uint64_t>(config.max_event_bytes);
  const bool chosen = wanted.max_event_bytes != kDefaultMaxEnvelopeBytes;
  return OpenFormat(store, runtime, wanted, chosen);
}

Status Pipeline::OpenLog() {
  // clang 14 has no aggregates in parentheses. NOLINTNEXTLINE(modernize-make-unique)
  context_.reset(new LogContext{runtime_, *engines_.store, *engines_.registry, log_,
                                engines_.format, 0u, owner_, engines_.exclusive});
  if (!engines_.exclusive) context_->reads_at_once = kReadsAtOnce;
  SAFFRON_TRY(OpenRegistry(*context_));
  return CheckSinksNotAhead();
}

// A sink that has passed slots which the log does not have would answer with a history that never
// was, and take the next slots of this one for known.
Status Pipeline::CheckSinksNotAhead() {
  GraphState graph;
  std::string stored;
  if (engines_.graph != nullptr) {
    SAFFRON_ASSIGN(graph, engines_.graph->State());
  }
  if (engines_.search != nullptr) {
    SAFFRON_ASSIGN(stored, engines_.search->Watermark());
  }
  Result<ProjectionWatermark> search = DecodeWatermark(stored);
  // After the sinks: other processes go on writing.
  SAFFRON_ASSIGN(RegistryRows rows, engines_.registry->Read({}));
  // A watermark that cannot be read is written anew, from the first slot on.
  const std::pair<std::string_view, SlotNumber> sinks[] = {
      {"graph", graph.position.slot}, {"search index", search.ok() ? search->slot : SlotNumber()}};
  for (const auto& [name, passed] : sinks) {
    if (passed < rows.control.next_slot) continue;
    return Invalid("the " + std::string(name) + " is ahead of the log: it has passed slot " +
                   std::to_string(passed.value) + ", the log ends before slot " +
                   std::to_string(rows.control.next_slot.value) +
                   "; if the log is the one you mean, move the " + std::string(name) +
                   " away: it is made again from the log");
  }
  return Ok();
}

void Pipeline::MakeWriter(const Config& config) {
  AppendOptions append;
  append.lanes = static_cast<int>(config.append_lanes);
  append.limits.linger = milliseconds(config.append_linger_ms);
  append.reservation = config.reservation;
  if (engines_.settled != nullptr) append.settle_linger = kServerSettleLinger;
  append_ = std::make_unique<AppendLog>(*context_, append, &meters_.append);
}

void Pipeline::MakePublisher(const Config& config) {
  publisher_ = std::make_unique<Publisher>(*context_, *engines_.bus, *engines_.claims,
                                           PublisherOptionsOf(config, owner_), &meters_.publisher);
}

void Pipeline::MakeWorkers(const Config& config) {
  if (parts_.ontology_worker) {
    ontology_worker_ = std::make_unique<CommandWorker>(
        *context_, *append_, *engines_.claims, *engines_.bus,
        WorkerOptions(config, kOntologyWorker, owner_, engines_.exclusive,
                      config.ontology_worker_max_attempts,
                      {std::string(kDatabaseCommandsTopic), std::string(kOntologyCommandsTopic)}),
        &meters_.ontology);
  }
  if (parts_.instance_worker) {
    instance_worker_ = std::make_unique<CommandWorker>(
        *context_, *append_, *engines_.claims, *engines_.bus,
        WorkerOptions(config, kInstanceWorker, owner_, engines_.exclusive,
                      config.instance_worker_max_attempts, {std::string(kInstanceCommandsTopic)}),
        &meters_.instance);
  }
  if (config.claim_retention_days > 0) {
    ClaimPrunerOptions pruner;
    pruner.owner = owner_;
    pruner.retention = seconds(config.claim_retention_days * 86'400);
    claim_pruner_ = std::make_unique<ClaimPruner>(runtime_, *engines_.claims, pruner);
  }
  GraphWriterOptions graph;
  graph.owner = owner_;
  graph_writer_ = std::make_unique<GraphWriter>(*context_, *engines_.graph, *engines_.claims,
                                                *engines_.bus, graph, &meters_.graph);
  if (!engines_.exclusive) {
    sweep_watch_ =
        std::make_unique<SweepWatch>(runtime_, *engines_.claims, [this] { SweepHere(); });
  }
}

void Pipeline::MakeProjection(const Config& config) {
  ProjectionOptions projection;
  projection.owner = owner_;
  projection.max_retries = static_cast<int>(config.projection_worker_max_attempts);
  projection_ =
      std::make_unique<Projection>(*context_, *engines_.bus, *engines_.claims, *engines_.search,
                                   projected_, projection, &meters_.projection);
}

// What any process settles wakes whoever waits here: followers of the log, and deferred requests.
void Pipeline::ListenToOthers() {
  if (engines_.settled == nullptr) return;
  context_->told.store(true);
  engines_.settled->Listen([this](SlotNumber slot) {
    context_->committed.Raise(slot);
    context_->settled.Raise(slot);
    if (append_ != nullptr) append_->Wake();
  });
}

void Pipeline::Start() {
  const auto run = [this](std::string name, auto& part, Urgency urgency) {
    if (part != nullptr) tasks_.Spawn(std::move(name), urgency, [at = part.get()] { at->Run(); });
  };
  // In the process that answers clients, what comes after an answer yields to it.
  const Urgency behind = parts_.api ? Urgency::kBackground : Urgency::kServing;
  if (append_ != nullptr) append_->Start();
  run("resolver", resolver_, Urgency::kServing);
  run("publisher", publisher_, behind);
  run("ontology-worker", ontology_worker_, behind);
  run("instance-worker", instance_worker_, behind);
  run("graph-writer", graph_writer_, behind);
  run("sweep-watch", sweep_watch_, behind);
  run("claim-pruner", claim_pruner_, Urgency::kBackground);
  run("projection", projection_, behind);
}

void Pipeline::Stop() {
  if (context_ == nullptr) return;
  if (engines_.settled != nullptr) engines_.settled->Listen(nullptr);
  context_->committed.Nudge();
  context_->settled.Nudge();
  if (append_ != nullptr) append_->Stop(runtime_.Now() + kDrain);
  tasks_.JoinAll();
  stopped_.store(true);
}

void Pipeline::SweepHere() {
  if (ontology_worker_ != nullptr) ontology_worker_->SweepSoon();
  if (instance_worker_ != nullptr) instance_worker_->SweepSoon();
}

void Pipeline::SweepSoon() {
  SweepHere();
  if (engines_.exclusive) return;
  Status asked = RequestSweep(*engines_.claims);
  if (!asked.ok()) log_.Warning("sweep_not_requested", {{"error", asked.error().ToString()}});
}

Result<bool> Pipeline::Projected(SlotNumber slot) {
  if (stored_progress_ != nullptr) return stored_progress_->Passed(context_->shard, slot);
  return projected_.Passed(*engines_.claims, context_->shard, slot);
}

std::vector<std::pair<std::string, Status>> Pipeline::Health() const {
  std::vector<std::pair<std::string, Status>> health;
  const auto add = [&health](std::string name, const auto& part) {
    if (part != nullptr) health.emplace_back(std::move(name), part->health());
  };
  add("publisher", publisher_);
  add("ontology-worker", ontology_worker_);
  add("instance-worker", instance_worker_);
  add("graph-writer", graph_writer_);
  add("projection", projection_);
  return health;
}

}  // namespace saffron
