// The document of an outcome in the search index. Pure.
#pragma once

#include <optional>

#include "domain/envelope.h"
#include "ports/search_index.h"

namespace saffron {

// Nothing for what is not searched: databases.
std::optional<SearchDocument> SearchDocumentOf(const Envelope& event, const Outcome& outcome);

}  // namespace saffron
