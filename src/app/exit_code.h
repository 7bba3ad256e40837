// How a command ends.
#pragma once

namespace saffron {

enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,
  kExitUsage = 2,        // bad arguments or configuration
  kExitRefused = 3,      // the server refused, or the data is invalid
  kExitUnreachable = 4,  // no answer, or not now
};

}  // namespace saffron
