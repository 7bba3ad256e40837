#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/statistics.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>
#include <sqlite3.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "bench/registry_engine/engine.h"

namespace saffron::bench {
namespace {

constexpr std::array<const char*, kTableCount> kNames = {
    "event_index", "aggregates", "by_aggregate", "worklist", "processed_events"};
constexpr size_t kMiB = size_t{1} << 20;

[[noreturn]] void Die(const char* what, const std::string& why) {
  std::fprintf(stderr, "%s: %s\n", what, why.c_str());
  std::exit(1);
}

class SqliteEngine final : public Engine {
 public:
  explicit SqliteEngine(const EngineOptions& options) {
    const std::string path = options.directory + "/registry.sqlite";
    if (sqlite3_open_v2(path.c_str(), &db_,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        nullptr) != SQLITE_OK) {
      Die("sqlite open", sqlite3_errmsg(db_));
    }
    Exec("PRAGMA page_size=4096");
    Exec("PRAGMA journal_mode=WAL");
    Exec("PRAGMA synchronous=NORMAL");
    Exec("PRAGMA cache_size=-65536");
    Exec("PRAGMA temp_store=MEMORY");
    Exec("PRAGMA wal_autocheckpoint=" + std::to_string(options.wal_checkpoint_pages));
    for (int i = 0; i < kTableCount; ++i) {
      const std::string name = kNames[i];
      Exec("CREATE TABLE IF NOT EXISTS " + name +
           "(k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID");
      get_[i] = Prepare("SELECT v FROM " + name + " WHERE k=?1");
      put_[i] = Prepare("INSERT INTO " + name +
                        " VALUES(?1,?2) ON CONFLICT(k) DO UPDATE SET v=excluded.v");
      delete_[i] = Prepare("DELETE FROM " + name + " WHERE k=?1");
      first_[i] = Prepare("SELECT k FROM " + name + " ORDER BY k LIMIT ?1");
    }
    begin_ = Prepare("BEGIN IMMEDIATE");
    commit_ = Prepare("COMMIT");
  }

  ~SqliteEngine() override {
    for (const auto& group : {get_, put_, delete_, first_}) {
      for (sqlite3_stmt* statement : group) sqlite3_finalize(statement);
    }
    sqlite3_finalize(begin_);
    sqlite3_finalize(commit_);
    sqlite3_close(db_);
  }

  void Begin() override { Run(begin_); }
  void Commit() override { Run(commit_); }

  bool Get(Table table, std::string_view key, std::string* value) override {
    sqlite3_stmt* statement = get_[static_cast<int>(table)];
    Bind(statement, 1, key);
    const int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
      value->assign(static_cast<const char*>(sqlite3_column_blob(statement, 0)),
                    static_cast<size_t>(sqlite3_column_bytes(statement, 0)));
    } else if (code != SQLITE_DONE) {
      Die("sqlite get", sqlite3_errmsg(db_));
    }
    sqlite3_reset(statement);
    return code == SQLITE_ROW;
  }

  void Put(Table table, std::string_view key, std::string_view value) override {
    sqlite3_stmt* statement = put_[static_cast<int>(table)];
    Bind(statement, 1, key);
    Bind(statement, 2, value);
    Run(statement);
  }

  void Delete(Table table, std::string_view key) override {
    sqlite3_stmt* statement = delete_[static_cast<int>(table)];
    Bind(statement, 1, key);
    Run(statement);
  }

  int CountFirst(Table table, int limit) override {
    sqlite3_stmt* statement = first_[static_cast<int>(table)];
    sqlite3_bind_int(statement, 1, limit);
    int rows = 0;
    while (sqlite3_step(statement) == SQLITE_ROW) ++rows;
    sqlite3_reset(statement);
    return rows;
  }

  uint64_t StallMicros() const override { return 0; }

 private:
  void Exec(const std::string& sql) {
    char* error = nullptr;
    if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, &error) != SQLITE_OK) {
      Die(sql.c_str(), error);
    }
  }

  sqlite3_stmt* Prepare(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v3(db_, sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
        SQLITE_OK) {
      Die(sql.c_str(), sqlite3_errmsg(db_));
    }
    return statement;
  }

  static void Bind(sqlite3_stmt* statement, int index, std::string_view bytes) {
    sqlite3_bind_blob(statement, index, bytes.data(), static_cast<int>(bytes.size()),
                      SQLITE_STATIC);
  }

  void Run(sqlite3_stmt* statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) Die("sqlite step", sqlite3_errmsg(db_));
    sqlite3_reset(statement);
  }

  sqlite3* db_ = nullptr;
  std::array<sqlite3_stmt*, kTableCount> get_{}, put_{}, delete_{}, first_{};
  sqlite3_stmt* begin_ = nullptr;
  sqlite3_stmt* commit_ = nullptr;
};

