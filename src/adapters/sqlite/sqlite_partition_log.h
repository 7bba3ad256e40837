// SqlitePartitionLog: topics, records and group offsets of the embedded bus in one SQLite file.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "adapters/embedded/partition_log.h"
#include "adapters/sqlite/sqlite.h"
#include "adapters/sqlite/sqlite_bus.h"

namespace saffron {

// A record's row id is its partition's number and its offset, packed: a partition is one range of
// the table and a Produce writes at the end of each. Where partitions begin and end is kept in
// memory and found again when the file is opened.
//
// Owned by its bus. Thread-safe: writers go one by one, readers beside them.
class SqlitePartitionLog final : public PartitionLog {
 public:
  static Result<std::unique_ptr<SqlitePartitionLog>> Open(Runtime& runtime,
                                                          SqliteBusOptions options);

  Result<bool> EnsureTopics(const std::vector<TopicSpec>& topics) override;
  Result<LogTopic> Topic(const std::string& name) override;
  Result<std::vector<Delivery>> Append(const std::vector<const BusMessage*>& messages) override;
  Status Read(const TopicPartition& from, std::uint64_t offset, std::size_t max_records,
              std::size_t max_bytes, std::vector<BusRecord>& records) override;
  Status SaveOffsets(const std::string& group,
                     const std::map<TopicPartition, CommittedOffset>& offsets) override;
  Result<std::map<TopicPartition, CommittedOffset>> Offsets(const std::string& group) override;
  Result<std::uint64_t> NextGeneration(const std::string& group) override;

 private:
  struct Partition {
    std::int64_t number = 0;  // in row ids
    PartitionBounds bounds;
  };
  struct StoredTopic {
    std::string topic_id;
    std::vector<Partition> partitions;
  };
  using Rows = std::vector<std::pair<std::int64_t, const BusMessage*>>;  // by row id
  using Topics = std::map<std::string, StoredTopic>;

  SqlitePartitionLog(Runtime& runtime, SqliteBusOptions options,
                     std::unique_ptr<sqlite::Database> database)
      : runtime_(runtime), options_(std::move(options)), database_(std::move(database)) {}

  Status LoadTopics(sqlite::Connection& connection, Topics& topics);
  Status LoadBounds(sqlite::Connection& connection, Partition& partition);
  Status CreateTopic(sqlite::Connection& connection, const TopicSpec& spec);
  Status Insert(sqlite::Connection& connection, const Rows& rows);
  // Deletes what has been consumed and is old; a bounded number of records.
  Status Retain(sqlite::Connection& connection, const TopicPartition& where, Partition& partition);

  Runtime& runtime_;
  const SqliteBusOptions options_;
  const std::unique_ptr<sqlite::Database> database_;
  std::mutex topics_mutex_;  // taken after the writer's lease, held only in memory
  Topics topics_;
};

}  // namespace saffron
