#include "adapters/rocksdb/registry_options.h"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/memtablerep.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <memory>

#include "adapters/rocksdb/registry_log.h"

namespace saffron {

namespace {

constexpr std::size_t kKiB = std::size_t{1} << 10;
constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kCommandKeyBytes = 16;
constexpr std::size_t kCommandBuckets = 32 * kKiB;

bool IsSmall(Family family) {
  return family == Family::kControl || family == Family::kParked || family == Family::kLeases ||
         family == Family::kPublished || family == Family::kClaimJournal;
}

// Indexes and filters live in the block cache, in parts: otherwise memory grows with the store.
rocksdb::BlockBasedTableOptions TableOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = 4 * kKiB;
  table.format_version = 5;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.metadata_block_size = 16 * kKiB;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_top_level_index_and_filter = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  return table;
}

}  // namespace

rocksdb::DBOptions RegistryDbOptions(const RegistryDatabase::Options& options) {
  rocksdb::DBOptions db;
  if (options.env != nullptr) db.env = options.env;
  db.info_log = OpenRegistryLog(options.directory);
  db.create_if_missing = true;
  db.allow_concurrent_memtable_write = false;  // hashed write buffers forbid it; we never do
  db.create_missing_column_families = true;
  db.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(options.write_buffer_bytes);
  db.max_total_wal_size = 16 * kMiB;  // bounds what a restart replays
  db.avoid_flush_during_recovery = true;
  db.max_background_jobs = 2;
  db.max_open_files = 256;
  db.bytes_per_sync = kMiB;
  db.wal_bytes_per_sync = kMiB;
  // A power cut leaves a prefix of the transactions, over all families.
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  db.skip_stats_update_on_db_open = true;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  return db;
}

std::vector<rocksdb::ColumnFamilyDescriptor> RegistryFamilies(
    const RegistryDatabase::Options& options) {
  const auto cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  const std::shared_ptr<rocksdb::TableFactory> tables(
      rocksdb::NewBlockBasedTableFactory(TableOptions(cache)));
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (std::size_t i = 0; i < kFamilyCount; ++i) {
    const auto family = static_cast<Family>(i);
    rocksdb::ColumnFamilyOptions settings;
    settings.table_factory = tables;
    settings.write_buffer_size = IsSmall(family) ? kMiB : options.write_buffer_bytes / 2;
    settings.arena_block_size = IsSmall(family) ? 16 * kKiB : 256 * kKiB;
    settings.max_write_buffer_number = 4;  // the sum is bounded by the write buffer manager
    // Most keys that RESERVE looks up are new: this spares the walk through the write buffer.
    settings.memtable_prefix_bloom_size_ratio = 0.02;
    settings.memtable_whole_key_filtering = true;
    settings.target_file_size_base = 32 * kMiB;
    settings.max_bytes_for_level_base = 128 * kMiB;
    settings.level_compaction_dynamic_level_bytes = true;
    settings.compression = rocksdb::kLZ4Compression;
    // A flush inserts in the order of the keys: each next to the one before.
    settings.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(1));
    if (family == Family::kCommands) {
      // Looked up by whole id and never scanned: hashed, the write buffer costs half the CPU of a
      // sorted one (it is sorted once, when it is flushed).
      settings.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(kCommandKeyBytes));
      settings.memtable_factory.reset(rocksdb::NewHashLinkListRepFactory(kCommandBuckets, 0));
    }
    if (family == Family::kUndecided || family == Family::kOpenClaims) {
      // Queues: files that are mostly deletions are compacted away, so that scans stay short.
      settings.table_properties_collector_factories = {
          rocksdb::NewCompactOnDeletionCollectorFactory(4096, 2048, 0.5)};
    }
    families.emplace_back(std::string(FamilyName(family)), settings);
  }
  return families;
}

}  // namespace saffron
