// Pipeline: every part of Saffron behind the HTTP edge, in one process, over any engines: lanes,
// resolver, publisher, the two command workers, the graph writer and the projection.
//
// Owned by the command that runs it. Open, Start and Stop are called by one thread, in this order.
// What survives a crash is in the engines; Open rolls the registry forward from the log.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/config.h"
#include "app/watched_store.h"
#include "base/metrics.h"
#include "eventlog/append_log.h"
#include "eventlog/resolver.h"
#include "ports/claim_registry.h"
#include "ports/graph_store.h"
#include "ports/message_bus.h"
#include "ports/search_index.h"
#include "services/projection/projection.h"
#include "services/publisher/publisher.h"
#include "services/worker/command_worker.h"
#include "services/worker/graph_writer.h"

namespace saffron {

// The engines behind the ports, and who owns them.
struct Engines {
  std::unique_ptr<WatchedStore> store;
  EventLogFormat format;  // of the log in the store
  std::shared_ptr<AppendRegistry> registry;
  std::shared_ptr<ClaimRegistry> claims;  // the same engine
  std::unique_ptr<MessageBus> bus;
  std::unique_ptr<GraphStore> graph;
  std::unique_ptr<SearchIndex> search;
  bool exclusive = false;    // no other process can write to this log
  bool local_graph = false;  // in this process: a row is read within microseconds
  // "object store" -> "directory /var/lib/saffron/objects": for the startup line.
  std::vector<std::pair<std::string, std::string>> described;
};

// Probes the store, then opens or makes the log in it.
Result<EventLogFormat> OpenLogFormat(const Config& config, ObjectStore& store, Runtime& runtime);

class Pipeline {
 public:
  // Makes the registry serve (which may fence). kInvalid: engines that do not belong together.
  static Result<std::unique_ptr<Pipeline>> Open(const Config& config, Engines& engines,
                                                Runtime& runtime, Log& log, Metrics& metrics);
  ~Pipeline();

  void Start();
  // The runtime is stopping already. Appends what waits, ends every part, releases claims.
  void Stop();
  // Every part has ended. Any thread.
  bool stopped() const { return stopped_.load(); }

  LogContext& context() { return *context_; }
  const std::string& owner() const { return owner_; }
  AppendLog& append() { return *append_; }
  ProjectionProgress& projected() { return projected_; }
  Projection& projection() { return *projection_; }
  GraphWriter& graph_writer() { return *graph_writer_; }
  Publisher& publisher() { return *publisher_; }
  // Name of each part -> whether its last step did its work, else why not.
  std::vector<std::pair<std::string, Status>> Health() const;
  // A command was freed or rebuilt: the workers look at the work list again.
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

  Pipeline(const Config& config, Engines& engines, Runtime& runtime, Log& log, Metrics& metrics);
  Status OpenLog();
  Status CheckSinksNotAhead();
  void MakeParts(const Config& config);

  Engines& engines_;
  Runtime& runtime_;
  Log& log_;
  Meters meters_;
  const std::string owner_;  // "name/process incarnation"
  std::unique_ptr<LogContext> context_;
  std::unique_ptr<AppendLog> append_;
  std::unique_ptr<Resolver> resolver_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<CommandWorker> ontology_worker_, instance_worker_;
  std::unique_ptr<GraphWriter> graph_writer_;
  ProjectionProgress projected_;
  std::unique_ptr<Projection> projection_;
  TaskGroup tasks_;
  std::atomic<bool> stopped_{false};
};

}  // namespace saffron
