// GraphStore: databases, classes and instances as versioned nodes with edges. Written by one fenced
// writer that follows the log; read by the OMS.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "domain/envelope.h"
#include "domain/instance.h"
#include "domain/names.h"

namespace saffron {

struct GraphNode {
  AggregateKey key;
  SequenceNumber version;  // number of the last outcome folded; a rejection advances it too
  Lifecycle lifecycle = Lifecycle::kAbsent;
  SequenceNumber incarnation;
  Scope scope;
  std::string document;               // JSON; empty when absent (a versioned tombstone that stays)
  std::vector<Reference> references;  // of instances; a target need not exist yet
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;
  friend bool operator==(const GraphNode&, const GraphNode&) = default;
};

// Position after which everything in the log is folded.
struct SinkPosition {
  SlotNumber slot;  // every slot up to and with this one; 0: nothing
  friend auto operator<=>(const SinkPosition&, const SinkPosition&) = default;
};

struct GraphState {
  std::uint64_t epoch = 0;
  SinkPosition position;
  std::string generation;
  // What was read of databases and classes after a State still holds while later ones say the same
  // generation and version. 0: the engine cannot tell.
  std::uint64_t ontology_version = 0;
};

// Which instances of a database are alive: its incarnation and that of each class present.
struct LiveScope {
  std::string db;
  std::string branch;
  SequenceNumber database;
  std::map<std::string, SequenceNumber, std::less<>> classes;
};

enum class FilterOp : std::uint8_t { kEq, kNe, kGt, kGte, kLt, kLte, kIn, kPrefix, kMatch };
struct FieldFilter {
  std::string field;  // a property, top level
  FilterOp op = FilterOp::kEq;
  std::vector<std::string> values;  // raw JSON scalars; one, but for kIn
};

struct GraphHop {
  std::string predicate;     // "~name" follows it backwards
  std::string target_class;  // empty: any
};

struct GraphQuery {
  LiveScope scope;
  std::string start_class;
  std::vector<FieldFilter> filters;  // on the start nodes
  std::vector<GraphHop> hops;
  std::uint64_t limit = 100;  // start nodes that have a whole path
  std::uint64_t offset = 0;
  std::uint64_t max_nodes = 10'000;
  std::uint64_t max_edges = 50'000;
  bool include_paths = false;
  std::uint64_t max_paths = 1'000;
  bool no_cycles = true;
  bool include_documents = true;
};

struct GraphEdge {
  AggregateKey from;
  std::string predicate;
  AggregateKey to;
  friend auto operator<=>(const GraphEdge&, const GraphEdge&) = default;
};

struct GraphResult {
  std::vector<GraphNode> nodes;  // every node on a whole path, once, ordered by key
  std::vector<GraphEdge> edges;  // likewise
  std::vector<std::vector<AggregateKey>> paths;
  std::uint64_t count = 0;            // start nodes in this page
  bool more = false;                  // there is a next page
  std::vector<std::string> warnings;  // which bound cut the result
};

// One atomic commit. A node is written only if its version is above the stored one.
struct GraphCommit {
  std::uint64_t epoch = 0;
  SinkPosition position;
  std::vector<GraphNode> nodes;
};

// True when it writes a database or a class: then it moves GraphState::ontology_version.
inline bool WritesOntology(const GraphCommit& commit) {
  return std::any_of(commit.nodes.begin(), commit.nodes.end(), [](const GraphNode& node) {
    return node.key.type != AggregateType::kInstance;
  });
}

// Thread-safe. Errors: kUnavailable (nothing written), kUnknownOutcome (State tells), kConflict
// (another epoch), kInvalid (one document is refused; nothing written: bisect).
class GraphStore {
 public:
  virtual ~GraphStore() = default;
  virtual Result<GraphState> State() = 0;
  // Makes `epoch` the only one that may commit; kConflict when a higher one is stored.
  virtual Status TakeOver(std::uint64_t epoch) = 0;
  // kConflict when the stored epoch differs or the position would go back.
  virtual Status Commit(const GraphCommit& commit) = 0;
  // Tombstones too. Missing ones have no entry.
  virtual Result<std::map<AggregateKey, GraphNode>> Get(const std::vector<AggregateKey>& keys) = 0;
  // Nodes (tombstones too) of a type with the id prefix above `after`, in order of id.
  virtual Result<std::vector<GraphNode>> List(AggregateType type, std::string_view id_prefix,
                                              std::string_view after, std::size_t limit) = 0;
  virtual Result<GraphResult> Query(const GraphQuery& query) = 0;
  // A new empty generation beside the live one (an unfinished one is dropped).
  virtual Result<std::unique_ptr<GraphStore>> NewGeneration() = 0;
  // Makes the generation of `next` (from NewGeneration) the live one of this store.
  virtual Status Activate(GraphStore& next) = 0;
};

}  // namespace saffron
