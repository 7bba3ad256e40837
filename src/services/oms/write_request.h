// What a client asks the OMS to write, without HTTP, and what it is told.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/runtime.h"
#include "domain/envelope.h"
#include "domain/names.h"
#include "domain/ontology.h"

namespace saffron {

struct WriteCommand {
  AggregateType type = AggregateType::kInstance;
  Operation operation = Operation::kCreate;
  std::string class_id;     // of classes and instances
  std::string instance_id;  // of instances; of a create empty (derived), or what it must be
  // The document, patch or definition (a JSON object) or a database's description (a JSON value,
  // may be empty). It has passed CheckClientJson.
  std::string body;
  std::string metadata;  // the client's own JSON object; may be empty
  // Required on update and delete.
  std::optional<SequenceNumber> expected_seq;
  bool force = false;  // deleting a class that still has instances
};

// An instance that a transaction does not write must be at this number.
struct WriteCheck {
  std::string class_id;
  std::string instance_id;
  SequenceNumber expected;
};

enum class WriteKind {
  kSingle,       // one command; its id is the request's
  kBulk,         // each command on its own: ItemCommandId(request, i)
  kTransaction,  // all or nothing; ids as in a bulk
};

struct WriteRequest {
  EventId request_id;
  bool keyed = false;  // the client chose the id: it may have been used before
  WriteKind kind = WriteKind::kSingle;
  std::string db;
  std::string branch = "main";
  std::vector<WriteCommand> commands;  // at least one
  std::vector<WriteCheck> checks;      // of a transaction
  std::string actor;
  std::string traceparent;  // W3C; may be empty
  Instant deadline;
};

enum class WriteCode {
  kAccepted,          // number and position are set
  kUnknownDatabase,   // 404
  kUnknownClass,      // 404
  kNotFound,          // 404: the aggregate is not there
  kConflict,          // 409: actual_seq
  kClassInUse,        // 409: count
  kInvalid,           // 422: violations
  kKeyReused,         // 422: the id was used for another request
  kTooLarge,          // 413
  kBusy,              // 429: not applied, too much is waiting
  kOntologyPending,   // 503: not applied; `blocker`
  kUnavailable,       // 503: not applied
  kUnknown,           // 503: maybe applied: the same id again tells
  kTransactionFailed  // of the other items of a transaction that was refused
};

struct ItemAnswer {
  WriteCode code = WriteCode::kUnavailable;
  EventId command_id;
  AggregateKey aggregate;  // empty id: not derived
  SequenceNumber number;
  Position position;
  bool duplicate = false;  // kAccepted: it was accepted by an earlier request
  std::optional<SequenceNumber> expected_seq;
  SequenceNumber actual_seq;
  std::uint64_t count = 0;
  std::vector<Violation> violations;
  std::string message;
};

struct WriteAnswer {
  // Of a single: that of its item. Of a bulk: kAccepted when any item was, or when they failed for
  // different reasons. Of a transaction: kAccepted, or why it was refused.
  WriteCode code = WriteCode::kUnavailable;
  EventId request_id;
  WriteKind kind = WriteKind::kSingle;
  std::vector<ItemAnswer> items;  // one a command
  // Of a refused transaction: the item, or commands.size() + the check, that is at fault.
  std::size_t index = 0;
  // kOntologyPending: what has the undecided change, and the command, when it may be named.
  AggregateKey blocker;
  std::optional<EventId> blocking_command;
  std::string message;
  // Of an outage: the components that are not healthy, see HealthMonitor::Report.
  std::string failing;
};

using WriteCompletion = std::function<void(WriteAnswer)>;

}  // namespace saffron
