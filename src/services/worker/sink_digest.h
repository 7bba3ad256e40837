// Digests by which the contents of a sink are compared with a fold of the log. Pure, but for the
// reading of the sinks.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "base/digest_sum.h"
#include "base/result.h"
#include "base/sha256.h"
#include "eventlog/hashed_aggregates.h"
#include "eventlog/slot.h"
#include "ports/graph_store.h"
#include "ports/search_index.h"

namespace saffron {

// One aggregate in a sink. Times are left out; the document counts as JSON, not as bytes.
Sha256Digest EntryDigest(const AggregateKey& key, SequenceNumber version, Lifecycle lifecycle,
                         const Scope& scope, std::string_view document);

// Of the entries of a sink, whatever their order.
using SinkDigest = DigestSum;

// What a sink must hold after the log: the last outcome of every aggregate. Bounded: it holds at
// most so many aggregates (some 100 bytes each), and the log is read again for the rest.
class LogFold {
 public:
  enum class Sink { kGraph, kSearch };  // the search index holds no databases

  // `without`: aggregates that the sink refused; it outlives the fold.
  LogFold(Sink sink, const std::set<AggregateKey>& without, std::size_t max_aggregates);
  // Slots in order, from the first of the log.
  void Add(const Slot& slot);
  // Called at the end of the log. True: it is to be read once more, from its beginning.
  bool AnotherReading();
  // After the last reading.
  const SinkDigest& digest() const { return digest_; }

 private:
  const Sink sink_;
  const std::set<AggregateKey>& without_;
  HashedAggregates<Sha256Digest> entries_;
  SinkDigest digest_;
};

Result<SinkDigest> DigestOfGraph(GraphStore& graph, const std::set<AggregateKey>& without);
Result<SinkDigest> DigestOfSearch(SearchIndex& index, const std::set<AggregateKey>& without);

}  // namespace saffron
