// How the SQLite graph lays nodes and edges out in rows.
//
// A node has a small integer id; edges are pairs of them. A reference to something that is not
// there yet makes a placeholder (version 0), which becomes the node when it arrives: so every
// reference is an edge from the start.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "adapters/sqlite/sqlite.h"
#include "ports/graph_store.h"

namespace saffron::graph_rows {

extern const char kSchema[];

// Columns of a whole node, in the order that ReadNode takes them.
inline constexpr std::string_view kNodeColumns =
    "type, key, version, lifecycle, incarnation, scope_db, scope_class, created_ms, updated_ms,"
    " refs, document";
Result<GraphNode> ReadNode(const sqlite::Statement& row, int first_column, bool with_document);

// The column `refs`: predicate, class and id of each, with their lengths before them.
std::string EncodeReferences(const std::vector<Reference>& references);
Result<std::vector<Reference>> DecodeReferences(std::string_view bytes);

// The aggregate a reference points at: in the database and branch of the node that has it.
AggregateKey TargetOf(const AggregateParts& from, const Reference& reference);

// Writes nodes within a transaction of the writer connection. Used by one thread at a time; keeps
// the ids it met, so Forget must be called when the transaction is not committed.
class Writer {
 public:
  // Ignores a node whose version is not above the stored one.
  Status Put(sqlite::Connection& connection, const GraphNode& node);
  void Forget() { ids_.clear(), names_.clear(); }

 private:
  Result<std::int64_t> NodeId(sqlite::Connection& connection, const AggregateKey& key);
  Result<std::int64_t> NameId(sqlite::Connection& connection, std::string_view name);
  Result<std::int64_t> ClassId(sqlite::Connection& connection, const AggregateKey& key);
  void KeepId(std::string typed_key, std::int64_t id);
  Status WriteEdges(sqlite::Connection& connection, std::int64_t id, const GraphNode& node);

  std::unordered_map<std::string, std::int64_t> ids_;    // by type and key; bounded
  std::unordered_map<std::string, std::int64_t> names_;  // predicates and classes: few
};

}  // namespace saffron::graph_rows
