// One HTTP request on its way through the OMS, and the tools that its handlers share.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/runtime.h"
#include "net/http_server.h"
#include "net/router.h"
#include "services/oms/auth.h"
#include "services/oms/request_tasks.h"

namespace saffron {

// Belongs to one thread at a time.
struct ApiCall {
  HttpRequest request;
  RouteMatch match;
  Responder responder;
  Role role = Role::kAnyone;
  Instant arrived;
  // Counts the answer; called once.
  std::function<void(int status)> answered;

  std::string_view Param(std::string_view name) const { return match.Param(name); }
  void Send(HttpResponse response);
  std::shared_ptr<HttpStream> StartStream(HttpResponse head);
};
using CallPtr = std::shared_ptr<ApiCall>;

// By the name of the operation in the route table.
using ApiHandler = std::function<void(const CallPtr&)>;
using HandlerMap = std::map<std::string_view, ApiHandler>;

// Query parameters. kInvalid names the parameter and what is allowed.
Result<std::optional<std::uint64_t>> QueryUnsigned(const HttpRequest& request,
                                                   std::string_view name, std::uint64_t max,
                                                   std::uint64_t least = 0);
Result<bool> QueryFlag(const HttpRequest& request, std::string_view name);
// "?wait=N", or the wait of a Prefer header; at most 30 s.
Result<std::optional<Duration>> WaitOf(const HttpRequest& request);
// `branch`, by default "main". kNotFound for any other: there are none yet.
Result<std::string> BranchOf(const HttpRequest& request);
// The only media type of bodies; nothing when it is given.
std::optional<HttpResponse> RefuseContentType(const HttpRequest& request);

// Runs what an io thread must not, again and again until it has an answer. Any thread may call it.
class StepRunner {
 public:
  // Nothing: not yet.
  using Step = std::function<std::optional<HttpResponse>()>;

  StepRunner(Runtime& runtime, RequestTasks& tasks) : runtime_(runtime), tasks_(tasks) {}

  // Without room, or when the service stops: 429 or 503, or what the deadline would answer (of a
  // request that has had its effect).
  enum class IfRefused { kSayBusy, kAnswerLate };

  // The first step is always made; after the deadline `at_deadline` answers.
  void Run(const CallPtr& call, Instant deadline, Step step,
           std::function<HttpResponse()> at_deadline, IfRefused if_refused = IfRefused::kSayBusy);
  // One step, which has an answer.
  void RunOnce(const CallPtr& call, std::function<HttpResponse()> step);

 private:
  struct Running;
  void Advance(const std::shared_ptr<Running>& running);

  Runtime& runtime_;
  RequestTasks& tasks_;
};

}  // namespace saffron
