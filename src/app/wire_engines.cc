#include "app/wire_engines.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "adapters/directory/directory_store.h"
#include "adapters/rocksdb/rocksdb_registry.h"
#include "adapters/sqlite/sqlite_bus.h"
#include "adapters/sqlite/sqlite_graph.h"
#include "adapters/sqlite/sqlite_search.h"
#include "app/wire_options.h"
#include "eventlog/recovery.h"

namespace saffron {
namespace {

constexpr std::size_t kSqliteCacheBytes = std::size_t{8} << 20;

Status MakeFolder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return Ok();
  return Unavailable("cannot make the folder " + path + ": " + std::strerror(errno));
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
Result<std::unique_ptr<ObjectStore>> OpenDirectory(const Config& config) {
  DirectoryStoreOptions store;
  store.path = config.data_dir + "/objects";
  store.durability =
      config.durability == "none" ? DurabilityMode::kNone : DurabilityMode::kEveryBatch;
  SAFFRON_ASSIGN(std::unique_ptr<ObjectStore> opened, DirectoryStore::Open(store));
  return opened;
}

Result<std::unique_ptr<ObjectStore>> OpenS3(const EngineSetting& setting, S3Metrics* metrics) {
  S3StoreOptions options = S3OptionsOf(setting.config);
  options.metrics = metrics;
  SAFFRON_ASSIGN(std::unique_ptr<ObjectStore> opened,
                 S3Store::Open(std::move(options), setting.runtime, setting.log));
  return opened;
}

Result<Registries> OpenRocksdb(const Config& config) {
  RocksdbRegistry::Options options;
  options.directory = config.data_dir + "/registry";
  SAFFRON_ASSIGN(std::shared_ptr<RocksdbRegistry> opened, RocksdbRegistry::Open(options));
  return Registries{opened, opened, nullptr, "rocksdb " + options.directory};
}

Status OpenRegistryEngine(const EngineSetting& setting, Engines& engines) {
  const bool server = !setting.config.postgres_url.empty();
  SAFFRON_ASSIGN(Registries opened, server ? OpenPostgres(setting) : OpenRocksdb(setting.config));
  engines.registry = std::move(opened.append);
  engines.claims = std::move(opened.claims);
  engines.settled = std::move(opened.settled);
  engines.described.emplace_back("registry", std::move(opened.description));
  return Ok();
}

Status OpenBus(const EngineSetting& setting, Engines& engines) {
  const Config& config = setting.config;
  if (config.kafka_bootstrap_servers.empty()) {
    SqliteBusOptions bus;
    bus.path = config.data_dir + "/bus.db";
    bus.log_id = engines.format.log.ToString();
    SAFFRON_ASSIGN(engines.bus, OpenSqliteBus(setting.runtime, bus));
    engines.described.emplace_back("bus", "sqlite " + bus.path);
    return Ok();
  }
  const KafkaBusOptions bus = KafkaOptionsOf(config, ServiceName(setting.service));
  SAFFRON_ASSIGN(engines.bus, KafkaBus::Open(setting.runtime, setting.log, &setting.metrics, bus));
  engines.described.emplace_back("bus", "kafka " + bus.bootstrap_servers);
  return Ok();
}

Status OpenGraph(const EngineSetting& setting, Engines& engines) {
  const Config& config = setting.config;
  if (config.terminus_server_url.empty()) {
    SqliteGraphOptions graph;
    graph.directory = config.data_dir + "/graph";
    graph.log_id = engines.format.log.ToString();
    graph.cache_bytes = kSqliteCacheBytes;
    SAFFRON_TRY(MakeFolder(graph.directory));
    SAFFRON_ASSIGN(engines.graph, SqliteGraph::Open(graph));
    engines.local_graph = true;
    engines.described.emplace_back("graph", "sqlite " + graph.directory);
    return Ok();
  }
  TerminusGraphOptions graph = TerminusOptionsOf(config);
  const std::string where = "terminusdb " + graph.database + " at " + graph.url;
  SAFFRON_ASSIGN(engines.graph,
                 TerminusGraph::Open(std::move(graph), setting.runtime, setting.log));
  engines.described.emplace_back("graph", where);
  return Ok();
}

Status OpenSearch(const EngineSetting& setting, Engines& engines) {
  const Config& config = setting.config;
  if (config.elasticsearch_url.empty()) {
    SqliteSearchOptions search;
    search.folder = config.data_dir + "/search";
    search.log_id = engines.format.log.ToString();
    search.cache_bytes = kSqliteCacheBytes;
    SAFFRON_TRY(MakeFolder(search.folder));
    SAFFRON_ASSIGN(engines.search, OpenSqliteSearch(search));
    engines.described.emplace_back("search", "sqlite " + search.folder);
    return Ok();
  }
  ElasticsearchOptions search = ElasticsearchOptionsOf(config);
  const std::string where = "elasticsearch " + search.prefix + " at " + ShownUrl(search.url);
  SAFFRON_ASSIGN(engines.search,
                 ElasticsearchIndex::Open(std::move(search), setting.runtime, setting.log));
  engines.described.emplace_back("search", where);
  return Ok();
}

}  // namespace

Status MakeDataFolder(const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    SAFFRON_TRY(MakeFolder(path.substr(0, at)));
  }
  return MakeFolder(path);
}

Result<std::unique_ptr<ObjectStore>> OpenObjectStore(const EngineSetting& setting,
                                                     S3Metrics* metrics) {
  const Config& config = setting.config;
  return config.minio_endpoint_url.empty() ? OpenDirectory(config) : OpenS3(setting, metrics);
}

Result<Registries> OpenPostgres(const EngineSetting& setting) {
  const Config& config = setting.config;
  PostgresRegistry::Options options = PostgresOptionsOf(config);
  options.metrics = &setting.metrics;
  SAFFRON_ASSIGN(std::shared_ptr<PostgresRegistry> opened,
                 PostgresRegistry::Open(std::move(options), setting.runtime, setting.log));
  auto settled = std::make_shared<SettledFeed>();
  opened->OnSettled([settled](SlotNumber slot) { settled->Tell(slot); });
  return Registries{opened, opened, settled,
                    config.sequence_schema + " at " + ShownUrl(config.postgres_url)};
}

Result<Engines> OpenEnginesOf(const EngineSetting& setting) {
  const Config& config = setting.config;
  const ServiceParts parts = PartsOf(setting.service);
  if (setting.service == Service::kAll && !config.AllServers()) {
    SAFFRON_TRY(CheckVersion(config.data_dir + "/objects"));
    SAFFRON_TRY(MakeDataFolder(config.data_dir));
  }
  Engines engines;
  engines.exclusive = config.minio_endpoint_url.empty();
  std::shared_ptr<S3Metrics> metrics;
  if (!engines.exclusive) metrics = std::make_shared<S3Metrics>(setting.metrics);
  engines.store_metrics = metrics;
  SAFFRON_ASSIGN(std::unique_ptr<ObjectStore> objects, OpenObjectStore(setting, metrics.get()));
  engines.store = std::make_unique<WatchedStore>(std::move(objects));
  engines.described.emplace_back("object_store", engines.store->Describe());
  SAFFRON_ASSIGN(engines.format, OpenLogFormat(config, *engines.store, setting.runtime));
  SAFFRON_TRY(OpenRegistryEngine(setting, engines));
  SAFFRON_TRY(OpenBus(setting, engines));
  if (parts.needs_graph()) SAFFRON_TRY(OpenGraph(setting, engines));
  if (parts.needs_search()) SAFFRON_TRY(OpenSearch(setting, engines));
  return engines;
}

}  // namespace saffron
