// The rules of claims, as pure functions over registry rows: who may decide which command now.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ports/claim_registry.h"

namespace saffron {

struct ClaimTerms {
  std::string handler;
  std::string owner;  // "name/process incarnation"
  std::int64_t lease_ms = 900'000;
  std::int64_t heartbeat_ms = 30'000;
  std::uint32_t max_attempts = 5;
  bool exclusive = false;  // no other process works here: every other owner is dead
};

struct ClaimCandidate {
  EventId event;
  AggregateKey aggregate;
  SequenceNumber number;
  std::uint32_t partition = 0;
  std::uint64_t generation = 0;  // of the assignment; 0: from the work list
};

enum class ClaimVerdict {
  kClaimed,
  kDone,       // has its outcome
  kParked,     // its aggregate waits for an operator: acknowledged, not stored
  kUnsettled,  // its command is not settled yet: soon
  kGap,        // commands before it are missing here: fetch them
  kHeld,       // another live owner has it
  kLater,      // a suspect is worked on alone first
  kExhausted,  // the process died on it alone as often as is allowed: park it
};

// Rows that Claim looks at.
ClaimRead ReadsOf(const ClaimTerms& terms, const std::vector<ClaimCandidate>& candidates);

// Candidates of one aggregate stand in order of number. A command is taken only when the one before
// it is decided or taken just now. A claim whose owner died while working on it is a suspect: it is
// claimed alone and nothing else with it, so that only an event that was alone is charged.
std::vector<ClaimVerdict> Claim(const ClaimRows& rows, const ClaimTerms& terms,
                                const std::vector<ClaimCandidate>& candidates, ClaimWrite& write);

// May `terms.owner` take the row from its owner?
bool MayTake(const ClaimRow& row, const ClaimTerms& terms, const ClaimCandidate& candidate,
             std::int64_t now_ms);

}  // namespace saffron
