// SearchDocument to and from what the engine is sent and what it answers.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "adapters/elasticsearch/elastic_schema.h"
#include "base/result.h"
#include "domain/envelope.h"
#include "ports/search_index.h"

namespace saffron::elastic {

// Of an id without a colon: all of it.
std::string_view DatabaseOf(const AggregateKey& key);
// The type as a digit, then the id: sorts as the key does.
std::string KeyText(const AggregateKey& key);
// The engine's _id: the key, or a hash of one that is too long for it.
std::string IdOf(const AggregateKey& key);
// Where the instances of a class are that live under a scope; one term.
std::string ScopeText(std::string_view branch, std::string_view class_id, const Scope& scope);

// Two lines of a bulk request. Names that `columns` does not have go into `unknown`: then the lines
// are not to be sent.
void AppendBulkLines(const SearchDocument& document, std::string_view index,
                     const PropertyColumns& columns, std::string& body,
                     std::set<std::string>& unknown);

// To be asked for, by searches and by id: a JSON array.
inline constexpr std::string_view kStoredFields =
    R"(["key","present","database","class","updated_ms","document"])";
// kCorrupt: not a document of ours.
Result<SearchDocument> DocumentOfHit(simdjson::dom::element hit);

}  // namespace saffron::elastic
