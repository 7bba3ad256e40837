// Grows a registry command by command on one engine and prints what each million costs. A child
// process grows the store and then dies without closing it; the parent opens what it left.
//
//   bench_registry_engine sqlite|rocksdb DIRECTORY [commands] [seconds] [lz4|none]
//   [level|universal]

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "bench/registry_engine/engine.h"

namespace saffron::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kBatch = 100;
constexpr uint64_t kOutcomeLag = 10 * kBatch;  // commands between a command and its outcome
constexpr uint64_t kReportEvery = 1'000'000;
constexpr uint64_t kFirstReport = 35'000;
constexpr uint64_t kPointReads = 200'000;
constexpr size_t kIndexValueBytes = 110;
constexpr size_t kAggregateValueBytes = 60;
constexpr size_t kProcessedValueBytes = 40;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

uint64_t Mix(uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

void AppendBigEndian(std::string* out, uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<char>(number >> shift));
}

std::string RandomBytes(uint64_t seed, size_t size) {
  std::string bytes;
  for (uint64_t i = 0; bytes.size() < size; ++i) AppendBigEndian(&bytes, Mix(seed * 31 + i));
  bytes.resize(size);
  return bytes;
}

// Every key of command n can be computed again from n, so that nothing needs to be remembered.
std::string CommandId(uint64_t n) { return RandomBytes(Mix(n) ^ 0x5aff, 16); }

// Even commands create an aggregate, odd ones update any earlier one.
uint64_t AggregateOf(uint64_t n) { return n % 2 == 0 ? n / 2 : Mix(n) % (n / 2 + 1); }

std::string AggregateKey(uint64_t aggregate) {
  char key[64];
  std::snprintf(key, sizeof(key), "I:logistics:main:PurchaseOrder:ORD-%010llu",
                static_cast<unsigned long long>(aggregate));
  return key;  // 45 bytes
}

std::string Position(uint64_t n) {
  std::string position(4, '\0');  // shard
  AppendBigEndian(&position, n);  // slot and ordinal
  return position;
}

std::string ProcessedKey(uint64_t n) {
  std::string key(1, '\1');  // the handler
  key += CommandId(n);
  return key;
}

// A hash that no codec can shrink, the aggregate's key, and small numbers: as the real row.
std::string IndexValue(uint64_t n, char state) {
  std::string value = RandomBytes(n ^ 0xabcdef, 32) + AggregateKey(AggregateOf(n));
  AppendBigEndian(&value, n);
  value.resize(kIndexValueBytes, state);
  return value;
}

std::string AggregateValue(uint64_t n, char state) {
  std::string value = CommandId(n);
  AppendBigEndian(&value, n);
  value.resize(kAggregateValueBytes, state);
  return value;
}

class Workload {
 public:
  explicit Workload(Engine* engine) : engine_(engine) {}

  void Reserve(uint64_t first) {
    engine_->Begin();
    for (uint64_t n = first; n < first + kBatch; ++n) {
      const std::string id = CommandId(n);
      const std::string aggregate = AggregateKey(AggregateOf(n));
      if (engine_->Get(Table::kEventIndex, id, &value_)) Fail("a fresh id was found", n);
      engine_->Get(Table::kAggregates, aggregate, &value_);
      engine_->Put(Table::kEventIndex, id, IndexValue(n, 'r'));
      engine_->Put(Table::kAggregates, aggregate, AggregateValue(n, 'r'));
    }
    engine_->Commit();
  }

  void Finalize(uint64_t first) {
    engine_->Begin();
    for (uint64_t n = first; n < first + kBatch; ++n) {
      const std::string aggregate = AggregateKey(AggregateOf(n));
      if (!engine_->Get(Table::kAggregates, aggregate, &value_)) Fail("no aggregate", n);
      engine_->Put(Table::kAggregates, aggregate, AggregateValue(n, 'f'));
      engine_->Put(Table::kEventIndex, CommandId(n), IndexValue(n, 'f'));
      std::string numbered = aggregate;
      AppendBigEndian(&numbered, n);
      engine_->Put(Table::kByAggregate, numbered, CommandId(n));
      engine_->Put(Table::kWorklist, Position(n), CommandId(n));
    }
    engine_->Commit();
  }

  void SettleOutcome(uint64_t first) {
    engine_->Begin();
    for (uint64_t n = first; n < first + kBatch; ++n) {
      const std::string aggregate = AggregateKey(AggregateOf(n));
      if (!engine_->Get(Table::kEventIndex, CommandId(n), &value_)) Fail("no index row", n);
      engine_->Put(Table::kEventIndex, CommandId(n), IndexValue(n, 'd'));
      if (!engine_->Get(Table::kAggregates, aggregate, &value_)) Fail("no aggregate", n);
      engine_->Put(Table::kAggregates, aggregate, AggregateValue(n, 'd'));
      engine_->Delete(Table::kWorklist, Position(n));
      engine_->Put(Table::kProcessedEvents, ProcessedKey(n),
                   RandomBytes(n, 16) + std::string(kProcessedValueBytes - 16, 'p'));
    }
    engine_->Commit();
  }

 private:
  [[noreturn]] static void Fail(const char* what, uint64_t n) {
    std::fprintf(stderr, "%s: command %llu\n", what, static_cast<unsigned long long>(n));
    std::exit(1);
  }

  Engine* engine_;
  std::string value_;
};

double RssMiB() {
  uint64_t total = 0;
  uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1048576.0;
}

std::string LoadAverage() {
  std::string one_minute;
  std::ifstream("/proc/loadavg") >> one_minute;
  return one_minute;
}

