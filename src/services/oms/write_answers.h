// From WriteAnswers to HTTP, in the shapes of the contract. Pure.
#pragma once

#include <string>
#include <vector>

#include "net/http.h"
#include "services/oms/command_status.h"
#include "services/oms/write_request.h"

namespace saffron {

// What the shape of an answer depends on.
struct WriteShape {
  AggregateType type = AggregateType::kInstance;
  Operation operation = Operation::kCreate;
  WriteKind kind = WriteKind::kSingle;
  std::string db, branch, class_id;

  static WriteShape Of(const WriteRequest& request);
};

// `finals`: empty, or the final status of each accepted item, in order: then 200 instead of 202.
HttpResponse AnswerOfWrite(const WriteShape& shape, const WriteAnswer& answer,
                           const std::vector<CommandStatus>& finals);

// CommandResult of one command, as the status route answers it.
std::string CommandResultJson(const CommandStatus& status);

}  // namespace saffron
