#include "services/oms/read_service.h"

#include "services/oms/http_answers.h"
#include "services/oms/json_object.h"
#include "services/oms/write_draft.h"

namespace saffron {
namespace {

Result<ReadGate::Conditions> ConditionsOf(const ApiCall& call, const ReadService::Route& route) {
  ReadGate::Conditions conditions;
  conditions.store = route.store;
  if (!call.request.Query("min_seq") && !call.request.Query("min_position")) return conditions;
  conditions.db = call.Param("db");
  if (route.aggregate) {
    conditions.aggregate = route.aggregate(call);
    if (conditions.db.empty()) {
      SAFFRON_ASSIGN(AggregateParts parts, SplitAggregateId(*conditions.aggregate));
      conditions.db = parts.db;
    }
  }
  SAFFRON_ASSIGN(auto min_seq, QueryUnsigned(call.request, "min_seq", kMaxSequence));
  if (min_seq && !conditions.aggregate) return Invalid("min_seq needs an aggregate in the path");
  if (min_seq) {
    // Without one the id could be read as that of another aggregate.
    if (!SplitAggregateId(*conditions.aggregate).ok()) return Invalid("min_seq needs the class");
    conditions.min_seq = SequenceNumber(*min_seq);
  }
  SAFFRON_ASSIGN(conditions.min_position, QueryPosition(call.request, "min_position"));
  if (conditions.min_position && conditions.db.empty()) {
    return Invalid("min_position needs a database in the path");
  }
  return conditions;
}

void AddWarnings(HttpResponse& response, const ReadService::Warnings& warnings) {
  if (warnings.empty() || response.status != 200 || !response.body.ends_with('}')) return;
  response.body.pop_back();
  response.body.append(R"(,"warnings":)");
  AppendArray(response.body, warnings, [](std::string& out, const std::string& warning) {
    json::AppendString(out, warning);
  });
  response.body.push_back('}');
}

}  // namespace

void ReadService::Register(HandlerMap& handlers, Route route) {
  auto shared = std::make_shared<const Route>(std::move(route));
  handlers[shared->operation] = [this, shared](const CallPtr& call) { Serve(call, shared); };
}

void ReadService::Serve(const CallPtr& call, const std::shared_ptr<const Route>& route) {
  Status named = CheckPathNames(*call);
  if (!named.ok()) return call->Send(AnswerOf(named.error()));
  Result<std::optional<Duration>> wait = WaitOf(call->request);
  if (!wait.ok()) return call->Send(AnswerOf(wait.error()));
  Result<ReadGate::Conditions> conditions = ConditionsOf(*call, *route);
  if (!conditions.ok()) return call->Send(AnswerOf(conditions.error()));
  auto gate = std::make_shared<ReadGate>(context_, claims_, progress_, std::move(*conditions));
  if (AnswerAtOnce(*call, *route, *gate)) return;
  steps_.Run(
      call, call->arrived + wait->value_or(options_.request_timeout),
      [this, call, route, gate]() -> std::optional<HttpResponse> {
        Result<bool> passed = gate->Pass();
        if (!passed.ok()) return Failed(*route, passed.error());
        if (!*passed) return std::nullopt;
        Result<HttpResponse> answer = route->handler(*call, gate->warnings());
        if (!answer.ok()) return Failed(*route, answer.error());
        if (!route->own_warnings) AddWarnings(*answer, gate->warnings());
        return std::move(*answer);
      },
      [] {
        return WithRetryAfter(
            ApiError(503, "the read model has not reached what min_seq or min_position asks for"),
            1);
      });
}

bool ReadService::AnswerAtOnce(ApiCall& call, const Route& route, ReadGate& gate) {
  if (options_.point_reads != PointReads::kOnIoThreads || !route.at_once) return false;
  if (gate.needs_position()) return false;  // asks the registry
  Result<bool> passed = gate.Pass();
  if (passed.ok() && !*passed) return false;
  Result<std::optional<HttpResponse>> answer =
      passed.ok() ? route.at_once(call) : Result<std::optional<HttpResponse>>(passed.error());
  if (answer.ok() && !*answer) return false;
  call.Send(answer.ok() ? std::move(**answer) : Failed(route, answer.error()));
  return true;
}

// Damage and defects are not the client's to find.
HttpResponse ReadService::Failed(const Route& route, const Error& error) {
  if (error.code() == Code::kCorrupt || error.code() == Code::kInternal) {
    context_.log.Error("read_failed",
                       {{"operation", route.operation}, {"error", error.ToString()}});
  }
  return AnswerOf(error);
}

Result<LiveScopePtr> ReadService::LiveScopeOf(std::string_view db, std::string_view branch) {
  return scopes_.Of(db, branch);
}

Result<LiveScopePtr> ReadService::LiveScopeWith(std::string_view db, std::string_view branch,
                                                std::string_view class_id) {
  SAFFRON_ASSIGN(LiveScopePtr scope, LiveScopeOf(db, branch));
  if (scope->classes.contains(class_id)) return scope;
  return NotFound("there is no class \"" + std::string(class_id) + "\"");
}

bool AliveIn(const LiveScope& scope, std::string_view class_id, Lifecycle lifecycle,
             const Scope& lives_in) {
  auto found = scope.classes.find(class_id);
  return lifecycle == Lifecycle::kPresent && found != scope.classes.end() &&
         lives_in == Scope{scope.database, found->second};
}

Status CheckPathNames(const ApiCall& call) {
  for (const auto& [name, value] : call.match.params) {
    if (name == "db") SAFFRON_TRY(CheckDatabaseName(value));
    if (name == "class") SAFFRON_TRY(CheckClassName(value));
    if (name == "instance") SAFFRON_TRY(CheckInstanceId(value));
  }
  return Ok();
}

Result<std::optional<Position>> QueryPosition(const HttpRequest& request, std::string_view name) {
  std::optional<std::string_view> text = request.Query(name);
  if (!text) return std::optional<Position>();
  SAFFRON_ASSIGN(Position position, ReadPosition(*text, name));
  return std::optional<Position>(position);
}

Result<Position> ReadPosition(std::string_view text, std::string_view name) {
  std::optional<Position> position = Position::Parse(text);
  if (!position) return Invalid(std::string(name) + " is not a position");
  if (position->shard == 0) return *position;
  return Invalid(std::string(name) + " is a position of shard " + std::to_string(position->shard) +
                 "; there is no other than shard 0");
}

Result<std::uint64_t> LimitOf(const HttpRequest& request, std::uint64_t otherwise,
                              std::uint64_t max) {
  SAFFRON_ASSIGN(auto limit, QueryUnsigned(request, "limit", max, 1));
  return limit.value_or(otherwise);
}

}  // namespace saffron
