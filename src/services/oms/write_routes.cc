#include "services/oms/write_routes.h"

#include <algorithm>

#include "services/oms/http_answers.h"

namespace saffron {

void WriteRoutes::Register(HandlerMap& handlers) {
  for (const WriteOperation& operation : WriteOperations()) {
    handlers[operation.name] = [this, &operation](const CallPtr& call) { Serve(call, operation); };
  }
}

void WriteRoutes::Serve(const CallPtr& call, const WriteOperation& operation) {
  ParsedWrite parsed = (WriteParser(*call, EventId(runtime_.NewUuid())).*operation.parse)();
  if (auto* refusal = std::get_if<HttpResponse>(&parsed)) return call->Send(std::move(*refusal));
  Result<std::optional<Duration>> wait = WaitOf(call->request);
  if (!wait.ok()) return call->Send(AnswerOf(wait.error()));
  WriteRequest request = std::move(std::get<WriteRequest>(parsed));
  request.deadline = call->arrived + request_timeout_;
  WriteShape shape = WriteShape::Of(request);
  commands_.Write(
      std::move(request), [this, call, shape = std::move(shape), wait = *wait](WriteAnswer answer) {
        if (answer.code == WriteCode::kUnavailable || answer.code == WriteCode::kUnknown) {
          answer.failing = health_.Now().failing;
        }
        if (answer.code != WriteCode::kAccepted || !wait) {
          return call->Send(AnswerOfWrite(shape, answer, {}));
        }
        AnswerWhenFinal(call, *wait, shape, std::move(answer));
      });
}

void WriteRoutes::AnswerWhenFinal(const CallPtr& call, Duration wait, WriteShape shape,
                                  WriteAnswer answer) {
  auto accepted = std::make_shared<const WriteAnswer>(std::move(answer));
  auto of = std::make_shared<const WriteShape>(std::move(shape));
  std::vector<EventId> ids;
  for (const ItemAnswer& item : accepted->items) {
    if (item.code == WriteCode::kAccepted) ids.push_back(item.command_id);
  }
  if (ids.empty()) return call->Send(AnswerOfWrite(*of, *accepted, {}));
  steps_.Run(
      call, call->arrived + wait,
      [this, accepted, of, ids = std::move(ids)]() -> std::optional<HttpResponse> {
        Result<std::vector<CommandStatus>> statuses = statuses_.Of(ids);
        if (!statuses.ok()) return std::nullopt;
        bool final = std::all_of(statuses->begin(), statuses->end(),
                                 [](const CommandStatus& status) { return status.final(); });
        if (!final) return std::nullopt;
        return AnswerOfWrite(*of, *accepted, *statuses);
      },
      [accepted, of] { return AnswerOfWrite(*of, *accepted, {}); },
      StepRunner::IfRefused::kAnswerLate);
}

}  // namespace saffron
