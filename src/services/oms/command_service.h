// CommandService: takes writes, checks them against the decided ontology and appends them. Knows no
// HTTP.
//
// A create without a key on a warm cache goes from the caller's thread to AppendLog::Submit without
// I/O. Whatever else a request needs (looking a key up, refreshing the ontology, waiting for an
// undecided change) is done by a few request tasks.
//
// Owned by the OMS; outlives the AppendLog's completions (stop that first). Write may be called by
// any thread. After a crash nobody knows what became of a request that was not answered: the same
// id again tells.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "eventlog/append_log.h"
#include "services/oms/command_plan.h"
#include "services/oms/ontology_catalog.h"
#include "services/oms/request_tasks.h"
#include "services/oms/write_request.h"

namespace saffron {

class CommandService {
 public:
  CommandService(LogContext& context, AppendLog& log, OntologyCatalog& catalog,
                 RequestTasks& tasks);
  CommandService(const CommandService&) = delete;
  CommandService& operator=(const CommandService&) = delete;

  // `done` is called exactly once, on any thread, perhaps before Write returns; it must not wait.
  void Write(WriteRequest request, WriteCompletion done);
  // Write and wait.
  WriteAnswer WriteAndWait(WriteRequest request);

 private:
  struct Pending;
  using PendingPtr = std::shared_ptr<Pending>;
  // How planning against a view ended.
  enum class Planned {
    kReady,    // what is still open can be submitted
    kSettled,  // nothing is open
    kUnsure,   // refused, and a newer view may take that back
  };

  // The next step of a request, on a request task: may read registry and log.
  void Advance(const PendingPtr& pending);
  // Answers what was accepted before. False: some id is not settled.
  Result<bool> LookUp(Pending& pending);
  Planned Plan(Pending& pending, const OntologyView& view, bool current);
  void Submit(const PendingPtr& pending);
  void SubmitTransaction(const PendingPtr& pending, bool fresh);
  void OnTransaction(const PendingPtr& pending, AppendAnswer answer);
  // Everything submitted was answered.
  void OnRound(const PendingPtr& pending);
  void Later(const PendingPtr& pending, Duration delay);
  void RetryLater(const PendingPtr& pending);
  void Expire(const PendingPtr& pending);
  void NameBlocker(Pending& pending);
  static void GiveUp(Pending& pending, WriteCode code, const std::string& message);

  LogContext& context_;
  AppendLog& log_;
  OntologyCatalog& catalog_;
  RequestTasks& tasks_;
};

}  // namespace saffron
