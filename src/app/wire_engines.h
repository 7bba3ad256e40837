// How the engines of a process are picked and opened. Only src/app/wire*.cc name engines.
#pragma once

#include "app/engines.h"

namespace saffron {

class S3Metrics;

// Of each port the server whose address is set, else the embedded twin below SAFFRON_DATA_DIR; only
// what the service needs. kUnavailable: a server does not answer, or another process owns the
// directory. kInvalid: settings or data that this program must not work with.
Result<Engines> OpenEnginesOf(const EngineSetting& setting);

// The object store alone, with its probe still to come. `metrics` may be null, and else outlives
// it.
Result<std::unique_ptr<ObjectStore>> OpenObjectStore(const EngineSetting& setting,
                                                     S3Metrics* metrics);
struct Registries {
  std::shared_ptr<AppendRegistry> append;
  std::shared_ptr<ClaimRegistry> claims;
  std::shared_ptr<SettledFeed> settled;  // null: it belongs to this process
  std::string description;
};
Result<Registries> OpenPostgres(const EngineSetting& setting);

// SAFFRON_DATA_DIR and its parents, one by one.
Status MakeDataFolder(const std::string& path);

}  // namespace saffron
