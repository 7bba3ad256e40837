// Progress: how far the sinks are, for reads that must see a write.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
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

// What the projection has written down beside the index.
struct ProjectionMark {
  SlotNumber slot;  // everything of the log up to here
  // And of each partition everything below this offset.
  std::map<std::pair<std::string, std::uint32_t>, std::uint64_t> processed;
};
using DecodeMark = std::function<Result<ProjectionMark>(std::string_view watermark)>;
// A decimal slot number; empty: nothing.
Result<ProjectionMark> DecodeSlotMark(std::string_view watermark);

// Progress over the ports. The registry has no lag of its own: what it says is settled.
class SinkProgress final : public Progress {
 public:
  SinkProgress(LogContext& context, ClaimRegistry& claims, GraphStore& graph, SearchIndex& search,
               DecodeMark decode)
      : context_(context),
        claims_(claims),
        graph_(graph),
        search_(search),
        decode_(std::move(decode)) {}

  Result<bool> Has(ReadStore store, const AggregateKey& aggregate, SequenceNumber number) override;
  Result<bool> Passed(ReadStore store, SlotNumber slot) override;

 private:
  Result<bool> SearchPassed(SlotNumber slot);

  LogContext& context_;
  ClaimRegistry& claims_;
  GraphStore& graph_;
  SearchIndex& search_;
  const DecodeMark decode_;
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
