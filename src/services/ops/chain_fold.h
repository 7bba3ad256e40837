// ChainFold: what every aggregate must be after the log, for comparing everything else with it, and
// the rules that its events obey: dense numbers, one outcome each, in order, on its basis.
//
// Bounded: it holds at most so many aggregates (kBytesOfOne each); of a log with more, a part, and
// the log is read again for the rest (HashedAggregates). One thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/sha256.h"
#include "eventlog/hashed_aggregates.h"
#include "eventlog/slot.h"

namespace saffron {

// The digest of an aggregate's state as a sink holds it.
using EntryDigestOf =
    std::function<Sha256Digest(const AggregateKey& key, SequenceNumber version, Lifecycle lifecycle,
                               const Scope& scope, std::string_view document)>;

class ChainFold {
 public:
  // Who has shown this aggregate in a walk.
  enum Seen : std::uint8_t { kInRegistry = 1, kInGraph = 2, kInSearch = 4 };
  // Whose sink refused its last outcome.
  enum Refused : std::uint8_t { kByGraph = 1, kBySearch = 2 };

  struct Entry {
    AggregateType type = AggregateType::kInstance;
    std::uint8_t seen = 0;
    std::uint8_t refused = 0;
    SequenceNumber accepted;  // of the last command
    SequenceNumber decided;   // of the last outcome
    Position last;            // of the last event
    Position last_outcome;
    std::array<std::uint8_t, 16> digest{};  // of the state after the last outcome
  };

  static constexpr std::size_t kBytesOfOne =
      sizeof(Entry) + HashedAggregates<Entry>::kOverheadBytes;

  // Where the log is read from: all of it, or not from its beginning; then the first event of an
  // aggregate says where its numbers stand.
  enum class Start { kBeginning, kLater };

  ChainFold(EntryDigestOf digest, Start start, std::size_t max_aggregates);

  // What is wrong with the event, if anything is. Events outside of the range are passed over.
  std::optional<std::string> Add(const LoggedEvent& event);
  // Null: no event of it was seen. Only of keys in the range.
  Entry* Find(const AggregateKey& key) { return entries_.Find(key); }
  bool InRange(const AggregateKey& key) const { return entries_.InRange(key); }
  std::array<std::uint8_t, 16> DigestOf(const AggregateKey& key, SequenceNumber version,
                                        Lifecycle lifecycle, const Scope& scope,
                                        std::string_view document) const;
  // Calls `take` for every entry that lacks the mark.
  void EachUnseen(Seen mark, const std::function<void(const Entry&)>& take) const;

  // Goes on to the aggregates that were left out. False: there are none.
  bool NextRange() { return entries_.NextRange(); }
  void Clear() { entries_.Clear(); }

 private:
  std::optional<std::string> AddCommand(Entry& entry, const LoggedEvent& event) const;
  std::optional<std::string> AddOutcome(Entry& entry, const LoggedEvent& event) const;

  const EntryDigestOf digest_;
  const Start start_;
  HashedAggregates<Entry> entries_;
};

}  // namespace saffron
