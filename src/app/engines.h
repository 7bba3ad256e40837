// The engines behind the ports of one process, whichever were picked.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "app/config.h"
#include "app/watched_store.h"
#include "base/metrics.h"
#include "eventlog/log_context.h"
#include "ports/claim_registry.h"
#include "ports/graph_store.h"
#include "ports/message_bus.h"
#include "ports/search_index.h"

namespace saffron {

// What a registry that is shared by processes tells of the slots that any of them settles, handed
// to whoever listens now. Any thread.
class SettledFeed {
 public:
  using Listener = std::function<void(SlotNumber)>;

  // Null ends it: nobody is called any more when it returns.
  void Listen(Listener listener) {
    std::lock_guard<std::mutex> held(mutex_);
    listener_ = std::move(listener);
  }
  void Tell(SlotNumber slot) {
    std::lock_guard<std::mutex> held(mutex_);
    if (listener_) listener_(slot);
  }

 private:
  std::mutex mutex_;  // held while the listener runs, which only raises signals
  Listener listener_;
};

// Owned by the process's main function, and outlives every part that works on them.
struct Engines {
  std::shared_ptr<void> store_metrics;  // what the store reports to, where it does
  std::unique_ptr<WatchedStore> store;
  EventLogFormat format;  // of the log in the store
  std::shared_ptr<AppendRegistry> registry;
  std::shared_ptr<ClaimRegistry> claims;  // the same engine
  // Null where the service does not need it.
  std::unique_ptr<MessageBus> bus;
  std::unique_ptr<GraphStore> graph;
  std::unique_ptr<SearchIndex> search;
  std::shared_ptr<SettledFeed> settled;  // null: the registry belongs to this process
  // No other process can have a write to this log under way: a directory under its lock.
  bool exclusive = false;
  bool local_graph = false;  // in this process: a row is read within microseconds
  // "object_store" -> "directory /var/lib/saffron/objects": for the startup line.
  std::vector<std::pair<std::string, std::string>> described;
};

// What engines are opened for. All of it outlives them.
struct EngineSetting {
  const Config& config;
  Service service;
  Runtime& runtime;
  Log& log;
  Metrics& metrics;
};
using OpenEngines = Result<Engines> (*)(const EngineSetting& setting);

// Probes the store, then opens or makes the log in it.
Result<EventLogFormat> OpenLogFormat(const Config& config, ObjectStore& store, Runtime& runtime);

}  // namespace saffron
