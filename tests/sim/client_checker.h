// Judges what clients were told, in real time, against the order of the log: linearizability of
// writes, transactions whole and on their checks, reads never older than they asked for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/oms/write_request.h"
#include "tests/sim/pipeline_checker.h"
#include "tests/sim/pipeline_world.h"

namespace saffron {

// One item of one try of a request.
struct ObservedCall {
  EventId id;
  AggregateKey aggregate;
  Operation operation = Operation::kCreate;
  std::optional<SequenceNumber> expected;
  Duration called{0};
  Duration returned = Duration::max();  // no answer came
  WriteCode code = WriteCode::kUnknown;
  SequenceNumber actual;
};

struct ObservedTransaction {
  std::vector<EventId> ids;
  std::vector<std::pair<AggregateKey, SequenceNumber>> checks;
};

struct ObservedRead {
  ReadAsk ask;
  ReadSeen seen;
};

struct ClientRecord {
  std::vector<ObservedCall> calls;
  std::vector<ObservedTransaction> transactions;
  std::vector<ObservedRead> reads;
};

Violations CheckClients(const std::vector<JudgedEvent>& events, const ClientRecord& record);

}  // namespace saffron
