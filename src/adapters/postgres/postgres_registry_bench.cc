// How fast the PostgreSQL registry takes batches through its ports, beside a raw probe of the same
// server in the same run.
//
//   bench_postgres_registry URL [seconds a row]      (URL: what testing/servers/postgres.sh prints)
//   bench_postgres_registry URL seconds claims|commit      one of its rows alone, as JSON
//
// A "batch" is one step of a busy lane: the settling of the batch before rides on the RESERVE of
// the next. The probe is one bare INSERT .. unnest of two columns and its COMMIT. Works in the
// schema saffron_bench, which it drops first.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "adapters/postgres/connection.h"
#include "adapters/postgres/postgres_registry.h"
#include "base/random.h"
#include "base/thread_runtime.h"

namespace saffron {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kClaimBatch = 500;  // what a worker takes in a round

void Must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.error().ToString().c_str());
  std::exit(1);
}

Uuid RandomUuid(RandomBits& random) {
  return Uuid::FromTime(static_cast<std::int64_t>(random.Next() >> 16), random.Next(),
                        random.Next());
}

// A bare connection, for probes.
class Bare {
 public:
  explicit Bare(const std::string& url) {
    auto address = postgres::Address::Parse(url);
    if (!address.ok()) Must(address.error());
    address_ = std::make_unique<postgres::Address>(std::move(*address));
    auto made = postgres::Connection::Connect(*address_, Clock::now() + std::chrono::seconds(10));
    if (!made.ok()) Must(made.error());
    connection_ = std::move(*made);
  }
  postgres::Answer Run(const postgres::Statement& statement,
                       std::vector<postgres::Value> values = {}) {
    connection_->Add(statement, std::move(values));
    postgres::Answer answer = connection_->Run(Clock::now() + std::chrono::minutes(10));
    if (answer.failure) Must(Internal(answer.failure->message));
    return answer;
  }

 private:
  std::unique_ptr<postgres::Address> address_;
  std::unique_ptr<postgres::Connection> connection_;
};

std::uint64_t Number(const std::string& url, const std::string& sql) {
  const postgres::Statement statement{"number", sql};
  Bare bare(url);
  const postgres::Answer answer = bare.Run(statement);
  return postgres::Fields(answer.rows[0], 0).Int8();
}

// One lane: commands on fresh instances, then their outcomes, as two batches in turn.
class Lane {
 public:
  Lane(PostgresRegistry& registry, std::uint64_t seed, std::size_t batch)
      : registry_(registry), random_(seed), batch_(batch) {}

  // Settles what came before and reserves the next commands.
  void Commands() {
    const std::vector<EventId> settled = std::exchange(commands_, NewIds());
    Step(settled, false);
  }
  // Settles the commands and reserves their outcomes.
  void ReserveOutcomes() { Step({}, true); }
  void SettleOutcomes();
  // A worker claims the commands that were reserved last.
  void Claim();

 private:
  std::vector<EventId> NewIds() {
    std::vector<EventId> ids;
    for (std::size_t i = 0; i < batch_; ++i) ids.push_back(EventId{RandomUuid(random_)});
    return ids;
  }
  static AggregateKey KeyOf(const EventId& id) {
    return {AggregateType::kInstance, "logistics:main:Order:" + id.ToString()};
  }
  static void AddReads(const std::vector<EventId>& ids, RegistryRead& read) {
    for (const EventId& id : ids) {
      read.aggregates.push_back(KeyOf(id));
      read.commands.push_back(id);
    }
  }
  EventLocation Place(std::size_t ordinal) const {
    return {{0, SlotNumber(7), static_cast<std::uint32_t>(ordinal)}, 700 * ordinal, 700, 1};
  }
  void Settle(const RegistryRows& rows, const std::vector<EventId>& ids, RegistryWrite& write);
  void Reserve(const RegistryRows& rows, RegistryWrite& write);
  void Step(const std::vector<EventId>& settled, bool outcomes);

  PostgresRegistry& registry_;
  RandomBits random_;
  const std::size_t batch_;
  std::vector<EventId> commands_;
  BatchId reserved_;
};

