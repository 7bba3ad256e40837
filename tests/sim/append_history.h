// One random history over an AppendWorld: clients, crashes, pauses, registry restarts; then
// everything heals, settles and is judged.
#pragma once

#include "tests/sim/append_world.h"

namespace saffron {

struct RunReport {
  std::vector<std::string> violations;
  std::uint64_t trace_hash = 0;
  std::uint64_t told = 0;
  LogVerdict log;
  FaultCounts faults;
  std::uint64_t switches = 0;
};

class History {
 public:
  explicit History(const AppendWorldOptions& options) : world_(options) {}

  RunReport Execute();

 private:
  void Client();
  // What befalls several processes over engines of their own; or one process over embedded ones.
  RunResult ServersSuffer();
  RunResult OneProcessSuffers();
  RunReport Judge(TaskGroup& clients);
  void Observe(const AppendAnswer& answer, const AppendRequest& request, bool alone,
               std::map<std::string, SequenceNumber>& known);
  bool Quiet();
  static RunReport Stuck(const RunResult& ran) {
    RunReport report;
    report.violations.push_back(ran.report);
    return report;
  }

  AppendWorld world_;
};

// Rates and bounds drawn from the seed.
AppendWorldOptions OptionsFor(std::uint64_t seed);
AppendWorldOptions EmbeddedOptionsFor(std::uint64_t seed);

}  // namespace saffron
