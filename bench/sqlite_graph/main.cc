// The SQLite graph: nodes a second in commits of 500 with 3 references each, and what a read costs.
// One JSON line each; CPU time beside the clock, as the machine may be shared. References go to
// earlier nodes, or ("scattered") to any, most of them not there yet, which is the worst case.
//
//   bench_sqlite_graph <directory> [nodes] [scattered]
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "adapters/sqlite/sqlite_graph.h"
#include "base/random.h"

namespace saffron {
namespace {

using Clock = std::chrono::steady_clock;

double MicrosecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

// Ids like those that clients make up: in no order.
std::string IdOf(std::uint64_t number) {
  std::uint64_t state = number;
  char id[32];
  std::snprintf(id, sizeof id, "%016llx", static_cast<unsigned long long>(SplitMix64(state)));
  return id;
}

GraphNode NodeOf(std::uint64_t number, std::uint64_t targets, RandomBits& random) {
  GraphNode node;
  node.key = AggregateKey::Instance("logistics", "main", "Order", IdOf(number));
  node.version = SequenceNumber(1);
  node.lifecycle = Lifecycle::kPresent;
  node.scope = {SequenceNumber(1), SequenceNumber(1)};
  node.document =
      "{\"number\":" + std::to_string(number) + ",\"note\":\"" + std::string(200, 'x') + "\"}";
  for (const char* predicate : {"customer", "carrier", "next"}) {
    node.references.push_back(
        {predicate, "Order", IdOf(random.Below(static_cast<std::uint32_t>(targets)))});
  }
  return node;
}

void Measure(const char* what, int times, const std::function<void()>& call) {
  std::vector<double> all;
  for (int i = 0; i < times; ++i) {
    const auto start = Clock::now();
    call();
    all.push_back(MicrosecondsSince(start));
  }
  std::sort(all.begin(), all.end());
  std::printf("{\"what\":\"%s\",\"p50_us\":%.1f,\"p99_us\":%.1f}\n", what, all[all.size() / 2],
              all[all.size() * 99 / 100]);
}

double CpuMicroseconds() {
  struct timespec used {};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) * 1e6 + static_cast<double>(used.tv_nsec) / 1e3;
}

int Run(const std::string& directory, std::uint64_t nodes, bool scattered) {
  auto opened = SqliteGraph::Open({.directory = directory});
  if (!opened.ok()) {
    std::fprintf(stderr, "%s\n", opened.error().ToString().c_str());
    return 1;
  }
  SqliteGraph& graph = **opened;
  RandomBits random(1);
  std::uint64_t slot = 0;
  double busy_us = 0;
  double cpu_us = 0;
  for (std::uint64_t number = 0; number < nodes;) {
    GraphCommit commit{0, {SlotNumber(++slot)}, {}};
    for (int i = 0; i < 500; ++i) {
      commit.nodes.push_back(NodeOf(number, scattered ? nodes : number + 1, random));
      ++number;
    }
    const auto start = Clock::now();
    const double cpu_start = CpuMicroseconds();
    SAFFRON_ASSERT(graph.Commit(commit).ok());
    busy_us += MicrosecondsSince(start);
    cpu_us += CpuMicroseconds() - cpu_start;
    if (number % (nodes / 4) < 500) {
      std::printf(
          "{\"what\":\"commit\",\"nodes\":%llu,\"nodes_per_s\":%.0f,"
          "\"nodes_per_cpu_s\":%.0f}\n",
          static_cast<unsigned long long>(number), static_cast<double>(number) / busy_us * 1e6,
          static_cast<double>(number) / cpu_us * 1e6);
    }
  }
  auto any_id = [&] { return IdOf(random.Below(static_cast<std::uint32_t>(nodes))); };
  Measure("get", 20'000, [&] {
    SAFFRON_ASSERT(
        graph.Get({AggregateKey::Instance("logistics", "main", "Order", any_id())})->size() == 1);
  });
  GraphQuery query;
  query.scope = {"logistics", "main", SequenceNumber(1), {{"Order", SequenceNumber(1)}}};
  query.start_class = "Order";
  query.hops = {{"customer", ""}, {"~next", ""}, {"carrier", "Order"}};
  Measure("three hops from 100 nodes", 50, [&] { SAFFRON_ASSERT(graph.Query(query).ok()); });
  query.limit = 10;
  Measure("three hops from 10 nodes", 50, [&] { SAFFRON_ASSERT(graph.Query(query).ok()); });
  return 0;
}

}  // namespace
}  // namespace saffron

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  return saffron::Run(argv[1], argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 100'000, argc > 3);
}
