// One write on its way through the CommandService.
#pragma once

#include <atomic>
#include <vector>

#include "services/oms/command_plan.h"
#include "services/oms/command_service.h"

namespace saffron {

// Belongs to one thread at a time, but while items are at the AppendLog: then each item's state and
// answer belong to its completion, and the last one goes on.
struct CommandService::Pending {
  enum class State : std::uint8_t {
    kOpen,      // to be planned
    kReady,     // planned
    kAnswered,  // for good
  };
  struct Item {
    State state = State::kOpen;
    bool stale = false;
    AppendItem planned;    // kReady
    AggregateKey blocker;  // undecided when the log gave up waiting; empty id: none
  };

  Pending(WriteRequest asked, WriteCompletion completion);

  bool settled() const;
  void Accept(std::size_t index, SequenceNumber number, const Position& position);
  void Refuse(std::size_t index, WriteCode code, std::string message);
  void RefuseByPlan(std::size_t index, PlanRefusal refusal);
  // The answer of the log to one item of its own.
  void Take(std::size_t index, AppendAnswer answer);
  // A transaction is refused whole: item `index`, or a check, is at fault and has been given its
  // code.
  void FailTransaction(std::size_t index, WriteCode code);
  // Calls the completion.
  void Finish();

  WriteRequest request;
  WriteCompletion done;
  WriteAnswer answer;
  std::vector<Item> items;
  std::atomic<std::size_t> outstanding{0};
  std::shared_ptr<const Ontology> planned_with;
  std::shared_ptr<const Ontology> stale;  // admission refused its stamps
  AggregateKey blocker;                   // empty id: none
  bool looked_up = false;
  bool unsettled = false;  // an earlier request with the id is not settled
  bool submitted = false;
  int waits = 0;
};

// What the log says about a command, in the words of a client.
WriteCode WriteCodeOf(const AppendAnswer& answer, bool keyed);

}  // namespace saffron