void Lane::Settle(const RegistryRows& rows, const std::vector<EventId>& ids, RegistryWrite& write) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    AggregateRow row = rows.aggregates.at(KeyOf(ids[i]));
    if (row.pending) row.accepted = row.pending->state;
    row.pending.reset();
    write.put_aggregates.push_back(std::move(row));
    CommandRow command = rows.commands.at(ids[i]);
    command.batch = BatchId();
    command.location = Place(i);
    write.put_commands.push_back(std::move(command));
  }
}

void Lane::Reserve(const RegistryRows& rows, RegistryWrite& write) {
  saffron::Reservation& reservation = write.put_reservations.emplace_back();
  reservation.batch = reserved_;
  reservation.slot = rows.control.next_slot;
  reservation.writer = "bench";
  reservation.expires_ms = rows.now_ms + 5000;
  for (const EventId& id : commands_) {
    AggregateRow row;
    row.key = KeyOf(id);
    row.pending = PendingState{reserved_, {SequenceNumber(1), Lifecycle::kPresent, {}}};
    reservation.aggregates.push_back(row.key);
    reservation.commands.push_back(id);
    CommandRow command;
    command.id = id;
    command.aggregate = row.key;
    command.number = SequenceNumber(1);
    std::memcpy(command.request_sha256.data(), id.bytes().data(), 16);
    command.batch = reserved_;
    write.put_aggregates.push_back(std::move(row));
    write.put_commands.push_back(std::move(command));
  }
}

void Lane::Step(const std::vector<EventId>& settled, bool outcomes) {
  const BatchId before = std::exchange(reserved_, BatchId{RandomUuid(random_)});
  RegistryRead read;
  AddReads(settled, read);
  AddReads(commands_, read);
  read.reservations = {before, reserved_};
  Must(registry_.Transact(read, [&](const RegistryRows& rows) {
    RegistryWrite write;
    if (outcomes) {
      Settle(rows, commands_, write);
      for (CommandRow& command : write.put_commands) command.outcome_batch = reserved_;
      write.put_reservations.emplace_back();
      write.put_reservations[0].batch = reserved_;
      write.put_reservations[0].outcomes = commands_;
    } else {
      Settle(rows, settled, write);
      Reserve(rows, write);
    }
    write.delete_reservations = {before};
    write.control = rows.control;
    write.control->next_slot = rows.control.next_slot.Next();
    return write;
  }));
}

void Lane::SettleOutcomes() {
  RegistryRead read;
  AddReads(commands_, read);
  read.reservations = {reserved_};
  Must(registry_.Transact(read, [&](const RegistryRows& rows) {
    RegistryWrite write;
    for (std::size_t i = 0; i < commands_.size(); ++i) {
      const EventId& id = commands_[i];
      AggregateRow row = rows.aggregates.at(KeyOf(id));
      row.decided = {SequenceNumber(1), Lifecycle::kPresent, {}, SequenceNumber(1), Place(i)};
      CommandRow command = rows.commands.at(id);
      command.outcome_batch = BatchId();
      command.outcome = Place(i);
      write.put_aggregates.push_back(std::move(row));
      write.put_commands.push_back(std::move(command));
      write.done.push_back({kInstanceWorker, id, KeyOf(id), SequenceNumber(1)});
    }
    write.delete_reservations = {reserved_};
    return write;
  }));
  commands_.clear();
}

void Lane::Claim() {
  ClaimRead read;
  const std::string handler(kInstanceWorker);
  for (const EventId& id : commands_) {
    read.claims.push_back({handler, id});
    read.parked.push_back({handler, KeyOf(id)});
    read.aggregates.push_back(KeyOf(id));
    read.commands.push_back(id);
  }
  Must(registry_.Transact(read, [&](const ClaimRows& rows) {
    ClaimWrite write;
    for (const EventId& id : commands_) {
      ClaimRow& row = write.put_claims.emplace_back();
      row.key = {handler, id};
      row.aggregate = KeyOf(id);
      row.number = SequenceNumber(1);
      row.owner = "bench";
      row.started_ms = row.heartbeat_ms = rows.now_ms;
      row.attempt_count = 1;
    }
    return write;
  }));
}

