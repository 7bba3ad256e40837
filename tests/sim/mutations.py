"""The mutations of src/eventlog/mutation.h, and what is said of each of them.

Shared by history_mutants_test.py, mutations_test.py and `./dev sim`, which also runs it:
mutations.py NAME[+NAME...] prints the numbers for SAFFRON_MUTATION.
"""
import pathlib
import re
import sys

# What the random simulation notices: the world it is looked for in, and within how many seeds.
# Names with "+" are broken together: each backs the other up.
SIMULATED = {
    "NoDedupe": ("append", 500),
    "AckBeforePut": ("append", 500),
    "AnswerPendingDuplicate": ("append", 500),
    "TakeAny412AsCommitted": ("append", 1000),
    "SecondOutcome": ("append", 50),
    "IgnoreBasis": ("append", 100),
    "IgnoreExpectedSeq": ("append", 50),
    "IgnorePending": ("append", 500),
    "UndoWithoutTombstone": ("append", 50),
    "FinalizeBeforePut": ("append", 500),
    "IgnoreIncarnation": ("append", 50),
    "SlotWithoutReservation": ("append", 50),
    "SplitRequest": ("append", 50),
    "SettlingLowersNumbers": ("append", 200),
    "RollBackCommitted": ("append", 200),
    "RecoverySkipsLastSlot": ("append", 100),
    "DoneBeforeSettling": ("pipeline", 300),
    "PublishBeforePut": ("pipeline", 300),
    "RejectedNotWritten": ("pipeline", 1000),
    "DeletedNotWritten": ("pipeline", 100),
    "VersionsByArrival": ("pipeline", 50),
    "CheckpointBeforeAck": ("pipeline", 100),
    "EndsNotCompared": ("pipeline", 1000),
    "FilledGapsNotSeen": ("pipeline", 5000),
    "RepublishNotSaved": ("pipeline", 1000),
    "ProjectionIgnoresRepublish": ("pipeline", 300),
    "GraphPositionByRegistry": ("pipeline", 50),
    "NoSweep": ("pipeline", 4000),
    "OffsetsBeforeOutcomes+NoSweep": ("pipeline", 2000),
    "ResolverTakesAgain": ("pipeline", 1000),
    "FailingWorkerHoldsOn": ("pipeline", 1000),
    "FailingPublisherHoldsOn": ("pipeline", 1000),
    "PassesMissingEntries": ("pipeline", 1000),
    "TakeAtOnce+SecondOutcome": ("pipeline", 50),
    "LeaseTakenEarly+GraphIgnoresEpochs+SinksIgnoreVersions": ("pipeline", 1000),
    "TombstoneBeforeExpiry+TakeAny412AsCommitted": ("pipeline", 50),
}

# A rule that another one backs up: what still protects, and what the break costs.
BACKED_UP = {
    "OffsetsBeforeOutcomes": "the work list is swept; commands wait for it",
    "TakeAtOnce": "one outcome a command; work is done twice",
    "LeaseTakenEarly": "the graph compares epochs and versions; commits are refused",
    "GraphIgnoresEpochs": "the lease, versions",
    "SinksIgnoreVersions": "one writer at a time, in order",
    "TombstoneBeforeExpiry": "a tombstone means undo, for the lane too; batches die for nothing",
    "PublisherTakesAtOnce": "the checkpoint is swapped by its etag; owners take turns",
    "PassOverGaps": "an outcome names its basis; what is decided out of order is refused",
    "ParkForgetsOrder": "dense numbers; what an operator must look at is tried again",
    "RebuildEndsAtSwitch": "the watermark of the new index; until then it lacks events",
    "RebuildLeavesGeneration": "the last reading of the log, if the rebuild lives to do it",
}

HEADER = pathlib.Path(__file__).resolve().parents[2] / "src/eventlog/mutation.h"


def read(header=HEADER):
    """{name: what is broken} in the order of the list: places are values."""
    body = re.search(r"enum class Mutation \{(.*?)\};", header.read_text(), re.S).group(1)
    return {name: (said or "nothing") for name, said in
            re.findall(r"^\s*k(\w+),(?:\s*// (.*))?", body, re.M)}


def numbers_of(names, header=HEADER):
    places = list(read(header))
    return ",".join(str(places.index(name)) for name in names.split("+"))


if __name__ == "__main__":
    try:
        print(numbers_of(sys.argv[1]))
    except ValueError as unknown:
        sys.exit(f"no such mutation: {unknown}")
