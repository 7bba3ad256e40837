"""Breaks one rule of src/eventlog/mutation.h at a time in a real process (`saffron_steps` has the
switches) and shows that the test of its history notices.

    broken_histories_test.py [--only NAME]

Prints what each was noticed as and, last, "N passed, N failed"."""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "sim"))
from mutations import numbers_of  # noqa: E402

STEPS_PROGRAM = os.environ.get("SAFFRON_STEPS_PROGRAM",
                               str(ROOT / "build/release/testing/steps/saffron_steps"))
# Mutations, broken together where there are several: the tests of which each must fail.
NOTICED_BY = {
    "SettleOnlyWithNews": ["histories_test.test_A09"],
    "SlotWithoutReservation": ["histories_test.test_A10"],
    "ItemsOfOtherIds": ["histories_test.test_A12"],
    "RefuseBeforeCommit": ["histories_test.test_A21"],
    "NoMarks": ["stack_test.test_6_A11"],
    "ResolverTakesAgain": ["stack_test.test_6_A11"],
    "NoSweep": ["histories_test.test_C05"],
    "FreeWhilePending": ["histories_test.test_C06"],
    "AcceptedLifecycleCounts": ["histories_test.test_C07"],
    "RejectedNotWritten": ["histories_test.test_C08"],
    "IgnoreUndecidedStamps": ["histories_test.test_C11"],
    "IgnoreOntologyHead+IgnoreUndecidedStamps": ["histories_test.test_C12"],
    "IgnoreMembers": ["histories_test.test_C13"],
    "DeletedNotWritten": ["histories_test.test_C15"],
    "RepublishNotSaved": ["histories_test.test_C18"],
    "ChargeEverySuspect": ["histories_test.test_C21"],
    "TakeByLeaseAlone": ["histories_test.test_C22"],
    "NoEventLimit": ["histories_test.test_C24"],
    "ParkedBlocksReads": ["histories_test.test_C26"],
    "HashOfTheRequest": ["serve_test.test_an_item_of_a_bulk"],
    "IgnoreScope": ["serve_test.test_a_database_made_again"],
    "VersionsByArrival": ["scenarios_test.test_bus_older"],
}
TEST_SECONDS = 300
# A broken rule shows itself in some interleavings only, and a process has those it has.
ATTEMPTS = 3


def run(mutations, test):
    """(whether it failed once, what it said then)."""
    for _ in range(ATTEMPTS):
        noticed, what = run_once(mutations, test)
        if noticed:
            break
    return noticed, what


def run_once(mutations, test):
    module, name = test.split(".")
    environment = dict(os.environ, SAFFRON_MUTATION=numbers_of(mutations),
                       SAFFRON_SETTLED_SECONDS="30", SAFFRON_PROGRAM=STEPS_PROGRAM,
                       SAFFRON_STEPS_PROGRAM=STEPS_PROGRAM)
    try:
        ran = subprocess.run([sys.executable, "-B", "-m", "unittest", "-k", name, module], cwd=HERE,
                             env=environment, capture_output=True, text=True, check=False,
                             timeout=TEST_SECONDS)
    except subprocess.TimeoutExpired:
        return True, "does not end"
    if not re.search(r"^Ran [1-9]", ran.stderr, re.M):
        return False, "there is no such test"
    errors = re.findall(r"^(?:\w+\.)*\w*(?:Error|Exception): .*", ran.stderr, re.M)
    return ran.returncode != 0, errors[0][:120] if errors else "notices nothing"


def without_switches():
    """Sources whose switches do not work in `saffron_steps`: it has their copy of the product."""
    listed = (ROOT / "testing/steps/CMakeLists.txt").read_text()
    for path in sorted((ROOT / "src").rglob("*.cc")):
        if "Mutated(" in path.read_text() and not path.name.endswith("_test.cc"):
            if str(path.relative_to(ROOT / "src")) not in listed:
                yield path.name


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="this mutation alone")
    options = parser.parse_args()
    failed = list(without_switches())
    passed = 0 if failed else 1
    print(f"sources without their switches: {', '.join(failed) or 'none'}", flush=True)
    runs = [(mutations, test) for mutations, tests in NOTICED_BY.items() for test in tests
            if options.only in (None, mutations)]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for (mutations, test), (noticed, what) in zip(runs, pool.map(lambda one: run(*one), runs)):
            passed += noticed
            failed += [] if noticed else [test]
            print(f"{'' if noticed else 'FAILED: '}{mutations}: {test}: {what}", flush=True)
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