// Calls a second, over so many threads.
double Rate(double seconds, const std::vector<std::function<void()>>& steps) {
  std::atomic<std::uint64_t> calls{0};
  const auto start = Clock::now();
  const auto end =
      start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  std::vector<std::thread> threads;
  for (const auto& step : steps) {
    threads.emplace_back([&] {
      while (Clock::now() < end) {
        step();
        ++calls;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  return static_cast<double>(calls) / std::chrono::duration<double>(Clock::now() - start).count();
}

std::unique_ptr<PostgresRegistry> Fresh(const std::string& url, Log& log) {
  Bare bare(url);
  const postgres::Statement drop{"drop", "drop schema if exists saffron_bench cascade"};
  bare.Run(drop);
  PostgresRegistry::Options options;
  options.url = url;
  options.schema = "saffron_bench";
  static ThreadRuntime runtime;
  auto opened = PostgresRegistry::Open(options, runtime, log);
  if (!opened.ok()) Must(opened.error());
  return std::move(*opened);
}

// Bare INSERT .. unnest of an id and a text, and its COMMIT.
double ProbeRate(const std::string& url, double seconds, std::size_t batch, std::size_t threads) {
  static const postgres::Statement create{
      "create", "create table if not exists saffron_bench.probe (id uuid primary key, name text)"};
  static const postgres::Statement insert{
      "insert", "insert into saffron_bench.probe select * from unnest($1::uuid[], $2::text[])"};
  Bare(url).Run(create);
  std::vector<std::unique_ptr<Bare>> connections;
  std::vector<std::function<void()>> steps;
  for (std::size_t t = 0; t < threads; ++t) {
    connections.push_back(std::make_unique<Bare>(url));
    steps.push_back([bare = connections.back().get(), batch,
                     random = std::make_shared<RandomBits>(batch * 100 + t)] {
      postgres::Arrays rows({postgres::Type::kUuid, postgres::Type::kText});
      for (std::size_t i = 0; i < batch; ++i) {
        const Uuid id = RandomUuid(*random);
        rows.Uuid(id).Text("logistics:main:Order:" + id.ToString());
      }
      bare->Run(insert, rows.Take());
    });
  }
  return Rate(seconds, steps);
}

void BenchBatches(const std::string& url, double seconds, Log& log) {
  std::printf("%-9s %6s %6s %12s %12s %8s %14s\n", "", "lanes", "batch", "batches/s", "probe/s",
              "ratio", "trips a batch");
  for (const std::size_t lanes : {1u, 4u}) {
    for (const std::size_t batch : {1u, 100u, 1000u}) {
      auto registry = Fresh(url, log);
      const double probe = ProbeRate(url, seconds, batch, lanes);
      std::vector<Lane> all;
      for (std::size_t i = 0; i < lanes; ++i) all.emplace_back(*registry, 1000 * batch + i, batch);
      std::vector<std::function<void()>> steps;
      for (Lane& lane : all) steps.push_back([&lane] { lane.Commands(); });
      for (Lane& lane : all) lane.Commands();
      const auto before = registry->Describe();
      const double rate = Rate(seconds, steps);
      const auto after = registry->Describe();
      std::printf("%-9s %6zu %6zu %12.0f %12.0f %8.2f %14.2f\n", "lane step", lanes, batch, rate,
                  probe, rate / probe,
                  static_cast<double>(after.round_trips - before.round_trips) /
                      static_cast<double>(after.transactions - before.transactions));
      std::fflush(stdout);
    }
  }
}

// As a consumer without batches does it: a transaction to claim, one to finish.
double OneByOne(const std::string& url, double seconds, std::uint64_t seed) {
  static const postgres::Statement claim{
      "claim",
      "insert into saffron_bench.processed_events (handler, event_id, aggregate_id,"
      " sequence_number, status, owner) values ('one', $1::text, $1::text, 1, 'processing', 'me')"
      " on conflict do nothing"};
  static const postgres::Statement done{
      "done",
      "update saffron_bench.processed_events set status = 'done', processed_at = now()"
      " where handler = 'one' and event_id = $1::text"};
  Bare bare(url);
  RandomBits random(seed);
  return Rate(
      seconds, {[&] {
        const std::vector<postgres::Value> id = {postgres::Text(RandomUuid(random).ToString())};
        bare.Run(claim, id);
        bare.Run(done, id);
      }});
}

struct ClaimRates {
  double single = 0, batched = 0;
  std::size_t batches = 0;
};

// In turn, so that both meet the same machine.
ClaimRates MeasureClaims(PostgresRegistry& registry, const std::string& url, double seconds) {
  constexpr int kRounds = 4;
  Lane lane(registry, 77, kClaimBatch);
  ClaimRates rates;
  double spent = 0;
  for (int round = 0; round < kRounds; ++round) {
    rates.single += OneByOne(url, seconds / kRounds, static_cast<std::uint64_t>(round)) / kRounds;
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(2 * seconds / kRounds));
    while (Clock::now() < end) {
      const auto timed = [&](auto step) {
        const auto start = Clock::now();
        step();
        spent += std::chrono::duration<double>(Clock::now() - start).count();
      };
      lane.Commands();
      timed([&] { lane.Claim(); });
      lane.ReserveOutcomes();
      timed([&] { lane.SettleOutcomes(); });
      ++rates.batches;
    }
  }
  rates.batched = static_cast<double>(rates.batches * kClaimBatch) / spent;
  return rates;
}

void PrintClaims(const std::string& url, double seconds, Log& log) {
  auto registry = Fresh(url, log);
  const ClaimRates rates = MeasureClaims(*registry, url, seconds);
  std::printf("{\"batch\":%zu,\"single_per_s\":%.1f,\"batched_per_s\":%.1f}\n", kClaimBatch,
              rates.single, rates.batched);
}

// One row inserted and committed, again and again.
void PrintCommits(const std::string& url, double seconds, Log& log) {
  auto registry = Fresh(url, log);
  static const postgres::Statement create{"create",
                                          "create table saffron_bench.probe (id uuid primary key)"};
  static const postgres::Statement insert{
      "insert", "insert into saffron_bench.probe values ($1::text::uuid)"};
  Bare bare(url);
  bare.Run(create);
  RandomBits random(5);
  std::vector<double> ms;
  const auto start = Clock::now();
  for (auto at = start; std::chrono::duration<double>(at - start).count() < seconds;) {
    bare.Run(insert, {postgres::Text(RandomUuid(random).ToString())});
    const auto now = Clock::now();
    ms.push_back(std::chrono::duration<double>(now - at).count() * 1e3);
    at = now;
  }
  std::sort(ms.begin(), ms.end());
  std::printf("{\"commits\":%zu,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n", ms.size(), ms[ms.size() / 2],
              ms[ms.size() * 99 / 100]);
}

void BenchClaims(const std::string& url, double seconds, Log& log) {
  auto registry = Fresh(url, log);
  const ClaimRates rates = MeasureClaims(*registry, url, seconds);
  std::printf("\nclaim + done: one row a transaction %.0f/s; batches of %zu %.0f/s: %.1fx\n",
              rates.single, kClaimBatch, rates.batched, rates.batched / rates.single);
  const double commands = static_cast<double>(rates.batches * kClaimBatch);
  std::printf(
      "\nbytes a command, indexes included (%.0f commands, each on an instance of its own):"
      "\n%-20s %12s %12s\n",
      commands, "", "not vacuumed", "at rest");
  double churned = 0, rested = 0;
  for (const std::string table : {"event_index", "aggregate_versions", "processed_events"}) {
    const std::string size = "select pg_total_relation_size('saffron_bench." + table + "')";
    const double before = static_cast<double>(Number(url, size)) / commands;
    const postgres::Statement vacuum{"vacuum", "vacuum full saffron_bench." + table};
    Bare(url).Run(vacuum);
    const double after = static_cast<double>(Number(url, size)) / commands;
    std::printf("%-20s %12.0f %12.0f\n", table.c_str(), before, after);
    churned += before;
    rested += after;
  }
  std::printf("%-20s %12.0f %12.0f\n", "all", churned, rested);
}

}  // namespace
}  // namespace saffron

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s URL [seconds [claims|commit]]\n", argv[0]);
    return 2;
  }
  const double seconds = argc > 2 ? std::atof(argv[2]) : 5;
  saffron::Log log = saffron::Log::Discard();
  const std::string only = argc > 3 ? argv[3] : "";
  if (only == "claims" || only == "commit") {
    (only == "claims" ? saffron::PrintClaims : saffron::PrintCommits)(argv[1], seconds, log);
    return 0;
  }
  saffron::BenchBatches(argv[1], seconds, log);
  saffron::BenchClaims(argv[1], seconds, log);
  return 0;
}
