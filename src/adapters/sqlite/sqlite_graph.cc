#include "adapters/sqlite/sqlite_graph.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <system_error>
#include <utility>

#include "adapters/sqlite/graph_query.h"
#include "adapters/sqlite/graph_rows.h"
#include "adapters/sqlite/sqlite.h"

namespace saffron {

namespace {

constexpr char kPointerName[] = "graph.current";

Error FileFailure(std::string_view action, const std::string& path, int error) {
  return Unavailable("cannot " + std::string(action) + " " + path + ": " +
                     std::generic_category().message(error));
}

Status WriteSynced(const std::string& path, std::string_view text) {
  int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return FileFailure("write", path, errno);
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(fd) == 0;
  const int error = errno;
  ::close(fd);
  if (!written) return FileFailure("write", path, error);
  return Ok();
}

// The whole file or the one before it, also after a power cut.
Status ReplacePointer(const std::string& directory, std::uint64_t generation) {
  const std::string path = directory + "/" + kPointerName;
  SAFFRON_TRY(WriteSynced(path + ".new", std::to_string(generation) + "\n"));
  if (::rename((path + ".new").c_str(), path.c_str()) != 0) {
    return FileFailure("replace", path, errno);
  }
  int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  // The new name is in place; whether a power cut keeps it is not known.
  if (!synced)
    return UnknownOutcome("cannot sync " + directory + ": " +
                          std::generic_category().message(error));
  return Ok();
}

Result<std::uint64_t> ReadPointer(const std::string& directory) {
  std::ifstream file(directory + "/" + kPointerName);
  if (!file) return NotFound("no pointer");
  std::uint64_t generation = 0;
  if (!(file >> generation) || generation == 0) {
    return Corrupt(directory + "/" + kPointerName + " names no generation");
  }
  return generation;
}

}  // namespace

// An open file. Shared by the calls that use it, so that a switch waits for nobody.
class SqliteGraph::Generation {
 public:
  Generation(std::uint64_t n, std::string p, std::unique_ptr<sqlite::Database> d)
      : number(n), path(std::move(p)), database(std::move(d)) {}
  ~Generation() {
    database.reset();
    if (!retired) return;
    std::error_code ignored;  // what stays is removed by the next start
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path + suffix, ignored);
  }

  static Result<std::shared_ptr<Generation>> Open(const SqliteGraphOptions& options,
                                                  const std::string& path, std::uint64_t number) {
    sqlite::DatabaseOptions database;
    database.connection.path = path;
    database.log_id = options.log_id;
    database.connection.cache_bytes = options.cache_bytes;
    // A commit of 500 nodes touches a few thousand pages all over the file; checkpointed less
    // often, a page that several commits touched is written back once.
    database.connection.wal_autocheckpoint_pages = 32'000;
    database.max_readers = options.max_readers;
    SAFFRON_ASSIGN(auto opened, sqlite::Database::Open(database, graph_rows::kSchema));
    auto generation = std::make_shared<Generation>(number, path, std::move(opened));
    auto writer = generation->database->Writer();
    generation->Remember(*writer);
    return generation;
  }

  Result<GraphState> State() const;
  // `body` as one transaction of the writer, and what State answers kept in step with it.
  Status Change(sqlite::Connection& writer, bool of_ontology, const std::function<Status()>& body);

  static Result<GraphState> ReadState(sqlite::Connection& connection) {
    SAFFRON_ASSIGN(auto row, connection.Prepare("SELECT epoch, position FROM state"));
    SAFFRON_ASSIGN(bool found, row.Step());
    if (!found) return Corrupt("graph: the state row is missing");
    GraphState state;
    state.epoch = static_cast<std::uint64_t>(row.Int(0));
    state.position.slot = SlotNumber(static_cast<std::uint64_t>(row.Int(1)));
    return state;
  }

  static Status WriteState(sqlite::Connection& connection, std::uint64_t epoch,
                           SinkPosition position) {
    SAFFRON_ASSIGN(auto row, connection.Prepare("UPDATE state SET epoch=?, position=?"));
    row.BindInt(1, static_cast<std::int64_t>(epoch));
    return row.BindInt(2, static_cast<std::int64_t>(position.slot.value)).Run();
  }

  const std::uint64_t number;
  const std::string path;
  std::unique_ptr<sqlite::Database> database;
  std::atomic<bool> retired{false};  // the last one to use it removes the file
  graph_rows::Writer writer;         // used with the writer's lease held

