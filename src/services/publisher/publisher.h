// Publisher: follows the log and sends every event to its topic, at least once and in slot order.
//
// One of possibly many processes publishes, the others stand by: the checkpoint object is swapped
// by its etag and carries owner and epoch. The bus is not trusted to keep what it acknowledged:
// what it has lost is sent again, as a republish that the checkpoint remembers.
//
// Owned by the process; Step and Run are called by one thread, the rest by any. What survives a
// crash is the checkpoint; everything sent after it is sent again by the successor.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/step_health.h"
#include "eventlog/by_date_index.h"
#include "eventlog/log_context.h"
#include "eventlog/log_reader.h"
#include "ports/claim_registry.h"
#include "ports/message_bus.h"
#include "services/publisher/checkpoint.h"
#include "services/publisher/publisher_metrics.h"

namespace saffron {

// Every topic of Saffron, dead letters too.
std::vector<TopicSpec> AllTopics(std::uint32_t partitions);

struct PublisherOptions {
  // Unique to the run of the process: a restarted one must not take itself for its predecessor.
  std::string owner;
  std::vector<TopicSpec> topics = AllTopics(1);  // made when missing
  // Of one reading and of one call to the bus; up to `most_growth` times as many of a backlog.
  std::size_t batch_size = 200;        // EVENT_PUBLISHER_BATCH_SIZE
  std::size_t flush_batch_size = 200;  // ..._KAFKA_FLUSH_BATCH_SIZE
  std::size_t most_growth = 16;
  Duration flush_timeout = seconds(10);                             // ..._KAFKA_FLUSH_TIMEOUT_...
  Duration metrics_interval = seconds(30);                          // ..._METRICS_LOG_INTERVAL_...
  Duration poll_interval = seconds(3);                              // EVENT_PUBLISHER_POLL_INTERVAL
  std::string checkpoint_key = "checkpoints/event_publisher.json";  // ..._CHECKPOINT_KEY
  Duration lease = seconds(15);                                     // SAFFRON_PUBLISHER_LEASE_...
  Duration save_interval = seconds(1);
  Duration row_interval = milliseconds(50);
  Duration check_interval = seconds(60);
  // Published rows of older slots are pruned. A reader that asks for a pruned slot finds the first
  // row above it, so it may wait longer but is never told too early.
  std::uint64_t kept_row_slots = 10'000;
};

class Publisher {
 public:
  enum class Progress { kIdle, kWorked };

  Publisher(LogContext& context, MessageBus& bus, ClaimRegistry& claims, PublisherOptions options,
            PublisherMetrics* metrics);

  // Steps until the runtime stops, backing off after errors; then releases the checkpoint, so that
  // a successor need not wait for the lease.
  void Run();
  // One run of slots at most; waits up to a fraction of a second for news. After an error nothing
  // is lost: call it again.
  Result<Progress> Step();

  bool leading() const { return leading_; }
  // The last Step did its work. Standing by is healthy.
  bool healthy() const { return health_.ok(); }
  Status health() const { return health_.Now(); }
  SlotNumber last_slot() const { return SlotNumber(last_slot_.load()); }

 private:
  struct Batch {
    struct Entry {
      const Slot* slot;
      const LoggedEvent* event;
    };
    std::vector<SlotPtr> slots;
    std::vector<Entry> entries;  // every event of the slots
    std::size_t produced = 0;    // of the entries
    Instant started;
  };

  // publisher.cc
  Result<Progress> Lead();
  Status ReadBatch();
  Status ProduceBatch();
  Status ProduceSome();
  Status TakeDeliveries(const std::vector<BusMessage>& messages,
                        const std::vector<Delivery>& deliveries);
  Status BuryRefused(const std::vector<std::pair<const LoggedEvent*, std::string>>& refused);
  void Acknowledge();
  void PutRowIfDue();
  void ReportLagIfDue();
  SlotNumber NextSlot() const;
  SlotNumber LastSlot() const;
  Instant IdleDeadline() const;

  // publisher_lease.cc
  Result<Progress> Contend();
  Result<Progress> Found();
  void BeginLeading(PublisherCheckpoint checkpoint, std::string etag);
  void StandBy(std::string_view why);
  bool Lapsed() const;
  Status SaveIfDue();
  std::string NextCheckpoint();
  Status Save();
  // After a swap was refused. True: the checkpoint in the store is the one in memory.
  Result<bool> ReadBack(const std::string& wanted);
  Status CanLead();
  void Release();
  void StandBackIfFailing();
  void FlushByDate();
  Status PutByDate();

  // publisher_republish.cc
  Status CheckBusIfDue();
  Status CheckBus();
  using BusState = std::map<std::string, TopicState>;
  Result<BusState> DescribeBus();
  // Of the end, as much as the rows tell; or nobody knows how much.
  enum class Loss { kNone, kTail, kUnknown };
  Result<Loss> LossOf(const BusState& bus);
  using Ends = std::map<TopicPartition, PartitionEnd>;
  Result<Ends> EndsOf(const BusState& bus, bool intact);
  Status TakeRowsAsEvidence();
  Result<SlotNumber> AgreedSlot(const BusState& bus);
  // What lies at an offset, unless the bus has lost it: the code of its position.
  struct Expected {
    std::uint64_t offset = 0, code = 0;
  };
  Result<bool> HasOthers(const std::map<TopicPartition, Expected>& expected);
  void AddLastTo(PublishedRow& row) const;
  void TakeLossOver();
  void MarkRepublish(SlotNumber from);
  Status BeginRepublish(SlotNumber from);
  Status DistrustRows();

  LogContext& context_;
  Runtime& runtime_;
  MessageBus& bus_;
  ClaimRegistry& claims_;
  const PublisherOptions options_;
  PublisherMetrics* const metrics_;

  std::atomic<bool> leading_{false};
  StepHealth health_;
  std::atomic<std::uint64_t> last_slot_{0};

  // Standing by: the etag last seen, and since when.
  std::string seen_etag_;
  Instant seen_at_;
  std::uint64_t highest_epoch_ = 0;
  Instant back_at_;  // until then it leaves the checkpoint to others
  bool let_go_ = false;

  // Leading.
  PublisherCheckpoint state_;
  std::string etag_;  // of the checkpoint as we last knew it; empty: there is none
  bool dirty_ = false;
  bool prepared_ = false;  // bus and rows were looked at since this process leads
  // The broker gave an offset a second time: of each such partition the first one.
  std::map<TopicPartition, std::uint64_t> regressed_;
  Instant saved_at_, tried_at_, checked_at_, row_at_, lag_at_, logged_at_;
  std::unique_ptr<LogReader> reader_;
  std::optional<Batch> batch_;
  // By how much batches and calls are larger than asked for: grows while there is a backlog, which
  // a wait for the bus every few events would hold up.
  std::size_t growth_ = 1;
  Instant small_until_;  // the bus did not take a call
  bool row_dirty_ = false;
  bool row_failing_ = false;
  Instant failing_since_ = Instant::Max();
  SlotNumber distrusted_until_;  // rows up to here are not ours
  ByDateRun by_date_;
  Instant by_date_failing_since_ = Instant::Max();
  double events_per_slot_ = 1;
  WallTime last_reserved_;
};

}  // namespace saffron
