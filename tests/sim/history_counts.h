// What histories were made of, summed up: their sizes, the faults injected, the time they took.
#pragma once

#include <cstdint>
#include <string>

#include "base/runtime.h"
#include "tests/sim/fault_coverage.h"

namespace saffron {

struct HistoryCounts {
  std::uint64_t histories = 0;
  std::uint64_t large = 0;  // of them: with 100 commands and more in the log
  std::uint64_t commands = 0, outcomes = 0, slots = 0;  // in the log
  std::uint64_t acknowledged = 0;
  std::uint64_t reads = 0;
  std::uint64_t port_calls = 0;
  Duration virtual_time{0};
  FaultCoverage coverage;

  void Add(const HistoryCounts& other);
};

// "60 s: 6,180 histories (103/s), ... 77 crash before, ..."
std::string TextOf(const HistoryCounts& counts, double took_s);

// One line without its end, and the way back; what is no such line gives nothing.
std::string EncodeCounts(const HistoryCounts& counts);
HistoryCounts DecodeCounts(const std::string& line);

}  // namespace saffron
