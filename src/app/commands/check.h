// `saffron check`: the checklist of an operator who has just started or changed a deployment. It
// asks the API, and looks into every engine that is a server; a probe database goes through all of
// it, and is deleted by a command.
#pragma once

#include <string>
#include <vector>

#include "app/commands/check_report.h"
#include "app/commands/remote.h"
#include "app/config.h"
#include "app/deployed_engines.h"

namespace saffron {

struct CheckOptions {
  RemoteOptions remote;
  std::vector<std::string> processes;  // URLs of the other processes, for their /health
  Duration timeout = seconds(30);      // of everything that is waited for, together
  bool allow_plain_text = false;       // over networks: the operator answers for them
};

// Returns an ExitCode: kExitOk: no item failed; kExitUnreachable: no server answered; kExitRefused:
// it did not let the probe in; else kExitFailed. One thread.
int RunCheck(Runtime& runtime, const Config& config, const CheckOptions& options,
             DeployedEngines& engines, Console console);

}  // namespace saffron
