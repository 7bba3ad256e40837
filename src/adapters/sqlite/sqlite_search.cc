#include "adapters/sqlite/sqlite_search.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/embedded/search_query.h"
#include "adapters/embedded/words.h"
#include "adapters/sqlite/search_generation.h"
#include "adapters/sqlite/sqlite.h"

namespace saffron {

namespace {

constexpr int kInstanceType = static_cast<int>(AggregateType::kInstance);

#define SAFFRON_SEARCH_COLUMNS \
  "d.type, d.key, d.version, d.present, d.scope_database, d.scope_class, d.updated_ms, d.document"

SequenceNumber Number(const sqlite::Statement& row, int column) {
  return SequenceNumber(static_cast<std::uint64_t>(row.Int(column)));
}

std::int64_t Integer(SequenceNumber number) { return static_cast<std::int64_t>(number.value); }

SearchDocument DocumentOf(const sqlite::Statement& row) {
  SearchDocument document;
  document.key = {static_cast<AggregateType>(row.Int(0)), row.String(1)};
  document.version = Number(row, 2);
  document.lifecycle = row.Int(3) != 0 ? Lifecycle::kPresent : Lifecycle::kAbsent;
  document.scope = {Number(row, 4), Number(row, 5)};
  document.updated_ms = row.Int(6);
  document.document = row.Text(7);
  return document;
}

// Every word in quotes, so that none is an operator. Words hold letters and digits only.
std::string MatchExpression(const std::vector<WordPattern>& words) {
  std::string expression;
  for (const WordPattern& word : words) {
    if (!expression.empty()) expression += ' ';
    expression += '"' + word.word + '"' + (word.prefix ? "*" : "");
  }
  return expression;
}

}  // namespace

// Thread-safe: one writer, readers beside it. Holds its generation by a shared pointer that each
// call copies, so that a switch does not pull the file away under a call.
class SqliteSearch final : public SearchIndex {
 public:
  SqliteSearch(std::shared_ptr<SearchFolder> folder, std::shared_ptr<SearchGeneration> generation)
      : folder_(std::move(folder)), generation_(std::move(generation)) {}

  Result<std::vector<WriteRefusal>> Write(const std::vector<SearchDocument>& documents) override;
  Status Refresh() override { return Ok(); }  // Write has committed
  Result<std::map<AggregateKey, SearchDocument>> Get(
      const std::vector<AggregateKey>& keys) override;
  Result<SearchPage> Search(const SearchQuery& query) override;
  Result<std::vector<SearchDocument>> Scan(const std::optional<AggregateKey>& after,
                                           std::size_t limit) override;
  Result<std::string> Watermark() override;
  Status SetWatermark(std::string_view value) override;
  Result<std::unique_ptr<SearchIndex>> NewGeneration() override;
  Status Activate(SearchIndex& next) override;

 private:
  // A query being answered.
  struct Run {
    DocumentFilter filter;
    std::vector<WordPattern> words;
    std::vector<ClassRange> ranges;
    PageCollector page;
    bool count_only;
    std::uint64_t total = 0;

    // The row of DocumentOf. False: the page is complete.
    bool Take(const sqlite::Statement& row, bool in_id_order);
  };

  std::shared_ptr<SearchGeneration> Current() {
    std::lock_guard<std::mutex> lock(mutex_);
    return generation_;
  }
  static Status WriteOne(sqlite::Connection& connection, const SearchDocument& document);
  static Status Count(sqlite::Connection& connection, Run& run);
  static Status SearchRanges(sqlite::Connection& connection, Run& run);
  static Status SearchWords(sqlite::Connection& connection, Run& run);

