"""What check.py explores. The switches are those of the models, without -D."""

# The protocol as it is: model, name, switches, whether in the quick part.
SOUND = [
    ("append", "anyone", "NSLOT=5 MAXB=3 NCMD=3", True),
    ("append", "two writers, two resolvers", "NSLOT=4 MAXB=3 NCMD=2 LANES=2 RES=2 MAXROLL=0 NF=0",
     True),
    ("append", "two writers, two resolvers, fence", "NSLOT=4 MAXB=2 NCMD=2 LANES=2 RES=2", True),
    ("append", "checks", "NSLOT=5 MAXB=3 NCMD=3 CHECKS", True),
    ("append", "transaction", "NSLOT=5 MAXB=3 NCMD=3 TX", True),
    ("append", "falls back twice", "NSLOT=6 MAXB=3 NCMD=2 MAXROLL=2", False),
    ("append", "directory store", "NSLOT=5 MAXB=3 NCMD=3 EXCLUSIVE MAXROLL=2 NF=1 FCRASH=0", True),
    ("append", "starts", "NSLOT=5 MAXB=3 NCMD=2 STARTS MAXROLL=0 NF=0", True),
    ("append", "larger", "NSLOT=6 MAXB=4 NCMD=3 MAXSNAP=2", False),
]
_A = "NSLOT=6 MAXB=3 NCMD=3"
_D = "NSLOT=6 MAXB=3 NCMD=3 EXCLUSIVE NF=1 FCRASH=0"
# Broken variants, each in a configuration in which it shows: model, variant, what it is, switches.
BROKEN = [
    ("append", "kNoDedupe", "", _A, True),
    ("append", "kFreshForEver", "", _A, True),
    ("append", "kAckBeforePut", "", _A, False),
    ("append", "kAnswerPendingDuplicate", "A2", _A, True),
    ("append", "kTakeAny412AsCommitted", "", _A, True),
    ("append", "kIgnoreExpectedSeq", "", _A, True),
    ("append", "kIgnorePending", "", _A, True),
    ("append", "kUndoWithoutTombstone", "", _A, True),
    ("append", "kFinalizeBeforePut", "", _A, True),
    ("append", "kIgnoreIncarnation", "A4", _A, True),
    ("append", "kForeignTombstoneIsCommit", "A1", _A, True),
    ("append", "kRefuseBeforeCommit", "A21", _A, True),
    ("append", "kSlotWithoutReservation", "A10", _A, True),
    ("append", "kSplitRequest", "", _A + " TX", True),
    ("append", "kResolverKeepsWhatItTook", "A16", _A, True),
    ("append", "kSettlingLowersNumbers", "A17", _A, True),
    ("append", "kIgnoreLostTail", "A5", _D, True),
    ("append", "kNoListAtStart", "A5", _D, True),
    ("append", "kStartFences", "A7", "NSLOT=4 MAXB=2 NCMD=2 STARTS", False),
    ("append", "kStartListsAfterReading", "A7", "NSLOT=4 MAXB=2 NCMD=2 STARTS", True),
    ("append", "kEveryoneFences", "A7, A18", _A, True),
    ("append", "kFenceLeavesReservations", "A6", _A, True),
    ("append", "kFenceFromNextSlot", "A20", _A, True),
    ("append", "kFenceIgnoresOvertaking", "A19", _A + " MAXROLL=2", True),
    ("append", "kFenceTombstoneIsForeign", "A18", _A, True),
    ("append", "kFenceTooShort", "", "NSLOT=6 MAXB=4 NCMD=3", True),
    ("append", "kNoRoomLimit", "", "NSLOT=6 MAXB=4 NCMD=3 F=1", True),
]

_L = "NCMD=4"
_S = "NCMD=4 SCOPE"
SOUND += [
    ("outcomes", "three commands", "NCMD=3 MAXTOMB=1", True),
    ("outcomes", "three commands, falls back", "NCMD=3 MAXTOMB=1 MAXROLL=1", False),
    ("outcomes", "lifecycle", "NCMD=4 MAXTOMB=1", True),
    ("outcomes", "scope", "NCMD=4 SCOPE MAXTOMB=1", True),
    ("outcomes", "scope, falls back", "NCMD=4 SCOPE MAXTOMB=1 MAXROLL=1 F=1", False),
    ("outcomes", "lifecycle, falls back", "NCMD=4 MAXTOMB=1 MAXROLL=1", False),
]
BROKEN += [
    ("outcomes", "kSecondOutcome", "C1", _L, True),
    ("outcomes", "kIgnoreBasis", "C2", _L, True),
    ("outcomes", "kAnswerPendingOutcome", "A3", _L, True),
    ("outcomes", "kAcceptedLifecycleCounts", "C7", _L, True),
    ("outcomes", "kNoSweep", "C5", _L, True),
    ("outcomes", "kIgnoreScope", "C9, C10", _S, True),
    ("outcomes", "kIgnoreUndecidedStamps", "C11", _S, True),
]
