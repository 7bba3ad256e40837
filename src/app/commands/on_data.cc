#include "app/commands/on_data.h"

#include <fmt/format.h>

#include "app/exit_code.h"

namespace saffron {
namespace {

constexpr Duration kProbeTime = seconds(5);

// A server that is too busy to answer is one: only who cannot be reached is not there.
Status ProbeServer(ApiOptions api) {
  api.timeout = kProbeTime;
  SAFFRON_ASSIGN(std::unique_ptr<ApiClient> client, ApiClient::Open(std::move(api)));
  Result<HttpResponse> answer = client->Get("/health/live");
  if (answer.ok() || answer.Is(Code::kUnknownOutcome)) return Ok();
  return answer.error();
}

// One command's way to its data. Lives for one call.
class Reach {
 public:
  Reach(const DataOptions& options, Console console) : options_(options), console_(console) {}

  // Whether to ask the server; else to work on `config()`, if there is one.
  bool AskServer() {
    if (options_.folder_given) return false;
    if (options_.server_given) return true;
    Status probe = ProbeServer(options_.remote.api);
    if (probe.ok() || probe.Is(Code::kInvalid)) return true;
    unreachable_ = "no server answers at " + options_.remote.api.server_url;
    return false;
  }

  std::optional<Config> ConfigToWorkOn() {
    std::optional<Config> config = options_.config();
    if (!config) return std::nullopt;
    config->listen = {"127.0.0.1", 0};  // it listens to this process alone
    config->require_auth = false;       // and asks for a token of its own
    Status servable = CheckServable(*config);
    if (servable.ok()) return config;
    console_.err << "saffron: " << servable.error().message() << "\n";
    return std::nullopt;
  }

  // Only a directory can be taken by a command: servers have no lock that says whose they are.
  bool IsOneDirectory(const Config& config) {
    if (config.AllEmbedded()) return true;
    console_.err << "saffron: " << (unreachable_.empty() ? "" : unreachable_ + ", and ")
                 << "this deployment's data is on servers: start `saffron oms` or `saffron serve`, "
                    "or name one that runs with --server\n";
    return false;
  }

  void SayWhere(const Config& config) {
    if (unreachable_.empty()) return;
    console_.err << unreachable_ << "; working on " << config.data_dir << " under its lock\n";
  }

  // `to_free`: what to do about a process that has the directory.
  int Fail(const Error& error, std::string_view to_free) {
    console_.err << "saffron: " << (unreachable_.empty() ? "" : unreachable_ + ", and ")
                 << error.message() << "\n";
    if (error.code() == Code::kUnavailable) {
      console_.err << to_free << "\n";
      return kExitUnreachable;
    }
    if (error.code() != Code::kNotFound) return kExitFailed;
    console_.err << "Start one with `saffron serve`, name one with --server, or name a data "
                    "directory with --data-dir.\n";
    return kExitUnreachable;
  }

 private:
  const DataOptions& options_;
  Console console_;
  std::string unreachable_;
};

int RebuildRegistry(const DataOptions& options, Reach& reach, const CliFunctions& functions,
                    Console console) {
  std::optional<Config> config = reach.ConfigToWorkOn();
  if (!config) return kExitUsage;
  Result<RegistryRebuilt> rebuilt =
      functions.rebuild_registry(*config, [&console](std::uint64_t slot) {
        if (console.terminal) console.err << "\rslot " << slot << "\x1b[K" << std::flush;
      });
  if (console.terminal) console.err << "\r\x1b[K" << std::flush;
  if (!rebuilt.ok()) {
    return reach.Fail(rebuilt.error(), "The registry is rebuilt with the server stopped: end it.");
  }
  const double took_s = std::chrono::duration<double>(rebuilt->took).count();
  if (options.remote.output == OutputFormat::kJson) {
    console.out << fmt::format("{{\"target\":\"registry\",\"slots\":{},\"took_s\":{:.3f}}}\n",
                               rebuilt->slots, took_s);
  } else {
    const bool embedded = config->postgres_url.empty();
    console.out << fmt::format("registry in {} rebuilt from {} slots in {:.1f} s\n",
                               embedded ? config->data_dir : "schema " + config->sequence_schema,
                               rebuilt->slots, took_s);
  }
  return kExitOk;
}

}  // namespace

int RunOnData(const DataOptions& options, const CliFunctions& functions, LocalWork work,
              Console console, const std::function<int(const RemoteOptions&)>& command) {
  Reach reach(options, console);
  if (reach.AskServer()) return command(options.remote);
  std::optional<Config> config = reach.ConfigToWorkOn();
  if (!config) return kExitUsage;
  if (!reach.IsOneDirectory(*config)) return kExitUnreachable;
  Result<std::unique_ptr<LocalServer>> local = functions.open_local(*config, work);
  if (!local.ok()) {
    return reach.Fail(local.error(),
                      "If that process is a server, name its address with --server, or in "
                      "SAFFRON_LISTEN.");
  }
  reach.SayWhere(*config);
  RemoteOptions remote = options.remote;
  remote.api.server_url = (*local)->url();
  remote.api.token = (*local)->token();
  return command(remote);
}

int RunRebuildOnData(const DataOptions& options, const CliFunctions& functions,
                     const std::string& target, Console console) {
  if (target == "registry") {
    Reach reach(options, console);
    if (!reach.AskServer()) return RebuildRegistry(options, reach, functions, console);
    return RunRebuild(options.remote, target, console);
  }
  return RunOnData(options, functions, LocalWork::kRun, console, [&](const RemoteOptions& remote) {
    return RunRebuild(remote, target, console);
  });
}

int RunVerifyOnData(const DataOptions& options, const CliFunctions& functions,
                    const VerifyRequest& request, Console console) {
  const auto verify = [&](const RemoteOptions& remote) {
    return RunVerify(remote, request, console);
  };
  if (request.repair != Repair::kRegistry) {
    return RunOnData(options, functions, LocalWork::kRun, console, verify);
  }
  Reach reach(options, console);
  if (reach.AskServer()) {
    const int code = verify(options.remote);
    if (code == kExitFailed) {
      console.err << "saffron: nothing was repaired: the registry is made again with the server "
                     "stopped; end it and run this command again\n";
    }
    return code;
  }
  std::optional<Config> config = reach.ConfigToWorkOn();
  if (!config) return kExitUsage;
  if (config->AllEmbedded()) {
    const int code = RunOnData(options, functions, LocalWork::kRun, console, verify);
    if (code != kExitFailed) return code;
  }
  const int rebuilt = RebuildRegistry(options, reach, functions, console);
  if (rebuilt != kExitOk) return rebuilt;
  if (config->AllEmbedded()) return RunOnData(options, functions, LocalWork::kRun, console, verify);
  console.err << "start a server and run `saffron verify`\n";
  return kExitOk;
}

}  // namespace saffron