  const std::shared_ptr<SearchFolder> folder_;
  std::mutex mutex_;
  std::shared_ptr<SearchGeneration> generation_;
};

Status SqliteSearch::WriteOne(sqlite::Connection& connection, const SearchDocument& document) {
  const bool present = document.lifecycle == Lifecycle::kPresent;
  const std::string_view text = present ? std::string_view(document.document) : "";
  const auto type = static_cast<std::int64_t>(document.key.type);
  std::int64_t id = 0;
  {
    SAFFRON_ASSIGN(auto stored, connection.Prepare("SELECT id, version, document FROM documents "
                                                   "WHERE type = ? AND key = ?"));
    SAFFRON_ASSIGN(bool found, stored.BindInt(1, type).BindText(2, document.key.id).Step());
    if (found) {
      if (document.version <= Number(stored, 1)) return Ok();
      id = stored.Int(0);
      // The words of a row can only be taken out by naming them.
      if (const std::string old_words = WordsOf(stored.Text(2)); !old_words.empty()) {
        SAFFRON_ASSIGN(auto remove, connection.Prepare("INSERT INTO words (words, rowid, text) "
                                                       "VALUES ('delete', ?, ?)"));
        SAFFRON_TRY(remove.BindInt(1, id).BindText(2, old_words).Run());
      }
    }
  }
  SAFFRON_ASSIGN(auto put,
                 id == 0 ? connection.Prepare("INSERT INTO documents (type, key, version, present, "
                                              "scope_database, scope_class, updated_ms, document) "
                                              "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
                         : connection.Prepare("UPDATE documents SET version = ?3, present = ?4, "
                                              "scope_database = ?5, scope_class = ?6, updated_ms = "
                                              "?7, document = ?8 WHERE id = ?9"));
  if (id == 0) {
    put.BindInt(1, type).BindText(2, document.key.id);
  } else {
    put.BindInt(9, id);
  }
  put.BindInt(3, Integer(document.version)).BindInt(4, present ? 1 : 0);
  put.BindInt(5, Integer(document.scope.database)).BindInt(6, Integer(document.scope.class_));
  SAFFRON_TRY(put.BindInt(7, document.updated_ms).BindText(8, text).Run());
  const std::string words = WordsOf(text);
  if (words.empty()) return Ok();
  if (id == 0) id = connection.LastInsertRowid();
  SAFFRON_ASSIGN(auto add, connection.Prepare("INSERT INTO words (rowid, text) VALUES (?, ?)"));
  return add.BindInt(1, id).BindText(2, words).Run();
}

Result<std::vector<WriteRefusal>> SqliteSearch::Write(
    const std::vector<SearchDocument>& documents) {
  auto generation = Current();
  auto writer = generation->database().Writer();
  SAFFRON_TRY(writer->InTransaction([&]() -> Status {
    for (const SearchDocument& document : documents) SAFFRON_TRY(WriteOne(*writer, document));
    return Ok();
  }));
  return std::vector<WriteRefusal>(documents.size());
}

Result<std::map<AggregateKey, SearchDocument>> SqliteSearch::Get(
    const std::vector<AggregateKey>& keys) {
  auto generation = Current();
  SAFFRON_ASSIGN(auto reader, generation->database().Reader());
  std::map<AggregateKey, SearchDocument> found;
  SAFFRON_TRY(reader->InSnapshot([&]() -> Status {
    SAFFRON_ASSIGN(auto row, reader->Prepare("SELECT " SAFFRON_SEARCH_COLUMNS
                                             " FROM documents d WHERE type = ? AND key = ?"));
    for (const AggregateKey& key : keys) {
      row.BindInt(1, static_cast<std::int64_t>(key.type)).BindText(2, key.id);
      SAFFRON_ASSIGN(bool there, row.Step());
      if (there) found[key] = DocumentOf(row);
      row.Reset();
    }
    return Ok();
  }));
  return found;
}

bool SqliteSearch::Run::Take(const sqlite::Statement& row, bool in_id_order) {
  if (!filter.empty() && !filter.Matches(row.Text(7))) return true;
  ++total;
  if (count_only) return true;
  page.Add(DocumentOf(row));
  return !(in_id_order && page.full());
}

Status SqliteSearch::Count(sqlite::Connection& connection, Run& run) {
  SAFFRON_ASSIGN(auto count, connection.Prepare(
                                 "SELECT count(*) FROM documents WHERE type = ? AND key >= ? AND "
                                 "key < ? AND present = 1 AND scope_database = ? AND "
                                 "scope_class = ?"));
  for (const ClassRange& range : run.ranges) {
    count.BindInt(1, kInstanceType).BindText(2, range.first).BindText(3, range.end);
    count.BindInt(4, Integer(range.scope.database)).BindInt(5, Integer(range.scope.class_));
    SAFFRON_ASSIGN(bool row, count.Step());
    if (row) run.total += static_cast<std::uint64_t>(count.Int(0));
    count.Reset();
  }
  return Ok();
}

Status SqliteSearch::SearchRanges(sqlite::Connection& connection, Run& run) {
  SAFFRON_ASSIGN(auto rows, connection.Prepare("SELECT " SAFFRON_SEARCH_COLUMNS
                                               " FROM documents d WHERE type = ? AND key > ? AND "
                                               "key < ? AND present = 1 AND scope_database = ? AND "
                                               "scope_class = ? ORDER BY key"));
  const bool by_id = run.page.order().by_id();
  const auto& after = run.page.after();
  for (const ClassRange& range : run.ranges) {
    // Nothing has the id `range.first` itself: an instance's name is not empty.
    std::string_view start = range.first;
    if (by_id && !run.count_only && after.has_value()) {
      start = std::max(start, std::string_view(after->id));
    }
    rows.BindInt(1, kInstanceType).BindText(2, start).BindText(3, range.end);
    rows.BindInt(4, Integer(range.scope.database)).BindInt(5, Integer(range.scope.class_));
    while (true) {
      SAFFRON_ASSIGN(bool row, rows.Step());
      if (!row) break;
      if (!run.Take(rows, by_id)) return Ok();
    }
    rows.Reset();
  }
  return Ok();
}

Status SqliteSearch::SearchWords(sqlite::Connection& connection, Run& run) {
  const std::string expression = MatchExpression(run.words);
  SAFFRON_ASSIGN(auto rows, connection.Prepare("SELECT " SAFFRON_SEARCH_COLUMNS
                                               " FROM words w CROSS JOIN documents d ON d.id = "
                                               "w.rowid WHERE w.words MATCH ?"));
  rows.BindText(1, expression);
  while (true) {
    SAFFRON_ASSIGN(bool row, rows.Step());
    if (!row) return Ok();
    if (rows.Int(0) != kInstanceType || rows.Int(3) == 0) continue;
    const std::string_view key = rows.Text(1);
    auto range =
        std::upper_bound(run.ranges.begin(), run.ranges.end(), key,
                         [](std::string_view k, const ClassRange& r) { return k < r.first; });
    if (range == run.ranges.begin() || key >= (--range)->end) continue;
    if (range->scope != Scope{Number(rows, 4), Number(rows, 5)}) continue;
    run.Take(rows, false);
  }
}

Result<SearchPage> SqliteSearch::Search(const SearchQuery& query) {
  SAFFRON_ASSIGN(DocumentFilter filter, DocumentFilter::Compile(query.filters));
  SAFFRON_ASSIGN(PageCollector page, PageCollector::Open(query));
  Run run{std::move(filter), ParseWords(query.text), RangesOf(query), std::move(page),
          query.limit == 0};
  // A word of one field is a word of the document: fewer rows to look at.
  const std::vector<WordPattern> required = run.filter.RequiredWords();
  run.words.insert(run.words.end(), required.begin(), required.end());
  auto generation = Current();
  SAFFRON_ASSIGN(auto reader, generation->database().Reader());
  SAFFRON_TRY(reader->InSnapshot([&]() -> Status {
    if (!run.words.empty()) return SearchWords(*reader, run);
    if (run.count_only && run.filter.empty()) return Count(*reader, run);
    return SearchRanges(*reader, run);
  }));
  if (run.count_only) return SearchPage{{}, {}, run.total};
  return run.page.Finish();
}

Result<std::vector<SearchDocument>> SqliteSearch::Scan(const std::optional<AggregateKey>& after,
                                                       std::size_t limit) {
  auto generation = Current();
  SAFFRON_ASSIGN(auto reader, generation->database().Reader());
  SAFFRON_ASSIGN(auto rows, reader->Prepare("SELECT " SAFFRON_SEARCH_COLUMNS
                                            " FROM documents d WHERE (type, key) > (?, ?) ORDER BY "
                                            "type, key LIMIT ?"));
  rows.BindInt(1, after.has_value() ? static_cast<std::int64_t>(after->type) : 0);
  rows.BindText(2, after.has_value() ? std::string_view(after->id) : std::string_view());
  constexpr std::size_t kMost = std::size_t{1} << 32;
  rows.BindInt(3, static_cast<std::int64_t>(std::min(limit, kMost)));
  std::vector<SearchDocument> documents;
  while (true) {
    SAFFRON_ASSIGN(bool row, rows.Step());
    if (!row) return documents;
    if (rows.Int(0) < 1 || rows.Int(0) > 4) return Corrupt("search: a document of no type");
    documents.push_back(DocumentOf(rows));
  }
}

Result<std::string> SqliteSearch::Watermark() {
  auto generation = Current();
  SAFFRON_ASSIGN(auto reader, generation->database().Reader());
  SAFFRON_ASSIGN(auto row, reader->Prepare("SELECT value FROM meta WHERE name = 'watermark'"));
  SAFFRON_ASSIGN(bool found, row.Step());
  return found ? std::string(row.Blob(0)) : std::string();
}

Status SqliteSearch::SetWatermark(std::string_view value) {
  auto generation = Current();
  auto writer = generation->database().Writer();
  SAFFRON_ASSIGN(auto put, writer->Prepare("INSERT OR REPLACE INTO meta VALUES ('watermark', ?)"));
  return put.BindBlob(1, value).Run();
}

Result<std::unique_ptr<SearchIndex>> SqliteSearch::NewGeneration() {
  SAFFRON_ASSIGN(auto generation, folder_->OpenNew());
  return std::unique_ptr<SearchIndex>(
      std::make_unique<SqliteSearch>(folder_, std::move(generation)));
}

Status SqliteSearch::Activate(SearchIndex& next) {
  auto* other = dynamic_cast<SqliteSearch*>(&next);
  if (other == nullptr || other->folder_ != folder_)
    return Invalid("a generation of another index");
  auto generation = other->Current();
  // On disk before the pointer names it: the old one is gone afterwards.
  SAFFRON_TRY(generation->database().Writer()->Execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  std::lock_guard<std::mutex> lock(mutex_);
  if (generation == generation_) return Ok();
  generation->SetLive(true);
  SAFFRON_TRY(folder_->Point(*generation));
  generation_->SetLive(false);
  generation_ = std::move(generation);
  return Ok();
}

Result<std::unique_ptr<SearchIndex>> OpenSqliteSearch(SqliteSearchOptions options) {
  auto folder = std::make_shared<SearchFolder>(std::move(options));
  SAFFRON_ASSIGN(auto generation, folder->OpenLive());
  return std::unique_ptr<SearchIndex>(
      std::make_unique<SqliteSearch>(std::move(folder), std::move(generation)));
}

}  // namespace saffron
