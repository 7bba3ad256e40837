// The command line: parses it and runs one command.
#pragma once

#include <string>
#include <vector>

#include "app/config.h"
#include "app/console.h"
#include "app/wire.h"

namespace saffron {

// `arguments` without the program's name. Returns an ExitCode. Throws nothing.
int RunCli(std::vector<std::string> arguments, Environment environment,
           const CliFunctions& functions, Console console);

}  // namespace saffron
