// The one place that names engines.
#include "app/wire.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "adapters/directory/directory_store.h"
#include "adapters/rocksdb/rocksdb_registry.h"
#include "adapters/sqlite/sqlite_bus.h"
#include "adapters/sqlite/sqlite_graph.h"
#include "adapters/sqlite/sqlite_search.h"
#include "app/offline.h"
#include "app/serve.h"
#include "base/thread_runtime.h"

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

// Its lock says whether another process owns the directory: opened before anything else.
Result<std::unique_ptr<ObjectStore>> OpenStore(const Config& config) {
  DirectoryStoreOptions store;
  store.path = config.data_dir + "/objects";
  store.durability =
      config.durability == "none" ? DurabilityMode::kNone : DurabilityMode::kEveryBatch;
  SAFFRON_ASSIGN(std::unique_ptr<ObjectStore> opened, DirectoryStore::Open(store));
  return opened;
}

Result<std::shared_ptr<RocksdbRegistry>> OpenRegistryIn(const std::string& folder) {
  RocksdbRegistry::Options options;
  options.directory = folder;
  SAFFRON_ASSIGN(std::shared_ptr<RocksdbRegistry> opened, RocksdbRegistry::Open(options));
  return opened;
}

// A command looks at data; only `serve` makes a new log.
Status FindLog(const Config& config) {
  const std::string format = config.data_dir + "/objects/events/format.json";
  if (::access(format.c_str(), F_OK) == 0) return Ok();
  return NotFound("there is no log in " + config.data_dir + " (" + std::strerror(errno) + ")");
}

Status RemoveFolder(const std::string& folder) {
  std::error_code failure;
  std::filesystem::remove_all(folder, failure);
  if (!failure) return Ok();
  return Unavailable("cannot remove " + folder + ": " + failure.message());
}

Status MoveFolder(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0 || errno == ENOENT) return Ok();
  return Unavailable("cannot move " + from + " to " + to + ": " + std::strerror(errno));
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
  SAFFRON_ASSIGN(std::unique_ptr<ObjectStore> objects, OpenStore(config));
  engines.store = std::make_unique<WatchedStore>(std::move(objects));
  SAFFRON_ASSIGN(engines.format, OpenLogFormat(config, *engines.store, runtime));
  const std::string log_id = engines.format.log.ToString();
  SAFFRON_ASSIGN(std::shared_ptr<RocksdbRegistry> registry, OpenRegistryIn(home + "/registry"));
  engines.registry = registry;
  engines.claims = registry;
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
  engines.described = {{"object_store", home + "/objects"},
                       {"registry", "rocksdb " + home + "/registry"},
                       {"bus", "sqlite " + bus.path},
                       {"graph", "sqlite " + graph.directory},
                       {"search", "sqlite " + search.folder}};
  return engines;
}

int RunServe(const Config& config) { return Serve(config, OpenEmbeddedEngines); }

Result<std::unique_ptr<LocalServer>> OpenLocalServer(const Config& config, LocalWork work) {
  SAFFRON_TRY(FindLog(config));
  return ServeLocally(config, OpenEmbeddedEngines, work);
}

// The new one is made beside the old one, of which not a byte need be readable, and takes its place
// when it is whole. Between the two moves there is none, which the next start makes good.
Result<RegistryRebuilt> RebuildLocalRegistry(const Config& config,
                                             const std::function<void(std::uint64_t)>& at_slot) {
  SAFFRON_TRY(FindLog(config));
  ThreadRuntime runtime;
  Log log = CommandLog(config, runtime);
  const Instant start = runtime.Now();
  const std::string folder = config.data_dir + "/registry";
  const std::string next = folder + ".new", old = folder + ".old";
  SAFFRON_ASSIGN(std::unique_ptr<ObjectStore> store, OpenStore(config));
  SAFFRON_TRY(RemoveFolder(next));
  SAFFRON_TRY(RemoveFolder(old));
  RegistryRebuilt rebuilt;
  {
    SAFFRON_ASSIGN(std::shared_ptr<RocksdbRegistry> registry, OpenRegistryIn(next));
    SAFFRON_TRY(FoldIntoRegistry(*store, *registry, runtime, log, [&](SlotNumber slot) {
      rebuilt.slots = slot.value;
      at_slot(slot.value);
    }));
    SAFFRON_TRY(registry->Flush());
  }
  SAFFRON_TRY(MoveFolder(folder, old));
  SAFFRON_TRY(MoveFolder(next, folder));
  SAFFRON_TRY(RemoveFolder(old));
  rebuilt.took = runtime.Now() - start;
  return rebuilt;
}

}  // namespace saffron
