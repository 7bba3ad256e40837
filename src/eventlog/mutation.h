// Named one-line breaks of the protocol, for the test that shows that the checkers notice. Compiled
// into the library saffron_eventlog_mutants only; constant false everywhere else.
#pragma once

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
};

#ifdef SAFFRON_MUTATIONS
// The break in force; tests set it. One simulation at a time.
inline Mutation& ActiveMutation() {
  static Mutation active = Mutation::kNone;
  return active;
}
inline bool Mutated(Mutation mutation) { return ActiveMutation() == mutation; }
#else
constexpr bool Mutated(Mutation) { return false; }
#endif

}  // namespace saffron
