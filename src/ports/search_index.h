// SearchIndex: the read model for lists, counts, fields and full text. Whole documents with an
// external version; versioned tombstones stay.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "domain/envelope.h"
#include "domain/names.h"
#include "ports/graph_store.h"

namespace saffron {

struct SearchDocument {
  AggregateKey key;        // instances and classes
  SequenceNumber version;  // the outcome's number
  Lifecycle lifecycle = Lifecycle::kAbsent;
  Scope scope;
  std::string document;  // JSON; empty when absent
  std::int64_t updated_ms = 0;
  friend bool operator==(const SearchDocument&, const SearchDocument&) = default;
};

// Of one document: nothing (written, or an equal or newer version is there already), or why it was
// refused for good.
using WriteRefusal = std::optional<Error>;

struct SearchQuery {
  LiveScope scope;
  std::string class_id;  // empty: all live classes
  std::vector<FieldFilter> filters;
  std::string text;          // full text: every word must occur; "word*" is a prefix; empty: none
  std::string sort;          // a property, "-" before it: descending; empty: by id
  std::uint64_t limit = 50;  // 0: only the total
  std::string cursor;        // opaque, from the page before
};

struct SearchPage {
  std::vector<SearchDocument> documents;
  std::string next_cursor;  // empty: the last page
  std::uint64_t total = 0;  // all matches; only when limit was 0
};

// Thread-safe.
class SearchIndex {
 public:
  virtual ~SearchIndex() = default;
  // Durable once it returns; readable, at the latest, once the next Refresh has. kUnavailable and
  // kUnknownOutcome are of the whole call: repeat it.
  virtual Result<std::vector<WriteRefusal>> Write(const std::vector<SearchDocument>& documents) = 0;
  // What this object has written is readable by everybody once it returns. After an error: again.
  virtual Status Refresh() = 0;
  // Tombstones too. Missing ones have no entry.
  virtual Result<std::map<AggregateKey, SearchDocument>> Get(
      const std::vector<AggregateKey>& keys) = 0;
  virtual Result<SearchPage> Search(const SearchQuery& query) = 0;
  // All documents (tombstones too) in order of key above `after`: for verify and digests.
  virtual Result<std::vector<SearchDocument>> Scan(const std::optional<AggregateKey>& after,
                                                   std::size_t limit) = 0;
  // A small value kept with the index, for the projection's low watermark. Empty: never set.
  virtual Result<std::string> Watermark() = 0;
  virtual Status SetWatermark(std::string_view value) = 0;
  virtual Result<std::unique_ptr<SearchIndex>> NewGeneration() = 0;
  // Refresh it before.
  virtual Status Activate(SearchIndex& next) = 0;
};

}  // namespace saffron
