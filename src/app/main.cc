// The program `saffron`.
#include <unistd.h>

#include <iostream>

#include "app/cli.h"

int main(int argc, char** argv) {
  saffron::CliFunctions functions{.serve = saffron::RunServe,
                                  .open_local = saffron::OpenLocalServer,
                                  .rebuild_registry = saffron::RebuildLocalRegistry};
  saffron::Console console{std::cout, std::cerr, ::isatty(STDERR_FILENO) == 1};
  std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return saffron::RunCli(std::move(arguments), saffron::ProcessEnvironment(), functions, console);
}
