// CommandWorker: decides the commands of one handler (ontology_worker, instance_worker): claim,
// decide, append the outcome, then commit offsets. The settling of the outcome marks the command
// done. The bus is a hint: the work list of the registry is the truth, and is swept at the start
// and every minute.
//
// One thread runs it. After a crash its claims are taken over; an outcome exists once or not at
// all.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/step_health.h"
#include "eventlog/append_log.h"
#include "ports/claim_registry.h"
#include "ports/message_bus.h"
#include "services/worker/claims.h"
#include "services/worker/decider.h"

namespace saffron {

struct CommandWorkerOptions {
  ClaimTerms terms;
  std::vector<std::string> topics;
  std::size_t batch = 500;         // commands decided in one round
  std::size_t max_waiting = 5000;  // commands held in memory
  Duration append_timeout = seconds(10);
  Duration sweep_every = seconds(60);
  std::size_t sweep_most = 2000;  // commands taken from the work list at once
  Duration poll = milliseconds(100);
  // Where others run: after so long without success they get what this one has, for so long.
  Duration stand_back_after = seconds(30);
  Duration stand_back = seconds(10);
};

class CommandWorkerMetrics {
 public:
  CommandWorkerMetrics(Metrics& metrics, const std::string& handler);
  void Decided(std::size_t accepted, std::size_t rejected);
  void Parked();
  void Waiting(std::size_t commands);

 private:
  Metrics::Counter &accepted_, &rejected_, &parked_;
  Metrics::Gauge& waiting_;
};

class CommandWorker {
 public:
  CommandWorker(LogContext& context, AppendLog& log, ClaimRegistry& claims, MessageBus& bus,
                CommandWorkerOptions options, CommandWorkerMetrics* metrics);

  // Until the runtime stops; then releases its claims.
  void Run();
  // One round. True: something was decided.
  Result<bool> Step();
  // Sweeps the work list soon (after a fence or an unpark). Any thread.
  void SweepSoon() { sweep_now_.store(true); }
  // False while a store or the bus is out of reach. Any thread.
  bool healthy() const { return health_.ok(); }
  Status health() const { return health_.Now(); }

 private:
  struct Source {
    TopicPartition partition;
    std::uint64_t offset = 0;
  };
  // A command that waits to be decided here.
  struct Task {
    Envelope command;
    std::vector<Source> sources;  // none: from the work list
    std::uint32_t partition = 0;
    std::uint64_t generation = 0;
  };
  struct Aggregate {
    std::map<SequenceNumber, Task> tasks;
    Instant not_before;
    int failures = 0;
  };
  // Offsets of a partition that are not finished.
  struct Progress {
    std::set<std::uint64_t> open;
    std::uint64_t next = 0;
    std::uint64_t committed = 0;
    std::string topic_id;
  };
  // What one round works on.
  struct Round {
    std::vector<ClaimCandidate> candidates;
    std::vector<ClaimVerdict> verdicts;
    ClaimRows rows;
  };

  void StandBack();
  Status EnsureSubscribed();
  Status Receive();
  Status SweepIfDue();
  Status Sweep();
  Result<std::set<AggregateKey>> ParkedOf(const std::vector<CommandRow>& rows);
  void Add(Envelope command, const std::optional<Source>& source, std::uint64_t generation);
  Round Choose();
  Status ClaimRound(Round& round);
  Result<std::vector<Envelope>> Gather(const Round& round, std::size_t& at);
  Result<bool> Decide(Round& round);
  void Settle(const AggregateKey& key, const AppendAnswer& answer,
              const std::vector<Outcome>& outcomes);
  Status FetchGap(const AggregateKey& key, SequenceNumber below);
  Status Fail(const AggregateKey& key, const Error& error);
  Status Park(const AggregateKey& key, const Task& task, const std::string& reason);
  void Finish(const AggregateKey& key, SequenceNumber number);
  void Delay(const AggregateKey& key, Duration delay);
  void FinishSource(const Source& source);
  Status CommitOffsets();
  Status Heartbeat();
  void ReleaseClaims();

  LogContext& context_;
  AppendLog& log_;
  ClaimRegistry& claims_;
  MessageBus& bus_;
  const CommandWorkerOptions options_;
  CommandWorkerMetrics* const metrics_;
  Decider decider_;
  std::unique_ptr<BusConsumer> consumer_;
  std::map<AggregateKey, Aggregate> waiting_;
  std::size_t waiting_tasks_ = 0;
  std::map<TopicPartition, Progress> progress_;
  std::uint64_t generation_ = 0;
  Instant next_sweep_, next_heartbeat_, next_commit_;
  Position swept_;            // the sweep goes on above
  bool sweep_rests_ = false;  // it has not reached the end of the work list
  std::atomic<bool> sweep_now_{true};
  StepHealth health_;
};

}  // namespace saffron