// Indexes and filters live in the block cache (partitioned, so that only the touched part must be
// resident): otherwise memory grows with the store, 1.25 bytes a row and table for filters alone.
rocksdb::BlockBasedTableOptions TableOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = 4096;
  table.format_version = 5;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.metadata_block_size = 4096;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_top_level_index_and_filter = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  return table;
}

rocksdb::ColumnFamilyOptions FamilyOptions(const EngineOptions& options,
                                           const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions family;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(TableOptions(cache)));
  family.write_buffer_size = 32 * kMiB;
  family.max_write_buffer_number = 4;  // the sum is bounded by the write buffer manager
  family.target_file_size_base = 32 * kMiB;
  family.max_bytes_for_level_base = 128 * kMiB;
  family.level_compaction_dynamic_level_bytes = true;
  family.compression =
      options.compression == "lz4" ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  if (options.style == "universal") {
    family.compaction_style = rocksdb::kCompactionStyleUniversal;
  }
  return family;
}

rocksdb::DBOptions DatabaseOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::DBOptions db;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(64 * kMiB, cache);
  db.max_total_wal_size = 16 * kMiB;  // bounds what a restart replays
  db.avoid_flush_during_recovery = true;
  db.max_background_jobs = 2;
  db.max_open_files = 256;
  db.bytes_per_sync = kMiB;
  db.wal_bytes_per_sync = kMiB;
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  db.skip_stats_update_on_db_open = true;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.keep_log_file_num = 4;
  db.max_log_file_size = 4 * kMiB;
  return db;
}

class RocksDbEngine final : public Engine {
 public:
  explicit RocksDbEngine(const EngineOptions& options) {
    // One bound for everything: blocks, indexes, filters and (charged to it) the write buffers.
    auto cache = rocksdb::NewLRUCache(128 * kMiB);
    rocksdb::DBOptions db_options = DatabaseOptions(cache);
    statistics_ = rocksdb::CreateDBStatistics();
    statistics_->set_stats_level(rocksdb::StatsLevel::kExceptTimers);
    db_options.statistics = statistics_;
    const rocksdb::ColumnFamilyOptions family = FamilyOptions(options, cache);
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    families.emplace_back(rocksdb::kDefaultColumnFamilyName, family);
    for (const char* name : kNames) families.emplace_back(name, family);
    rocksdb::DB* db = nullptr;
    Check(rocksdb::DB::Open(db_options, options.directory, families, &handles_, &db));
    db_.reset(db);
    read_.verify_checksums = true;
  }

  ~RocksDbEngine() override {
    for (auto* handle : handles_) Check(db_->DestroyColumnFamilyHandle(handle));
  }

  void Begin() override { batch_.Clear(); }
  void Commit() override { Check(db_->Write(rocksdb::WriteOptions(), &batch_)); }

  bool Get(Table table, std::string_view key, std::string* value) override {
    pinned_.Reset();
    const rocksdb::Status status = db_->Get(read_, Family(table), Slice(key), &pinned_);
    if (status.IsNotFound()) return false;
    Check(status);
    value->assign(pinned_.data(), pinned_.size());
    return true;
  }

  void Put(Table table, std::string_view key, std::string_view value) override {
    Check(batch_.Put(Family(table), Slice(key), Slice(value)));
  }

  void Delete(Table table, std::string_view key) override {
    Check(batch_.Delete(Family(table), Slice(key)));
  }

  int CountFirst(Table table, int limit) override {
    std::unique_ptr<rocksdb::Iterator> rows(db_->NewIterator(read_, Family(table)));
    int count = 0;
    for (rows->SeekToFirst(); rows->Valid() && count < limit; rows->Next()) ++count;
    Check(rows->status());
    return count;
  }

  uint64_t StallMicros() const override {
    return statistics_->getTickerCount(rocksdb::STALL_MICROS);
  }

 private:
  static rocksdb::Slice Slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
  static void Check(const rocksdb::Status& status) {
    if (!status.ok()) Die("rocksdb", status.ToString());
  }
  rocksdb::ColumnFamilyHandle* Family(Table table) {
    return handles_[static_cast<size_t>(table) + 1];  // 0 is the unused default family
  }

  std::shared_ptr<rocksdb::Statistics> statistics_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  rocksdb::ReadOptions read_;
  rocksdb::WriteBatch batch_;
  rocksdb::PinnableSlice pinned_;
};

}  // namespace

std::unique_ptr<Engine> OpenSqlite(const EngineOptions& options) {
  return std::make_unique<SqliteEngine>(options);
}

std::unique_ptr<Engine> OpenRocksDb(const EngineOptions& options) {
  return std::make_unique<RocksDbEngine>(options);
}

}  // namespace saffron::bench
