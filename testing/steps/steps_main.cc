// The program `saffron_steps`: `saffron` with its named steps (steps.cc), and with an object store
// that fails as SAFFRON_STORE_FAULTS says (store_with_faults.h).
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "app/cli.h"
#include "app/serve.h"
#include "app/wire_engines.h"
#include "testing/steps/store_with_faults.h"

namespace saffron {
namespace {

Result<Engines> OpenWithFaults(const EngineSetting& setting) {
  SAFFRON_ASSIGN(Engines engines, OpenEnginesOf(setting));
  const char* given = std::getenv("SAFFRON_STORE_FAULTS");
  if (given == nullptr) return engines;
  SAFFRON_ASSIGN(const StoreFaults faults, StoreFaults::Parse(given));
  engines.store = std::make_unique<WatchedStore>(
      std::make_unique<StoreWithFaults>(std::move(engines.store), faults));
  // What it does to conditions the probe must find.
  if (faults.ignores_conditions) {
    SAFFRON_TRY(OpenLogFormat(setting.config, *engines.store, setting.runtime));
  }
  return engines;
}

int ServeWithFaults(const Config& config, Service service) {
  return Serve(config, service, OpenWithFaults);
}

}  // namespace
}  // namespace saffron

int main(int argc, char** argv) {
  saffron::CliFunctions functions{.serve = saffron::ServeWithFaults,
                                  .open_local = saffron::OpenLocalServer,
                                  .rebuild_registry = saffron::RebuildLocalRegistry};
  saffron::Console console{std::cout, std::cerr, ::isatty(STDERR_FILENO) == 1};
  std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return saffron::RunCli(std::move(arguments), saffron::ProcessEnvironment(), functions, console);
}
