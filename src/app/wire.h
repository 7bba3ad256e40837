// What only the composed program can do: this is where commands meet the engines.
#pragma once

#include "app/config.h"
#include "app/deployed_engines.h"
#include "app/local.h"

namespace saffron {

// The services in this process until a signal ends it. Returns an ExitCode.
int RunServices(const Config& config, Service service);

// Of the data in the configured directory. kNotFound: there is none, and none is made;
// kUnavailable: another process owns it.
Result<std::unique_ptr<LocalServer>> OpenLocalServer(const Config& config, LocalWork work);
// Makes the registry again from the log alone, whatever state the old one is in; tells the slots
// that it has passed. The errors are those of OpenLocalServer; the old one then stays.
Result<RegistryRebuilt> RebuildLocalRegistry(const Config& config,
                                             const std::function<void(std::uint64_t)>& at_slot);

// The servers that the configuration names. `runtime` outlives it.
std::unique_ptr<DeployedEngines> LookAtEngines(const Config& config, Runtime& runtime);

// Handed to RunCli by main, so that commands (and their tests) link without any engine.
struct CliFunctions {
  decltype(&RunServices) serve = nullptr;
  decltype(&OpenLocalServer) open_local = nullptr;
  decltype(&RebuildLocalRegistry) rebuild_registry = nullptr;
  decltype(&LookAtEngines) look_at_engines = nullptr;
};

}  // namespace saffron
