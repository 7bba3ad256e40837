// Digests by which the contents of a sink are compared with a fold of the log. Pure, but for the
// reading of the sinks.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/sha256.h"
#include "eventlog/slot.h"
#include "ports/graph_store.h"
#include "ports/search_index.h"

namespace saffron {

// One aggregate in a sink. Times are left out; the document counts as JSON, not as bytes.
Sha256Digest EntryDigest(const AggregateKey& key, SequenceNumber version, Lifecycle lifecycle,
                         const Scope& scope, std::string_view document);

// A SHA-256 over entries in order of key.
class SinkDigest {
 public:
  void Add(const Sha256Digest& entry);
  std::string Hex() const;
  std::uint64_t entries() const { return entries_; }

 private:
  Sha256Digest state_{};
  std::uint64_t entries_ = 0;
};

// What a sink must hold after the log: the last outcome of every aggregate. Holds some 150 bytes
// for each of them.
class LogFold {
 public:
  void Add(const Slot& slot);
  // `without`: aggregates that the sink refused.
  SinkDigest OfGraph(const std::set<AggregateKey>& without) const;
  SinkDigest OfSearch(const std::set<AggregateKey>& without) const;  // no databases

 private:
  std::map<AggregateKey, Sha256Digest> entries_;
};

Result<SinkDigest> DigestOfGraph(GraphStore& graph, const std::set<AggregateKey>& without);
Result<SinkDigest> DigestOfSearch(SearchIndex& index, const std::set<AggregateKey>& without);

}  // namespace saffron
