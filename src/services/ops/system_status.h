// Where everything stands, for an operator: gathered from the stores, so that it holds for any
// process. What cannot be read is named, and does not hide the rest.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "eventlog/log_context.h"
#include "ports/claim_registry.h"
#include "ports/graph_store.h"

namespace saffron {

struct StatusSubjects {
  ClaimRegistry& claims;
  GraphStore& graph;
  std::function<Result<SlotNumber>()> published;  // the publisher's checkpoint
  std::function<Result<SlotNumber>()> searched;   // the search index' watermark
};

struct SystemStatus {
  LogId log;
  std::optional<SlotNumber> head;  // the highest slot that is present
  std::optional<SlotNumber> next_slot;
  bool fenced = false;  // the registry serves RESERVE
  std::uint64_t reservations = 0;
  std::uint64_t expired_reservations = 0;  // the resolver's
  std::uint64_t undecided = 0;             // counted up to kCountLimit
  std::optional<SlotNumber> published, graph, search;
  std::map<std::string, std::uint64_t> parked;  // by handler, counted up to kCountLimit in all
  std::vector<std::string> problems;            // what could not be read, and why

  static constexpr std::size_t kCountLimit = 10'000;
};

SystemStatus ReadSystemStatus(LogContext& context, const StatusSubjects& subjects);
std::string SystemStatusAsJson(const SystemStatus& status);

}  // namespace saffron
