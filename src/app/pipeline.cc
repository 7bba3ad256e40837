#include "app/pipeline.h"

#include <unistd.h>

#include "eventlog/recovery.h"

namespace saffron {
namespace {

constexpr Duration kDrain = seconds(3);

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
                                   const std::string& owner, std::int64_t max_attempts,
                                   std::vector<std::string> topics) {
  CommandWorkerOptions options;
  options.terms = {std::string(handler), owner, Milliseconds(config.lease_timeout),
                   Milliseconds(config.heartbeat_interval),
                   static_cast<std::uint32_t>(max_attempts)};
  options.topics = std::move(topics);
  return options;
}

PublisherOptions PublisherOptionsOf(const Config& config, const std::string& owner) {
  PublisherOptions options;
  options.owner = owner;
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

}  // namespace

Pipeline::Meters::Meters(Metrics& metrics)
    : append(metrics),
      publisher(metrics),
      ontology(metrics, std::string(kOntologyWorker)),
      instance(metrics, std::string(kInstanceWorker)),
      graph(metrics),
      projection(metrics) {}

Pipeline::Pipeline(const Config& config, Engines& engines, Runtime& runtime, Log& log,
                   Metrics& metrics)
    : engines_(engines),
      runtime_(runtime),
      log_(log),
      meters_(metrics),
      owner_(OwnerName(config, runtime)),
      tasks_(runtime) {}

Pipeline::~Pipeline() { Stop(); }

Result<std::unique_ptr<Pipeline>> Pipeline::Open(const Config& config, Engines& engines,
                                                 Runtime& runtime, Log& log, Metrics& metrics) {
  std::unique_ptr<Pipeline> pipeline(new Pipeline(config, engines, runtime, log, metrics));
  SAFFRON_TRY(pipeline->OpenLog(config));
  pipeline->MakeParts(config);
  return pipeline;
}

Status Pipeline::OpenLog(const Config& config) {
  SAFFRON_TRY(ProbeStore(*engines_.store, runtime_));
  EventLogFormat wanted;
  wanted.max_event_bytes = static_cast<std::uint64_t>(config.max_event_bytes);
  const bool chosen = wanted.max_event_bytes != kDefaultMaxEnvelopeBytes;
  SAFFRON_ASSIGN(EventLogFormat format, OpenFormat(*engines_.store, runtime_, wanted, chosen));
  context_.reset(new LogContext{runtime_, *engines_.store, *engines_.registry, log_, format, 0u,
                                owner_, engines_.exclusive});
  return OpenRegistry(*context_);
}

void Pipeline::MakeParts(const Config& config) {
  AppendOptions append;
  append.lanes = static_cast<int>(config.append_lanes);
  append.reservation = config.reservation;
  append_ = std::make_unique<AppendLog>(*context_, append, &meters_.append);
  resolver_ = std::make_unique<Resolver>(*context_, [this] {
    append_->Wake();
    SweepSoon();
  });
  publisher_ = std::make_unique<Publisher>(*context_, *engines_.bus, *engines_.claims,
                                           PublisherOptionsOf(config, owner_), &meters_.publisher);
  ontology_worker_ = std::make_unique<CommandWorker>(
      *context_, *append_, *engines_.claims, *engines_.bus,
      WorkerOptions(config, kOntologyWorker, owner_, config.ontology_worker_max_attempts,
                    {std::string(kDatabaseCommandsTopic), std::string(kOntologyCommandsTopic)}),
      &meters_.ontology);
  instance_worker_ = std::make_unique<CommandWorker>(
      *context_, *append_, *engines_.claims, *engines_.bus,
      WorkerOptions(config, kInstanceWorker, owner_, config.instance_worker_max_attempts,
                    {std::string(kInstanceCommandsTopic)}),
      &meters_.instance);
  GraphWriterOptions graph;
  graph.owner = owner_;
  graph_writer_ = std::make_unique<GraphWriter>(*context_, *engines_.graph, *engines_.claims,
                                                *engines_.bus, graph, &meters_.graph);
  ProjectionOptions projection;
  projection.owner = owner_;
  projection.max_retries = static_cast<int>(config.projection_worker_max_attempts);
  projection_ =
      std::make_unique<Projection>(*context_, *engines_.bus, *engines_.claims, *engines_.search,
                                   projected_, projection, &meters_.projection);
}

void Pipeline::Start() {
  append_->Start();
  tasks_.Spawn("resolver", [this] { resolver_->Run(); });
  tasks_.Spawn("publisher", [this] { publisher_->Run(); });
  tasks_.Spawn("ontology-worker", [this] { ontology_worker_->Run(); });
  tasks_.Spawn("instance-worker", [this] { instance_worker_->Run(); });
  tasks_.Spawn("graph-writer", [this] { graph_writer_->Run(); });
  tasks_.Spawn("projection", [this] { projection_->Run(); });
}

void Pipeline::Stop() {
  if (context_ == nullptr) return;
  context_->committed.Nudge();
  context_->settled.Nudge();
  if (append_ != nullptr) append_->Stop(runtime_.Now() + kDrain);
  tasks_.JoinAll();
  stopped_.store(true);
}

void Pipeline::SweepSoon() {
  ontology_worker_->SweepSoon();
  instance_worker_->SweepSoon();
}

std::vector<std::pair<std::string, bool>> Pipeline::Health() const {
  return {{"publisher", publisher_->healthy()},
          {"ontology-worker", ontology_worker_->healthy()},
          {"instance-worker", instance_worker_->healthy()},
          {"graph-writer", graph_writer_->healthy()},
          {"projection", projection_->healthy()}};
}

}  // namespace saffron
