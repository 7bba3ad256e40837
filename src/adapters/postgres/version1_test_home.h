// A schema of version 1 with rows in all states, as a program of commit 08ce6c5 wrote it: what
// Appended, Claimed and kPublished say, into the schema "version1", and by hand a row of another
// tool in each of the two tables that others know. pg_dump then wrote the file:
//
//   pg_dump --inserts -O -x -n version1 URL | grep -Ev '^(--|SET |SELECT |$)'
#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "adapters/postgres/postgres_test_home.h"

namespace saffron::version1 {

inline AggregateKey Order(int n) {
  return {AggregateType::kInstance, "db:main:Order:" + std::to_string(n)};
}

// Command 1 is reserved, 2 and 3 are on the work list, of 4 the outcome is reserved, 5 and 6 are
// decided.
inline RegistryWrite Appended() {
  using namespace registry_rows;
  RegistryWrite write;
  write.control = RegistryControl{LogId{Batch(99).uuid}, "an incarnation", SlotNumber(12)};
  for (int n = 1; n <= 6; ++n) {
    AggregateRow row = Aggregate(Order(n), 1);
    if (n == 1) {
      row = {};
      row.key = Order(1);
      row.pending = PendingState{Batch(1), {SequenceNumber(1), Lifecycle::kPresent, {}}};
      row.mark = AdmissionMark{Event(7), 100, 9000};
    }
    if (n >= 5) {
      row.decided.number = SequenceNumber(1);
      row.decided.lifecycle = Lifecycle::kPresent;
      row.decided.incarnation = SequenceNumber(1);
      row.decided.outcome = Location(9, static_cast<std::uint32_t>(n));
    }
    write.put_aggregates.push_back(row);
    const auto id = static_cast<std::uint64_t>(n);
    CommandRow command = Reserved(id, Order(n), 1);
    if (n > 1) command = Settled(command, 8 - id / 4, static_cast<std::uint32_t>(n));
    if (n == 4) command.outcome_batch = Batch(4);
    if (n >= 5) command = Recorded(command, 9, static_cast<std::uint32_t>(n));
    write.put_commands.push_back(command);
    if (n >= 5) write.done.push_back({"instance_worker", Event(id), Order(n), SequenceNumber(1)});
  }
  write.put_reservations = {registry_rows::Reserve(1, 10), registry_rows::Reserve(4, 11)};
  write.put_reservations[0].aggregates = {Order(1)};
  write.put_reservations[0].commands = {Event(1)};
  write.put_reservations[1].outcomes = {Event(4)};
  return write;
}

inline ClaimWrite Claimed() {
  using registry_rows::Claim;
  ClaimWrite write;
  write.put_claims = {Claim("instance_worker", 2, ClaimStatus::kFailed),
                      Claim("instance_worker", 3, ClaimStatus::kProcessing),
                      Claim("instance_worker", 4, ClaimStatus::kProcessing),
                      Claim("projection_worker:instance_events", 5, ClaimStatus::kDone),
                      Claim("projection_worker:instance_events", 6, ClaimStatus::kSkippedStale)};
  write.put_claims[0].last_error = "because \n of \xc3\xa4";
  write.put_claims[2].owner = "";
  write.put_claims[3].processed_ms = write.put_claims[4].processed_ms = 100;
  write.put_parked = {{{"instance_worker", Order(2)},
                       SequenceNumber(1),
                       registry_rows::Event(2),
                       "it failed",
                       123}};
  write.put_leases = {{"graph_writer", "somebody", 7, 99}};
  return write;
}

inline const PublishedRow kPublished{0, SlotNumber(9), {{{"instance_commands", 0}, 6}}};

// Before the home's registry is opened for the first time.
inline void Load(PostgresTestHome& home) {
  std::ifstream file(SAFFRON_GOLDEN_DIR "/postgres_version1.sql");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  ASSERT_FALSE(text.empty());
  for (std::size_t at = 0; (at = text.find("version1", at)) != std::string::npos;) {
    text.replace(at, 8, home.schema());
    at += home.schema().size();
  }
  std::vector<std::string> script;
  for (std::size_t end; (end = text.find(";\n")) != std::string::npos; text.erase(0, end + 2)) {
    script.push_back(text.substr(0, end));
  }
  const auto loaded = home.TryAll(script);
  ASSERT_TRUE(loaded.ok()) << loaded.error().ToString();
}

}  // namespace saffron::version1
