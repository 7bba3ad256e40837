#include "services/oms/oms_server.h"

#include "net/router.h"
#include "services/oms/http_answers.h"
#include "services/oms/instance_reads.h"
#include "services/oms/log_reads.h"
#include "services/oms/oms_metrics.h"
#include "services/oms/ontology_reads.h"
#include "services/oms/operations_routes.h"
#include "services/oms/route_table.h"
#include "services/oms/write_routes.h"

namespace saffron {
namespace {

RequestTasks::Options TasksNamed(std::string name, int tasks) {
  RequestTasks::Options options;
  options.name = std::move(name);
  options.tasks = tasks;
  return options;
}

}  // namespace

struct OmsServer::Impl {
  Impl(OmsParts given, OmsOptions chosen)
      : parts(std::move(given)),
        options(std::move(chosen)),
        runtime(parts.context.runtime),
        metrics(parts.metrics),
        authenticator(options.auth),
        catalog(parts.context),
        write_tasks(runtime, TasksNamed("write", options.write_tasks)),
        read_tasks(runtime, TasksNamed("read", options.read_tasks)),
        admin_tasks(runtime, TasksNamed("admin", 1)),
        read_steps(runtime, read_tasks),
        admin_steps(runtime, admin_tasks),
        commands(parts.context, parts.log, catalog, write_tasks),
        statuses(parts.context, parts.claims, parts.graph),
        progress(parts.context, parts.graph, parts.search, parts.search_passed),
        reads(parts.context, parts.claims, parts.graph, parts.search, progress, read_steps,
              {options.request_timeout, options.point_reads}),
        streams(parts.context, options.streams),
        health(runtime, parts.health, options.health),
        write_routes(runtime, commands, statuses, read_steps, health, options.request_timeout),
        ontology_reads(reads, catalog),
        instance_reads(reads),
        log_reads(reads, statuses),
        operations(parts.metrics, health, parts.admin, admin_steps, options.version, [this] {
          metrics.Waiting(parts.log.queued_events(), write_tasks.size() + read_tasks.size());
        }) {
    SAFFRON_ASSERT(parts.search_passed != nullptr);
    HandlerMap by_name;
    write_routes.Register(by_name);
    ontology_reads.Register(by_name);
    instance_reads.Register(by_name);
    log_reads.Register(by_name);
    operations.Register(by_name);
    by_name["streamEvents"] = [this](const CallPtr& call) { streams.Open(call); };
    for (const RouteSpec& route : RouteTable()) {
      router.Add(route.method, route.path);
      SAFFRON_ASSERT(by_name.contains(route.operation));
      handlers.push_back(by_name.at(route.operation));
    }
    SAFFRON_ASSERT(by_name.size() == handlers.size());
  }

  void Start() {
    write_tasks.Start();
    read_tasks.Start();
    admin_tasks.Start();
    streams.Start();
    health.Start();
  }

  void Handle(HttpRequest&& request, Responder responder);
  std::size_t MaxBody(const HttpRequest& head) const {
    const bool many = head.path.ends_with("/bulk-create") || head.path.ends_with("/transactions");
    return many ? options.max_bulk_body_bytes : options.max_body_bytes;
  }

  const OmsParts parts;
  const OmsOptions options;
  Runtime& runtime;
  OmsMetrics metrics;
  const Authenticator authenticator;
  OntologyCatalog catalog;
  RequestTasks write_tasks, read_tasks, admin_tasks;
  StepRunner read_steps, admin_steps;
  CommandService commands;
  CommandStatuses statuses;
  SinkProgress progress;
  ReadService reads;
  EventStreams streams;
  HealthMonitor health;
  WriteRoutes write_routes;
  OntologyReads ontology_reads;
  InstanceReads instance_reads;
  LogReads log_reads;
  OperationsRoutes operations;
  Router router;
  std::vector<ApiHandler> handlers;  // beside the route table
  std::unique_ptr<HttpServer> http;
};

void OmsServer::Impl::Handle(HttpRequest&& request, Responder responder) {
  RouteMatch match = router.Match(request.method, request.path);
  HttpResponse refusal;
  switch (match.outcome) {
    case RouteMatch::Outcome::kFound: {
      const std::size_t route = match.route;
      auto call = std::make_shared<ApiCall>(ApiCall{std::move(request), std::move(match),
                                                    std::move(responder), Role::kAnyone,
                                                    runtime.Now(), nullptr});
      // Small enough to lie in the function object.
      call->answered = [this, at = call.get()](int status) {
        metrics.Answered(at->match.route, status, runtime.Now() - at->arrived);
      };
      Authenticator::Decision decision =
          authenticator.Decide(call->request.headers, RouteTable()[route].role);
      if (decision.refusal) return call->Send(std::move(*decision.refusal));
      call->role = decision.role;
      return handlers[route](call);
    }
    case RouteMatch::Outcome::kNotFound: refusal = ApiError(404, "there is no such path"); break;
    case RouteMatch::Outcome::kMethodNotAllowed:
      refusal = ApiError(405, "this path has other methods");
      refusal.headers.Add("Allow", match.allow);
      break;
    case RouteMatch::Outcome::kMalformedPath: refusal = ApiError(400, "malformed path"); break;
  }
  metrics.Unrouted();
  responder.Send(std::move(refusal));
}

OmsServer::OmsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<OmsServer>> OmsServer::Open(OmsParts parts, OmsOptions options) {
  auto impl = std::make_unique<Impl>(std::move(parts), std::move(options));
  Impl* at = impl.get();
  HttpServerOptions http = impl->options.http;
  http.max_body_bytes = [at](const HttpRequest& head) { return at->MaxBody(head); };
  impl->Start();
  SAFFRON_ASSIGN(impl->http, HttpServer::Open(
                                 std::move(http), [at](HttpRequest&& request, Responder responder) {
                                   at->Handle(std::move(request), std::move(responder));
                                 }));
  return std::unique_ptr<OmsServer>(new OmsServer(std::move(impl)));
}

OmsServer::~OmsServer() {
  StopServing(Duration::zero());
  impl_->http.reset();
}

std::uint16_t OmsServer::port() const { return impl_->http->port(); }

CommandService& OmsServer::commands() { return impl_->commands; }

void OmsServer::StopServing(Duration timeout) {
  impl_->http->StopAccepting();
  impl_->streams.Stop();
  impl_->http->Drain(timeout);
  impl_->write_tasks.Stop();
  impl_->read_tasks.Stop();
  impl_->admin_tasks.Stop();
  impl_->health.Stop();
}

}  // namespace saffron
