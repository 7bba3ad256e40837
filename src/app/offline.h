// What is done to the data while no server runs, under the lock of the log's store.
#pragma once

#include "eventlog/recovery.h"

namespace saffron {

// Folds the whole log into a registry, whose rows are forgotten first. For a store that no other
// process can write to. kNotFound when there is no log. What was parked is free again and is
// decided by the next server. A crash leaves a registry that the next start folds to its end.
Status FoldIntoRegistry(ObjectStore& store, AppendRegistry& registry, Runtime& runtime, Log& log,
                        const RecoveryProgress& progress);

}  // namespace saffron
