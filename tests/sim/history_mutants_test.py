#!/usr/bin/env python3
"""Breaks one rule at a time and shows that a named history notices.

history_mutants_test.py --list mutation.h --random append_mutants_test.cc PROGRAM...

PROGRAM is a GoogleTest program built with the switches of mutation.h. Every mutation of the list
is caught by the tests named here, or by the random simulation of --random. Prints what caught it
and, last, "N passed, N failed".
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys

import mutations

# Mutation: the tests of which each must fail under it.
CAUGHT_BY = {
    "ForeignTombstoneIsCommit": ["AppendHistories.A1_*"],
    "AnswerPendingDuplicate": ["AppendHistories.A2_*"],
    "AnswerPendingOutcome": ["AppendHistories.A3_*"],
    "IgnoreIncarnation": ["FenceHistories.A4_*"],
    "NoListAtStart": ["FenceHistories.A5_AStart*"],
    "IgnoreLostTail": ["FenceHistories.A5_AWriter*", "FenceHistories.A5_AProcess*"],
    "StartForgetsTheHighest": ["FenceHistories.A5_AProcess*"],
    "FreshForEver": ["AppendHistories.AnIdIsFreshOnlyOnce"],
    "FenceLeavesReservations": ["FenceHistories.A6_*"],
    "StartFences": ["FenceHistories.A7_AnOrdinary*"],
    "StartListsAfterReading": ["FenceHistories.A7_AStartUnder*"],
    "StartFencesUnasked": ["FenceHistories.A7_OfProcesses*"],
    "IgnoreLogId": ["FenceHistories.A8_*"],
    "IgnoreRegistryAhead": ["FenceHistories.A8_*"],
    "SettleOnlyWithNews": ["AppendHistories.A9_*"],
    "SlotWithoutReservation": ["AppendHistories.A10_*"],
    "NoMarks": ["BusyAggregates.A11_*"],
    "ResolverKeepsWhatItTook": ["AppendHistories.A16_*"],
    "ResolverTakesAgain": ["AppendHistories.A23_*"],
    "FailingWriterHoldsOn": ["GraphWriterTest.A23_*"],
    "FailingProjectionHoldsOn": ["ProjectionTest.A23_*"],
    "FailingPublisherHoldsOn": ["PublisherTest.A23_*"],
    "PassesMissingEntries": ["PublisherTest.WhoeverComesNext*"],
    "SettlingLowersNumbers": ["FenceHistories.A17_ALate*"],
    "FenceTombstoneIsForeign": ["FenceHistories.A18_ALateLane*"],
    "EveryoneFences": ["FenceHistories.A18_Several*"],
    "FenceIgnoresOvertaking": ["FenceHistories.A19_*"],
    "FenceFromNextSlot": ["FenceHistories.A20_*"],
    "RefuseBeforeCommit": ["AppendHistories.A21_*"],
    "IgnoreBasis": ["AppendHistories.C2_*"],
    "SplitRequest": ["AppendHistories.C3_*"],
    "ItemsOfOtherIds": ["PipelineHistories.A12_*"],
    "HashOfTheRequest": ["PipelineHistories.A13_*"],
    "SecondOutcome": ["PipelineHistories.C1_*"],
    "NoGapFetch": ["WithoutSweeps.C4_*"],
    "NoSweep": ["ShortSweeps.C5_*"],
    "SweepFromTheStart": ["ShortSweeps.C5_*"],
    "OffsetsBeforeOutcomes": ["PipelineHistories.C5_AnOffset*"],
    "FreeWhilePending": ["PipelineHistories.C6_*"],
    "AcceptedLifecycleCounts": ["PipelineHistories.C7_*"],
    "PassOverGaps": ["Claims.AGapIsNotPassedOver"],
    "RejectedNotWritten": ["PipelineHistories.C8_*", "GraphWriterTest.C8_*",
                           "ProjectionTest.C8_*"],
    "IgnoreScope": ["OntologyHistories.C9_*", "OntologyHistories.C10_*"],
    "IgnoreUndecidedStamps": ["OntologyHistories.C11_*"],
    "IgnoreOntologyHead": ["OntologyHistories.C12_*"],
    "IgnoreMembers": ["OntologyHistories.C13_*"],
    "GraphIgnoresEpochs": ["GraphWriterTest.C14C15_*"],
    "VersionsByArrival": ["ProjectionTest.C15_*"],
    "DeletedNotWritten": ["PipelineHistories.C15_*"],
    "EndsNotCompared": ["PublisherRepublishTest.C16_*WithinAMinute",
                        "PublisherRepublishTest.C16_*Successor*"],
    "CheckpointBeforeAck": ["PublisherTest.NothingIsLost*"],
    "GraphPositionByRegistry": ["PipelineHistories.C17_*"],
    "GroupOffsetsAlone": ["ProjectionLossTest.C17_*"],
    "FilledGapsNotSeen": ["PublisherRepublishTest.C16_AGap*"],
    "TopicIdsNotCompared": ["PublisherRepublishTest.ATopicMadeAgainIsKnown*"],
    "RepublishNotSaved": ["PublisherRepublishTest.C18_*"],
    "ProjectionIgnoresRepublish": ["ProjectionLossTest.C19_*"],
    "RefusedSwapStandsBy": ["PublisherTest.C20_*"],
    "ChargeEverySuspect": ["PipelineHistories.C21_*", "Claims.C21_*"],
    "TakeByLeaseAlone": ["LongLeases.C22_*", "Claims.C22_*"],
    "TakeAtOnce": ["Claims.ALiveOwnerKeepsItsClaim"],
    "NoBisection": ["GraphWriterTest.C23_*"],
    "NoEventLimit": ["PipelineHistories.C8_*"],
    "RebuildEndsAtSwitch": ["RebuildSwitchTest.C25_WhatCameBefore*"],
    "RebuildLeavesGeneration": ["RebuildSwitchTest.C25_ARebuildThatDies*"],
    "ParkedBlocksReads": ["PipelineHistories.C26_*"],
    "FenceTooShort": ["FenceHistories.A4_AFenceReaches*"],
    "TombstoneBeforeExpiry": ["Economy.*"],
    "LeaseTakenEarly": ["Economy.*"],
    "PublisherTakesAtOnce": ["Economy.*"],
    "ParkForgetsOrder": ["ShortSweeps.C5_*", "Claims.AParkedAggregate*"],
    "DiscardNotLogged": ["PipelineHistories.C7_*"],
    "CommitOffsetsOnce": ["ProjectionLossTest.AnOffsetThatCouldNotBeCommitted*"],
    "SuccessForgetsFailures": ["ProjectionLossTest.AnOffsetThatCouldNotBeCommitted*"],
    "ResolverTrustsTheRegistry": ["FenceHistories.A22_*", "PipelineHistories.C27_*"],
    "TheDeadVouch": ["ProjectionLossTest.C17_WhatTheDead*"],
    "CommitsBeforeCaughtUp": ["ProjectionLossTest.C17_AMemberThatHasNotCaughtUp*"],
    "TellsUnreadable": ["ProjectionTest.TheWatermarkReachesTheLog*"],
    "GapBehindWhatWaits": ["PipelineHistories.C4_WhatStandsBehind*"],
}
TEST_SECONDS = 120


def mutations_of(header):
    """The names of the enumerators in order: their places are their values."""
    body = re.search(r"enum Mutation \{(.*?)\};", header.replace("enum class", "enum"), re.S)
    return re.findall(r"^\s*k(\w+),", body.group(1), re.M)


def run(program, pattern, mutation):
    """(tests run, whether all passed, the first complaint)."""
    environment = dict(os.environ, SAFFRON_MUTATION=str(mutation))
    command = [program, f"--gtest_filter={pattern}"]
    try:
        ran = subprocess.run(command, env=environment, capture_output=True, text=True,
                             timeout=TEST_SECONDS)
    except subprocess.TimeoutExpired:
        return 1, False, "does not end"
    count = re.search(r"Running (\d+) test", ran.stdout)
    complaint = re.search(r"Failure\n(.*)", ran.stdout) or re.search(r"^(.+)", ran.stderr)
    why = complaint.group(1).strip() if complaint else f"exit code {ran.returncode}"
    return int(count.group(1)) if count else 0, ran.returncode == 0, why


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def add(self, good, text):
        self.passed += good
        self.failed += not good
        print(text if good else f"FAILED: {text}", flush=True)


def catch(report, programs, name, place, pattern):
    for program in programs:
        tests, green, why = run(program, pattern, place)
        if tests == 0:
            continue
        text = f"{name}: {pattern} " + ("notices nothing" if green else f"fails: {why}")
        return report.add(not green, text)
    report.add(False, f"{name}: there is no test {pattern}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", type=pathlib.Path, required=True)
    parser.add_argument("--random", type=pathlib.Path, required=True)
    parser.add_argument("--only", help="this mutation alone")
    parser.add_argument("programs", nargs="+")
    options = parser.parse_args()
    names = mutations_of(options.list.read_text())
    simulated = set(re.findall(r"Mutation::k(\w+),", options.random.read_text()))
    simulated |= {one for names in mutations.SIMULATED for one in names.split("+")}
    report = Report()
    for program in options.programs if not options.only else []:
        tests, green, why = run(program, "*", 0)
        report.add(tests > 0 and green, f"{tests} histories, nothing broken: {why}")
    for place, name in enumerate(names):
        if name == "None" or options.only not in (None, name):
            continue
        if name not in CAUGHT_BY:
            report.add(name in simulated, f"{name}: left to the random simulation")
        for pattern in CAUGHT_BY.get(name, []):
            catch(report, options.programs, name, place, pattern)
    for name in set(CAUGHT_BY) - set(names):
        report.add(False, f"{name} is not in {options.list.name}")
    print(f"{report.passed} passed, {report.failed} failed")
    return 0 if report.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
