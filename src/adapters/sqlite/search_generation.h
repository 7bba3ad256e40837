// One generation of the embedded search index: its file, and the folder with the pointer to the
// live one.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "adapters/sqlite/sqlite.h"
#include "adapters/sqlite/sqlite_search.h"
#include "base/result.h"

namespace saffron {

// The open file. Shared by those who use it: the last one closes it and, unless it is the live one,
// removes it. Thread-safe.
class SearchGeneration {
 public:
  static Result<std::shared_ptr<SearchGeneration>> Open(const SqliteSearchOptions& options,
                                                        const std::string& name);
  ~SearchGeneration();
  SearchGeneration(const SearchGeneration&) = delete;
  SearchGeneration& operator=(const SearchGeneration&) = delete;

  sqlite::Database& database() { return *database_; }
  const std::string& name() const { return name_; }
  void SetLive(bool live) {
    std::lock_guard<std::mutex> lock(mutex_);
    live_ = live;
  }

 private:
  SearchGeneration(std::string path, std::string name)
      : path_(std::move(path)), name_(std::move(name)) {}

  const std::string path_;
  const std::string name_;
  std::unique_ptr<sqlite::Database> database_;
  std::mutex mutex_;
  bool live_ = true;  // until known otherwise: nothing is removed by an error
};

// The folder of all generations. Shared by the index and the generations made by it. Thread-safe.
class SearchFolder {
 public:
  explicit SearchFolder(SqliteSearchOptions options) : options_(std::move(options)) {}

  // The live generation, made if there is none; files of others are removed.
  Result<std::shared_ptr<SearchGeneration>> OpenLive();
  // An empty one, removed when dropped.
  Result<std::shared_ptr<SearchGeneration>> OpenNew();
  // Points to it, durably; atomic for whoever opens the folder.
  Status Point(const SearchGeneration& generation);

 private:
  const SqliteSearchOptions options_;
  std::mutex mutex_;
  std::uint64_t last_number_ = 0;
};

}  // namespace saffron
