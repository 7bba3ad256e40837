// A deployment in the test's own process, as `saffron check` sees it: an API that answers like the
// OMS, and memory engines. Everything can be broken.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "adapters/memory/memory_object_store.h"
#include "adapters/memory/memory_registry.h"
#include "app/commands/check_subject.h"
#include "base/thread_runtime.h"
#include "net/http_server.h"

namespace saffron {

// The clock on the wall can be wrong.
class SkewedRuntime final : public Runtime {
 public:
  using Runtime::Spawn;
  Instant Now() override { return true_.Now(); }
  WallTime WallNow() override { return {true_.WallNow().unix_ms + skew_ms}; }
  bool SleepFor(Duration duration) override { return true_.SleepFor(duration); }
  std::unique_ptr<Task> Spawn(std::string name, Urgency urgency,
                              std::function<void()> body) override {
    return true_.Spawn(std::move(name), urgency, std::move(body));
  }
  std::unique_ptr<Condition> NewCondition() override { return true_.NewCondition(); }
  std::uint64_t Random() override { return true_.Random(); }
  void RequestStop() override { true_.RequestStop(); }
  bool StopRequested() override { return true_.StopRequested(); }

  std::int64_t skew_ms = 0;

 private:
  ThreadRuntime true_;
};

struct CheckOutcome {
  int code = 0;
  std::string out;
  // The verdict of an item in JSON: "passed", "failed", "not_applicable"; empty: there is none.
  std::string VerdictOf(const std::string& id) const;
  // Of every item that failed.
  std::vector<std::string> Crosses() const;
};

class CheckedHome final : public DeployedEngines {
 public:
  enum class Kind { kServers, kEmbedded };
  explicit CheckedHome(Kind kind = Kind::kServers);
  ~CheckedHome() override;

  CheckOutcome Run(OutputFormat output = OutputFormat::kJson);

  Result<std::unique_ptr<ObjectStore>> OpenStore() override;
  Result<DeployedRegistry> OpenRegistry() override;
  Result<std::unique_ptr<MessageBus>> OpenBus() override;
  Result<std::unique_ptr<GraphStore>> OpenGraph() override;
  Result<std::unique_ptr<SearchIndex>> OpenSearch() override;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
  bool HasProbe() const;  // a database is there

  // What can be broken, before Run.
  std::map<std::string, Error> refusals;  // "store", "registry", "bus", "graph", "search"
  // Asked before a request is looked at; an answer of it is sent instead.
  std::function<std::optional<HttpResponse>(const HttpRequest&)> instead;
  bool store_ignores_conditions = false, topics_are_missing = false, publisher_runs = true;
  bool publisher_goes_back = false, by_date_is_written = true, worker_runs = true;
  bool slot_is_written = true, stale_write_appends = false, answers_of_create_are_lost = false;
  std::uint32_t schema_version = 1;
  LogId log_of_api;
  Config config;
  CheckOptions options;
  SkewedRuntime runtime;
  std::string printed;

 private:
  HttpResponse Answer(const HttpRequest& request);
  HttpResponse Create(const HttpRequest& request);
  HttpResponse Delete(const HttpRequest& request);
  std::string Events() const;
  void WriteSlot(const EventId& command);
  void Publish(SlotNumber slot);
  void NoteDone(const EventId& command);

  LogId log_;
  MemoryObjectStore store_;
  std::shared_ptr<MemoryRegistry> registry_;
  mutable std::mutex mutex_;
  std::vector<EventId> commands_;  // of the probe, in order
  bool present_ = false;
  SlotNumber last_slot_{7}, published_{7};
  std::unique_ptr<HttpServer> server_;
};

}  // namespace saffron
