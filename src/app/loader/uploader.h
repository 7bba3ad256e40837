// Sends the valid rows of a plan over several connections, and waits for what became of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "app/loader/batch.h"
#include "app/loader/check.h"
#include "app/patient_client.h"
#include "base/channel.h"
#include "base/result.h"
#include "base/runtime.h"

namespace saffron {

struct UploadOptions {
  ApiOptions api;
  std::string db;
  std::size_t jobs = 4;
  Duration give_up = seconds(120);
};

// Counted while it runs; any thread reads them.
struct UploadCounts {
  std::atomic<std::uint64_t> sent{0};  // rows that were answered
  // Appended by this load. A row that is a duplicate only in an answer to a request sent again
  // counts here: the first sending may have appended it.
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> duplicates{0};  // were there already, just so
  std::atomic<std::uint64_t> rejected{0};
  std::atomic<std::uint64_t> completed{0};
  std::atomic<std::uint64_t> retries{0};
};

// What the server said of one row of a batch.
struct UploadItemResult {
  enum class Kind { kAccepted, kDuplicate, kPresent, kRetry, kRefused };
  Kind kind = Kind::kRefused;
  std::string reason;
};

// Used once, by one thread; its connections have threads of their own while Upload or AwaitAll
// runs. Nothing of it survives a crash, and nothing needs to: the same load again goes on where
// this one ended.
class Uploader {
 public:
  Uploader(Runtime& runtime, UploadOptions options, const LoadPlan& plan,
           std::map<std::string, std::string> generations);

  // Rows that fail the local check are passed over (they are reported already). kUnavailable: the
  // server was out of reach for too long.
  Status Upload(PlanRows rows);
  // Until every row that was accepted or a duplicate is COMPLETED; those that are FAILED are
  // rejected.
  Status AwaitAll();

  const UploadCounts& counts() const { return counts_; }
  std::vector<RejectedRow> TakeRejected();

 private:
  struct SentRow {
    EventId command;
    std::uint32_t file;
    std::uint64_t line;
  };

  void Produce(PlanRows rows, Channel<Batch>& batches);
  void SendBatches(Channel<Batch>& batches);
  Status SendBatch(PatientClient& client, const Batch& batch);
  Status TakeResults(PatientClient& client, const Batch& batch,
                     const std::vector<UploadItemResult>& results, int attempts);
  Status ResolveConflict(PatientClient& client, const Batch& batch, std::size_t row,
                         const std::string& message);
  Status AwaitSome(PatientClient& client);
  void Reject(const Batch& batch, std::size_t row, std::string reason);
  void Fail(Error error);
  std::unique_ptr<PatientClient> OpenClient();

  Runtime& runtime_;
  const UploadOptions options_;
  const LoadPlan& plan_;
  const std::map<std::string, std::string> generations_;
  UploadCounts counts_;
  std::atomic<bool> failed_{false};
  std::atomic<std::size_t> next_wait_{0};
  std::mutex mutex_;  // of what follows
  std::optional<Error> failure_;
  std::vector<RejectedRow> rejected_;
  std::vector<SentRow> sent_;
};

}  // namespace saffron
