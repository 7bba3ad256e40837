// The one place that names engines.
#include "app/wire.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "adapters/directory/directory_store.h"
#include "adapters/rocksdb/rocksdb_registry.h"
#include "adapters/sqlite/sqlite_bus.h"
#include "adapters/sqlite/sqlite_graph.h"
#include "adapters/sqlite/sqlite_search.h"
#include "app/serve.h"
#include "eventlog/recovery.h"

namespace saffron {
namespace {

constexpr std::size_t kSqliteCacheBytes = std::size_t{8} << 20;

Status MakeFolder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return Ok();
  return Unavailable("cannot make the folder " + path + ": " + std::strerror(errno));
}

// SAFFRON_DATA_DIR and its parents, one by one.
Status MakeDataFolder(const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    SAFFRON_TRY(MakeFolder(path.substr(0, at)));
  }
  return MakeFolder(path);
}

// A log of a newer version is refused before anything is made, locked or swept.
Status CheckVersion(const std::string& objects) {
  Result<std::string> format = DirectoryStore::Peek(objects, kFormatKey);
  if (format.Is(Code::kNotFound)) return Ok();
  if (!format.ok()) return format.error();
  Result<EventLogFormat> decoded = DecodeFormat(*format);
  return decoded.ok() ? Ok() : Status(decoded.error().Within(objects));
}

}  // namespace

Result<Engines> OpenEmbeddedEngines(const Config& config, Runtime& runtime) {
  const std::string& home = config.data_dir;
  SAFFRON_TRY(CheckVersion(home + "/objects"));
  SAFFRON_TRY(MakeDataFolder(home));
  SAFFRON_TRY(MakeFolder(home + "/graph"));
  SAFFRON_TRY(MakeFolder(home + "/search"));
  Engines engines;
  engines.exclusive = true;
  // First the log: its lock says whether another process owns the directory.
  DirectoryStoreOptions store;
  store.path = home + "/objects";
  store.durability =
      config.durability == "none" ? DurabilityMode::kNone : DurabilityMode::kEveryBatch;
  SAFFRON_ASSIGN(std::unique_ptr<DirectoryStore> objects, DirectoryStore::Open(store));
  engines.store = std::make_unique<WatchedStore>(std::move(objects));
  SAFFRON_ASSIGN(engines.format, OpenLogFormat(config, *engines.store, runtime));
  const std::string log_id = engines.format.log.ToString();
  RocksdbRegistry::Options registry;
  registry.directory = home + "/registry";
  SAFFRON_ASSIGN(std::shared_ptr<RocksdbRegistry> opened, RocksdbRegistry::Open(registry));
  engines.registry = opened;
  engines.claims = opened;
  SqliteBusOptions bus;
  bus.path = home + "/bus.db";
  bus.log_id = log_id;
  SAFFRON_ASSIGN(engines.bus, OpenSqliteBus(runtime, bus));
  SqliteGraphOptions graph;
  graph.directory = home + "/graph";
  graph.log_id = log_id;
  graph.cache_bytes = kSqliteCacheBytes;
  SAFFRON_ASSIGN(engines.graph, SqliteGraph::Open(graph));
  engines.local_graph = true;
  SqliteSearchOptions search;
  search.folder = home + "/search";
  search.log_id = log_id;
  search.cache_bytes = kSqliteCacheBytes;
  SAFFRON_ASSIGN(engines.search, OpenSqliteSearch(search));
  engines.described = {{"object_store", store.path},
                       {"registry", "rocksdb " + registry.directory},
                       {"bus", "sqlite " + bus.path},
                       {"graph", "sqlite " + graph.directory},
                       {"search", "sqlite " + search.folder}};
  return engines;
}

int RunServe(const Config& config) { return Serve(config, OpenEmbeddedEngines); }

}  // namespace saffron
