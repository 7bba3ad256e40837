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

LogFold::LogFold(Sink sink, const std::set<AggregateKey>& without, std::size_t max_aggregates)
    : sink_(sink), without_(without), entries_(max_aggregates) {}

void LogFold::Add(const Slot& slot) {
  for (const LoggedEvent& event : slot.events) {
    const AggregateKey& key = event.envelope.aggregate;
    const bool elsewhere = sink_ == Sink::kSearch && key.type == AggregateType::kDatabase;
    if (!event.outcome || elsewhere || without_.contains(key)) continue;
    const auto [entry, added] = entries_.Get(key);
    if (entry == nullptr) continue;
    const Outcome& outcome = *event.outcome;
    *entry = EntryDigest(key, event.envelope.sequence_number, outcome.lifecycle, outcome.scope,
                         outcome.document);
    if (added) entries_.Shrink();
  }
}

bool LogFold::AnotherReading() {
  entries_.ForEach([this](const Sha256Digest& entry) { digest_.Add(entry); });
  return entries_.NextRange();
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
