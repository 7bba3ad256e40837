// ChainFold: what every aggregate must be after the log, for comparing everything else with it, and
// the rules that its events obey: dense numbers, one outcome each, in order, on its basis.
//
// Bounded: it holds at most so many aggregates (some 120 bytes each). When there are more, it keeps
// those whose hash lies below a limit, which it lowers as needed; the log is then read again for
// the rest (NextRange). One thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/sha256.h"
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

  struct Entry {
    AggregateType type = AggregateType::kInstance;
    std::uint8_t seen = 0;
    SequenceNumber accepted;  // of the last command
    SequenceNumber decided;   // of the last outcome
    Position last;            // of the last event
    Position last_outcome;
    std::array<std::uint8_t, 16> digest{};  // of the state after the last outcome
  };

  // Where the log is read from: all of it, or not from its beginning; then the first event of an
  // aggregate says where its numbers stand.
  enum class Start { kBeginning, kLater };

  ChainFold(EntryDigestOf digest, Start start, std::size_t max_aggregates);

  // What is wrong with the event, if anything is. Events outside of the range are passed over.
  std::optional<std::string> Add(const LoggedEvent& event);
  // Null: no event of it was seen. Only of keys in the range.
  Entry* Find(const AggregateKey& key);
  bool InRange(const AggregateKey& key) const { return InRange(HashOf(key)); }
  std::array<std::uint8_t, 16> DigestOf(const AggregateKey& key, SequenceNumber version,
                                        Lifecycle lifecycle, const Scope& scope,
                                        std::string_view document) const;
  // Calls `take` for every entry that lacks the mark.
  void EachUnseen(Seen mark, const std::function<void(const Entry&)>& take) const;

  // Goes on to the aggregates that were left out. False: there are none.
  bool NextRange();

 private:
  struct Hash {
    std::uint64_t high = 0, low = 0;
    friend bool operator==(const Hash&, const Hash&) = default;
  };
  struct HashHash {
    std::size_t operator()(const Hash& hash) const { return hash.low; }
  };

  static Hash HashOf(const AggregateKey& key);
  bool InRange(const Hash& hash) const { return from_ <= hash.high && hash.high <= to_; }
  void Shrink();
  std::optional<std::string> AddCommand(Entry& entry, const LoggedEvent& event) const;
  std::optional<std::string> AddOutcome(Entry& entry, const LoggedEvent& event) const;

  const EntryDigestOf digest_;
  const Start start_;
  const std::size_t max_aggregates_;
  std::uint64_t from_ = 0, to_ = ~0ULL;  // of Hash::high, both included
  std::unordered_map<Hash, Entry, HashHash> entries_;
};

}  // namespace saffron
