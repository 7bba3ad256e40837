// What the composed process does: `saffron serve`, and the same in small for a command that finds
// no server and works on the data itself.
#pragma once

#include "app/config.h"
#include "app/local.h"
#include "app/pipeline.h"

namespace saffron {

using OpenEngines = std::function<Result<Engines>(const Config& config, Runtime& runtime)>;

// The whole of Saffron in one process until a signal ends it. Returns an ExitCode. The first SIGINT
// or SIGTERM stops gracefully (at most 10 s), a second one ends the process at once: what was
// acknowledged is in the log.
int Serve(const Config& config, const OpenEngines& open);

// local.h says what they do.
Result<std::unique_ptr<LocalServer>> ServeLocally(const Config& config, const OpenEngines& open,
                                                  LocalWork work);
Result<RegistryRebuilt> RebuildRegistryLocally(const Config& config, const OpenEngines& open,
                                               const std::function<void(std::uint64_t)>& at_slot);

}  // namespace saffron
