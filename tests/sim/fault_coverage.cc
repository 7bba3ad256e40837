#include "tests/sim/fault_coverage.h"

#include <algorithm>
#include <set>

#include "testing/faults/faults.h"

namespace saffron {
namespace {

// A fault that a shape of call cannot have is no fault of it: a read is not applied late or twice
// and has no unknown outcome, what is polled or sought has no answer that gets lost apart from the
// process, a session's work is not applied after the session, only a transaction is run again by
// its engine, and an idempotent producer sends nothing twice.
bool CanOccur(CallShape shape, FaultKind kind) {
  switch (kind) {
    case FaultKind::kStale: return shape == CallShape::kRead;
    case FaultKind::kLostAnswer: return shape != CallShape::kBefore;
    case FaultKind::kNeverApplied: return shape != CallShape::kRead && shape != CallShape::kBefore;
    case FaultKind::kLate: return shape == CallShape::kPut || shape == CallShape::kSend;
    case FaultKind::kRepeated: return shape == CallShape::kPut || shape == CallShape::kTransact;
    default: return true;
  }
}

struct Row {
  std::string name;
  std::vector<std::string> faults;  // that can occur
};

std::vector<Row> CallRows() {
  std::vector<Row> rows;
  for (const PortCall& call : PortCalls()) {
    if (call.name == "store.put") continue;  // only of who is alone on a store
    rows.push_back({std::string(call.name), {}});
    for (std::size_t i = 0; i < static_cast<std::size_t>(FaultKind::kCount); ++i) {
      const auto kind = static_cast<FaultKind>(i);
      // Asked about a gap alone: too seldom to fall into an outage of the registry.
      if (call.name == "registry.commands_of" && kind == FaultKind::kOutage) continue;
      if (CanOccur(call.shape, kind)) rows.back().faults.emplace_back(FaultName(kind));
    }
  }
  return rows;
}

std::vector<Row> DisturbanceRows() {
  std::vector<Row> rows;
  for (const char* role :
       {"oms", "publisher", "ontology worker", "instance worker", "graph writer", "projection"}) {
    rows.push_back({role, {"crash", "stop", "pause", "clock jump", "power cut"}});
  }
  rows.push_back({"registry", {"restarted", "restored", "emptied", "clock jump", "away", "full"}});
  rows.push_back({"objects", {"away", "full"}});
  rows.push_back({"slot", {"bit flipped", "cut"}});
  rows.push_back({"checkpoint", {"restored", "deleted", "damaged"}});
  rows.push_back({"bus", {"topic deleted", "topic cut", "offsets back", "away", "full"}});
  rows.push_back({"graph", {"away", "full"}});
  rows.push_back({"search", {"away", "full"}});
  return rows;
}

std::string Table(const std::string& title, const std::vector<Row>& rows,
                  const FaultCoverage& coverage) {
  std::vector<std::string> columns;
  for (const Row& row : rows) {
    for (const std::string& fault : row.faults) {
      if (std::find(columns.begin(), columns.end(), fault) == columns.end()) {
        columns.push_back(fault);
      }
    }
  }
  std::string head = "| " + title, rule = "|---";
  for (const std::string& column : columns) {
    head += " | " + column;
    rule += "|---:";
  }
  std::string text = head + " |\n" + rule + "|\n";
  for (const Row& row : rows) {
    text += "| " + row.name;
    for (const std::string& column : columns) {
      auto found = coverage.find({row.name, column});
      const bool possible =
          std::find(row.faults.begin(), row.faults.end(), column) != row.faults.end();
      const std::uint64_t count = found == coverage.end() ? 0 : found->second;
      text += " | " + (possible ? std::to_string(count) : "-");
    }
    text += " |\n";
  }
  return text + "\n";
}

}  // namespace

const std::vector<PortCall>& PortCalls() {
  static const std::vector<PortCall> calls = {
      {"store.put_if_absent", CallShape::kPut},
      {"store.put_if_match", CallShape::kPut},
      {"store.put", CallShape::kPut},
      {"store.get", CallShape::kRead},
      {"store.get_range", CallShape::kRead},
      {"store.list", CallShape::kRead},
      {"registry.transact", CallShape::kTransact},
      {"registry.read", CallShape::kRead},
      {"registry.reservations", CallShape::kRead},
      {"registry.commands_of", CallShape::kRead},
      {"registry.undecided", CallShape::kRead},
      {"registry.list", CallShape::kRead},
      {"registry.lock_fence", CallShape::kRead},
      {"claims.transact", CallShape::kTransact},
      {"claims.read", CallShape::kRead},
      {"claims.heartbeat", CallShape::kChange},
      {"claims.with", CallShape::kRead},
      {"claims.put_published", CallShape::kChange},
      {"claims.published_at", CallShape::kRead},
      {"bus.ensure_topics", CallShape::kChange},
      {"bus.produce", CallShape::kSend},
      {"bus.describe", CallShape::kRead},
      {"bus.records_at", CallShape::kRead},
      {"bus.subscribe", CallShape::kBefore},
      {"bus.poll", CallShape::kBefore},
      {"bus.commit", CallShape::kChange},
      {"bus.group_offsets", CallShape::kRead},
      {"bus.seek", CallShape::kBefore},
      {"graph.state", CallShape::kRead},
      {"graph.take_over", CallShape::kChange},
      {"graph.commit", CallShape::kChange},
      {"graph.get", CallShape::kRead},
      {"search.write", CallShape::kPut},
      {"search.refresh", CallShape::kPut},
      {"search.get", CallShape::kRead},
      {"search.watermark", CallShape::kRead},
      {"search.set_watermark", CallShape::kPut},
      // Only where the plan prunes.
      {"claims.prune", CallShape::kChange},
  };
  return calls;
}

std::size_t PortCallsOfAll() { return PortCalls().size() - 1; }

std::vector<std::string> EmptyCells(const FaultCoverage& coverage) {
  std::vector<std::string> empty;
  std::vector<Row> rows = CallRows();
  for (Row& row : DisturbanceRows()) rows.push_back(std::move(row));
  for (const Row& row : rows) {
    for (const std::string& fault : row.faults) {
      if (!coverage.contains({row.name, fault})) empty.push_back(row.name + ": " + fault);
    }
  }
  return empty;
}

std::vector<std::string> UnknownCalls(const FaultCoverage& coverage) {
  std::set<std::string> known;
  for (const PortCall& call : PortCalls()) known.emplace(call.name);
  std::set<std::string> unknown;
  for (const auto& [at, count] : coverage) {
    if (at.first.find('.') != std::string::npos && !known.contains(at.first)) {
      unknown.insert(at.first);
    }
  }
  return {unknown.begin(), unknown.end()};
}

std::string CoverageTables(const FaultCoverage& coverage) {
  return Table("port call", CallRows(), coverage) +
         Table("process or store", DisturbanceRows(), coverage);
}

}  // namespace saffron
