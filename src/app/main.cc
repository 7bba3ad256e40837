// The program `saffron`.
#include <unistd.h>

#include <iostream>

#include "app/cli.h"

#ifdef SAFFRON_JEMALLOC
// Read by jemalloc when the process starts (docs/adr/0008-jemalloc.md): as many arenas as serve two
// cores without contention, and what is freed goes back to the system within a second.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:true";
}
#endif

int main(int argc, char** argv) {
  saffron::CliFunctions functions{.serve = saffron::RunServices,
                                  .open_local = saffron::OpenLocalServer,
                                  .rebuild_registry = saffron::RebuildLocalRegistry,
                                  .look_at_engines = saffron::LookAtEngines};
  saffron::Console console{std::cout, std::cerr, ::isatty(STDERR_FILENO) == 1};
  std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return saffron::RunCli(std::move(arguments), saffron::ProcessEnvironment(), functions, console);
}
