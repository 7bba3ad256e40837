// What is done to the data while no server runs, under the lock of the log's store.
#pragma once

#include "app/pipeline.h"
#include "eventlog/recovery.h"

namespace saffron {

// Forgets the registry's rows and folds the log again. kNotFound when there is no log. What was
// parked is free again and is decided by the next server. A crash leaves a registry that the next
// start folds to its end.
Status RebuildRegistryOffline(Engines& engines, Runtime& runtime, Log& log,
                              const RecoveryProgress& progress);

}  // namespace saffron
