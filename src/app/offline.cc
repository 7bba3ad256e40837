#include "app/offline.h"

namespace saffron {

Status RebuildRegistryOffline(Engines& engines, Runtime& runtime, Log& log,
                              const RecoveryProgress& progress) {
  // Opening the format would make a log where there is none.
  Result<StoredObject> there = engines.store->Get(kFormatKey);
  if (there.Is(Code::kNotFound)) return NotFound("no log in " + engines.store->Describe());
  if (!there.ok()) return there.error();
  SAFFRON_ASSIGN(EventLogFormat format, OpenFormat(*engines.store, runtime, {}, false));
  LogContext context{runtime, *engines.store, *engines.registry, log, format,
                     0,       "rebuild",      engines.exclusive};
  return RebuildRegistry(context, progress);
}

}  // namespace saffron
