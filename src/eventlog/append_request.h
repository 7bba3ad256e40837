// What a writer asks the log to append, and what it is told.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "domain/envelope.h"
#include "domain/names.h"

namespace saffron {

// One command or one outcome.
struct AppendItem {
  // Of a command the log sets sequence_number. Of an outcome the caller does, and the log encodes
  // `data` from `outcome`.
  Envelope envelope;
  // A command on an existing aggregate that must be at this number. On a create: optional.
  std::optional<SequenceNumber> expected_seq;
  bool force = false;  // deleting a class that still has instances

  std::optional<Outcome> outcome;  // set: the item is an outcome
  // The basis is the outcome of n-1 that stands before it in this request; the log fills it in.
  bool basis_in_request = false;
};

// A precondition on an aggregate that the request does not write.
struct SequenceCheck {
  AggregateKey aggregate;
  SequenceNumber expected;
};

// Appended whole in one slot, or not at all.
struct AppendRequest {
  std::vector<AppendItem> items;
  std::vector<SequenceCheck> checks;
  // The commands' ids were made for this request and it was never appended before: they are not
  // looked up. The log takes it back when it has tried.
  bool fresh = false;
};

enum class AppendCode {
  kCommitted,          // items: number and location
  kDuplicate,          // settled before, same request: items as then
  kOutcomeExists,      // items[index]: where the first outcome of the command lies
  kBasisChanged,       // item `index` was decided on another outcome than the recorded one
  kConflict,           // expected_seq of item `index` (or of check index - items) is not current
  kNotFound,           // item `index` addresses what is not there
  kOntologyStale,      // validated with versions that are not current: validate again
  kOntologyPending,    // until the deadline a stamped aggregate had an undecided change: `blocker`
  kClassInUse,         // `count` instances
  kDuplicateMismatch,  // the id was used for another request
  kTimedOut,           // not applied: busy or out of reach until the deadline
  kUnknown,            // maybe applied: the same ids again tell
  kQueueFull,          // not applied: too much is waiting
  kStopping,           // not applied
  kTooLarge,           // not applied: item `index` exceeds the envelope limit
};

struct AppendedItem {
  SequenceNumber number;
  EventLocation location;
};

struct AppendAnswer {
  AppendCode code = AppendCode::kTimedOut;
  std::vector<AppendedItem> items;
  std::size_t index = 0;
  SequenceNumber actual_seq;  // of kConflict
  std::uint64_t count = 0;    // of kClassInUse
  AggregateKey blocker;       // of kOntologyPending and kOntologyStale
  std::string message;        // of kTimedOut and kUnknown: why
};

// What an accepted command makes of its aggregate if it succeeds.
struct AcceptedEffect {
  Lifecycle lifecycle;
  Scope scope;
};
AcceptedEffect EffectOf(const Envelope& command);
// The incarnations of its database and class that an event was stamped with.
Scope ScopeOf(const Envelope& event);
// The hidden row that a class command advances; nothing for every other event.
std::optional<AggregateKey> HeadOf(const Envelope& event);

}  // namespace saffron
