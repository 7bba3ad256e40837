#include "services/worker/sink_digest.h"

#include <optional>

#include "base/bytes.h"
#include "domain/json_text.h"

namespace saffron {
namespace {

constexpr std::size_t kPage = 1000;

}  // namespace

Sha256Digest EntryDigest(const AggregateKey& key, SequenceNumber version, Lifecycle lifecycle,
                         const Scope& scope, std::string_view document) {
  std::string bytes;
  PutU8(bytes, static_cast<std::uint8_t>(key.type));
  PutLengthPrefixed(bytes, key.id);
  PutVarint(bytes, version.value);
  PutU8(bytes, static_cast<std::uint8_t>(lifecycle));
  PutVarint(bytes, scope.database.value);
  PutVarint(bytes, scope.class_.value);
  if (lifecycle == Lifecycle::kPresent && !json::AppendCanonical(bytes, document)) {
    bytes.append(document);  // what is no JSON differs from everything that is
  }
  return Sha256(bytes);
}

void SinkDigest::Add(const Sha256Digest& entry) {
  std::string bytes(state_.begin(), state_.end());
  bytes.append(entry.begin(), entry.end());
  state_ = Sha256(bytes);
  ++entries_;
}

std::string SinkDigest::Hex() const {
  return HexOf({reinterpret_cast<const char*>(state_.data()), state_.size()});
}

void LogFold::Add(const Slot& slot) {
  for (const LoggedEvent& event : slot.events) {
    if (!event.outcome) continue;
    const Outcome& outcome = *event.outcome;
    entries_[event.envelope.aggregate] =
        EntryDigest(event.envelope.aggregate, event.envelope.sequence_number, outcome.lifecycle,
                    outcome.scope, outcome.document);
  }
}

SinkDigest LogFold::OfGraph(const std::set<AggregateKey>& without) const {
  SinkDigest digest;
  for (const auto& [key, entry] : entries_) {
    if (!without.contains(key)) digest.Add(entry);
  }
  return digest;
}

SinkDigest LogFold::OfSearch(const std::set<AggregateKey>& without) const {
  SinkDigest digest;
  for (const auto& [key, entry] : entries_) {
    if (key.type != AggregateType::kDatabase && !without.contains(key)) digest.Add(entry);
  }
  return digest;
}

Result<SinkDigest> DigestOfGraph(GraphStore& graph, const std::set<AggregateKey>& without) {
  SinkDigest digest;
  for (AggregateType type :
       {AggregateType::kDatabase, AggregateType::kOntologyClass, AggregateType::kInstance}) {
    std::string after;
    while (true) {
      SAFFRON_ASSIGN(std::vector<GraphNode> nodes, graph.List(type, "", after, kPage));
      if (nodes.empty()) break;
      for (const GraphNode& node : nodes) {
        if (without.contains(node.key)) continue;
        digest.Add(EntryDigest(node.key, node.version, node.lifecycle, node.scope, node.document));
      }
      after = nodes.back().key.id;
    }
  }
  return digest;
}

Result<SinkDigest> DigestOfSearch(SearchIndex& index, const std::set<AggregateKey>& without) {
  SinkDigest digest;
  std::optional<AggregateKey> after;
  while (true) {
    SAFFRON_ASSIGN(std::vector<SearchDocument> documents, index.Scan(after, kPage));
    if (documents.empty()) return digest;
    for (const SearchDocument& document : documents) {
      if (without.contains(document.key)) continue;
      digest.Add(EntryDigest(document.key, document.version, document.lifecycle, document.scope,
                             document.document));
    }
    after = documents.back().key;
  }
}

}  // namespace saffron
