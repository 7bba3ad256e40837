// The one place that names engines.
#include "app/wire.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "adapters/directory/directory_store.h"
#include "adapters/rocksdb/rocksdb_registry.h"
#include "adapters/sqlite/sqlite_bus.h"
#include "adapters/sqlite/sqlite_graph.h"
#include "adapters/sqlite/sqlite_search.h"
#include "app/serve.h"

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

// A command looks at data; only `serve` makes a new log.
Status FindLog(const Config& config) {
  const std::string format = config.data_dir + "/objects/events/format.json";
  if (::access(format.c_str(), F_OK) == 0) return Ok();
  return NotFound("there is no log in " + config.data_dir + " (" + std::strerror(errno) + ")");
}

// A name that is free, for what is kept for a look and not used any more.
std::string NameForDamaged(const std::string& folder) {
  std::string name = folder + ".damaged";
  for (int i = 2; ::access(name.c_str(), F_OK) == 0; ++i) {
    name = folder + ".damaged-" + std::to_string(i);
  }
  return name;
}

Result<std::shared_ptr<RocksdbRegistry>> OpenRocksdb(const std::string& folder) {
  RocksdbRegistry::Options options;
  options.directory = folder;
  SAFFRON_ASSIGN(std::shared_ptr<RocksdbRegistry> registry,
                 RocksdbRegistry::Open(std::move(options)));
  return registry;
}

// `set_aside`: a registry that cannot be opened as it is, is moved there, and an empty one made.
// Null: it is an error.
Result<Engines> OpenEmbedded(const Config& config, Runtime& runtime, std::string* set_aside) {
  const std::string& home = config.data_dir;
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
  SAFFRON_ASSIGN(engines.store, DirectoryStore::Open(store));
  const std::string folder = home + "/registry";
  Result<std::shared_ptr<RocksdbRegistry>> registry = OpenRocksdb(folder);
  if (set_aside != nullptr && (registry.Is(Code::kCorrupt) || registry.Is(Code::kInvalid))) {
    *set_aside = NameForDamaged(folder);
    if (::rename(folder.c_str(), set_aside->c_str()) != 0) {
      return Unavailable("cannot move " + folder + " away: " + std::strerror(errno));
    }
    registry = OpenRocksdb(folder);
  }
  if (!registry.ok()) return registry.error();
  engines.registry = *registry;
  engines.claims = *registry;
  SqliteBusOptions bus;
  bus.path = home + "/bus.db";
  SAFFRON_ASSIGN(engines.bus, OpenSqliteBus(runtime, bus));
  SqliteGraphOptions graph;
  graph.directory = home + "/graph";
  graph.cache_bytes = kSqliteCacheBytes;
  SAFFRON_ASSIGN(engines.graph, SqliteGraph::Open(graph));
  SqliteSearchOptions search;
  search.folder = home + "/search";
  search.cache_bytes = kSqliteCacheBytes;
  SAFFRON_ASSIGN(engines.search, OpenSqliteSearch(search));
  engines.described = {{"object_store", store.path},
                       {"registry", "rocksdb " + folder},
                       {"bus", "sqlite " + bus.path},
                       {"graph", "sqlite " + graph.directory},
                       {"search", "sqlite " + search.folder}};
  return engines;
}

}  // namespace

Result<Engines> OpenEmbeddedEngines(const Config& config, Runtime& runtime) {
  return OpenEmbedded(config, runtime, nullptr);
}

int RunServe(const Config& config) { return Serve(config, OpenEmbeddedEngines); }

Result<std::unique_ptr<LocalServer>> OpenLocalServer(const Config& config, LocalWork work) {
  SAFFRON_TRY(FindLog(config));
  return ServeLocally(config, OpenEmbeddedEngines, work);
}

Result<RegistryRebuilt> RebuildLocalRegistry(const Config& config,
                                             const std::function<void(std::uint64_t)>& at_slot) {
  SAFFRON_TRY(FindLog(config));
  std::string set_aside;
  const OpenEngines open = [&set_aside](const Config& of, Runtime& runtime) {
    return OpenEmbedded(of, runtime, &set_aside);
  };
  SAFFRON_ASSIGN(RegistryRebuilt rebuilt, RebuildRegistryLocally(config, open, at_slot));
  rebuilt.set_aside = std::move(set_aside);
  return rebuilt;
}

}  // namespace saffron
