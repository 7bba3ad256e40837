// Which faults can befall which steps, and which did: a table without an empty cell among those
// that can occur.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace saffron {

// What was injected, and how often: {port call, fault} and {role of a process or store,
// disturbance}.
using FaultCoverage = std::map<std::pair<std::string, std::string>, std::uint64_t>;

// How a FaultPlan treats a call, which says what can happen to it.
enum class CallShape { kRead, kBefore, kChange, kTransact, kSend, kPut };
struct PortCall {
  std::string_view name;
  CallShape shape;
};
// Those that the pipeline makes. Its processes do not make the others of the ports: store.delete
// (probes), registry.clear (rebuild, with everything stopped), claims.parked (operators),
// bus.committed (nobody: groups are asked), graph.list, graph.query, search.search and search.scan
// (routes of the OMS and verify, which have tests of their own).
const std::vector<PortCall>& PortCalls();
// Those at the front that every history makes.
std::size_t PortCallsOfAll();

// Cells that can occur and are empty.
std::vector<std::string> EmptyCells(const FaultCoverage& coverage);
// Calls that were seen and are not in PortCalls().
std::vector<std::string> UnknownCalls(const FaultCoverage& coverage);
// Markdown; "-" in a cell that cannot occur.
std::string CoverageTables(const FaultCoverage& coverage);

}  // namespace saffron
