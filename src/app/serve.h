// `saffron serve`: the whole of Saffron in one process until a signal ends it.
#pragma once

#include "app/config.h"
#include "app/pipeline.h"

namespace saffron {

using OpenEngines = Result<Engines> (*)(const Config& config, Runtime& runtime);

// Returns an ExitCode. The first SIGINT or SIGTERM stops gracefully (at most 10 s), a second one
// ends the process at once: what was acknowledged is in the log.
int Serve(const Config& config, OpenEngines open);

}  // namespace saffron
