// Admission: step RESERVE as a pure function over registry rows. docs/event-log.md gives the rules
// and their proof; the errors a client can see are in append_request.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eventlog/append_request.h"
#include "eventlog/draft.h"

namespace saffron {

struct AdmissionTerms {
  BatchId batch;
  std::string writer;
  std::int64_t reservation_ms = 5000;
  std::uint64_t max_outstanding = 64;  // F of the log's format
};

// A request in the queue, as RESERVE sees it.
struct Candidate {
  const AppendRequest* request = nullptr;
  int deferrals = 0;              // by rows that others held
  std::int64_t age_ms = 0;        // since it was submitted
  std::int64_t remaining_ms = 0;  // until its deadline
};

enum class Deferral {
  kPending,    // a row it needs has another batch's unsettled state
  kUndecided,  // a stamped aggregate has an undecided change: `blocker`
  kNoRoom,     // too many reservations are outstanding
};

struct Verdict {
  enum class Kind { kAdmitted, kAnswered, kDeferred } kind = Kind::kDeferred;
  Deferral deferral = Deferral::kPending;
  AppendAnswer answer;                  // kAnswered; of kDeferred/kUndecided: the blocker
  bool after_commit = false;            // the answer shows what this batch did: it waits for COMMIT
  std::vector<SequenceNumber> numbers;  // kAdmitted: one an item
};

struct Admission {
  bool fenced = true;  // false: the registry must be fenced first; nothing was admitted
  SlotNumber slot;     // 0: nothing was admitted, no slot was taken
  std::int64_t reserved_ms = 0;
  std::vector<Verdict> verdicts;  // one a candidate
};

void AddReads(const AppendRequest& request, RegistryRead& read);

// Admits what can be admitted, in order, each on the rows as those before left them.
Admission Admit(Draft& draft, const AdmissionTerms& terms,
                const std::vector<Candidate>& candidates);

// Outstanding reservations above which only batches with an outcome are admitted.
constexpr std::uint64_t CommandRoom(std::uint64_t max_outstanding) {
  return max_outstanding - (max_outstanding + 9) / 10;
}

}  // namespace saffron
