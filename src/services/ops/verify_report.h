// What a verification found, for people and for scripts. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/runtime.h"
#include "services/ops/digest.h"

namespace saffron {

struct Difference {
  std::string where;  // "events/000/00000000000000000012.jsonl", "graph: Instance db:main:C:1"
  std::string what;
  std::string to_do;
};

// Of "Database", "OntologyClass" or an instance class ("db:main:Order").
struct ClassReport {
  std::uint64_t commands = 0, outcomes = 0, rejected = 0;
  std::uint64_t present = 0;  // alive in the current incarnation of database and class
  EventSetDigest digest;
};

struct VerifyReport {
  SlotNumber from, head;
  std::uint64_t slots = 0, tombstones = 0, bytes = 0;
  std::uint64_t commands = 0, outcomes = 0, rejected = 0;
  // Compared with the log: rows of commands and of aggregates, nodes, documents.
  std::uint64_t command_rows = 0, aggregate_rows = 0, graph_nodes = 0, search_documents = 0;
  std::uint64_t bus_records = 0, index_entries = 0;
  std::uint64_t repaired = 0;    // entries of indexes/by-date/ that were written
  std::uint64_t sampled_of = 0;  // above 0: only `slots` of so many were looked at
  std::uint64_t refused = 0;  // documents that a sink does not take: dead letters, no differences
  std::map<std::string, ClassReport> classes;
  EventSetDigest digest;  // of every event read
  Duration took{0};
  std::vector<Difference> differences;  // the first is the first found; bounded
  std::uint64_t differences_total = 0;

  bool clean() const { return differences_total == 0; }
  // Commands without an outcome; they wait, or are parked.
  std::uint64_t undecided() const { return commands > outcomes ? commands - outcomes : 0; }
};

std::string VerifyReportAsJson(const VerifyReport& report);
std::string VerifyReportAsText(const VerifyReport& report);

}  // namespace saffron
