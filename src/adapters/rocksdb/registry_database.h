// RegistryDatabase: the RocksDB files of the embedded registry: opening them, their column
// families, errors in words, and writing through a full disk.
//
// Owned by RocksdbRegistry. Any thread may call it. What Write
// acknowledged survives the death of the process (it is in the kernel); a power cut may take the
// newest writes, in order, and never half of one. Directory and files belong to one process.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/rocksdb/registry_codec.h"
#include "base/ids.h"
#include "base/result.h"

namespace saffron {

enum class Family : std::uint8_t {
  kControl,  // RocksDB's default family
  kAggregates,
  kCommands,
  kByAggregate,
  kUndecided,
  kReservations,
  kClaims,
  kOpenClaims,
  kParked,
  kLeases,
  kPublished,
  kClaimJournal,
};
inline constexpr std::size_t kFamilyCount = 12;
std::string_view FamilyName(Family family);

inline rocksdb::Slice AsSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
inline std::string_view AsView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

class RegistryDatabase {
 public:
  struct Options {
    std::string directory;
    std::size_t write_buffer_bytes;  // of all families together
    std::size_t block_cache_bytes;   // blocks, indexes and filters
    rocksdb::Env* env;               // null: the machine's
  };
  // Makes what is missing. kUnavailable: another process has it open, or it cannot be read now.
  // kInvalid: written by a newer version. kCorrupt: to be rebuilt from the log.
  static Result<std::unique_ptr<RegistryDatabase>> Open(const Options& options);
  ~RegistryDatabase();
  RegistryDatabase(const RegistryDatabase&) = delete;
  RegistryDatabase& operator=(const RegistryDatabase&) = delete;

  // Drawn when the files were made: tells this set of files from any other.
  const Uuid& identity() const { return identity_; }
  const std::string& directory() const { return directory_; }
  rocksdb::DB& db() { return *db_; }
  rocksdb::ColumnFamilyHandle* Handle(Family family) const {
    return handles_[static_cast<std::size_t>(family)];
  }

  // All or nothing. kUnavailable: not written (disk full, or the files are still failing after an
  // earlier error); a later call tries to resume by itself. kUnknownOutcome: any other error.
  Status Write(rocksdb::WriteBatch& batch);
  // The same without writing: would a write be tried now?
  Status ResumeIfPaused();

  Error ReadFailure(const rocksdb::Status& status) const;
  // A row that does not parse.
  Error BadRow(Family family) const;

 private:
  explicit RegistryDatabase(std::string directory) : directory_(std::move(directory)) {}
  Status CheckFamilies(const rocksdb::Options& options) const;
  Status OpenFiles(const Options& options);
  Status LoadIdentity();
  Status Create();
  Error OpenFailure(const rocksdb::Status& status) const;
  Error NeedsRebuild(std::string_view what) const;

  const std::string directory_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  Uuid identity_;
  std::mutex paused_mutex_;  // of what follows
  // Set by a failed write: why, and when the last attempt to resume was.
  std::optional<std::string> paused_because_;
  std::chrono::steady_clock::time_point resume_tried_;
};

}  // namespace saffron
