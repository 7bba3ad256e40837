#include "app/offline.h"

namespace saffron {

Status FoldIntoRegistry(ObjectStore& store, AppendRegistry& registry, LogWriters writers,
                        Runtime& runtime, Log& log, const RecoveryProgress& progress) {
  // Opening the format would make a log where there is none.
  Result<StoredObject> there = store.Get(kFormatKey);
  if (there.Is(Code::kNotFound)) return NotFound("no log in " + store.Describe());
  if (!there.ok()) return there.error();
  SAFFRON_ASSIGN(EventLogFormat format, OpenFormat(store, runtime, {}, false));
  LogContext context{runtime, store, registry,  log,
                     format,  0,     "rebuild", writers == LogWriters::kThisProcessAlone};
  return RebuildRegistry(context, progress);
}

}  // namespace saffron
