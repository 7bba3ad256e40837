// The embedded search index: documents and their words in SQLite, one file a generation.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/result.h"
#include "ports/search_index.h"

namespace saffron {

struct SqliteSearchOptions {
  std::string folder;       // made if missing; nothing else may live in it
  std::string log_id = {};  // that it follows from; empty: nobody asks
  std::size_t cache_bytes = 8 << 20;
};

// A Write is one transaction. Full text is found by FTS5; filters and sorting read every document
// of the class (or every one that the words have left), so their cost is linear in that. After a
// power cut the newest writes may be gone, the watermark with them. Belongs to one process at a
// time. Generations that were never activated are removed when they are dropped or at the next
// Open; a reader in flight keeps the file it reads.
Result<std::unique_ptr<SearchIndex>> OpenSqliteSearch(SqliteSearchOptions options);

}  // namespace saffron
