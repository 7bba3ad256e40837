#include "services/projection/search_document.h"

#include "base/runtime.h"
#include "eventlog/mutation.h"

namespace saffron {

std::optional<SearchDocument> SearchDocumentOf(const Envelope& event, const Outcome& outcome) {
  if (event.aggregate.type != AggregateType::kInstance &&
      event.aggregate.type != AggregateType::kOntologyClass) {
    return std::nullopt;
  }
  if (event.type.rejected && Mutated(Mutation::kRejectedNotWritten)) return std::nullopt;
  if (outcome.lifecycle == Lifecycle::kAbsent && Mutated(Mutation::kDeletedNotWritten)) {
    return std::nullopt;
  }
  SearchDocument document;
  document.key = event.aggregate;
  document.version = event.sequence_number;
  if (Mutated(Mutation::kVersionsByArrival)) {
    static std::uint64_t arrivals = 0;
    document.version = SequenceNumber(++arrivals);
  }
  document.lifecycle = outcome.lifecycle;
  document.scope = outcome.scope;
  document.document = outcome.document;
  document.updated_ms = ParseRfc3339(event.occurred_at).value_or(WallTime{}).unix_ms;
  return document;
}

}  // namespace saffron
