// Progress: how far the sinks are, for reads that must see a write.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "eventlog/log_context.h"
#include "ports/claim_registry.h"
#include "ports/graph_store.h"
#include "ports/search_index.h"

namespace saffron {

enum class ReadStore { kGraph, kSearch, kRegistry };

// Any thread.
class Progress {
 public:
  virtual ~Progress() = default;
  // The sink holds the outcome of this number, or a later one.
  virtual Result<bool> Has(ReadStore store, const AggregateKey& aggregate,
                           SequenceNumber number) = 0;
  // The sink has everything up to and with this slot.
  virtual Result<bool> Passed(ReadStore store, SlotNumber slot) = 0;
};

// The projection has everything up to and with the slot in the index. The projection's own
// knowledge (its watermark, the publisher's rows, republishes): the process that is composed brings
// it.
using SearchPassed = std::function<Result<bool>(SlotNumber slot)>;

// Progress over the ports. The registry has no lag of its own: what it says is settled.
class SinkProgress final : public Progress {
 public:
  SinkProgress(LogContext& context, GraphStore& graph, SearchIndex& search,
               SearchPassed search_passed)
      : context_(context),
        graph_(graph),
        search_(search),
        search_passed_(std::move(search_passed)) {}

  Result<bool> Has(ReadStore store, const AggregateKey& aggregate, SequenceNumber number) override;
  Result<bool> Passed(ReadStore store, SlotNumber slot) override;

 private:
  LogContext& context_;
  GraphStore& graph_;
  SearchIndex& search_;
  const SearchPassed search_passed_;
};

// The conditions of one read. Lives as long as the read waits; one thread at a time.
class ReadGate {
 public:
  struct Conditions {
    ReadStore store = ReadStore::kGraph;
    std::string db;
    std::optional<AggregateKey> aggregate;
    std::optional<SequenceNumber> min_seq;
    std::optional<Position> min_position;
  };
  ReadGate(LogContext& context, ClaimRegistry& claims, Progress& progress, Conditions conditions)
      : context_(context),
        claims_(claims),
        progress_(progress),
        conditions_(std::move(conditions)) {}

  // False: not yet.
  Result<bool> Pass();
  // Pass then asks the registry; without, it asks the store for one row at most.
  bool needs_position() const { return conditions_.min_position.has_value(); }
  // Parked aggregates that were passed over.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  Result<bool> PositionDecided();
  Result<bool> Parked(const CommandRow& row);

  LogContext& context_;
  ClaimRegistry& claims_;
  Progress& progress_;
  const Conditions conditions_;
  // Once every command is decided: the sink must pass what was in the log then.
  std::optional<SlotNumber> target_;
  std::vector<std::string> warnings_;
};

}  // namespace saffron
