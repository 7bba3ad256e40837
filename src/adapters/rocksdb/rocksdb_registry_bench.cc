// How fast the embedded registry takes commands through its port: transactions of 100 new instances
// with random ids, RESERVE-like and settle-like, and with `outcomes` the two of their outcomes.
//
//   bench_rocksdb_registry <directory> [commands] [outcomes]
//
// Prints a line for every tenth of the commands. Compare it with bench_registry_engine, which does
// the same work on the bare engine.
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "adapters/rocksdb/rocksdb_registry.h"
#include "base/random.h"

namespace saffron {
namespace {

constexpr std::uint64_t kBatch = 100;

void Must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.error().ToString().c_str());
  std::exit(1);
}

double ResidentMiB() {
  std::ifstream file("/proc/self/statm");
  double total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

Uuid RandomUuid(RandomBits& random) {
  const std::uint64_t time = random.Next() >> 16;
  return Uuid::FromTime(static_cast<std::int64_t>(time), random.Next(), random.Next());
}

// One batch of commands, each on an instance of its own.
struct Work {
  BatchId batch, outcome_batch;
  SlotNumber slot, outcome_slot;
  std::vector<AggregateKey> aggregates;
  std::vector<EventId> commands;
};

Work NewWork(RandomBits& random, std::uint64_t slot) {
  Work work;
  work.batch = BatchId{RandomUuid(random)};
  work.outcome_batch = BatchId{RandomUuid(random)};
  work.slot = SlotNumber(slot);
  work.outcome_slot = SlotNumber(slot + 1);
  for (std::uint64_t i = 0; i < kBatch; ++i) {
    const Uuid id = RandomUuid(random);
    work.commands.push_back(EventId{id});
    work.aggregates.push_back({AggregateType::kInstance, "logistics:main:Order:" + id.ToString()});
  }
  return work;
}

RegistryRead ReadOf(const Work& work, std::vector<BatchId> reservations) {
  RegistryRead read;
  read.aggregates = work.aggregates;
  read.commands = work.commands;
  read.reservations = std::move(reservations);
  return read;
}

EventLocation Place(SlotNumber slot, std::uint64_t ordinal) {
  return {{0, slot, static_cast<std::uint32_t>(ordinal)}, 1000 + ordinal * 700, 700, 0xabcdef};
}

Status ReserveCommands(AppendRegistry& registry, const Work& work) {
  return registry.Transact(ReadOf(work, {}), [&](const RegistryRows& rows) {
    RegistryWrite write;
    Reservation reservation;
    reservation.batch = work.batch;
    reservation.slot = work.slot;
    reservation.writer = "bench";
    reservation.expires_ms = rows.now_ms + 5000;
    reservation.aggregates = work.aggregates;
    reservation.commands = work.commands;
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      SAFFRON_ASSERT(!rows.commands.contains(work.commands[i]));
      AggregateRow row;
      row.key = work.aggregates[i];
      row.pending = PendingState{work.batch, {SequenceNumber(1), Lifecycle::kPresent, {}}};
      write.put_aggregates.push_back(std::move(row));
      CommandRow command;
      command.id = work.commands[i];
      command.aggregate = work.aggregates[i];
      command.number = SequenceNumber(1);
      std::memcpy(command.request_sha256.data(), command.id.bytes().data(), 16);
      command.batch = work.batch;
      write.put_commands.push_back(std::move(command));
    }
    write.put_reservations.push_back(std::move(reservation));
    write.control = rows.control;
    write.control->next_slot = work.slot.Next();
    return write;
  });
}

Status SettleCommands(AppendRegistry& registry, const Work& work) {
  return registry.Transact(ReadOf(work, {work.batch}), [&](const RegistryRows& rows) {
    RegistryWrite write;
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      AggregateRow row = rows.aggregates.at(work.aggregates[i]);
      row.accepted = row.pending->state;
      row.pending.reset();
      write.put_aggregates.push_back(std::move(row));
      CommandRow command = rows.commands.at(work.commands[i]);
      command.batch = BatchId();
      command.location = Place(work.slot, i);
      write.put_commands.push_back(std::move(command));
    }
    write.delete_reservations = {work.batch};
    return write;
  });
}

