// Database and classes on the server, before the rows.
#pragma once

#include <map>
#include <string>

#include "app/loader/plan.h"
#include "app/patient_client.h"
#include "base/result.h"

namespace saffron {

struct SchemaReport {
  bool database_created = false;
  std::size_t classes_created = 0;
  std::size_t classes_present = 0;
  // Of each class, which creation of database and class the rows are for. Part of every key, so
  // that rows of a dropped database are not taken for loaded when it is made again.
  std::map<std::string, std::string> generations;
};

// Creates what is missing and waits until it is decided. A class that is there must be the same:
// kConflict names it. Classes that point at each other in a circle are created without the
// relationships that have no target yet, then updated.
Result<SchemaReport> PrepareSchema(Runtime& runtime, PatientClient& client, const std::string& db,
                                   const LoadPlan& plan);

}  // namespace saffron
