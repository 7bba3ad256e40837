// The routes that write: parse, hand to the CommandService, answer; with `wait`, when the command
// is final. Any thread.
#pragma once

#include <memory>

#include "services/oms/command_service.h"
#include "services/oms/command_status.h"
#include "services/oms/health.h"
#include "services/oms/write_answers.h"
#include "services/oms/write_parser.h"

namespace saffron {

class WriteRoutes {
 public:
  // `request_timeout`: SAFFRON_REQUEST_TIMEOUT_SECONDS.
  WriteRoutes(Runtime& runtime, CommandService& commands, CommandStatuses& statuses,
              StepRunner& steps, const HealthMonitor& health, Duration request_timeout)
      : runtime_(runtime),
        commands_(commands),
        statuses_(statuses),
        steps_(steps),
        health_(health),
        request_timeout_(request_timeout) {}

  void Register(HandlerMap& handlers);

 private:
  void Serve(const CallPtr& call, const WriteOperation& operation);
  void AnswerWhenFinal(const CallPtr& call, Duration wait, WriteShape shape, WriteAnswer answer);

  Runtime& runtime_;
  CommandService& commands_;
  CommandStatuses& statuses_;
  StepRunner& steps_;
  const HealthMonitor& health_;
  const Duration request_timeout_;
};

}  // namespace saffron
