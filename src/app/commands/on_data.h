// Whom a command that acts on data asks: the running server, or, when there is none, one of its own
// on the data directory, under its lock.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "app/commands/remote.h"
#include "app/wire.h"

namespace saffron {

struct DataOptions {
  RemoteOptions remote;
  bool server_given = false;  // by --server: that server and nothing else
  bool folder_given = false;  // by --data-dir: that directory and nothing else
  // The configuration for working on the directory; nothing: it is bad, and was told.
  std::function<std::optional<Config>()> config;
};

// Runs `command` against the one or the other. Returns an ExitCode: the command's, or kExitFailed,
// kExitUsage, kExitUnreachable when it could ask nobody.
int RunOnData(const DataOptions& options, const CliFunctions& functions, LocalWork work,
              Console console, const std::function<int(const RemoteOptions&)>& command);

// `saffron rebuild`. Of the registry it needs the lock: a server that runs refuses it.
int RunRebuildOnData(const DataOptions& options, const CliFunctions& functions,
                     const std::string& target, Console console);

// `saffron verify`. The registry is repaired by the rebuild, so a server that runs only says
// whether it is to be; without one it is compared, made again from the log when it differs or
// cannot be opened, and compared once more. A damaged log is no source: the old registry stays.
int RunVerifyOnData(const DataOptions& options, const CliFunctions& functions,
                    const VerifyRequest& request, Console console);

}  // namespace saffron
