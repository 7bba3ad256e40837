#include "adapters/sqlite/search_generation.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

namespace saffron {

namespace {

// The index on the key holds what a count needs, so that it does not read documents. The words
// are those of adapters/embedded/words.h with spaces between them, which the plain ascii tokenizer
// takes as they are; positions are not kept.
constexpr char kSchema[] = R"sql(
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (id INTEGER PRIMARY KEY, type INTEGER NOT NULL,
  key TEXT NOT NULL, version INTEGER NOT NULL, present INTEGER NOT NULL,
  scope_database INTEGER NOT NULL, scope_class INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
  document TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS documents_by_key
  ON documents (type, key, present, scope_database, scope_class);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(text, content='', detail=none,
  columnsize=0, tokenize='ascii');
)sql";

constexpr std::string_view kPrefix = "search-";
constexpr std::string_view kSuffix = ".db";
constexpr std::string_view kPointer = "live";

std::string NameOf(std::uint64_t number) {
  return std::string(kPrefix) + std::to_string(number) + std::string(kSuffix);
}

// The number in "search-12.db"; 0: another name.
std::uint64_t NumberOf(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return 0;
  name.remove_prefix(kPrefix.size());
  name.remove_suffix(kSuffix.size());
  std::uint64_t number = 0;
  auto [at, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc() && at == name.data() + name.size() ? number : 0;
}

Error ErrnoError(const std::string& what) {
  return Unavailable(what + ": " + std::strerror(errno));
}

void RemoveFiles(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((path + suffix).c_str());
}

Status SyncPath(const std::string& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC);
  if (file < 0) return ErrnoError(path);
  const int result = ::fsync(file);
  ::close(file);
  if (result != 0) return ErrnoError(path);
  return Ok();
}

}  // namespace

Result<std::shared_ptr<SearchGeneration>> SearchGeneration::Open(const SqliteSearchOptions& options,
                                                                 const std::string& name) {
  std::shared_ptr<SearchGeneration> generation(
      new SearchGeneration(options.folder + "/" + name, name));
  sqlite::DatabaseOptions database;
  database.connection.path = generation->path_;
  database.connection.cache_bytes = options.cache_bytes;
  database.log_id = options.log_id;
  // Words and keys change pages all over the file: the fewer checkpoints, the fewer times each page
  // is written back.
  database.connection.wal_autocheckpoint_pages = 8000;
  SAFFRON_ASSIGN(generation->database_, sqlite::Database::Open(database, kSchema));
  return generation;
}

SearchGeneration::~SearchGeneration() {
  database_.reset();
  if (!live_) RemoveFiles(path_);
}

Result<std::shared_ptr<SearchGeneration>> SearchFolder::OpenLive() {
  std::lock_guard<std::mutex> lock(mutex_);
  std::error_code error;
  std::filesystem::create_directories(options_.folder, error);
  if (error) return Unavailable(options_.folder + ": " + error.message());
  std::string live;
  std::ifstream(options_.folder + "/" + std::string(kPointer)) >> live;
  if (live.empty()) live = NameOf(1);  // never switched
  if (NumberOf(live) == 0)
    return Corrupt(options_.folder + ": the pointer to the live index is damaged");
  last_number_ = NumberOf(live);
  SAFFRON_ASSIGN(auto generation, SearchGeneration::Open(options_, live));
  for (const auto& entry : std::filesystem::directory_iterator(options_.folder, error)) {
    const std::string name = entry.path().filename().string();
    if (NumberOf(name) != 0 && name != live) RemoveFiles(entry.path().string());
  }
  if (error) return Unavailable(options_.folder + ": " + error.message());
  return generation;
}

Result<std::shared_ptr<SearchGeneration>> SearchFolder::OpenNew() {
  std::lock_guard<std::mutex> lock(mutex_);
  const std::string name = NameOf(++last_number_);
  SAFFRON_ASSIGN(auto generation, SearchGeneration::Open(options_, name));
  generation->SetLive(false);
  return generation;
}

Status SearchFolder::Point(const SearchGeneration& generation) {
  std::lock_guard<std::mutex> lock(mutex_);
  const std::string pointer = options_.folder + "/" + std::string(kPointer);
  const std::string next = pointer + ".next";
  std::ofstream file(next, std::ios::trunc);
  file << generation.name() << '\n';
  file.close();
  if (!file) return Unavailable(next + ": cannot be written");
  SAFFRON_TRY(SyncPath(next, O_RDONLY));
  if (::rename(next.c_str(), pointer.c_str()) != 0) return ErrnoError(pointer);
  return SyncPath(options_.folder, O_RDONLY | O_DIRECTORY);
}

}  // namespace saffron
