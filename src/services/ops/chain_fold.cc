#include "services/ops/chain_fold.h"

#include <algorithm>

namespace saffron {
namespace {

std::string Numbered(std::string_view what, SequenceNumber number) {
  return std::string(what) + " " + std::to_string(number.value);
}

std::string Named(const std::optional<Position>& position) {
  return position ? position->ToString() : "none";
}

}  // namespace

ChainFold::ChainFold(EntryDigestOf digest, Start start, std::size_t max_aggregates)
    : digest_(std::move(digest)), start_(start), entries_(max_aggregates) {}

std::array<std::uint8_t, 16> ChainFold::DigestOf(const AggregateKey& key, SequenceNumber version,
                                                 Lifecycle lifecycle, const Scope& scope,
                                                 std::string_view document) const {
  const Sha256Digest whole = digest_(key, version, lifecycle, scope, document);
  std::array<std::uint8_t, 16> half;
  std::copy_n(whole.begin(), half.size(), half.begin());
  return half;
}

std::optional<std::string> ChainFold::Add(const LoggedEvent& event) {
  const auto [found, added] = entries_.Get(event.envelope.aggregate);
  if (found == nullptr) return std::nullopt;
  Entry& entry = *found;
  if (added) entry.type = event.envelope.aggregate.type;
  if (added && start_ == Start::kLater) {
    entry.accepted = SequenceNumber(event.envelope.sequence_number.value - !event.outcome);
  }
  std::optional<std::string> wrong =
      event.outcome ? AddOutcome(entry, event) : AddCommand(entry, event);
  entry.last = event.location.position;
  if (added) entries_.Shrink();
  return wrong;
}

std::optional<std::string> ChainFold::AddCommand(Entry& entry, const LoggedEvent& event) const {
  const SequenceNumber before = entry.accepted;
  entry.accepted = event.envelope.sequence_number;
  if (entry.accepted == before.Next()) return std::nullopt;
  return Numbered("command number", entry.accepted) + Numbered(" follows number", before) + " of " +
         event.envelope.aggregate.ToString();
}

std::optional<std::string> ChainFold::AddOutcome(Entry& entry, const LoggedEvent& event) const {
  const Envelope& envelope = event.envelope;
  const Outcome& outcome = *event.outcome;
  const SequenceNumber number = envelope.sequence_number;
  const bool unknown = start_ == Start::kLater && entry.decided == SequenceNumber();
  const SequenceNumber before = unknown ? SequenceNumber(number.value - 1) : entry.decided;
  std::optional<Position> basis;
  if (before.value > 0) basis = entry.last_outcome;
  std::optional<std::string> wrong;
  const std::string of = " of " + envelope.aggregate.ToString();
  if (number <= before) {
    wrong = Numbered("a second outcome of number", number) + of;
  } else if (number != before.Next()) {
    wrong = Numbered("an outcome of number", number) + of + " before that of number " +
            std::to_string(number.value - 1);
  } else if (entry.accepted < number) {
    wrong = Numbered("an outcome of number", number) + of + " before its command";
  } else if (!unknown && outcome.basis != basis) {
    wrong = Numbered("the outcome of number", number) + of + " names the basis " +
            Named(outcome.basis) + "; the outcome before it lies at " + Named(basis);
  }
  entry.decided = number;
  entry.last_outcome = event.location.position;
  entry.digest =
      DigestOf(envelope.aggregate, number, outcome.lifecycle, outcome.scope, outcome.document);
  return wrong;
}

void ChainFold::EachUnseen(Seen mark, const std::function<void(const Entry&)>& take) const {
  entries_.ForEach([&](const Entry& entry) {
    if ((entry.seen & mark) == 0) take(entry);
  });
}

}  // namespace saffron
