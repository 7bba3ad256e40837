// A process is killed while it writes. Claims that were acknowledged must be there; the append side
// may lag, as the log has it, but is the whole state of one moment. The test process itself never
// opens the database: it forks a writer and then a reader, so it has no threads when it forks.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>

#include "adapters/rocksdb/rocksdb_test_home.h"

namespace saffron {
namespace {

using registry_rows::Aggregate;
using registry_rows::Batch;
using registry_rows::Event;

const AggregateKey kA{AggregateType::kInstance, "db:main:Order:a"};
const AggregateKey kB{AggregateType::kInstance, "db:main:Order:b"};

std::uint64_t NumberOf(const RegistryRows& rows, const AggregateKey& key) {
  auto found = rows.aggregates.find(key);
  return found == rows.aggregates.end() ? 0 : found->second.accepted.number.value;
}

// Transaction n writes n to two rows, a command, a done claim, a reservation for the one before.
RegistryWrite Next(const RegistryRows& rows) {
  const std::uint64_t n = NumberOf(rows, kA) + 1;
  RegistryWrite write;
  write.control = rows.control;
  write.control->next_slot = SlotNumber(n);
  write.put_aggregates = {Aggregate(kA, n), Aggregate(kB, n)};
  write.put_commands = {registry_rows::Settled(registry_rows::Reserved(n, kA, n), n, 0)};
  write.put_commands[0].aggregate = kA;
  write.done = {{"worker", Event(n), kA, SequenceNumber(n)}};
  write.put_reservations = {registry_rows::Reserve(n, n)};
  write.delete_reservations = {Batch(n - 1)};
  return write;
}

// The attempts of one claim follow the transactions.
Status PutAttempt(ClaimRegistry& registry, std::uint64_t n) {
  ClaimWrite write;
  write.put_claims = {registry_rows::Claim("attempts", 0, ClaimStatus::kProcessing)};
  write.put_claims[0].number = SequenceNumber(n);
  return registry_rows::Put(registry, write);
}

[[noreturn]] void WriteUntilKilled(const RocksdbTestHome& home, int pipe) {
  const auto registry = home.OpenRegistry();
  if (!registry) _exit(1);
  RegistryRead read;
  read.aggregates = {kA};
  for (;;) {
    std::uint64_t n = 0;
    const Status written = registry->Transact(read, [&](const RegistryRows& rows) {
      n = NumberOf(rows, kA) + 1;
      return Next(rows);
    });
    if (!written.ok() || !PutAttempt(*registry, n).ok()) _exit(1);
    if (n % 64 == 0 && !registry->Flush().ok()) _exit(1);
    if (write(pipe, &n, sizeof(n)) != sizeof(n)) _exit(1);
  }
}

// 0 when the claim of `acknowledged` is there, and what else is there is whole.
int Check(const RocksdbTestHome& home, std::uint64_t acknowledged) {
  const auto registry = home.OpenRegistry();
  if (!registry) return 2;
  RegistryRead read;
  read.aggregates = {kA, kB};
  const auto rows = registry->Read(read);
  if (!rows.ok()) return 3;
  const std::uint64_t n = NumberOf(*rows, kA);
  // 64: every so many transactions the writer flushed.
  if (n < acknowledged / 64 * 64 || n > acknowledged + 1000) return 4;
  const auto attempts = registry->ClaimsWith("attempts", ClaimStatus::kProcessing, 9);
  if (!attempts.ok() || attempts->size() != 1) return 11;
  const std::uint64_t attempt = attempts->front().number.value;
  if (attempt < acknowledged || attempt > acknowledged + 1000) return 12;
  if (NumberOf(*rows, kB) != n || rows->control.next_slot.value != n) return 5;
  const auto commands = registry->CommandsOf(kA, SequenceNumber(0), SequenceNumber(n + 9), n + 9);
  if (!commands.ok() || commands->size() != n) return 6;
  const auto undecided = registry->Undecided({}, n + 9);
  if (!undecided.ok() || undecided->size() != n) return 7;
  const auto claims = registry->ClaimsWith("worker", ClaimStatus::kDone, n + 9);
  if (!claims.ok() || claims->size() != n) return 8;
  const auto reservations = registry->Reservations();
  if (!reservations.ok() || reservations->size() != 1 || rows->outstanding != 1) return 9;
  return reservations->front().slot.value == n ? 0 : 10;
}

int WaitFor(pid_t child) {
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

// Kills the writer once it has acknowledged `count` more; the last number it acknowledged.
std::uint64_t RunWriterAndKill(const RocksdbTestHome& home, int count) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    WriteUntilKilled(home, ends[1]);
  }
  close(ends[1]);
  std::uint64_t last = 0, n = 0;
  for (int i = 0; i < count && read(ends[0], &n, sizeof(n)) == sizeof(n); ++i) last = n;
  EXPECT_EQ(kill(child, SIGKILL), 0);
  const int status = WaitFor(child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the writer failed";
  while (read(ends[0], &n, sizeof(n)) == sizeof(n)) last = n;  // written before the kill
  close(ends[0]);
  return last;
}

TEST(RocksdbRegistryKillTest, ClaimsSurviveAndTheAppendSideIsWhole) {
  const RocksdbTestHome home;
  std::uint64_t last = 0;
  for (int count : {100, 37, 400, 70, 250, 120}) {
    const std::uint64_t now = RunWriterAndKill(home, count);
    EXPECT_GE(now, last / 64 * 64 + static_cast<std::uint64_t>(count));
    last = now;
    const pid_t child = fork();
    if (child == 0) _exit(Check(home, last));
    const int status = WaitFor(child);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_EQ(WEXITSTATUS(status), 0) << "after transaction " << last;
  }
}

}  // namespace
}  // namespace saffron
