#include "services/oms/operations_routes.h"

#include "domain/instance.h"
#include "services/oms/body_reader.h"
#include "services/oms/http_answers.h"
#include "services/oms/json_object.h"
#include "services/oms/openapi.h"

namespace saffron {
namespace {

// kInvalid: an operator's body with something wrong in it; the first problem.
Status FirstOf(const std::vector<Violation>& violations) {
  if (violations.empty()) return Ok();
  return Invalid(violations.front().pointer + ": " + violations.front().message);
}

Result<AggregateKey> AggregateOf(std::string_view type, std::string_view id) {
  AggregateKey key;
  std::optional<AggregateType> parsed = ParseAggregateType(type);
  if (!parsed || *parsed == AggregateType::kOntologyHead) {
    return Invalid("aggregate_type must be Database, OntologyClass or Instance");
  }
  key.type = *parsed;
  key.id = id;
  Result<AggregateParts> parts = SplitAggregateId(key);
  if (!parts.ok()) return parts.error();
  return key;
}

std::string RootDocument(std::string_view version) {
  std::string body;
  JsonObject(body)
      .Text("name", "saffron")
      .Text("version", version)
      .Raw("links",
           R"({"openapi":"/openapi.json","health":"/health","metrics":"/metrics","api":"/api/v1"})")
      .Close();
  return body;
}

}  // namespace

OperationsRoutes::OperationsRoutes(Metrics& metrics, HealthMonitor& health, AdminOperations* admin,
                                   StepRunner& admin_steps, std::string version,
                                   std::function<void()> before_metrics)
    : metrics_(metrics),
      health_(health),
      admin_(admin),
      admin_steps_(admin_steps),
      version_(std::move(version)),
      openapi_(OpenApiDocument(version_)),
      before_metrics_(std::move(before_metrics)) {}

void OperationsRoutes::Register(HandlerMap& handlers) {
  handlers["healthLive"] = [](const CallPtr& call) {
    call->Send(JsonAnswer(200, R"({"status":"healthy"})"));
  };
  for (std::string_view operation : {"health", "healthReady"}) {
    handlers[operation] = [this](const CallPtr& call) {
      HealthMonitor::Report report = health_.Now();
      call->Send(JsonAnswer(report.healthy ? 200 : 503, std::move(report.json)));
    };
  }
  handlers["metrics"] = [this](const CallPtr& call) {
    before_metrics_();
    HttpResponse response;
    response.content_type = "text/plain; version=0.0.4";
    response.body = metrics_.Expose();
    call->Send(std::move(response));
  };
  handlers["openapi"] = [this](const CallPtr& call) { call->Send(JsonAnswer(200, openapi_)); };
  handlers["root"] = [this](const CallPtr& call) {
    call->Send(JsonAnswer(200, RootDocument(version_)));
  };
  AddAdmin(handlers, "adminStatus", [this](const ApiCall&) { return admin_->Status(); });
  AddAdmin(handlers, "adminDlq", [this](const ApiCall& call) { return ListDlq(call); });
  AddAdmin(handlers, "adminDlqAct", [this](const ApiCall& call) { return ActOnDlq(call); });
  AddAdmin(handlers, "adminVerify",
           [this](const ApiCall& call) { return admin_->Verify(call.request.body); });
  handlers["adminVerifyProgress"] = [this](const CallPtr& call) {
    call->Send(
        JsonAnswer(200, admin_ == nullptr ? "{\"running\":false}" : admin_->VerifyProgressNow()));
  };
  AddAdmin(handlers, "adminRebuild", [this](const ApiCall& call) { return Rebuild(call); });
}

void OperationsRoutes::AddAdmin(HandlerMap& handlers, std::string_view operation,
                                AdminCall admin_call) {
  handlers[operation] = [this, admin_call = std::move(admin_call)](const CallPtr& call) {
    if (admin_ == nullptr) {
      return call->Send(WithRetryAfter(ApiError(503, "this server has no operations"), 60));
    }
    if (call->match.outcome == RouteMatch::Outcome::kFound && call->request.method == "POST") {
      if (auto refusal = RefuseContentType(call->request)) return call->Send(std::move(*refusal));
      Status checked = CheckClientJson(call->request.body);
      if (!checked.ok()) return call->Send(AnswerOf(checked.error()));
    }
    admin_steps_.RunOnce(call, [call, admin_call] {
      Result<std::string> answer = admin_call(*call);
      return answer.ok() ? JsonAnswer(200, std::move(*answer)) : AnswerOf(answer.error());
    });
  };
}

Result<std::string> OperationsRoutes::ListDlq(const ApiCall& call) {
  AdminOperations::DlqFilter filter;
  filter.handler = call.request.Query("handler").value_or("");
  SAFFRON_ASSIGN(auto limit, QueryUnsigned(call.request, "limit", 1000));
  filter.limit = limit.value_or(filter.limit);
  if (auto type = call.request.Query("aggregate_type")) {
    SAFFRON_ASSIGN(filter.aggregate,
                   AggregateOf(*type, call.request.Query("aggregate_id").value_or("")));
  }
  return admin_->ListDlq(filter);
}

Result<std::string> OperationsRoutes::ActOnDlq(const ApiCall& call) {
  BodyReader body(call.request.body);
  const std::string action = body.RequiredText("action");
  const std::string type = body.RequiredText("aggregate_type");
  const std::string id = body.RequiredText("aggregate_id");
  std::string handler = body.OptionalText("handler").value_or("");
  const std::string reason = body.OptionalText("reason").value_or("discarded by an operator");
  SAFFRON_TRY(FirstOf(body.Finish()));
  SAFFRON_ASSIGN(AggregateKey key, AggregateOf(type, id));
  if (handler.empty()) handler = HandlerOf(key.type);
  if (action == "replay") return admin_->ReplayDlq(handler, key);
  if (action == "discard") return admin_->DiscardDlq(handler, key, reason);
  return Invalid("/action: replay or discard");
}

Result<std::string> OperationsRoutes::Rebuild(const ApiCall& call) {
  BodyReader body(call.request.body);
  const std::string target = body.RequiredText("target");
  SAFFRON_TRY(FirstOf(body.Finish()));
  return admin_->Rebuild(target);
}

}  // namespace saffron
