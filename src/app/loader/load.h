// `saffron load`: an ontology, a mapping and a folder of files into a running server.
#pragma once

#include <string>

#include "app/api_client.h"
#include "app/console.h"
#include "app/loader/plan.h"
#include "base/runtime.h"

namespace saffron {

struct LoadOptions {
  ApiOptions api;
  std::string db;
  PlanOptions plan;
  std::string report_file;  // empty: none is written
  std::size_t jobs = 4;
  Duration give_up = seconds(120);
  bool dry_run = false;        // only the validation
  bool skip_rejected = false;  // load the valid rows although others are not
  bool wait = false;           // until all are COMPLETED
  bool json = false;           // the summary as JSON
};

// Returns an ExitCode. Validates everything before anything is sent. Loading the same again
// appends nothing; one that broke off is resumed by running it again.
int RunLoad(Runtime& runtime, const LoadOptions& options, Console console);

}  // namespace saffron
