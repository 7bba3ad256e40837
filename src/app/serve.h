// A process that runs services: all of them or one, and the same in small for a command that finds
// no server and works on the data itself.
#pragma once

#include "app/engines.h"
#include "app/local.h"

namespace saffron {

// The services in this process until a signal ends it. Returns an ExitCode. The first SIGINT or
// SIGTERM stops gracefully (at most 10 s), a second one ends the process at once: what was
// acknowledged is in the log.
int Serve(const Config& config, Service service, OpenEngines open);

// local.h says what it is.
Result<std::unique_ptr<LocalServer>> ServeLocally(const Config& config, OpenEngines open,
                                                  LocalWork work);

// Of a command that is no server: errors only, unless debugging is asked for; its own output is
// what the person wants.
Log CommandLog(const Config& config, Runtime& runtime);

}  // namespace saffron
