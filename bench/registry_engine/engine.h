#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace saffron::bench {

enum class Table : uint8_t { kEventIndex, kAggregates, kByAggregate, kWorklist, kProcessedEvents };
inline constexpr int kTableCount = 5;

// What the registry asks of an ordered key-value engine, and nothing more. One writer thread; reads
// between Begin and Commit may or may not see the transaction's own writes (the workload never
// depends on it). Any error ends the process: this is a measurement, not a server.
class Engine {
 public:
  virtual ~Engine() = default;

  virtual void Begin() = 0;
  virtual bool Get(Table table, std::string_view key, std::string* value) = 0;
  virtual void Put(Table table, std::string_view key, std::string_view value) = 0;
  virtual void Delete(Table table, std::string_view key) = 0;
  // Atomic; kept through a killed process, not synced against power loss.
  virtual void Commit() = 0;
  // Walks at most `limit` rows from the lowest key on and returns how many there were.
  virtual int CountFirst(Table table, int limit) = 0;
  // Time that writers were held up by the engine itself, where it says so (else 0).
  virtual uint64_t StallMicros() const = 0;
};

struct EngineOptions {
  std::string directory;
  std::string compression = "lz4";   // lz4 or none (RocksDB only)
  std::string style = "level";       // level or universal (RocksDB only)
  int wal_checkpoint_pages = 16384;  // SQLite only: 64 MiB of log before it is folded back
};

std::unique_ptr<Engine> OpenSqlite(const EngineOptions& options);
std::unique_ptr<Engine> OpenRocksDb(const EngineOptions& options);

}  // namespace saffron::bench
