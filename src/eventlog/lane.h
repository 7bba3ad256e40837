// One lane of the AppendLog. See append_log.h.
#pragma once

#include <optional>
#include <vector>

#include "eventlog/append_log.h"
#include "eventlog/settlement.h"

namespace saffron {

// What COMMIT found out about the slot of a batch.
enum class CommitResult {
  kCommitted,
  kAborted,  // a tombstone lies there
  kUnknown,  // not known before the reservation expired
  kForeign,  // another batch lies there: the registry is not of this log's state
};

class AppendLog::Lane {
 public:
  Lane(LogContext& context, const AppendOptions& options, AppendMetrics* metrics,
       AppendQueue& queue)
      : context_(context), options_(options), metrics_(metrics), queue_(queue) {}

  void Run();

 private:
  // A batch between RESERVE and ACK.
  struct Reserved {
    SlotHeader header;
    Instant expires;
    Duration reserve_time{0};
    std::vector<QueuedPtr> admitted;
    std::vector<Verdict> verdicts;  // of the admitted
    // Answers that show what this batch did.
    std::vector<std::pair<QueuedPtr, AppendAnswer>> after_commit;
  };
  // A committed batch whose FINALIZE is still to come.
  struct Unsettled {
    SlotPtr slot;
    std::vector<std::uint64_t> keys;  // held in the queue
  };

  // Until the queue is closed and empty, or the process stops.
  void Work();
  void Step(AppendQueue::Batch batch);
  // Nothing: no slot was taken.
  std::optional<Reserved> Reserve(std::vector<QueuedPtr> requests);
  std::optional<Reserved> Sort(const Admission& admission, std::vector<QueuedPtr> requests,
                               const BatchId& batch, Instant started);
  bool ReservationExists(const BatchId& batch);
  Slot Encode(Reserved& reserved);
  CommitResult Commit(const Reserved& reserved, const Slot& slot);
  std::optional<CommitResult> ReadBack(const Reserved& reserved);
  void Acknowledge(Reserved& reserved, const Slot& slot);
  void Abandon(Reserved& reserved, CommitResult why);
  void UndoNow(const BatchId& batch);
  // FINALIZE on its own. False: not now.
  bool SettleNow();
  void Settled();
  void RequeueAll(std::vector<QueuedPtr> requests, const std::string& why);
  void Requeue(QueuedPtr request, AppendAnswer last);
  void Expire(QueuedPtr request);
  bool Backoff(int attempt, Instant until);
  void RequestFence(std::string_view why, SlotNumber slot);

  LogContext& context_;
  const AppendOptions& options_;
  AppendMetrics* const metrics_;
  AppendQueue& queue_;
  std::vector<Unsettled> unsettled_;
  int settle_failures_ = 0;
};

}  // namespace saffron
