// AppendLog: the lanes that append. Each lane takes a batch and runs the steps of
// docs/event-log.md: RESERVE, COMMIT, ACK, FINALIZE.
//
// Owned by the process. Submit and Append may be called by any thread; completions are called by a
// lane, without locks, and must not wait. After a crash the resolver settles what was reserved.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "eventlog/append_queue.h"
#include "eventlog/log_context.h"

namespace saffron {

struct AppendOptions {
  int lanes = 2;
  BatchLimits limits;
  Duration reservation = seconds(5);
  // How long a lane without work keeps a batch that is acknowledged before it settles it alone: the
  // next batch settles it in the transaction that it needs anyway.
  Duration settle_linger = Duration::zero();
  std::size_t max_queued_events = 50'000;
  std::size_t max_queued_bytes = 128 << 20;
};

class AppendMetrics;

class AppendLog {
 public:
  AppendLog(LogContext& context, const AppendOptions& options, AppendMetrics* metrics);
  ~AppendLog();
  AppendLog(const AppendLog&) = delete;
  AppendLog& operator=(const AppendLog&) = delete;

  void Start();
  // Refuses what comes, appends what waits until the deadline, settles, ends the lanes.
  void Stop(Instant deadline);

  // `done` is called exactly once.
  void Submit(AppendRequest request, Instant deadline, QueuedRequest::Completion done);
  // Submit and wait.
  AppendAnswer Append(AppendRequest request, Instant deadline);
  // The same for several independent requests; answers in order.
  std::vector<AppendAnswer> AppendEach(std::vector<AppendRequest> requests, Instant deadline);

  // A reservation was settled by another part of the process or another process.
  void Wake() { queue_.Wake(); }
  std::size_t queued_events() const { return queue_.events(); }

 private:
  class Lane;

  LogContext& context_;
  const AppendOptions options_;
  AppendMetrics* const metrics_;
  AppendQueue queue_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  TaskGroup tasks_;
};

// What the lanes report. One for the process.
class AppendMetrics {
 public:
  explicit AppendMetrics(Metrics& metrics);
  void BatchCommitted(std::size_t events, std::size_t bytes, Duration reserve, Duration put);
  void PutRetried();
  void Deferred(std::size_t requests);
  void Aborted();

 private:
  Metrics::Histogram &events_, &bytes_, &reserve_, &put_;
  Metrics::Counter &committed_, &retried_, &deferred_, &aborted_;
};

}  // namespace saffron
