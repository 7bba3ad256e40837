// What is done to the data while no server runs.
#pragma once

#include "eventlog/recovery.h"

namespace saffron {

enum class LogWriters {
  kThisProcessAlone,  // a directory under its lock
  kOthersToo,         // their writes may still land
};

// Folds the whole log into a registry, whose rows are forgotten first. kNotFound when there is no
// log. What was parked is free again and is decided by the next server. A crash leaves a registry
// that the next start folds to its end.
Status FoldIntoRegistry(ObjectStore& store, AppendRegistry& registry, LogWriters writers,
                        Runtime& runtime, Log& log, const RecoveryProgress& progress);

}  // namespace saffron
