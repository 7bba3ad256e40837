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

// Every part of one process over its engines, up to the HTTP edge. One thread opens and stops it.
class Serving {
 public:
  Serving(Engines& engines, ThreadRuntime& runtime, Log& log)
      : engines_(engines), runtime_(runtime), log_(log) {}
  ~Serving() { Stop(); }

  Status Open(const Config& config, OmsOptions options, LocalWork work) {
    SAFFRON_ASSIGN(pipeline_, Pipeline::Open(config, engines_, runtime_, log_, metrics_));
    if (work == LocalWork::kRun) pipeline_->Start();
    Pipeline& pipeline = *pipeline_;
    Engines& engines = engines_;
    admin_ = std::make_unique<Admin>(
        AdminParts{pipeline.context(), pipeline.append(), *engines.claims, *engines.bus,
                   *engines.graph, *engines.search, pipeline.owner(),
                   config.publisher_checkpoint_key, [&pipeline] { pipeline.SweepSoon(); }});
    OmsParts parts{pipeline.context(),
                   pipeline.append(),
                   *engines.claims,
                   *engines.graph,
                   *engines.search,
                   metrics_,
                   admin_.get(),
                   ChecksOf(engines, pipeline),
                   [&pipeline, &engines](SlotNumber slot) {
                     return pipeline.projected().Passed(*engines.claims, 0, slot);
                   }};
    SAFFRON_ASSIGN(oms_, OmsServer::Open(std::move(parts), std::move(options)));
    return Ok();
  }

  // From the first stop signal to the end of the last thread. Called again, it does nothing.
  void Stop() {
    if (pipeline_ == nullptr || pipeline_->stopped()) return;
    if (oms_ != nullptr) oms_->StopServing(kDrainRequests);
    runtime_.RequestStop();
    pipeline_->Stop();
  }

  Pipeline& pipeline() { return *pipeline_; }
  std::uint16_t port() const { return oms_->port(); }

 private:
  Engines& engines_;
  ThreadRuntime& runtime_;
  Log& log_;
  Metrics metrics_;
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<Admin> admin_;
  std::unique_ptr<OmsServer> oms_;
};

Status RunUntilSignal(const Config& config, Engines& engines, ThreadRuntime& runtime, Log& log) {
  Serving serving(engines, runtime, log);
  SAFFRON_TRY(serving.Open(config, OptionsOf(config, engines), LocalWork::kRun));
  log.Info("started", {{"listen", HostPort{config.listen.host, serving.port()}.ToString()},
                       {"log_id", serving.pipeline().context().format.log}});
  int signal = WaitForStopSignal();
  log.Info("stopping", {{"signal", signal}});
  std::unique_ptr<Task> stopping = runtime.Spawn("stop", [&serving, main = ::pthread_self()] {
    serving.Stop();
    // It is blocked, and wakes the wait below. NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread)
    ::pthread_kill(main, SIGTERM);
  });
  WaitForStopSignal();
  if (!serving.pipeline().stopped()) {
    log.Warning("stopped_at_once", {});
    ::_exit(kExitFailed);
  }
  stopping->Join();
  log.Info("stopped", {});
  return Ok();
}

class LocalServing final : public LocalServer {
 public:
  explicit LocalServing(const Config& config)
      : log_(CommandLog(config, runtime_)), token_(runtime_.NewUuid().ToString()) {}
  Status Open(const Config& config, OpenEngines open, LocalWork work) {
    ::signal(SIGPIPE, SIG_IGN);
    SAFFRON_ASSIGN(engines_, open(config, runtime_));
    OmsOptions options = OptionsOf(config, engines_);
    options.http.host = "127.0.0.1";
    options.http.port = 0;
    options.auth = {};
    options.auth.admin_token = token_;  // nobody else may ask it
    serving_ = std::make_unique<Serving>(engines_, runtime_, log_);
    return serving_->Open(config, std::move(options), work);
  }

  std::string url() const override {
    return "http://127.0.0.1:" + std::to_string(serving_->port());
  }
  std::string token() const override { return token_; }

 private:
  ThreadRuntime runtime_;
  Log log_;
  const std::string token_;
  Engines engines_;
  std::unique_ptr<Serving> serving_;
};

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

Log CommandLog(const Config& config, Runtime& runtime) {
  const LogLevel level = config.Level() == LogLevel::kDebug ? LogLevel::kDebug : LogLevel::kError;
  return Log(
      {level, config.Format()}, [&runtime] { return runtime.WallNow(); },
      Log::DescriptorSink(STDERR_FILENO));
}

Result<std::unique_ptr<LocalServer>> ServeLocally(const Config& config, OpenEngines open,
                                                  LocalWork work) {
  auto local = std::make_unique<LocalServing>(config);
  SAFFRON_TRY(local->Open(config, open, work));
  return std::unique_ptr<LocalServer>(std::move(local));
}

}  // namespace saffron
