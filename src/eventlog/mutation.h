// Named one-line breaks of the protocol, for the test that shows that the checkers notice. Compiled
// into the library saffron_eventlog_mutants only; constant false everywhere else.
#pragma once

#ifdef SAFFRON_MUTATIONS
#include <cstdlib>
#endif

namespace saffron {

enum class Mutation {
  kNone,
  kNoDedupe,                // RESERVE does not look the event id up
  kAckBeforePut,            // clients are told before COMMIT
  kAnswerPendingDuplicate,  // a duplicate of an unsettled batch is answered
  kTakeAny412AsCommitted,   // an object in our slot is taken for our batch
  kSecondOutcome,           // a command may get another outcome
  kIgnoreBasis,             // an outcome is admitted on whatever was decided last
  kIgnoreExpectedSeq,       // the stale are accepted
  kIgnorePending,           // a row with another batch's unsettled state is used
  kUndoWithoutTombstone,    // the resolver undoes without writing the tombstone
  kFinalizeBeforePut,       // settled before COMMIT
  kIgnoreIncarnation,       // RESERVE does not compare the incarnation

  kForeignTombstoneIsCommit,  // a resolver undoes only for a tombstone that it wrote itself
  kAnswerPendingOutcome,      // an outcome is told of a rival that is not settled
  kRefuseBeforeCommit,        // a refusal does not wait for the COMMIT of what it is based on
  kSettleOnlyWithNews,        // an idle lane does not settle
  kSlotWithoutReservation,    // a RESERVE that admits nothing takes a slot number
  kNoMarks,                   // what was deferred again and again has no precedence
  kSplitRequest,              // what was admitted of a refused request stays
  kResolverKeepsWhatItTook,   // nobody else may resolve what one resolver has taken
  kSettlingLowersNumbers,     // a late settling writes its old number
  kIgnoreLostTail,            // a slot number may be handed out twice
  kNoListAtStart,             // a start does not look for slots that the registry does not know
  kIgnoreLogId,               // a start does not compare the log id
  kIgnoreRegistryAhead,       // a start does not look for the last settled slot
  kStartFences,               // every start fences
  kEveryoneFences,            // a fence does not ask whether another one was enough
  kFenceLeavesReservations,   // a fence does not undo what was reserved
  kFenceFromNextSlot,         // a fence begins above unsettled slots
  kFenceIgnoresOvertaking,    // a fence finishes for whatever incarnation lives by then
  kFenceTombstoneIsForeign,   // a tombstone that names no batch is taken for another batch
};

#ifdef SAFFRON_MUTATIONS
// The break in force: tests set it, or give its place in the list as SAFFRON_MUTATION. One
// simulation at a time.
inline Mutation& ActiveMutation() {
  static const char* given = std::getenv("SAFFRON_MUTATION");
  static Mutation active = static_cast<Mutation>(given == nullptr ? 0 : std::atoi(given));
  return active;
}
inline bool Mutated(Mutation mutation) { return ActiveMutation() == mutation; }
#else
constexpr bool Mutated(Mutation) { return false; }
#endif

}  // namespace saffron
