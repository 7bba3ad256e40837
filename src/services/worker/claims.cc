#include "services/worker/claims.h"

#include <optional>

#include "eventlog/mutation.h"
namespace saffron {
namespace {

std::string_view NameOf(std::string_view owner) { return owner.substr(0, owner.find('/')); }

bool Working(const ClaimRow& row, const ClaimTerms& terms) {
  return row.status == ClaimStatus::kProcessing && !row.owner.empty() && row.owner != terms.owner;
}

class Claimer {
 public:
  Claimer(const ClaimRows& rows, const ClaimTerms& terms, ClaimWrite& write)
      : rows_(rows), terms_(terms), write_(write) {}

  // The first suspect that may be taken now, if there is one, is claimed alone.
  void ChooseSuspect(const std::vector<ClaimCandidate>& candidates) {
    for (const ClaimCandidate& candidate : candidates) {
      auto command = rows_.commands.find(candidate.event);
      auto claim = rows_.claims.find({terms_.handler, candidate.event});
      if (command == rows_.commands.end() || command->second.outcome) continue;
      if (claim == rows_.claims.end() || !Working(claim->second, terms_)) continue;
      if (rows_.parked.contains({terms_.handler, candidate.aggregate})) continue;
      if (candidate.number != NextOf(candidate.aggregate)) continue;
      if (!MayTake(claim->second, terms_, candidate, rows_.now_ms)) continue;
      suspect_ = candidate.event;
      return;
    }
  }

  ClaimVerdict Consider(const ClaimCandidate& candidate) {
    auto command = rows_.commands.find(candidate.event);
    if (command == rows_.commands.end() || !command->second.settled()) {
      return ClaimVerdict::kUnsettled;
    }
    if (command->second.outcome) return ClaimVerdict::kDone;
    const bool parked = rows_.parked.contains({terms_.handler, candidate.aggregate});
    if (parked && !Mutated(Mutation::kParkForgetsOrder)) return ClaimVerdict::kParked;
    if (candidate.number != NextOf(candidate.aggregate) && !Mutated(Mutation::kPassOverGaps)) {
      return ClaimVerdict::kGap;
    }
    auto claim = rows_.claims.find({terms_.handler, candidate.event});
    const ClaimRow* row = claim == rows_.claims.end() ? nullptr : &claim->second;
    if (row != nullptr && Working(*row, terms_)) {
      if (!MayTake(*row, terms_, candidate, rows_.now_ms)) return ClaimVerdict::kHeld;
      const bool alone = !Mutated(Mutation::kChargeEverySuspect);
      if (alone && candidate.event != suspect_) return ClaimVerdict::kLater;
      return TakeSuspect(candidate, *row);
    }
    if (suspect_ && !Mutated(Mutation::kChargeEverySuspect)) return ClaimVerdict::kLater;
    Put(candidate, row, row == nullptr ? 1 : row->attempt_count);
    return ClaimVerdict::kClaimed;
  }

 private:
  SequenceNumber NextOf(const AggregateKey& aggregate) const {
    if (aggregate == last_aggregate_) return last_number_.Next();
    auto row = rows_.aggregates.find(aggregate);
    return row == rows_.aggregates.end() ? SequenceNumber(1) : row->second.decided.number.Next();
  }

  ClaimVerdict TakeSuspect(const ClaimCandidate& candidate, const ClaimRow& row) {
    if (row.attempt_count >= terms_.max_attempts) return ClaimVerdict::kExhausted;
    Put(candidate, &row, row.attempt_count + 1);
    return ClaimVerdict::kClaimed;
  }

  void Put(const ClaimCandidate& candidate, const ClaimRow* old, std::uint32_t attempts) {
    ClaimRow row;
    row.key = {terms_.handler, candidate.event};
    row.aggregate = candidate.aggregate;
    row.number = candidate.number;
    row.owner = terms_.owner;
    row.started_ms = old == nullptr ? rows_.now_ms : old->started_ms;
    row.heartbeat_ms = rows_.now_ms;
    row.attempt_count = attempts;
    row.last_error = old == nullptr ? std::string() : old->last_error;
    row.partition = candidate.partition;
    row.generation = candidate.generation;
    write_.put_claims.push_back(std::move(row));
    last_aggregate_ = candidate.aggregate;
    last_number_ = candidate.number;
  }

  const ClaimRows& rows_;
  const ClaimTerms& terms_;
  ClaimWrite& write_;
  AggregateKey last_aggregate_;
  SequenceNumber last_number_;
  std::optional<EventId> suspect_;
};

}  // namespace

bool MayTake(const ClaimRow& row, const ClaimTerms& terms, const ClaimCandidate& candidate,
             std::int64_t now_ms) {
  if (row.owner.empty() || row.owner == terms.owner) return true;
  if (Mutated(Mutation::kTakeAtOnce)) return true;
  const std::int64_t silence_ms = now_ms - row.heartbeat_ms;
  if (silence_ms >= terms.lease_ms) return true;
  if (Mutated(Mutation::kTakeByLeaseAlone)) return false;
  if (terms.exclusive) return true;
  // The bus gave the partition to us after the row was claimed.
  if (candidate.generation > row.generation && candidate.partition == row.partition) return true;
  // An earlier run of ourselves.
  return NameOf(row.owner) == NameOf(terms.owner) && silence_ms >= 2 * terms.heartbeat_ms;
}

ClaimRead ReadsOf(const ClaimTerms& terms, const std::vector<ClaimCandidate>& candidates) {
  ClaimRead read;
  for (const ClaimCandidate& candidate : candidates) {
    read.claims.push_back({terms.handler, candidate.event});
    read.commands.push_back(candidate.event);
    if (!read.aggregates.empty() && read.aggregates.back() == candidate.aggregate) continue;
    read.aggregates.push_back(candidate.aggregate);
    read.parked.push_back({terms.handler, candidate.aggregate});
  }
  return read;
}

std::vector<ClaimVerdict> Claim(const ClaimRows& rows, const ClaimTerms& terms,
                                const std::vector<ClaimCandidate>& candidates, ClaimWrite& write) {
  Claimer claimer(rows, terms, write);
  claimer.ChooseSuspect(candidates);
  std::vector<ClaimVerdict> verdicts;
  verdicts.reserve(candidates.size());
  for (const ClaimCandidate& candidate : candidates) {
    verdicts.push_back(claimer.Consider(candidate));
  }
  return verdicts;
}

}  // namespace saffron
