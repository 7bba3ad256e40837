// Named one-line breaks of the protocol, for the tests that show that the checkers notice. Compiled
// into the libraries of name *_mutants and `saffron_steps` only; constant false everywhere else.
// docs/mutations.md says what notices each.
#pragma once

#ifdef SAFFRON_MUTATIONS
#include <bitset>
#include <cstdlib>
#include <initializer_list>
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
  kFreshForEver,              // a second try of a request does not look its ids up
  kNoListAtStart,             // a start does not look for slots that the registry does not know
  kIgnoreLogId,               // a start does not compare the log id
  kIgnoreRegistryAhead,       // a start does not look for the last settled slot
  kStartFences,               // every start fences
  kStartListsAfterReading,    // a start takes what others wrote meanwhile for lost
  kStartFencesUnasked,        // a start that waited for another's fence adds its own
  kEveryoneFences,            // a fence does not ask whether another one was enough
  kFenceLeavesReservations,   // a fence does not undo what was reserved
  kFenceFromNextSlot,         // a fence begins above unsettled slots
  kFenceIgnoresOvertaking,    // a fence finishes for whatever incarnation lives by then
  kFenceTombstoneIsForeign,   // a tombstone that names no batch is taken for another batch

  kAcceptedLifecycleCounts,  // RESERVE looks at what was accepted, whatever was decided
  kIgnoreScope,              // a row of a dead incarnation counts as present
  kIgnoreUndecidedStamps,    // a command may be validated against what is about to change
  kIgnoreOntologyHead,       // two class commands of a branch may be under way
  kIgnoreMembers,            // a class may be deleted under its instances
  kItemsOfOtherIds,          // items of a keyless request do not derive from its own id
  kHashOfTheRequest,         // the request hash covers what the command came in

  kOffsetsBeforeOutcomes,  // offsets are committed when commands are received
  kNoGapFetch,             // a command whose predecessor the bus has lost waits
  kNoSweep,                // the work list is not looked at
  kSweepFromTheStart,      // each sweep begins again and counts parked commands
  kFreeWhilePending,       // a replay frees what has a command in flight
  kTakeAtOnce,             // a claim of a live owner is taken
  kTakeByLeaseAlone,       // neither a generation nor the owner's name takes a claim over
  kChargeEverySuspect,     // what a dead process had claimed is tried and charged all at once
  kPassOverGaps,           // a command is decided before its predecessor
  kNoEventLimit,           // an outcome may have any size
  kParkedBlocksReads,      // a read waits for a parked command

  kRejectedNotWritten,       // sinks leave rejections out
  kDeletedNotWritten,        // the search index gets no tombstones
  kVersionsByArrival,        // the version of a document is when it came
  kGraphIgnoresEpochs,       // the graph takes commits of any epoch
  kGraphPositionByRegistry,  // the graph writer goes on from where the registry is
  kNoBisection,              // with one bad document a whole commit is dead-lettered

  kCheckpointBeforeAck,         // the checkpoint is ahead of what the bus acknowledged
  kEndsNotCompared,             // the publisher does not notice a lost tail
  kFilledGapsNotSeen,           // nor one that something else has taken the place of
  kTopicIdsNotCompared,         // nor a topic that was made again
  kRepublishNotSaved,           // a republish is not in the checkpoint
  kRefusedSwapStandsBy,         // a refused swap is not read back
  kProjectionIgnoresRepublish,  // the projection goes on through a republish
  kGroupOffsetsAlone,           // it begins where the group is, wherever the index is
  kSuccessForgetsFailures,  // what one partition could commit makes up for what another could not
  kCommitOffsetsOnce,       // an offset whose commit failed is not committed again

  kTombstoneBeforeExpiry,      // the resolver does not wait for the end of a reservation
  kRollBackCommitted,          // the resolver undoes what it finds committed
  kFenceTooShort,              // a fence ends at its first tombstone
  kRecoverySkipsLastSlot,      // a fence does not apply the last batch that it found
  kStartForgetsTheHighest,     // a start does not keep how far the registry was
  kDoneBeforeSettling,         // RESERVE marks the claim of an outcome done
  kPublishBeforePut,           // readers of the process are given a slot before its COMMIT
  kLeaseTakenEarly,            // a lease is taken from a live owner
  kPublisherTakesAtOnce,       // the checkpoint is taken from a live publisher
  kSinksIgnoreVersions,        // a sink takes whatever comes (the sinks of the simulation)
  kParkForgetsOrder,           // commands of a parked aggregate are decided
  kDiscardNotLogged,           // a discarded command gets no outcome
  kRebuildLeavesGeneration,    // a rebuilt index does not say that it is one, nor how far it is
  kRebuildEndsAtSwitch,        // a rebuild does not write what the old index was given meanwhile
  kResolverTrustsTheRegistry,  // while nobody writes, nobody looks whether the registry is lost
  kTheDeadVouch,  // what a member committed before it died counts, whatever the index has lost
  kGapBehindWhatWaits,        // what is behind a command that waits is looked for again and again
  kCommitsBeforeCaughtUp,     // ends of partitions are committed before they are caught up with
  kTellsUnreadable,           // what was caught up with is told as done before it is readable
  kResolverTakesAgain,        // who cannot resolve what it has taken takes it again and again
  kFailingWorkerHoldsOn,      // a worker that cannot append keeps its claims and partitions
  kFailingWriterHoldsOn,      // a graph writer that cannot read the log keeps its lease
  kFailingProjectionHoldsOn,  // a projection that cannot write its index keeps its partitions
  kFailingPublisherHoldsOn,   // a publisher that cannot write its rows keeps the checkpoint
  kPassesMissingEntries,      // the checkpoint passes slots whose entry by date is missing
};

#ifdef SAFFRON_MUTATIONS
// The breaks in force: tests set them, or give their places in the list as SAFFRON_MUTATION ("3" or
// "3,17"). One simulation at a time.
class ActiveMutations {
 public:
  static ActiveMutations& Get() {
    static ActiveMutations active;
    return active;
  }
  void Set(std::initializer_list<Mutation> mutations) {
    set_.reset();
    for (Mutation mutation : mutations) set_.set(static_cast<std::size_t>(mutation));
  }
  bool Has(Mutation mutation) const { return set_[static_cast<std::size_t>(mutation)]; }

 private:
  ActiveMutations() {
    const char* given = std::getenv("SAFFRON_MUTATION");
    while (given != nullptr && *given != '\0') {
      char* rest = nullptr;
      set_.set(std::strtoul(given, &rest, 10));
      given = *rest == ',' ? rest + 1 : nullptr;
    }
  }
  std::bitset<256> set_;
};
inline bool Mutated(Mutation mutation) { return ActiveMutations::Get().Has(mutation); }
#else
constexpr bool Mutated(Mutation) { return false; }
#endif

}  // namespace saffron
