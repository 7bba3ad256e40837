// AppendRegistry: the rows that admit commands and allocate numbers and slots. A cache of the log
// plus reservations; it can be rebuilt from the log.
//
// The rules of the protocol are not in the engines. A transaction is: read these rows under locks,
// call a pure function, write what it says, atomically. So memory, embedded and server registries
// run the same rules (src/eventlog), and an engine is judged by atomicity and isolation alone.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "domain/envelope.h"
#include "domain/names.h"

namespace saffron {

// What a row says if every settled command on it succeeds.
struct AcceptedState {
  SequenceNumber number;
  Lifecycle lifecycle = Lifecycle::kAbsent;
  Scope scope;
  friend bool operator==(const AcceptedState&, const AcceptedState&) = default;
};

// What the last recorded outcome says.
struct DecidedState {
  SequenceNumber number;  // also the deciding handler's last_sequence
  Lifecycle lifecycle = Lifecycle::kAbsent;
  Scope scope;
  SequenceNumber incarnation;
  EventLocation outcome;  // meaningless when number is 0
  friend bool operator==(const DecidedState&, const DecidedState&) = default;
};

// A batch that is not settled yet has this row; `state` is what it becomes if the slot is a batch.
struct PendingState {
  BatchId batch;
  AcceptedState state;
  friend bool operator==(const PendingState&, const PendingState&) = default;
};

// A request that was deferred too often: no younger command is admitted before it.
struct AdmissionMark {
  EventId by;
  std::int64_t since_ms = 0;
  std::int64_t expires_ms = 0;
  friend bool operator==(const AdmissionMark&, const AdmissionMark&) = default;
};

struct AggregateRow {
  AggregateKey key;
  AcceptedState accepted;
  DecidedState decided;
  std::optional<PendingState> pending;
  std::optional<AdmissionMark> mark;
  friend bool operator==(const AggregateRow&, const AggregateRow&) = default;
};

// The event index: one row a command.
struct CommandRow {
  EventId id;
  AggregateKey aggregate;
  SequenceNumber number;
  EventType type;
  Sha256Digest request_sha256{};
  BatchId batch;                          // that reserved it; nil once settled
  std::optional<EventLocation> location;  // set once settled
  BatchId outcome_batch;                  // that claims its outcome; nil once settled or undone
  std::optional<EventLocation> outcome;   // recorded
  bool outcome_rejected = false;
  friend bool operator==(const CommandRow&, const CommandRow&) = default;

  bool settled() const { return location.has_value(); }
};

struct Reservation {
  BatchId batch;
  SlotNumber slot;
  std::string writer;
  std::int64_t reserved_ms = 0;
  std::int64_t expires_ms = 0;
  std::string resolver;                  // who is settling it; empty: nobody
  std::int64_t retry_after_ms = 0;       // until when others leave it to the resolver
  std::vector<AggregateKey> aggregates;  // whose pending state is this batch
  std::vector<EventId> commands;         // reserved by it
  std::vector<EventId> outcomes;         // commands whose outcome it claims
  friend bool operator==(const Reservation&, const Reservation&) = default;
};

struct RegistryControl {
  LogId log;                       // nil: the registry is empty
  std::string fenced_incarnation;  // empty: every RESERVE is refused until a fence has run
  SlotNumber next_slot{1};
  friend bool operator==(const RegistryControl&, const RegistryControl&) = default;
};

// A done row for `processed_events`, written with the settling of an outcome.
struct DoneClaim {
  std::string_view handler;
  EventId event;
  AggregateKey aggregate;
  SequenceNumber number;
};

// Which rows a transaction reads. Aggregates, commands and reservations are locked (in key order);
// `members` are counted after the control row is locked, as every writer of them locks it too.
struct RegistryRead {
  std::vector<AggregateKey> aggregates;
  std::vector<EventId> commands;
  // Ids that were made for this transaction: no command has them, so nobody needs to look.
  std::vector<EventId> fresh_commands;
  std::vector<BatchId> reservations;
  // Instances below a class whose row is present in the scope (see PresentIn).
  struct Members {
    AggregateKey class_key;
    Scope scope;
  };
  std::vector<Members> members;
};

struct MemberCount {
  std::uint64_t present = 0;  // by settled state
  std::uint64_t pending = 0;  // rows with an unsettled batch
};

struct RegistryRows {
  RegistryControl control;
  std::string live_incarnation;                               // of the engine, now
  std::int64_t now_ms = 0;                                    // the engine's clock
  std::uint64_t outstanding = 0;                              // reservations
  std::unordered_map<AggregateKey, AggregateRow> aggregates;  // absent ones have no entry
  std::unordered_map<EventId, CommandRow> commands;
  std::map<BatchId, Reservation> reservations;
  std::vector<MemberCount> members;  // in the order asked
};

struct RegistryWrite {
  std::optional<RegistryControl> control;
  std::vector<AggregateRow> put_aggregates;
  std::vector<CommandRow> put_commands;
  std::vector<EventId> delete_commands;
  std::vector<Reservation> put_reservations;
  std::vector<BatchId> delete_reservations;
  std::vector<DoneClaim> done;

  bool empty() const {
    return !control && put_aggregates.empty() && put_commands.empty() && delete_commands.empty() &&
           put_reservations.empty() && delete_reservations.empty() && done.empty();
  }
};

// True when the row counts as a present instance of the scope: the decided state where nothing is
// undecided, else the accepted one.
inline bool PresentIn(const AggregateRow& row, const Scope& scope) {
  if (row.accepted.number == row.decided.number) {
    return row.decided.lifecycle == Lifecycle::kPresent && row.decided.scope == scope;
  }
  return row.accepted.lifecycle == Lifecycle::kPresent && row.accepted.scope == scope;
}

// Held by one process at a time; dropped with the object, or with the engine's session.
class FenceLock {
 public:
  virtual ~FenceLock() = default;
};

// Thread-safe. Errors: kUnavailable (nothing written), kUnknownOutcome (Transact only: written or
// not, but never later), kCorrupt.
class AppendRegistry {
 public:
  virtual ~AppendRegistry() = default;

  using Decide = std::function<RegistryWrite(const RegistryRows&)>;
  // Serializable against every other Transact, of both ports. `decide` must be pure but for
  // overwriting its captures: an engine may call it again after a serialization failure.
  virtual Status Transact(const RegistryRead& read, const Decide& decide) = 0;
  // A consistent snapshot without locks.
  virtual Result<RegistryRows> Read(const RegistryRead& read) = 0;
  // All outstanding ones, by slot (at most F).
  virtual Result<std::vector<Reservation>> Reservations() = 0;
  // Settled commands of an aggregate with from <= number <= to, in order, at most `limit`.
  virtual Result<std::vector<CommandRow>> CommandsOf(const AggregateKey& aggregate,
                                                     SequenceNumber from, SequenceNumber to,
                                                     std::size_t limit) = 0;
  // Rows of a type whose id starts with the prefix and is above `after`, in order of id.
  virtual Result<std::vector<AggregateRow>> List(AggregateType type, std::string_view id_prefix,
                                                 std::string_view after, std::size_t limit) = 0;
  // The work list: settled commands without a recorded outcome, above `after`, by position.
  virtual Result<std::vector<CommandRow>> Undecided(const Position& after, std::size_t limit) = 0;
  // kUnavailable while another process holds it.
  virtual Result<std::unique_ptr<FenceLock>> LockFence() = 0;
  // Forgets every row of the append side and the done claims (rebuild). The control row stays with
  // an empty fenced_incarnation.
  virtual Status Clear() = 0;
};

}  // namespace saffron
