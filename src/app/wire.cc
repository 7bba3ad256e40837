// The one place that names engines.
#include "app/wire.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "adapters/rocksdb/rocksdb_registry.h"
#include "app/offline.h"
#include "app/serve.h"
#include "app/wire_engines.h"
#include "base/step.h"
#include "base/thread_runtime.h"

namespace saffron {
namespace {

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

LogWriters WritersOf(const Config& config) {
  return config.minio_endpoint_url.empty() ? LogWriters::kThisProcessAlone : LogWriters::kOthersToo;
}

// The new one is made beside the old one, of which not a byte need be readable, and takes its place
// when it is whole. Between the two moves there is none, which the next start makes good.
Status RebuildRocksdb(const EngineSetting& setting, ObjectStore& store,
                      const RecoveryProgress& progress) {
  const std::string folder = setting.config.data_dir + "/registry";
  const std::string next = folder + ".new", old = folder + ".old";
  SAFFRON_TRY(MakeDataFolder(setting.config.data_dir));
  SAFFRON_TRY(RemoveFolder(next));
  SAFFRON_TRY(RemoveFolder(old));
  {
    SAFFRON_ASSIGN(std::shared_ptr<RocksdbRegistry> registry, OpenRegistryIn(next));
    SAFFRON_TRY(FoldIntoRegistry(store, *registry, WritersOf(setting.config), setting.runtime,
                                 setting.log, progress));
    SAFFRON_TRY(registry->Flush());
  }
  SAFFRON_STEP("rebuild.registry.switch.before");
  SAFFRON_TRY(MoveFolder(folder, old));
  SAFFRON_STEP("rebuild.registry.switch.between");
  SAFFRON_TRY(MoveFolder(next, folder));
  SAFFRON_STEP("rebuild.registry.switch.after");
  return RemoveFolder(old);
}

// In place. From its beginning to its end every writer is refused, so a process that runs waits.
Status RebuildPostgres(const EngineSetting& setting, ObjectStore& store,
                       const RecoveryProgress& progress) {
  SAFFRON_ASSIGN(Registries registries, OpenPostgres(setting));
  return FoldIntoRegistry(store, *registries.append, WritersOf(setting.config), setting.runtime,
                          setting.log, progress);
}

}  // namespace

int RunServices(const Config& config, Service service) {
  return Serve(config, service, OpenEnginesOf);
}

Result<std::unique_ptr<LocalServer>> OpenLocalServer(const Config& config, LocalWork work) {
  SAFFRON_TRY(FindLog(config));
  return ServeLocally(config, OpenEnginesOf, work);
}

Result<RegistryRebuilt> RebuildLocalRegistry(const Config& config,
                                             const std::function<void(std::uint64_t)>& at_slot) {
  if (config.minio_endpoint_url.empty()) SAFFRON_TRY(FindLog(config));
  ThreadRuntime runtime;
  Log log = CommandLog(config, runtime);
  Metrics metrics;
  const EngineSetting setting{config, Service::kAll, runtime, log, metrics};
  const Instant start = runtime.Now();
  RegistryRebuilt rebuilt;
  const RecoveryProgress progress = [&](SlotNumber slot) {
    rebuilt.slots = slot.value;
    at_slot(slot.value);
  };
  SAFFRON_ASSIGN(std::unique_ptr<ObjectStore> store, OpenObjectStore(setting, nullptr));
  SAFFRON_TRY(config.postgres_url.empty() ? RebuildRocksdb(setting, *store, progress)
                                          : RebuildPostgres(setting, *store, progress));
  rebuilt.took = runtime.Now() - start;
  return rebuilt;
}

}  // namespace saffron
