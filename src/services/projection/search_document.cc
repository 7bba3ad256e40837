#include "services/projection/search_document.h"

#include "base/runtime.h"

namespace saffron {

std::optional<SearchDocument> SearchDocumentOf(const Envelope& event, const Outcome& outcome) {
  if (event.aggregate.type != AggregateType::kInstance &&
      event.aggregate.type != AggregateType::kOntologyClass) {
    return std::nullopt;
  }
  SearchDocument document;
  document.key = event.aggregate;
  document.version = event.sequence_number;
  document.lifecycle = outcome.lifecycle;
  document.scope = outcome.scope;
  document.document = outcome.document;
  document.updated_ms = ParseRfc3339(event.occurred_at).value_or(WallTime{}).unix_ms;
  return document;
}

}  // namespace saffron
