// Reads of the registry and the log: aggregates and their histories, command status, the log in
// order, the versions of a database.
#pragma once

#include "services/oms/command_status.h"
#include "services/oms/read_service.h"

namespace saffron {

class LogReads {
 public:
  LogReads(ReadService& reads, CommandStatuses& statuses) : reads_(reads), statuses_(statuses) {}
  void Register(HandlerMap& handlers);

 private:
  void ServeStatus(const CallPtr& call);
  Result<HttpResponse> GetAggregate(const ApiCall& call);
  Result<HttpResponse> AggregateEvents(const ApiCall& call);
  Result<HttpResponse> Events(const ApiCall& call);
  Result<HttpResponse> History(const ApiCall& call);
  Result<AggregateRow> RowOf(const AggregateKey& key);
  Result<SlotNumber> NextSlot();

  ReadService& reads_;
  CommandStatuses& statuses_;
};

// {"position":"0-1-0","event":{...}}: the envelope byte for byte.
void AppendLoggedEvent(std::string& out, const Slot& slot, const LoggedEvent& event);
bool BelongsTo(const AggregateKey& aggregate, std::string_view db);

}  // namespace saffron
