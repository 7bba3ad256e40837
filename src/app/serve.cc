#include "app/serve.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "app/admin.h"
#include "app/exit_code.h"
#include "base/thread_runtime.h"
#include "services/oms/oms_server.h"

namespace saffron {
namespace {

constexpr Duration kDrainRequests = seconds(4);

// Signals are taken by the main thread alone, one after the other.
sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

int WaitForStopSignal() {
  const sigset_t signals = StopSignals();
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
  return signal;
}

// Ten thousand idle connections are ordinary.
void RaiseFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

bool OnLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

AuthOptions AuthOf(const Config& config) {
  AuthOptions auth;
  auth.admin_token = config.admin_token;
  auth.write_token = config.write_token;
  auth.read_token = config.read_token;
  if (config.require_auth) {
    auth.require = *config.require_auth ? AuthOptions::Require::kYes : AuthOptions::Require::kNo;
  }
  return auth;
}

OmsOptions OptionsOf(const Config& config, const Engines& engines) {
  OmsOptions options;
  options.http.host = config.listen.host;
  options.http.port = config.listen.port;
  options.http.threads = static_cast<std::size_t>(config.http_threads);
  options.http.max_connections = static_cast<std::size_t>(config.max_connections);
  options.auth = AuthOf(config);
  options.request_timeout = config.request_timeout;
  options.max_body_bytes = static_cast<std::size_t>(config.max_body_bytes);
  options.max_bulk_body_bytes = static_cast<std::size_t>(config.max_bulk_body_bytes);
  options.point_reads = engines.local_graph ? PointReads::kOnIoThreads : PointReads::kOnTasks;
  options.version = SAFFRON_VERSION;
  return options;
}

// A registry on a full disk still answers reads. Nobody reads this row.
Status TakesWrites(ClaimRegistry& claims) {
  ClaimRead read;
  read.leases.push_back("health");
  return claims.Transact(read, [](const ClaimRows& rows) {
    ClaimWrite write;
    write.put_leases.push_back({"health", "", 0, rows.now_ms});
    return write;
  });
}

std::vector<HealthCheck> ChecksOf(Engines& engines, Pipeline& pipeline) {
  std::vector<HealthCheck> checks;
  checks.push_back({"object_store", [&engines]() -> Status {
                      SAFFRON_TRY(engines.store->Get("events/format.json"));
                      return engines.store->Writable();
                    }});
  checks.push_back({"registry", [&engines]() -> Status {
                      Result<RegistryRows> rows = engines.registry->Read(RegistryRead{});
                      if (!rows.ok()) return rows.error();
                      if (rows->control.fenced_incarnation != rows->live_incarnation) {
                        return Unavailable("being recovered from the log");
                      }
                      return TakesWrites(*engines.claims);
                    }});
  const std::size_t parts = pipeline.Health().size();
  for (std::size_t i = 0; i < parts; ++i) {
    checks.push_back({pipeline.Health()[i].first,
                      [&pipeline, i]() -> Status { return pipeline.Health()[i].second; }});
  }
  return checks;
}

int Refused(const Error& error) {
  std::fprintf(stderr, "saffron: %s\n", error.message().c_str());
  if (error.code() == Code::kInvalid) return kExitUsage;
  return error.code() == Code::kUnavailable ? kExitUnreachable : kExitFailed;
}

// From the first stop signal to the end of the last thread.
class GracefulStop {
 public:
  GracefulStop(Runtime& runtime, OmsServer& oms, Pipeline& pipeline)
      : runtime_(runtime), oms_(oms), pipeline_(pipeline) {}

  void Run() {
    oms_.StopServing(kDrainRequests);
    runtime_.RequestStop();
    pipeline_.Stop();
  }

 private:
  Runtime& runtime_;
  OmsServer& oms_;
  Pipeline& pipeline_;
};

Status RunUntilSignal(const Config& config, Engines& engines, ThreadRuntime& runtime, Log& log) {
  Metrics metrics;
  SAFFRON_ASSIGN(std::unique_ptr<Pipeline> pipeline,
                 Pipeline::Open(config, engines, runtime, log, metrics));
  pipeline->Start();
  Admin admin({pipeline->context(), pipeline->append(), *engines.claims, *engines.bus,
               *engines.graph, *engines.search, pipeline->owner(), config.publisher_checkpoint_key,
               [&pipeline] { pipeline->SweepSoon(); }});
  OmsParts parts{pipeline->context(),
                 pipeline->append(),
                 *engines.claims,
                 *engines.graph,
                 *engines.search,
                 metrics,
                 &admin,
                 ChecksOf(engines, *pipeline),
                 [&pipeline, &engines](SlotNumber slot) {
                   return pipeline->projected().Passed(*engines.claims, 0, slot);
                 }};
  Result<std::unique_ptr<OmsServer>> oms =
      OmsServer::Open(std::move(parts), OptionsOf(config, engines));
  if (!oms.ok()) {
    runtime.RequestStop();
    pipeline->Stop();
    return oms.error();
  }
  log.Info("started", {{"listen", HostPort{config.listen.host, (*oms)->port()}.ToString()},
                       {"log_id", pipeline->context().format.log}});
  int signal = WaitForStopSignal();
  log.Info("stopping", {{"signal", signal}});
  GracefulStop stop(runtime, **oms, *pipeline);
  std::unique_ptr<Task> stopping = runtime.Spawn("stop", [&stop, main = ::pthread_self()] {
    stop.Run();
    ::pthread_kill(main, SIGTERM);  // wakes the wait below
  });
  WaitForStopSignal();
  if (!pipeline->stopped()) {
    log.Warning("stopped_at_once", {});
    ::_exit(kExitFailed);
  }
  stopping->Join();
  log.Info("stopped", {});
  return Ok();
}

}  // namespace

int Serve(const Config& config, OpenEngines open) {
  const sigset_t signals = StopSignals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // every thread started later inherits it
  ::signal(SIGPIPE, SIG_IGN);
  RaiseFileLimit();
  if (Status auth = CheckAuthOptions(AuthOf(config), OnLoopback(config.listen.host), true);
      !auth.ok()) {
    return Refused(auth.error());
  }
  ThreadRuntime runtime;
  Log log(
      {config.Level(), config.Format()}, [&runtime] { return runtime.WallNow(); },
      Log::DescriptorSink(STDERR_FILENO));
  Result<Engines> engines = open(config, runtime);
  if (!engines.ok()) return Refused(engines.error());
  for (const auto& [name, description] : engines->described) {
    log.Info("engine", {{"port", name}, {"engine", description}});
  }
  Status ended = RunUntilSignal(config, *engines, runtime, log);
  return ended.ok() ? kExitOk : Refused(ended.error());
}

}  // namespace saffron
