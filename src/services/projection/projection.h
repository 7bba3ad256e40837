// Projection: fills the search index with the outcomes that the bus delivers, as whole documents
// with their number as version, so that repeated and shuffled deliveries do no harm.
//
// The bus is only a hint: whenever a partition comes to this member, and whenever the bus shows
// signs of having lost something (a changed topic id, an offset beyond the end or out of line, a
// republish), the projection folds the log from its low watermark on, and then resumes. Several
// processes may run one: partitions are divided by the group, every write is versioned. Owned by
// the process; Step and Run are called by one thread, the rest by any. What survives a crash: the
// index, its watermark, the group's offsets.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/step_health.h"
#include "eventlog/log_context.h"
#include "eventlog/log_reader.h"
#include "ports/claim_registry.h"
#include "ports/message_bus.h"
#include "ports/search_index.h"
#include "services/projection/progress.h"
#include "services/projection/watermark.h"

namespace saffron {

class ProjectionMetrics {
 public:
  explicit ProjectionMetrics(Metrics& metrics);
  void Written(std::size_t documents, Duration took);
  void Refused();
  void CatchUpStarted();
  void Watermark(SlotNumber slot);

 private:
  Metrics::Counter &documents_, &refused_, &catch_ups_;
  Metrics::Gauge& watermark_;
  Metrics::Histogram& seconds_;
};

enum class DoneRows { kWrite, kOmit };

struct ProjectionOptions {
  std::string owner;  // unique to the run of the process
  std::string group = "projection_worker-group";
  // A batch: large, because the engine makes each of them readable at a cost of its own.
  std::size_t max_records = 2'000;
  int max_retries = 5;                         // PROJECTION_WORKER_MAX_RETRIES
  DoneRows done_rows = DoneRows::kWrite;       // processed_events, for operators
  Duration tend_interval = milliseconds(500);  // topics, rows, watermark
  Duration mute_row_patience = seconds(10);    // then the log is asked
  Duration dead_letter_timeout = seconds(10);
  Duration stand_back_after = seconds(30);  // without success: what it has goes to other members
  Duration stand_back = seconds(10);        // so that they have time to come
};

class Projection {
 public:
  enum class Progress { kIdle, kWorked };

  Projection(LogContext& context, MessageBus& bus, ClaimRegistry& claims, SearchIndex& index,
             ProjectionProgress& progress, ProjectionOptions options, ProjectionMetrics* metrics);

  // Steps until the runtime stops, backing off after errors.
  void Run();
  // One batch at most. After an error nothing is lost: call it again.
  Result<Progress> Step();

  bool healthy() const { return health_.ok(); }
  Status health() const { return health_.Now(); }
  bool catching_up() const { return catching_up_; }
  std::uint64_t refused() const { return refused_; }

 private:
  // Where a document comes from.
  struct Source {
    EventId event;
    AggregateKey aggregate;
    SequenceNumber number;
    std::string position;
    TopicPartition from;  // of the bus
  };
  // A batch on its way into the index; stays until all of it is done.
  struct Work {
    std::vector<SearchDocument> documents;
    std::vector<Source> sources;                // of the documents
    std::map<AggregateKey, std::size_t> place;  // among the documents
    std::vector<Source> events;                 // all that the bus delivered, for the done rows
    std::map<TopicPartition, std::uint64_t> offsets;  // from the bus: what it advances
    SlotNumber slot;                                  // from the log: likewise
    std::uint64_t generation = 0;
    bool written = false;
    int attempts = 0;
  };
  // Its writes are made readable now and then, not each: nobody waits for them as for fresh ones.
  struct CatchUp {
    std::unique_ptr<LogReader> reader;
    std::uint64_t republish_id = 0;
    SlotNumber written;    // as far as everything is in the index, readable or not
    Instant refreshed_at;  // readable as far as the watermark says
    // Everything below was in the log when the catching up began.
    std::map<TopicPartition, PartitionProgress> ends;
  };

  // From its subscription until it leaves the group: nothing else is remembered by the process.
  struct Member {
    std::unique_ptr<BusConsumer> consumer;
    std::optional<BusBatch> batch;                      // polled, not yet taken over
    std::map<TopicPartition, PartitionProgress> owned;  // the assignment
    bool paused = false;
    bool commit_again = false;
    std::optional<Work> work;
    bool catch_up_needed = false;
    std::optional<CatchUp> catch_up;
    ProjectionWatermark watermark;
    std::string saved_watermark;
    Instant tended_at, polled_at, looked_at;
    SlotNumber mute_slot;  // the row at which the watermark waits, and since when
    Instant mute_since;
    std::uint64_t generation = 0;         // of the group
    std::optional<std::uint64_t> joined;  // the generation in which this member came to it
  };

  // projection.cc
  void StandBack();
  Status Start();
  Result<Progress> FinishWork();
  Status WriteDocuments();
  Status WriteOneByOne();
  Status BuryRefused(const std::vector<WriteRefusal>& refusals);
  Status Bury(const Source& source, const std::string& reason);
  Status RecordDone();
  void Apply();
  void AddDocument(Work& work, const Envelope& event, const Outcome& outcome, Source source);

  // projection_bus.cc
  Result<Progress> PollBus();
  // Fills batch_, unless it is still there, and takes over what the group has given and taken.
  Status PollInto(std::size_t max_records, Duration wait);
  Status TakeAssignment();
  Status TakeStart(const TopicPartition& key, const PartitionProgress& end);
  Status TakeRecords();
  Status TakeRecord(Work& work, const BusRecord& record);
  Status KeepMembership();
  void CommitOffsets(const std::vector<TopicPartition>& partitions);
  Result<std::map<TopicPartition, PartitionProgress>> BusEnds();
  std::string CountedIn(const PartitionProgress& partition) const;
  bool Vouched(const CommittedOffset& offset, const PartitionProgress& end) const;
  std::vector<TopicPartition> Owned() const;

  // projection_catch_up.cc
  Status TendIfDue();
  Status CheckBus();
  Status SeeOthers(const std::map<TopicPartition, PartitionProgress>& ends);
  Status Advance();
  Status LookBeyond(SlotNumber slot);
  Status WaitAtMuteRow(SlotNumber slot);
  Status SaveWatermark();
  Status BeginCatchUp();
  Result<Progress> FollowLog();
  Status RefreshCaughtUp();
  Status EndCatchUp();
  void NeedCatchUp(std::string_view why);
  void ShowProgress();

  LogContext& context_;
  Runtime& runtime_;
  MessageBus& bus_;
  ClaimRegistry& claims_;
  SearchIndex& index_;
  ProjectionProgress& progress_;
  const ProjectionOptions options_;
  ProjectionMetrics* const metrics_;

  StepHealth health_;
  std::atomic<bool> catching_up_{false};
  std::atomic<std::uint64_t> refused_{0};

  Member member_;
};

}  // namespace saffron
