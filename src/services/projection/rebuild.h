// Rebuilding a sink from the log: a new generation beside the live one, compared with a second fold
// of the log, then switched to.
//
// Called by one thread; the live sink and its writers go on meanwhile. A crash or an error leaves
// the live generation as it was (an unfinished one is dropped by the next rebuild), or, after the
// switch, the new one with a watermark from which its writer goes on.
#pragma once

#include <cstdint>
#include <string>

#include "eventlog/log_context.h"
#include "ports/claim_registry.h"
#include "ports/graph_store.h"
#include "ports/search_index.h"

namespace saffron {

struct RebuildOptions {
  std::string owner;              // of the lease: unique to the run of the process
  std::size_t max_events = 2000;  // a commit
  // Held at once while the new generation is compared with the log, some 100 bytes each. Of a log
  // with more the comparison reads it several times.
  std::size_t max_aggregates = 500'000;
  // How long an outage may last before the rebuild gives up.
  Duration patience = seconds(60);
};

struct RebuildReport {
  SlotNumber compared_at;     // the digests are of the log up to here
  std::string digest;         // of the new generation, and of the log
  std::uint64_t entries = 0;  // in the digest
  std::uint64_t refused = 0;  // documents that the sink does not take; left out of the digest
  SlotNumber position;        // of the new generation when it was switched to
};

// kCorrupt: the new generation differs from the log; it was not switched to.
Result<RebuildReport> RebuildSearch(LogContext& context, SearchIndex& index,
                                    const RebuildOptions& options);
// Takes the graph writer's lease for the switch: the writer stands by for a moment, and goes on
// from the new generation's position.
Result<RebuildReport> RebuildGraph(LogContext& context, GraphStore& graph, ClaimRegistry& claims,
                                   const RebuildOptions& options);

}  // namespace saffron