Status ReserveOutcomes(AppendRegistry& registry, const Work& work) {
  return registry.Transact(ReadOf(work, {}), [&](const RegistryRows& rows) {
    RegistryWrite write;
    Reservation reservation;
    reservation.batch = work.outcome_batch;
    reservation.slot = work.outcome_slot;
    reservation.outcomes = work.commands;
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      CommandRow command = rows.commands.at(work.commands[i]);
      command.outcome_batch = work.outcome_batch;
      write.put_commands.push_back(std::move(command));
    }
    write.put_reservations.push_back(std::move(reservation));
    write.control = rows.control;
    write.control->next_slot = work.outcome_slot.Next();
    return write;
  });
}

Status SettleOutcomes(AppendRegistry& registry, const Work& work) {
  return registry.Transact(ReadOf(work, {work.outcome_batch}), [&](const RegistryRows& rows) {
    RegistryWrite write;
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      AggregateRow row = rows.aggregates.at(work.aggregates[i]);
      row.decided = {row.accepted.number,
                     Lifecycle::kPresent,
                     {},
                     row.accepted.number,
                     Place(work.outcome_slot, i)};
      write.put_aggregates.push_back(std::move(row));
      CommandRow command = rows.commands.at(work.commands[i]);
      command.outcome_batch = BatchId();
      command.outcome = Place(work.outcome_slot, i);
      write.put_commands.push_back(std::move(command));
      write.done.push_back(
          {kInstanceWorker, work.commands[i], work.aggregates[i], SequenceNumber(1)});
    }
    write.delete_reservations = {work.outcome_batch};
    return write;
  });
}

// Of this thread: what is left of a measurement on a busy machine.
double CpuMilliseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

double Milliseconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

int Run(const std::string& directory, std::uint64_t commands, bool outcomes) {
  RocksdbRegistry::Options options;
  options.directory = directory;
  auto opened = RocksdbRegistry::Open(options);
  if (!opened.ok()) Must(opened.error());
  AppendRegistry& registry = **opened;
  RandomBits random(1);
  std::printf("%10s %10s %10s %10s %10s %8s %12s %12s\n", "commands", "cmd/s", "cpu_us/cmd",
              "reserve50", "reserve99", "rss_MiB", "B/command", "undecided_ms");
  const std::uint64_t interval = std::max<std::uint64_t>(commands / 10, kBatch);
  for (std::uint64_t done = 0; done < commands;) {
    std::vector<double> reserves;
    double spent = 0, cpu = 0;
    for (const std::uint64_t end = done + interval; done < end; done += kBatch) {
      const Work work = NewWork(random, 1 + done / kBatch * 2);
      const auto start = std::chrono::steady_clock::now();
      const double cpu_start = CpuMilliseconds();
      Must(ReserveCommands(registry, work));
      reserves.push_back(Milliseconds(std::chrono::steady_clock::now() - start));
      Must(SettleCommands(registry, work));
      if (outcomes) {
        Must(ReserveOutcomes(registry, work));
        Must(SettleOutcomes(registry, work));
      }
      cpu += CpuMilliseconds() - cpu_start;
      spent += Milliseconds(std::chrono::steady_clock::now() - start);
    }
    std::sort(reserves.begin(), reserves.end());
    const auto start = std::chrono::steady_clock::now();
    const auto undecided = registry.Undecided({}, 100);
    if (!undecided.ok()) Must(undecided.error());
    const double scan = Milliseconds(std::chrono::steady_clock::now() - start);
    const auto info = (*opened)->Describe();
    std::printf("%10llu %10.0f %10.1f %10.2f %10.2f %8.0f %12.0f %12.2f\n",
                static_cast<unsigned long long>(done), static_cast<double>(interval) / spent * 1000,
                cpu * 1000 / static_cast<double>(interval), reserves[reserves.size() / 2],
                reserves[reserves.size() * 99 / 100], ResidentMiB(),
                static_cast<double>(info.disk_bytes) / static_cast<double>(done), scan);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace saffron

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s <directory> [commands] [outcomes]\n", argv[0]);
    return 2;
  }
  const std::uint64_t commands = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1'000'000;
  return saffron::Run(argv[1], commands, argc > 3 && std::string(argv[3]) == "outcomes");
}