 private:
  void Remember(sqlite::Connection& writer);

  // State, for reads that ask before each answer: this process is the file's only writer.
  mutable std::mutex state_mutex_;
  std::optional<GraphState> state_;  // nothing: the file could not be read just now
  std::uint64_t ontology_changes_ = 0;
};

Result<GraphState> SqliteGraph::Generation::State() const {
  {
    std::lock_guard lock(state_mutex_);
    if (state_) return *state_;
  }
  SAFFRON_ASSIGN(auto reader, database->Reader());
  SAFFRON_ASSIGN(GraphState state, ReadState(*reader));
  state.generation = std::to_string(number);
  return state;
}

Status SqliteGraph::Generation::Change(sqlite::Connection& writer, bool of_ontology,
                                       const std::function<Status()>& body) {
  if (of_ontology) {
    // Between the commit and Remember a reader sees either: nothing read meanwhile may be kept.
    std::lock_guard lock(state_mutex_);
    ++ontology_changes_;
    if (state_) state_->ontology_version = 0;
  }
  Status done = writer.InTransaction(body);
  Remember(writer);
  return done;
}

void SqliteGraph::Generation::Remember(sqlite::Connection& writer) {
  Result<GraphState> now = ReadState(writer);
  std::lock_guard lock(state_mutex_);
  state_.reset();
  if (!now.ok()) return;  // then State asks the file
  state_ = std::move(*now);
  state_->generation = std::to_string(number);
  state_->ontology_version = ontology_changes_ + 1;
}

SqliteGraph::~SqliteGraph() = default;

std::string SqliteGraph::FileOf(std::uint64_t generation) const {
  return options_.directory + "/graph-" + std::to_string(generation) + ".db";
}

std::shared_ptr<SqliteGraph::Generation> SqliteGraph::Live() const {
  std::lock_guard lock(mutex_);
  return live_;
}

Status SqliteGraph::RemoveOtherThan(std::uint64_t generation) const {
  const std::string kept = "graph-" + std::to_string(generation) + ".db";
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(options_.directory, failure)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("graph-") || name.starts_with(kept)) continue;
    std::filesystem::remove(entry.path(), failure);
    if (failure) return FileFailure("remove", entry.path(), failure.value());
  }
  if (failure) return FileFailure("list", options_.directory, failure.value());
  return Ok();
}

Result<std::unique_ptr<SqliteGraph>> SqliteGraph::Open(SqliteGraphOptions options) {
  auto pointer = ReadPointer(options.directory);
  if (pointer.Is(Code::kNotFound)) {
    SAFFRON_TRY(ReplacePointer(options.directory, 1));
    pointer = std::uint64_t{1};
  }
  SAFFRON_ASSIGN(const std::uint64_t number, std::move(pointer));
  std::unique_ptr<SqliteGraph> graph(new SqliteGraph(std::move(options), nullptr));
  SAFFRON_ASSIGN(graph->live_, Generation::Open(graph->options_, graph->FileOf(number), number));
  SAFFRON_TRY(graph->RemoveOtherThan(number));
  return graph;
}

Result<GraphState> SqliteGraph::State() { return Live()->State(); }

Status SqliteGraph::TakeOver(std::uint64_t epoch) {
  auto live = Live();
  auto writer = live->database->Writer();
  return live->Change(*writer, false, [&]() -> Status {
    SAFFRON_ASSIGN(GraphState state, Generation::ReadState(*writer));
    if (state.epoch > epoch) return Conflict("the graph is of a later epoch");
    return Generation::WriteState(*writer, epoch, state.position);
  });
}

Status SqliteGraph::Commit(const GraphCommit& commit) {
  // In the order of the index of keys, which then touches fewer pages at a time.
  std::vector<const GraphNode*> nodes;
  for (const GraphNode& node : commit.nodes) nodes.push_back(&node);
  std::stable_sort(nodes.begin(), nodes.end(),
                   [](const GraphNode* a, const GraphNode* b) { return a->key < b->key; });
  auto live = Live();
  auto writer = live->database->Writer();
  Status done = live->Change(*writer, WritesOntology(commit), [&]() -> Status {
    SAFFRON_ASSIGN(GraphState state, Generation::ReadState(*writer));
    if (state.epoch != commit.epoch) return Conflict("the graph is of another epoch");
    if (commit.position < state.position) return Conflict("the position would go back");
    for (const GraphNode* node : nodes) SAFFRON_TRY(live->writer.Put(*writer, *node));
    return Generation::WriteState(*writer, commit.epoch, commit.position);
  });
  if (!done.ok()) live->writer.Forget();
  return done;
}

