#include "services/ops/chain_fold.h"

#include <algorithm>

#include "base/bytes.h"

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
    : digest_(std::move(digest)),
      start_(start),
      max_aggregates_(std::max<std::size_t>(1, max_aggregates)) {}

ChainFold::Hash ChainFold::HashOf(const AggregateKey& key) {
  std::string bytes;
  PutU8(bytes, static_cast<std::uint8_t>(key.type));
  bytes.append(key.id);
  const Sha256Digest digest = Sha256(bytes);
  Hash hash;
  for (std::size_t i = 0; i < 8; ++i) {
    hash.high = hash.high << 8 | digest[i];
    hash.low = hash.low << 8 | digest[8 + i];
  }
  return hash;
}

std::array<std::uint8_t, 16> ChainFold::DigestOf(const AggregateKey& key, SequenceNumber version,
                                                 Lifecycle lifecycle, const Scope& scope,
                                                 std::string_view document) const {
  const Sha256Digest whole = digest_(key, version, lifecycle, scope, document);
  std::array<std::uint8_t, 16> half;
  std::copy_n(whole.begin(), half.size(), half.begin());
  return half;
}

std::optional<std::string> ChainFold::Add(const LoggedEvent& event) {
  const Hash hash = HashOf(event.envelope.aggregate);
  if (!InRange(hash)) return std::nullopt;
  auto [at, added] = entries_.try_emplace(hash);
  Entry& entry = at->second;
  if (added) entry.type = event.envelope.aggregate.type;
  if (added && start_ == Start::kLater) {
    entry.accepted = SequenceNumber(event.envelope.sequence_number.value - !event.outcome);
  }
  std::optional<std::string> wrong =
      event.outcome ? AddOutcome(entry, event) : AddCommand(entry, event);
  entry.last = event.location.position;
  if (added && entries_.size() > max_aggregates_) Shrink();
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

ChainFold::Entry* ChainFold::Find(const AggregateKey& key) {
  auto found = entries_.find(HashOf(key));
  return found == entries_.end() ? nullptr : &found->second;
}

void ChainFold::EachUnseen(Seen mark, const std::function<void(const Entry&)>& take) const {
  for (const auto& [hash, entry] : entries_) {
    if ((entry.seen & mark) == 0) take(entry);
  }
}

// Hashes are uniform: halving the range drops about half of the entries.
void ChainFold::Shrink() {
  while (entries_.size() > max_aggregates_ && to_ > from_) {
    to_ = from_ + (to_ - from_) / 2;
    std::erase_if(entries_, [this](const auto& entry) { return !InRange(entry.first); });
  }
}

bool ChainFold::NextRange() {
  if (to_ == ~0ULL) return false;
  from_ = to_ + 1;
  to_ = ~0ULL;
  entries_.clear();
  return true;
}

}  // namespace saffron
