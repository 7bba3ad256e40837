#include "adapters/sqlite/sqlite_partition_log.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "adapters/sqlite/bus_records.h"

namespace saffron {

namespace {

constexpr char kSchema[] = R"sql(
CREATE TABLE IF NOT EXISTS topics (name TEXT PRIMARY KEY, topic_id TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS partitions (number INTEGER PRIMARY KEY, topic TEXT NOT NULL,
  partition INTEGER NOT NULL, UNIQUE (topic, partition));
CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, stored_ms INTEGER NOT NULL,
  record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS offsets (topic TEXT, partition INTEGER, consumers TEXT,
  next INTEGER NOT NULL, metadata TEXT NOT NULL,
  PRIMARY KEY (topic, partition, consumers)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS consumer_groups (name TEXT PRIMARY KEY, generation INTEGER NOT NULL)
  WITHOUT ROWID;
)sql";

// 2^44 records in each of 2^19 partitions.
constexpr int kOffsetBits = 44;
constexpr std::int64_t kOffsetMask = (std::int64_t{1} << kOffsetBits) - 1;

std::int64_t RowId(std::int64_t partition_number, std::uint64_t offset) {
  return partition_number << kOffsetBits | static_cast<std::int64_t>(offset);
}

}  // namespace

Result<std::unique_ptr<SqlitePartitionLog>> SqlitePartitionLog::Open(Runtime& runtime,
                                                                     SqliteBusOptions options) {
  sqlite::DatabaseOptions database_options;
  database_options.connection.path = options.path;
  database_options.log_id = options.log_id;
  database_options.connection.page_bytes = 8192;                // several records a page
  database_options.connection.wal_autocheckpoint_pages = 8000;  // as seldom as its limit allows
  // One record at least, so that the end of a partition is found again.
  options.keep_records = std::max<std::uint64_t>(options.keep_records, 1);
  SAFFRON_ASSIGN(auto database, sqlite::Database::Open(database_options, kSchema));
  std::unique_ptr<SqlitePartitionLog> log(
      new SqlitePartitionLog(runtime, std::move(options), std::move(database)));
  SAFFRON_TRY(log->LoadTopics(*log->database_->Writer(), log->topics_));
  return log;
}

Status SqlitePartitionLog::LoadTopics(sqlite::Connection& connection, Topics& topics) {
  {
    SAFFRON_ASSIGN(auto rows, connection.Prepare("SELECT name, topic_id FROM topics"));
    while (true) {
      SAFFRON_ASSIGN(bool row, rows.Step());
      if (!row) break;
      topics[rows.String(0)].topic_id = rows.String(1);
    }
  }
  SAFFRON_ASSIGN(auto rows,
                 connection.Prepare("SELECT topic, number FROM partitions ORDER BY 1, partition"));
  while (true) {
    SAFFRON_ASSIGN(bool row, rows.Step());
    if (!row) break;
    Partition& partition = topics[rows.String(0)].partitions.emplace_back();
    partition.number = rows.Int(1);
    SAFFRON_TRY(LoadBounds(connection, partition));
  }
  return Ok();
}

Status SqlitePartitionLog::LoadBounds(sqlite::Connection& connection, Partition& partition) {
  SAFFRON_ASSIGN(auto bounds,
                 connection.Prepare("SELECT (SELECT min(id) FROM records WHERE id >= ?1 AND id <= "
                                    "?2), (SELECT max(id) FROM records WHERE id >= ?1 AND id <= "
                                    "?2)"));
  bounds.BindInt(1, RowId(partition.number, 0));
  bounds.BindInt(2, RowId(partition.number, static_cast<std::uint64_t>(kOffsetMask)));
  SAFFRON_ASSIGN(bool row, bounds.Step());
  if (!row || bounds.IsNull(0)) return Ok();
  partition.bounds.earliest = static_cast<std::uint64_t>(bounds.Int(0) & kOffsetMask);
  partition.bounds.end = static_cast<std::uint64_t>(bounds.Int(1) & kOffsetMask) + 1;
  return Ok();
}

Status SqlitePartitionLog::CreateTopic(sqlite::Connection& connection, const TopicSpec& spec) {
  const std::string topic_id = runtime_.NewUuid().ToString();
  SAFFRON_ASSIGN(auto topic, connection.Prepare("INSERT INTO topics VALUES (?, ?)"));
  SAFFRON_TRY(topic.BindText(1, spec.name).BindText(2, topic_id).Run());
  SAFFRON_ASSIGN(auto partition,
                 connection.Prepare("INSERT INTO partitions (topic, partition) VALUES (?, ?)"));
  for (std::uint32_t p = 0; p < spec.partitions; ++p) {
    SAFFRON_TRY(partition.BindText(1, spec.name).BindInt(2, p).Run());
  }
  return Ok();
}

Result<bool> SqlitePartitionLog::EnsureTopics(const std::vector<TopicSpec>& specs) {
  auto writer = database_->Writer();
  std::vector<const TopicSpec*> missing;
  for (const TopicSpec& spec : specs) {
    if (spec.partitions == 0 || spec.name.empty()) return Invalid("a topic needs partitions");
    auto found = topics_.find(spec.name);  // changed by the writer only
    if (found == topics_.end()) {
      missing.push_back(&spec);
    } else if (found->second.partitions.size() < spec.partitions) {
      return Invalid("topic " + spec.name + " has fewer partitions than asked for");
    }
  }
  if (missing.empty()) return false;
  SAFFRON_TRY(writer->InTransaction([&]() -> Status {
    std::set<std::string_view> created;
    for (const TopicSpec* spec : missing) {
      if (created.insert(spec->name).second) SAFFRON_TRY(CreateTopic(*writer, *spec));
    }
    return Ok();
  }));
  Topics topics;
  SAFFRON_TRY(LoadTopics(*writer, topics));
  std::lock_guard<std::mutex> lock(topics_mutex_);
  topics_ = std::move(topics);
  return true;
}

Result<LogTopic> SqlitePartitionLog::Topic(const std::string& name) {
  std::lock_guard<std::mutex> lock(topics_mutex_);
  auto found = topics_.find(name);
  if (found == topics_.end()) return NotFound("no topic " + name);
  LogTopic result{found->second.topic_id, {}};
  for (const Partition& partition : found->second.partitions) {
    result.partitions.push_back(partition.bounds);
  }
  return result;
}

Result<std::vector<Delivery>> SqlitePartitionLog::Append(
    const std::vector<const BusMessage*>& messages) {
  std::vector<Delivery> deliveries(messages.size());
  if (messages.empty()) return deliveries;
  auto writer = database_->Writer();
  std::map<TopicPartition, Partition> changed;  // shown to readers once committed
  Rows rows;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const BusMessage& message = *messages[i];
    auto topic = topics_.find(message.topic);
    if (topic == topics_.end()) {
      deliveries[i].refused = NotFound("no topic " + message.topic);
      continue;
    }
    const std::vector<Partition>& partitions = topic->second.partitions;
    const std::uint32_t number =
        PartitionOf(message.key, static_cast<std::uint32_t>(partitions.size()));
    auto entry = changed.try_emplace({message.topic, number}, partitions[number]).first;
    Partition& partition = entry->second;
    deliveries[i].partition = number;
    deliveries[i].offset = partition.bounds.end++;
    rows.emplace_back(RowId(partition.number, deliveries[i].offset), &message);
  }
  std::sort(rows.begin(), rows.end());  // partition by partition, so that pages are visited once
  SAFFRON_TRY(writer->InTransaction([&]() -> Status {
    SAFFRON_TRY(Insert(*writer, rows));
    for (auto& [where, partition] : changed) SAFFRON_TRY(Retain(*writer, where, partition));
    return Ok();
  }));
  std::lock_guard<std::mutex> lock(topics_mutex_);
  for (const auto& [where, partition] : changed) {
    topics_[where.topic].partitions[where.partition] = partition;
  }
  return deliveries;
}

Status SqlitePartitionLog::Insert(sqlite::Connection& connection, const Rows& rows) {
  const std::int64_t now_ms = runtime_.WallNow().unix_ms;
  SAFFRON_ASSIGN(auto insert, connection.Prepare("INSERT INTO records VALUES (?, ?, ?)"));
  std::string record;
  for (const auto& [id, message] : rows) {
    bus_records::Encode(*message, record);
    SAFFRON_TRY(insert.BindInt(1, id).BindInt(2, now_ms).BindBlob(3, record).Run());
  }
  return Ok();
}

Status SqlitePartitionLog::Retain(sqlite::Connection& connection, const TopicPartition& where,
                                  Partition& partition) {
  PartitionBounds& bounds = partition.bounds;
  constexpr std::uint64_t kAtOnce = 512;
  // Once there is a good piece to delete, not record by record.
  if (bounds.end - bounds.earliest < options_.keep_records + kAtOnce) return Ok();
  SAFFRON_ASSIGN(auto consumed, connection.Prepare("SELECT min(next) FROM offsets WHERE topic = ? "
                                                   "AND partition = ?"));
  consumed.BindText(1, where.topic).BindInt(2, where.partition);
  SAFFRON_ASSIGN(bool row, consumed.Step());
  if (!row || consumed.IsNull(0)) return Ok();  // nobody has consumed anything
  std::uint64_t below = std::min({static_cast<std::uint64_t>(consumed.Int(0)),
                                  bounds.end - options_.keep_records, bounds.earliest + kAtOnce});
  if (below <= bounds.earliest) return Ok();
  const std::int64_t oldest_ms =
      runtime_.WallNow().unix_ms -
      std::chrono::duration_cast<milliseconds>(options_.keep_for).count();
  SAFFRON_ASSIGN(auto first_kept,
                 connection.Prepare("SELECT min(id) FROM records WHERE id >= ? AND id < ? AND "
                                    "stored_ms > ?"));
  first_kept.BindInt(1, RowId(partition.number, bounds.earliest));
  first_kept.BindInt(2, RowId(partition.number, below)).BindInt(3, oldest_ms);
  SAFFRON_ASSIGN(bool found, first_kept.Step());
  if (found && !first_kept.IsNull(0)) {
    below = static_cast<std::uint64_t>(first_kept.Int(0) & kOffsetMask);
  }
  SAFFRON_ASSIGN(auto remove, connection.Prepare("DELETE FROM records WHERE id >= ? AND id < ?"));
  remove.BindInt(1, RowId(partition.number, bounds.earliest));
  SAFFRON_TRY(remove.BindInt(2, RowId(partition.number, below)).Run());
  bounds.earliest = below;
  return Ok();
}

Status SqlitePartitionLog::Read(const TopicPartition& from, std::uint64_t offset,
                                std::size_t max_records, std::size_t max_bytes,
                                std::vector<BusRecord>& records) {
  Partition partition;
  {
    std::lock_guard<std::mutex> lock(topics_mutex_);
    auto topic = topics_.find(from.topic);
    if (topic == topics_.end() || from.partition >= topic->second.partitions.size()) return Ok();
    partition = topic->second.partitions[from.partition];
  }
  SAFFRON_ASSIGN(auto reader, database_->Reader());
  SAFFRON_ASSIGN(auto rows, reader->Prepare("SELECT id, record FROM records WHERE id >= ? AND id < "
                                            "? ORDER BY id LIMIT ?"));
  rows.BindInt(1, RowId(partition.number, std::max(offset, partition.bounds.earliest)));
  rows.BindInt(2, RowId(partition.number, partition.bounds.end));
  constexpr std::size_t kMost = std::numeric_limits<std::int64_t>::max();
  rows.BindInt(3, static_cast<std::int64_t>(std::min(max_records, kMost)));
  for (std::size_t bytes = 0; bytes < max_bytes;) {
    SAFFRON_ASSIGN(bool row, rows.Step());
    if (!row) break;
    BusRecord& record = records.emplace_back();
    record.from = from;
    record.offset = static_cast<std::uint64_t>(rows.Int(0) & kOffsetMask);
    if (!bus_records::Decode(rows.Blob(1), record)) {
      records.pop_back();
      return Corrupt("record " + std::to_string(rows.Int(0) & kOffsetMask) + " of " + from.topic +
                     "/" + std::to_string(from.partition) + " in " + options_.path +
                     " is damaged; stop, move the file away and start: it is made again from the "
                     "log");
    }
    bytes += record.value.size();
  }
  return Ok();
}

Status SqlitePartitionLog::SaveOffsets(const std::string& group,
                                       const std::map<TopicPartition, CommittedOffset>& offsets) {
  if (offsets.empty()) return Ok();
  auto writer = database_->Writer();
  return writer->InTransaction([&]() -> Status {
    SAFFRON_ASSIGN(auto put, writer->Prepare("INSERT OR REPLACE INTO offsets VALUES (?,?,?,?,?)"));
    for (const auto& [partition, offset] : offsets) {
      put.BindText(1, partition.topic).BindInt(2, partition.partition).BindText(3, group);
      put.BindInt(4, static_cast<std::int64_t>(offset.next)).BindText(5, offset.metadata);
      SAFFRON_TRY(put.Run());
    }
    return Ok();
  });
}

Result<std::map<TopicPartition, CommittedOffset>> SqlitePartitionLog::Offsets(
    const std::string& group) {
  SAFFRON_ASSIGN(auto reader, database_->Reader());
  SAFFRON_ASSIGN(auto rows, reader->Prepare("SELECT topic, partition, next, metadata FROM offsets "
                                            "WHERE consumers = ?"));
  rows.BindText(1, group);
  std::map<TopicPartition, CommittedOffset> offsets;
  while (true) {
    SAFFRON_ASSIGN(bool row, rows.Step());
    if (!row) return offsets;
    TopicPartition partition{rows.String(0), static_cast<std::uint32_t>(rows.Int(1))};
    offsets[partition] = {static_cast<std::uint64_t>(rows.Int(2)), rows.String(3)};
  }
}

Result<std::uint64_t> SqlitePartitionLog::NextGeneration(const std::string& group) {
  auto writer = database_->Writer();
  SAFFRON_ASSIGN(auto next,
                 writer->Prepare("INSERT INTO consumer_groups VALUES (?, 1) ON CONFLICT DO UPDATE "
                                 "SET generation = generation + 1 RETURNING generation"));
  SAFFRON_ASSIGN(bool row, next.BindText(1, group).Step());
  SAFFRON_ASSERT(row);
  std::uint64_t generation = static_cast<std::uint64_t>(next.Int(0));
  SAFFRON_TRY(next.Run());  // to its end, which commits it
  return generation;
}

}  // namespace saffron