Result<std::map<AggregateKey, GraphNode>> SqliteGraph::Get(const std::vector<AggregateKey>& keys) {
  static const std::string kSql =
      "SELECT " + std::string(graph_rows::kNodeColumns) + " FROM node WHERE type=? AND key=?";
  auto live = Live();
  SAFFRON_ASSIGN(auto reader,
                 keys.size() == 1 ? live->database->PointReader() : live->database->Reader());
  std::map<AggregateKey, GraphNode> found;
  auto read = [&]() -> Status {
    SAFFRON_ASSIGN(auto row, reader->Prepare(kSql));
    for (const AggregateKey& key : keys) {
      row.BindInt(1, static_cast<std::int64_t>(key.type)).BindText(2, key.id);
      SAFFRON_ASSIGN(bool present, row.Step());
      if (present && row.Int(2) != 0) {  // not a placeholder
        SAFFRON_ASSIGN(GraphNode node, graph_rows::ReadNode(row, 0, true));
        found.emplace(key, std::move(node));
      }
      row.Reset();
    }
    return Ok();
  };
  if (keys.size() == 1) {
    SAFFRON_TRY(read());
  } else {
    SAFFRON_TRY(reader->InSnapshot(read));
  }
  return found;
}

Result<std::vector<GraphNode>> SqliteGraph::List(AggregateType type, std::string_view id_prefix,
                                                 std::string_view after, std::size_t limit) {
  static const std::string kSql = "SELECT " + std::string(graph_rows::kNodeColumns) +
                                  " FROM node WHERE type=? AND key>=? ORDER BY key";
  auto live = Live();
  SAFFRON_ASSIGN(auto reader, live->database->Reader());
  SAFFRON_ASSIGN(auto row, reader->Prepare(kSql));
  row.BindInt(1, static_cast<std::int64_t>(type)).BindText(2, std::max(id_prefix, after));
  std::vector<GraphNode> found;
  while (found.size() < limit) {
    SAFFRON_ASSIGN(bool present, row.Step());
    if (!present || !row.Text(1).starts_with(id_prefix)) break;
    if (row.Int(2) == 0 || row.Text(1) <= after) continue;
    SAFFRON_ASSIGN(GraphNode node, graph_rows::ReadNode(row, 0, true));
    found.push_back(std::move(node));
  }
  return found;
}

Result<GraphResult> SqliteGraph::Query(const GraphQuery& query) {
  auto live = Live();
  SAFFRON_ASSIGN(auto reader, live->database->Reader());
  Result<GraphResult> result = GraphResult();
  SAFFRON_TRY(reader->InSnapshot([&]() -> Status {
    result = RunGraphQuery(*reader, query);
    return result.ok() ? Ok() : Status(result.error());
  }));
  return result;
}

Result<std::unique_ptr<GraphStore>> SqliteGraph::NewGeneration() {
  SAFFRON_ASSIGN(GraphState state, State());
  std::lock_guard lock(mutex_);
  newest_ = std::max(live_->number, newest_) + 1;
  SAFFRON_ASSIGN(auto generation, Generation::Open(options_, FileOf(newest_), newest_));
  unfinished_ = generation;
  generation->retired = true;  // until it is activated
  std::unique_ptr<SqliteGraph> next(new SqliteGraph(options_, std::move(generation)));
  SAFFRON_TRY(next->TakeOver(state.epoch));
  return std::unique_ptr<GraphStore>(std::move(next));
}

Status SqliteGraph::Activate(GraphStore& next) {
  auto* other = dynamic_cast<SqliteGraph*>(&next);
  if (other == nullptr) return Invalid("not a generation of this graph");
  std::shared_ptr<Generation> generation = other->Live();
  SAFFRON_ASSIGN(GraphState mine, State());
  SAFFRON_ASSIGN(GraphState theirs, other->State());
  if (mine.epoch > theirs.epoch) return Conflict("the graph is of a later epoch");
  std::lock_guard lock(mutex_);
  if (unfinished_.lock() != generation) return Invalid("not the newest generation of this graph");
  SAFFRON_TRY(ReplacePointer(options_.directory, generation->number));
  generation->retired = false;
  live_->retired = true;
  live_ = std::move(generation);
  unfinished_.reset();
  return Ok();
}

}  // namespace saffron
