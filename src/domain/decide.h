// Deciding a command: a pure function of the aggregate's outcome n-1 and the ontology outcomes that
// the command is stamped with.
#pragma once

#include <optional>
#include <vector>

#include "domain/envelope.h"
#include "domain/ontology.h"

namespace saffron {

// The outcome of n-1, or nothing when n is the first.
struct PriorOutcome {
  Outcome outcome;
  Position position;
};

// `effective` is the class of the command as stamped (instances: create and update only);
// null when the stamped outcomes do not yield one: the command is rejected as "class_missing".
// The result is the whole outcome with basis = prior position, and its event type. Never fails:
// what cannot be applied is a rejection with a reason (already_exists, not_found, invalid,
// stale_scope).
struct Decision {
  EventType type;
  Outcome outcome;
};
Decision Decide(const Envelope& command, const std::optional<PriorOutcome>& prior,
                const EffectiveClass* effective);

// The envelope of the decision: ids, metadata and number taken from the command. An envelope above
// `max_bytes` less a reserve becomes a rejection `too_large`. The reserve (an eighth, at most
// 16 KiB) is what a later rejection, which repeats the document, needs beside it.
Envelope OutcomeEnvelope(const Envelope& command, const Decision& decision,
                         const std::optional<PriorOutcome>& prior, std::string occurred_at,
                         std::string service, std::size_t max_bytes);

}  // namespace saffron