uint64_t DiskBytes(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code gone;  // files vanish under compaction
  for (const auto& entry : std::filesystem::directory_iterator(directory, gone)) {
    const uint64_t size = entry.file_size(gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

class Report {
 public:
  Report(Engine* engine, std::string directory)
      : engine_(engine), directory_(std::move(directory)) {
    std::printf("%9s %9s %8s %8s %8s %8s %9s %8s %5s\n", "commands", "cmd/s", "p50_ms", "p99_ms",
                "max_ms", "rss_MiB", "B/command", "stall_ms", "load");
  }

  void AddReserve(double seconds) { reserves_.push_back(seconds * 1e3); }

  void Print(uint64_t commands) {
    std::sort(reserves_.begin(), reserves_.end());
    const auto at = [this](double q) {
      return reserves_[static_cast<size_t>(q * static_cast<double>(reserves_.size() - 1))];
    };
    const double rate = static_cast<double>(commands - commands_) / SecondsSince(start_);
    const uint64_t stall = engine_->StallMicros();
    std::printf("%9llu %9.0f %8.2f %8.2f %8.1f %8.0f %9.0f %8.0f %5s\n",
                static_cast<unsigned long long>(commands), rate, at(0.5), at(0.99), at(1.0),
                RssMiB(),
                static_cast<double>(DiskBytes(directory_)) / static_cast<double>(commands),
                static_cast<double>(stall - stall_) / 1e3, LoadAverage().c_str());
    std::fflush(stdout);
    reserves_.clear();
    commands_ = commands;
    stall_ = stall;
    start_ = Clock::now();
  }

 private:
  Engine* engine_;
  std::string directory_;
  std::vector<double> reserves_;
  uint64_t commands_ = 0;
  uint64_t stall_ = 0;
  Clock::time_point start_ = Clock::now();
};

std::unique_ptr<Engine> Open(const std::string& name, const EngineOptions& options) {
  return name == "sqlite" ? OpenSqlite(options) : OpenRocksDb(options);
}

uint64_t Grow(Engine* engine, const std::string& directory, uint64_t commands, double seconds) {
  Workload workload(engine);
  Report report(engine, directory);
  const Clock::time_point start = Clock::now();
  uint64_t n = 0;
  while (n < commands && SecondsSince(start) < seconds) {
    const Clock::time_point before = Clock::now();
    workload.Reserve(n);
    report.AddReserve(SecondsSince(before));
    workload.Finalize(n);
    if (n >= kOutcomeLag) workload.SettleOutcome(n - kOutcomeLag);
    n += kBatch;
    if (n == kFirstReport || n % kReportEvery == 0) report.Print(n);
  }
  if (n % kReportEvery != 0) report.Print(n);
  return n;
}

// Drops the store's pages from the page cache, so that the open that follows reads the disk.
void DropPages(const std::string& directory) {
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const int file = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;
    if (fdatasync(file) == 0) posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    close(file);
  }
}

void Reopen(const std::string& name, const EngineOptions& options, uint64_t commands) {
  DropPages(options.directory);
  Clock::time_point start = Clock::now();
  std::unique_ptr<Engine> engine = Open(name, options);
  const double open_seconds = SecondsSince(start);
  std::string value;
  if (!engine->Get(Table::kEventIndex, CommandId(commands / 2), &value)) std::exit(1);
  std::printf("reopen after kill, cold: open %.0f ms, first read done at %.0f ms\n",
              open_seconds * 1e3, SecondsSince(start) * 1e3);
  start = Clock::now();
  const int open_work = engine->CountFirst(Table::kWorklist, static_cast<int>(kBatch));
  std::printf("oldest %d of the worklist: %.2f ms\n", open_work, SecondsSince(start) * 1e3);
  for (const char* pass : {"cold", "warm"}) {
    start = Clock::now();
    for (uint64_t i = 0; i < kPointReads; ++i) {
      if (!engine->Get(Table::kEventIndex, CommandId(Mix(i) % commands), &value)) std::exit(1);
    }
    std::printf("point reads, %s: %.0f/s, RSS %.0f MiB\n", pass,
                static_cast<double>(kPointReads) / SecondsSince(start), RssMiB());
  }
}

int Main(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2) {
    std::fprintf(stderr, "usage: sqlite|rocksdb DIRECTORY [commands] [seconds] [codec] [style]\n");
    return 2;
  }
  const std::string& name = arguments[0];
  EngineOptions options{.directory = arguments[1]};
  const uint64_t commands = arguments.size() > 2 ? std::stoull(arguments[2]) : 10'000'000;
  const double seconds = arguments.size() > 3 ? std::stod(arguments[3]) : 360;
  if (arguments.size() > 4) options.compression = arguments[4];
  if (arguments.size() > 5) options.style = arguments[5];
  std::filesystem::create_directories(options.directory);
  if (!std::filesystem::is_empty(options.directory)) {
    std::fprintf(stderr, "%s is not empty\n", options.directory.c_str());
    return 2;
  }
  int channel[2];
  if (pipe2(channel, O_CLOEXEC) != 0) return 1;
  const pid_t child = fork();
  if (child < 0) return 1;
  if (child == 0) {
    std::unique_ptr<Engine> engine = Open(name, options);
    const uint64_t grown = Grow(engine.get(), options.directory, commands, seconds);
    const bool told = write(channel[1], &grown, sizeof(grown)) == sizeof(grown);
    std::_Exit(told ? 0 : 1);  // no destructor: as if killed
  }
  int status = 0;
  uint64_t grown = 0;
  if (waitpid(child, &status, 0) != child || status != 0) return 1;
  if (read(channel[0], &grown, sizeof(grown)) != sizeof(grown)) return 1;
  Reopen(name, options, grown);
  return 0;
}

}  // namespace
}  // namespace saffron::bench

int main(int argc, char** argv) {
  return saffron::bench::Main(std::vector<std::string>(argv + 1, argv + argc));
}
