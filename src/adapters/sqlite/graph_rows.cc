#include "adapters/sqlite/graph_rows.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"

namespace saffron::graph_rows {

// Of a node, what traversal looks at stands first; documents last, as they may fill pages of their
// own. `class` is the name of an instance's class, 0 for other types.
const char kSchema[] = R"sql(
CREATE TABLE IF NOT EXISTS name(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS node(
  id INTEGER PRIMARY KEY,
  type INTEGER NOT NULL, key TEXT NOT NULL, class INTEGER NOT NULL,
  version INTEGER NOT NULL, lifecycle INTEGER NOT NULL, incarnation INTEGER NOT NULL,
  scope_db INTEGER NOT NULL, scope_class INTEGER NOT NULL,
  created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
  refs BLOB NOT NULL, document TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS node_key ON node(type, key);
CREATE TABLE IF NOT EXISTS edge(
  from_id INTEGER NOT NULL, predicate INTEGER NOT NULL, to_id INTEGER NOT NULL,
  PRIMARY KEY(from_id, predicate, to_id)) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS edge_back ON edge(to_id, predicate, from_id);
CREATE TABLE IF NOT EXISTS state(
  one INTEGER PRIMARY KEY CHECK(one = 1), epoch INTEGER NOT NULL, position INTEGER NOT NULL);
INSERT OR IGNORE INTO state VALUES(1, 0, 0);
)sql";

namespace {

constexpr std::size_t kKeptIds = 200'000;

std::int64_t Signed(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t Unsigned(std::int64_t value) { return static_cast<std::uint64_t>(value); }

std::string TypedKey(const AggregateKey& key) {
  std::string typed(1, static_cast<char>(key.type));
  return typed.append(key.id);
}

}  // namespace

std::string EncodeReferences(const std::vector<Reference>& references) {
  std::string out;
  for (const Reference& reference : references) {
    PutLengthPrefixed(out, reference.predicate);
    PutLengthPrefixed(out, reference.target_class);
    PutLengthPrefixed(out, reference.target_id);
  }
  return out;
}

Result<std::vector<Reference>> DecodeReferences(std::string_view bytes) {
  std::vector<Reference> references;
  ByteReader reader(bytes);
  while (!reader.AtEnd()) {
    std::string_view predicate, target_class, target_id;
    if (!reader.ReadLengthPrefixed(predicate) || !reader.ReadLengthPrefixed(target_class) ||
        !reader.ReadLengthPrefixed(target_id)) {
      return Corrupt("graph: references of a node cannot be read");
    }
    references.push_back(
        {std::string(predicate), std::string(target_class), std::string(target_id)});
  }
  return references;
}

Result<GraphNode> ReadNode(const sqlite::Statement& row, int first, bool with_document) {
  GraphNode node;
  const std::int64_t type = row.Int(first);
  if (type < 1 || type > 4) return Corrupt("graph: a node of no type");
  node.key = {static_cast<AggregateType>(type), row.String(first + 1)};
  node.version = SequenceNumber(Unsigned(row.Int(first + 2)));
  node.lifecycle = row.Int(first + 3) != 0 ? Lifecycle::kPresent : Lifecycle::kAbsent;
  node.incarnation = SequenceNumber(Unsigned(row.Int(first + 4)));
  node.scope = {SequenceNumber(Unsigned(row.Int(first + 5))),
                SequenceNumber(Unsigned(row.Int(first + 6)))};
  node.created_ms = row.Int(first + 7);
  node.updated_ms = row.Int(first + 8);
  SAFFRON_ASSIGN(node.references, DecodeReferences(row.Blob(first + 9)));
  if (with_document) node.document = row.String(first + 10);
  return node;
}

AggregateKey TargetOf(const AggregateParts& from, const Reference& reference) {
  return AggregateKey::Instance(from.db, from.branch, reference.target_class, reference.target_id);
}

Result<std::int64_t> Writer::NameId(sqlite::Connection& connection, std::string_view name) {
  auto known = names_.find(std::string(name));
  if (known != names_.end()) return known->second;
  SAFFRON_ASSIGN(auto find, connection.Prepare("SELECT id FROM name WHERE name=?"));
  SAFFRON_ASSIGN(bool found, find.BindText(1, name).Step());
  std::int64_t id = 0;
  if (found) {
    id = find.Int(0);
  } else {
    SAFFRON_ASSIGN(auto insert, connection.Prepare("INSERT INTO name(name) VALUES(?)"));
    SAFFRON_TRY(insert.BindText(1, name).Run());
    id = connection.LastInsertRowid();
  }
  names_.emplace(name, id);
  return id;
}

Result<std::int64_t> Writer::ClassId(sqlite::Connection& connection, const AggregateKey& key) {
  if (key.type != AggregateType::kInstance) return 0;
  SAFFRON_ASSIGN(AggregateParts parts, SplitAggregateId(key));
  return NameId(connection, parts.class_id);
}

Result<std::int64_t> Writer::NodeId(sqlite::Connection& connection, const AggregateKey& key) {
  std::string typed = TypedKey(key);
  auto known = ids_.find(typed);
  if (known != ids_.end()) return known->second;
  SAFFRON_ASSIGN(auto find, connection.Prepare("SELECT id FROM node WHERE type=? AND key=?"));
  find.BindInt(1, static_cast<std::int64_t>(key.type)).BindText(2, key.id);
  SAFFRON_ASSIGN(bool found, find.Step());
  std::int64_t id = 0;
  if (found) {
    id = find.Int(0);
  } else {
    SAFFRON_ASSIGN(std::int64_t class_id, ClassId(connection, key));
    SAFFRON_ASSIGN(auto insert, connection.Prepare("INSERT INTO node VALUES"
                                                   "(NULL,?,?,?,0,0,0,0,0,0,0,x'','')"));
    insert.BindInt(1, static_cast<std::int64_t>(key.type)).BindText(2, key.id);
    SAFFRON_TRY(insert.BindInt(3, class_id).Run());
    id = connection.LastInsertRowid();
  }
  KeepId(std::move(typed), id);
  return id;
}

void Writer::KeepId(std::string typed_key, std::int64_t id) {
  if (ids_.size() >= kKeptIds) ids_.clear();
  ids_.emplace(std::move(typed_key), id);
}

Status Writer::WriteEdges(sqlite::Connection& connection, std::int64_t id, const GraphNode& node) {
  SAFFRON_ASSIGN(AggregateParts parts, SplitAggregateId(node.key));
  SAFFRON_ASSIGN(auto insert, connection.Prepare("INSERT OR IGNORE INTO edge VALUES(?,?,?)"));
  for (const Reference& reference : node.references) {
    SAFFRON_ASSIGN(std::int64_t predicate, NameId(connection, reference.predicate));
    SAFFRON_ASSIGN(std::int64_t target, NodeId(connection, TargetOf(parts, reference)));
    SAFFRON_TRY(insert.BindInt(1, id).BindInt(2, predicate).BindInt(3, target).Run());
  }
  return Ok();
}

Status Writer::Put(sqlite::Connection& connection, const GraphNode& node) {
  if (node.version == SequenceNumber()) return Ok();
  if (auto parts = SplitAggregateId(node.key); !parts.ok()) return parts.error();
  const std::string references = EncodeReferences(node.references);
  SAFFRON_ASSIGN(auto find,
                 connection.Prepare("SELECT id, version, refs FROM node WHERE type=? AND key=?"));
  find.BindInt(1, static_cast<std::int64_t>(node.key.type)).BindText(2, node.key.id);
  SAFFRON_ASSIGN(bool found, find.Step());
  const std::int64_t known_id = found ? find.Int(0) : 0;
  if (found && Unsigned(find.Int(1)) >= node.version.value) return Ok();
  const bool had_edges = found && !find.Blob(2).empty();
  const bool same_edges = found ? find.Blob(2) == references : references.empty();
  find.Reset();

  SAFFRON_ASSIGN(std::int64_t class_id, ClassId(connection, node.key));
  // An update leaves the index of keys alone.
  SAFFRON_ASSIGN(
      auto write,
      connection.Prepare(
          found ? "UPDATE node SET class=?4, version=?5, lifecycle=?6, incarnation=?7,"
                  " scope_db=?8, scope_class=?9, created_ms=?10, updated_ms=?11,"
                  " refs=?12, document=?13 WHERE id=?1"
                : "INSERT INTO node VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)"));
  if (found) {
    write.BindInt(1, known_id);
  } else {
    write.BindInt(2, static_cast<std::int64_t>(node.key.type)).BindText(3, node.key.id);
  }
  write.BindInt(4, class_id).BindInt(5, Signed(node.version.value));
  write.BindInt(6, node.lifecycle == Lifecycle::kPresent ? 1 : 0);
  write.BindInt(7, Signed(node.incarnation.value));
  write.BindInt(8, Signed(node.scope.database.value));
  write.BindInt(9, Signed(node.scope.class_.value));
  write.BindInt(10, node.created_ms).BindInt(11, node.updated_ms);
  SAFFRON_TRY(write.BindBlob(12, references).BindText(13, node.document).Run());
  const std::int64_t id = found ? known_id : connection.LastInsertRowid();
  if (!found) KeepId(TypedKey(node.key), id);
  if (same_edges) return Ok();
  if (had_edges) {
    SAFFRON_ASSIGN(auto clear, connection.Prepare("DELETE FROM edge WHERE from_id=?"));
    SAFFRON_TRY(clear.BindInt(1, id).Run());
  }
  return WriteEdges(connection, id, node);
}

}  // namespace saffron::graph_rows
