// What only the composed program can do: this is where commands meet the engines.
#pragma once

#include "app/config.h"

namespace saffron {

// Everything in one process until a signal ends it. Returns an ExitCode.
int RunServe(const Config& config);

// Handed to RunCli by main, so that commands (and their tests) link without any engine.
struct CliFunctions {
  int (*serve)(const Config& config) = nullptr;
};

}  // namespace saffron
