// GraphWriter: the one writer of the graph. It follows the log in slot order and folds outcomes
// into commits that carry its position.
//
// Of all processes that run one, the holder of the lease "graph_writer" writes, the others stand
// by; a late one is refused by the graph, which compares the lease's epoch in every commit. Owned
// by the process; Step and Run are called by one thread, the rest by any. What survives a crash is
// the position in the graph: the successor goes on after it, wherever that is.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/step_health.h"
#include "eventlog/log_context.h"
#include "eventlog/log_reader.h"
#include "ports/claim_registry.h"
#include "ports/graph_store.h"
#include "ports/message_bus.h"
#include "services/worker/graph_fold.h"
#include "services/worker/lease.h"

namespace saffron {

class GraphWriterMetrics {
 public:
  explicit GraphWriterMetrics(Metrics& metrics);
  void Committed(std::size_t nodes, SlotNumber position, Duration took);
  void Refused();
  void Writes(bool writes);

 private:
  Metrics::Counter &commits_, &nodes_, &refused_;
  Metrics::Gauge &position_, &writes_;
  Metrics::Histogram& seconds_;
};

struct GraphWriterOptions {
  std::string owner;  // unique to the run of the process
  Duration lease = seconds(15);
  std::size_t max_events = 2000;  // a commit: whole slots, about so many events
  Duration dead_letter_timeout = seconds(10);
};

class GraphWriter {
 public:
  enum class Progress { kIdle, kWorked };

  GraphWriter(LogContext& context, GraphStore& graph, ClaimRegistry& claims, MessageBus& bus,
              GraphWriterOptions options, GraphWriterMetrics* metrics);

  // Steps until the runtime stops, backing off after errors; then gives the lease back.
  void Run();
  // One commit at most. After an error nothing is lost: call it again.
  Result<Progress> Step();

  bool writing() const { return writing_; }
  // The last Step did its work. Standing by is healthy.
  bool healthy() const { return health_.ok(); }
  Status health() const { return health_.Now(); }
  // Of this process's last commit (or of its start as the writer).
  SlotNumber position() const { return SlotNumber(position_.load()); }
  std::uint64_t refused() const { return refused_; }

 private:
  Result<Progress> Contend();
  Result<Progress> Write();
  Status RenewIfDue();
  // After an unknown outcome: where the graph is.
  Status FindOut();
  Status Follow();
  Status Bury(const GraphRefusal& refusal);
  void StandBy(std::string_view why);

  LogContext& context_;
  Runtime& runtime_;
  GraphStore& graph_;
  MessageBus& bus_;
  const GraphWriterOptions options_;
  GraphWriterMetrics* const metrics_;
  Lease lease_;

  std::atomic<bool> writing_{false};
  StepHealth health_;
  std::atomic<std::uint64_t> position_{0};
  std::atomic<std::uint64_t> refused_{0};

  Instant renewed_at_;
  bool unknown_ = false;  // whether the last commit was applied
  std::unique_ptr<LogReader> reader_;
  std::vector<SlotPtr> slots_;  // read, not yet committed
};

}  // namespace saffron
