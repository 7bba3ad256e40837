#include "app/serve.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "app/admin.h"
#include "app/exit_code.h"
#include "app/health_server.h"
#include "app/pipeline.h"
#include "base/thread_runtime.h"
#include "services/oms/oms_server.h"

namespace saffron {
namespace {

constexpr Duration kDrainRequests = seconds(4);
// Of a start with servers that answer but cannot do everything yet.
constexpr Duration kPatience = seconds(20);

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

Status StoreServes(WatchedStore& store) {
  SAFFRON_TRY(store.Get(kFormatKey));
  return store.Writable();
}

Status RegistryServes(Engines& engines) {
  Result<RegistryRows> rows = engines.registry->Read(RegistryRead{});
  if (!rows.ok()) return rows.error();
  if (rows->control.fenced_incarnation != rows->live_incarnation) {
    return Unavailable("being recovered from the log");
  }
  return TakesWrites(*engines.claims);
}

// Of a graph or index that is a server: the parts that write it tell of the embedded ones.
void AddSinkChecks(Engines& engines, std::vector<HealthCheck>& checks) {
  if (engines.graph != nullptr && !engines.local_graph) {
    checks.push_back({"graph", [&engines]() -> Status {
                        SAFFRON_TRY(engines.graph->State());
                        return Ok();
                      }});
  }
  if (engines.search != nullptr && !engines.exclusive) {
    checks.push_back({"search", [&engines]() -> Status {
                        SAFFRON_TRY(engines.search->Watermark());
                        return Ok();
                      }});
  }
}

std::vector<HealthCheck> ChecksOf(Engines& engines, Pipeline& pipeline) {
  std::vector<HealthCheck> checks;
  checks.push_back({"object_store", [&engines] { return StoreServes(*engines.store); }});
  checks.push_back({"registry", [&engines] { return RegistryServes(engines); }});
  AddSinkChecks(engines, checks);
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
  Serving(const EngineSetting& setting, Engines& engines) : setting_(setting), engines_(engines) {}
  ~Serving() { Stop(); }

  Status Open(OmsOptions options, LocalWork work) {
    SAFFRON_TRY(OpenPipeline());
    if (work == LocalWork::kRun) pipeline_->Start();
    return PartsOf(setting_.service).api ? OpenApi(std::move(options)) : OpenHealth(options.http);
  }

  // From the first stop signal to the end of the last thread. Called again, it does nothing.
  void Stop() {
    if (pipeline_ == nullptr || pipeline_->stopped()) return;
    if (oms_ != nullptr) oms_->StopServing(kDrainRequests);
    if (health_ != nullptr) health_->Stop(kDrainRequests);
    setting_.runtime.RequestStop();
    pipeline_->Stop();
  }

  Pipeline& pipeline() { return *pipeline_; }
  std::uint16_t port() const { return oms_ != nullptr ? oms_->port() : health_->port(); }

 private:
  // Servers that have just answered may still be making what another process asked them for.
  Status OpenPipeline() {
    Runtime& runtime = setting_.runtime;
    const Instant give_up = runtime.Now() + kPatience;
    while (true) {
      Result<std::unique_ptr<Pipeline>> opened = Pipeline::Open(setting_, engines_);
      if (opened.ok()) {
        pipeline_ = std::move(opened).value();
        return Ok();
      }
      const bool again = opened.Is(Code::kUnavailable) && !setting_.config.AllEmbedded();
      if (!again || runtime.Now() >= give_up) return opened.error();
      setting_.log.Warning("start_waits", {{"error", opened.error().ToString()}});
      runtime.SleepFor(milliseconds(500));
    }
  }

  Status OpenApi(OmsOptions options) {
    Pipeline& pipeline = *pipeline_;
    admin_ = std::make_unique<Admin>(AdminParts{
        pipeline.context(), pipeline.append(), *engines_.claims, *engines_.bus, *engines_.graph,
        *engines_.search, pipeline.owner(), setting_.config.publisher_checkpoint_key,
        [&pipeline] { pipeline.SweepSoon(); }});
    OmsParts parts{pipeline.context(),
                   pipeline.append(),
                   *engines_.claims,
                   *engines_.graph,
                   *engines_.search,
                   setting_.metrics,
                   admin_.get(),
                   ChecksOf(engines_, pipeline),
                   [&pipeline](SlotNumber slot) { return pipeline.Projected(slot); }};
    SAFFRON_ASSIGN(oms_, OmsServer::Open(std::move(parts), std::move(options)));
    return Ok();
  }

  Status OpenHealth(HttpServerOptions http) {
    HealthServer::Options options;
    options.http = std::move(http);
    options.http.threads = 1;
    options.service = ServiceName(setting_.service);
    options.version = SAFFRON_VERSION;
    SAFFRON_ASSIGN(health_, HealthServer::Open(std::move(options), setting_.runtime,
                                               setting_.metrics, ChecksOf(engines_, *pipeline_)));
    return Ok();
  }

  const EngineSetting setting_;
  Engines& engines_;
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<Admin> admin_;
  std::unique_ptr<OmsServer> oms_;
  std::unique_ptr<HealthServer> health_;
};

Status RunUntilSignal(const EngineSetting& setting, Engines& engines) {
  const Config& config = setting.config;
  Log& log = setting.log;
  Serving serving(setting, engines);
  SAFFRON_TRY(serving.Open(OptionsOf(config, engines), LocalWork::kRun));
  log.Info("started", {{"service", ServiceName(setting.service)},
                       {"listen", HostPort{config.listen.host, serving.port()}.ToString()},
                       {"log_id", serving.pipeline().context().format.log}});
  int signal = WaitForStopSignal();
  log.Info("stopping", {{"signal", signal}});
  std::unique_ptr<Task> stopping =
      setting.runtime.Spawn("stop", [&serving, main = ::pthread_self()] {
        serving.Stop();
        // It is blocked, and wakes the wait below.
        // NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread)
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
  explicit LocalServing(const Config& given)
      : config_(given),
        log_(CommandLog(config_, runtime_)),
        token_(runtime_.NewUuid().ToString()) {}
  Status Open(OpenEngines open, LocalWork work) {
    ::signal(SIGPIPE, SIG_IGN);
    const EngineSetting setting{config_, Service::kAll, runtime_, log_, metrics_};
    SAFFRON_ASSIGN(engines_, open(setting));
    OmsOptions options = OptionsOf(config_, engines_);
    options.http.host = "127.0.0.1";
    options.http.port = 0;
    options.auth = {};
    options.auth.admin_token = token_;  // nobody else may ask it
    serving_ = std::make_unique<Serving>(setting, engines_);
    return serving_->Open(std::move(options), work);
  }

  std::string url() const override {
    return "http://127.0.0.1:" + std::to_string(serving_->port());
  }
  std::string token() const override { return token_; }

 private:
  const Config config_;
  ThreadRuntime runtime_;
  Log log_;
  Metrics metrics_;
  const std::string token_;
  Engines engines_;
  std::unique_ptr<Serving> serving_;
};

}  // namespace

int Serve(const Config& config, Service service, OpenEngines open) {
  const sigset_t signals = StopSignals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // every thread started later inherits it
  ::signal(SIGPIPE, SIG_IGN);
  RaiseFileLimit();
  if (PartsOf(service).api) {
    Status auth =
        CheckAuthOptions(AuthOf(config), OnLoopback(config.listen.host), config.AllEmbedded());
    if (!auth.ok()) return Refused(auth.error());
  }
  ThreadRuntime runtime;
  Log log(
      {config.Level(), config.Format()}, [&runtime] { return runtime.WallNow(); },
      Log::DescriptorSink(STDERR_FILENO));
  Metrics metrics;
  const EngineSetting setting{config, service, runtime, log, metrics};
  Result<Engines> engines = open(setting);
  if (!engines.ok()) return Refused(engines.error());
  for (const auto& [name, description] : engines->described) {
    log.Info("engine", {{"port", name}, {"engine", description}});
  }
  Status ended = RunUntilSignal(setting, *engines);
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
  SAFFRON_TRY(local->Open(open, work));
  return std::unique_ptr<LocalServer>(std::move(local));
}

}  // namespace saffron
