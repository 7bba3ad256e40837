// Pipeline: the parts of one process behind the HTTP edge, over any engines: of lanes, resolver,
// publisher, the two command workers, the graph writer and the projection those that its service
// has.
//
// Owned by the command that runs it. Open, Start and Stop are called by one thread, in this order.
// What survives a crash is in the engines; Open rolls the registry forward from the log.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/engines.h"
#include "base/metrics.h"
#include "eventlog/append_log.h"
#include "eventlog/resolver.h"
#include "services/projection/projection.h"
#include "services/publisher/publisher.h"
#include "services/worker/claim_pruner.h"
#include "services/worker/command_worker.h"
#include "services/worker/graph_writer.h"
#include "services/worker/sweep_request.h"

namespace saffron {

class Pipeline {
 public:
  // Makes the registry serve (which may fence). kInvalid: engines that do not belong together.
  // `setting` is what the engines were opened for.
  static Result<std::unique_ptr<Pipeline>> Open(const EngineSetting& setting, Engines& engines);
  ~Pipeline();

  void Start();
  // The runtime is stopping already. Appends what waits, ends every part, releases claims.
  void Stop();
  // Every part has ended. Any thread.
  bool stopped() const { return stopped_.load(); }

  LogContext& context() { return *context_; }
  const std::string& owner() const { return owner_; }
  // Of a service that appends.
  AppendLog& append() { return *append_; }
  // The projection has passed the slot, here or in another process. Of a service with an index.
  Result<bool> Projected(SlotNumber slot);
  // Name of each part -> whether its last step did its work, else why not.
  std::vector<std::pair<std::string, Status>> Health() const;
  // A command was freed or rebuilt: the workers of every process look at the work list again.
  void SweepSoon();

 private:
  // What each part reports. Made before the parts.
  struct Meters {
    explicit Meters(Metrics& metrics);
    AppendMetrics append;
    PublisherMetrics publisher;
    CommandWorkerMetrics ontology, instance;
    GraphWriterMetrics graph;
    ProjectionMetrics projection;
  };

  Pipeline(const EngineSetting& setting, Engines& engines);
  Status OpenLog();
  Status CheckSinksNotAhead();
  void MakeWriter(const Config& config);
  void MakePublisher(const Config& config);
  void MakeWorkers(const Config& config);
  void MakeProjection(const Config& config);
  void ListenToOthers();
  void SweepHere();

  const ServiceParts parts_;
  Engines& engines_;
  Runtime& runtime_;
  Log& log_;
  Meters meters_;
  const std::string owner_;  // "name/process incarnation"
  std::unique_ptr<LogContext> context_;
  // Null where the service has no such part.
  std::unique_ptr<AppendLog> append_;
  std::unique_ptr<Resolver> resolver_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<CommandWorker> ontology_worker_, instance_worker_;
  std::unique_ptr<GraphWriter> graph_writer_;
  std::unique_ptr<SweepWatch> sweep_watch_;    // another process may ask for a sweep
  std::unique_ptr<ClaimPruner> claim_pruner_;  // null: claims are kept for ever
  ProjectionProgress projected_;               // of the projection here
  std::unique_ptr<Projection> projection_;
  std::unique_ptr<StoredProgress> stored_progress_;  // of one in another process
  TaskGroup tasks_;
  std::atomic<bool> stopped_{false};
};

}  // namespace saffron
