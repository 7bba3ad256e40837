// Admin: what an operator does to a running server: status, parked aggregates, verification,
// rebuilding of the sinks. Joins services/ops with the services that do the work.
//
// Owned by the composed process; outlives the OMS. One call at a time, by any thread;
// VerifyProgressNow at any time, beside the others. A crash in
// between leaves what the called part promises: a rebuild switches at its end or not at all.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "eventlog/append_log.h"
#include "eventlog/recovery.h"
#include "ports/claim_registry.h"
#include "ports/graph_store.h"
#include "ports/message_bus.h"
#include "ports/search_index.h"
#include "services/oms/admin_operations.h"
#include "services/ops/verify.h"

namespace saffron {

struct AdminParts {
  LogContext& context;
  AppendLog& log;
  ClaimRegistry& claims;
  MessageBus& bus;
  GraphStore& graph;
  SearchIndex& search;
  std::string owner;  // unique to the run of the process
  std::string checkpoint_key = "checkpoints/event_publisher.json";
  // The workers look at the work list again.
  std::function<void()> sweep_soon;
};

// {"from_slot": 1, "patience_seconds": 30, "memory_mib": 64, "sample": 100, "repair": "index"},
// all optional. kInvalid names what is wrong.
Result<VerifyOptions> ParseVerifyOptions(std::string_view text);

class Admin final : public AdminOperations {
 public:
  explicit Admin(AdminParts parts) : parts_(std::move(parts)) {}

  Result<std::string> Status() override;
  Result<std::string> ListDlq(const DlqFilter& filter) override;
  Result<std::string> ReplayDlq(std::string_view handler, const AggregateKey& aggregate) override;
  Result<std::string> DiscardDlq(std::string_view handler, const AggregateKey& aggregate,
                                 std::string_view reason) override;
  Result<std::string> Verify(std::string_view options) override;
  std::string VerifyProgressNow() override;
  // "graph" or "search". The registry is rebuilt with the server stopped (recovery.h,
  // RebuildRegistry): its readers would see it half folded.
  Result<std::string> Rebuild(std::string_view target) override;

 private:
  Result<std::string> Told(std::string_view operation, Result<std::string> result);
  Result<std::string> ListDlqNow(const DlqFilter& filter);
  Result<std::string> ReplayDlqNow(std::string_view handler, const AggregateKey& aggregate);
  Result<std::string> DiscardDlqNow(std::string_view handler, const AggregateKey& aggregate,
                                    std::string_view reason);
  Result<std::string> VerifyNow(std::string_view options);
  Result<std::string> RebuildNow(std::string_view target);
  Result<SlotNumber> Published();
  Result<std::uint64_t> RepublishId();
  Result<SlotNumber> Searched();
  Result<bool> SearchPassed(SlotNumber slot);

  // Where the verification that runs is. Any thread.
  class LastProgress {
   public:
    void Set(const VerifyProgress& progress) {
      std::lock_guard<std::mutex> held(mutex_);
      last_ = progress;
    }
    void Clear() {
      std::lock_guard<std::mutex> held(mutex_);
      last_.reset();
    }
    std::optional<VerifyProgress> Get() const {
      std::lock_guard<std::mutex> held(mutex_);
      return last_;
    }

   private:
    mutable std::mutex mutex_;
    std::optional<VerifyProgress> last_;
  };

  const AdminParts parts_;
  LastProgress verify_progress_;
};

}  // namespace saffron
