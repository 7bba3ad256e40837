#!/usr/bin/env python3
"""Explores the models with SPIN: check.py [OPTIONS]

The protocol as it is must have no error in any configuration, explored to the end; each broken
variant (a -D switch named as in src/eventlog/mutation.h) must have one. Prints a line for each
with states, depth, memory and seconds, and last "N passed, N failed". Needs spin and gcc.
"""
import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))
from configurations import BROKEN, SOUND  # noqa: E402  (beside this file)

# Bound of a run; the others are options. All end it as a failure.
DEPTH = 100000


@dataclasses.dataclass
class Run:
    model: str
    name: str
    switches: str
    broken: str = ""  # the variant; empty: the protocol as it is

    def title(self):
        return f"{self.model} {self.broken or self.name}"


@dataclasses.dataclass
class Result:
    run: Run
    good: bool
    said: str
    states: int = 0
    depth: int = 0
    megabytes: float = 0
    seconds: float = 0


def number(pattern, text, kind=int):
    found = re.search(pattern, text)
    return kind(found.group(1)) if found else 0


def judge(run, output):
    """Whether the output of pan is what the run must give, and what it says."""
    errors = re.search(r"errors: (\d+)", output)
    if errors is None:
        return False, "pan ended without a verdict"
    violated = re.search(r"^pan:1: (.*)$", output, re.M)
    if run.broken:
        if violated and re.match(r"assertion violated|invalid end state", violated.group(1)):
            return True, "caught: " + violated.group(1)
        return False, "notices nothing"
    if violated:
        return False, violated.group(1)
    if re.search(r"out of memory|max search depth too small|Search not completed", output):
        return False, "not explored to the end"
    return errors.group(1) == "0", "no error"


def build(run, folder):
    switches = [f"-D{word}" for word in [*run.switches.split(), run.broken] if word]
    model = shutil.copy(FOLDER / f"{run.model}.pml", folder)
    made = subprocess.run(["spin", "-a", *switches, model], cwd=folder, capture_output=True,
                          text=True, check=False)
    # spin exits with 0 on some errors.
    if made.returncode or re.search(r"Error|error", made.stdout):
        return made.stdout + made.stderr
    level = "-O0" if run.broken else "-O2"
    made = subprocess.run(["gcc", level, "-w", "-DSAFETY", "-DNOREDUCE", "-DCOLLAPSE",
                           "-DVECTORSZ=2048", f"-DMEMLIM={options.memory}", "-o", "pan", "pan.c"],
                          cwd=folder, capture_output=True, text=True, check=False)
    return made.stderr if made.returncode else None


def explore(run):
    with tempfile.TemporaryDirectory(prefix="saffron-model-") as folder:
        problem = build(run, folder)
        if problem is not None:
            return Result(run, False, "cannot be built: " + problem.strip()[:300])
        started = time.monotonic()
        try:
            ran = subprocess.run(["./pan", f"-m{DEPTH}"], cwd=folder, capture_output=True,
                                 text=True, timeout=options.seconds, check=False)
        except subprocess.TimeoutExpired:
            return Result(run, False, f"not explored after {options.seconds} s")
        seconds = time.monotonic() - started
    output = ran.stdout + ran.stderr
    good, said = judge(run, output)
    return Result(run, good, said,
                  states=number(r"(\d+) states, stored", output),
                  depth=number(r"depth reached (\d+)", output),
                  megabytes=number(r"([\d.]+)\s+total actual memory", output, float),
                  seconds=seconds)


def chosen():
    runs = [Run(model, name, switches) for model, name, switches, quick in SOUND
            if quick or not options.quick]
    runs += [Run(model, name, switches, broken) for model, broken, name, switches, quick in BROKEN
             if quick or not options.quick]
    return [run for run in runs if options.only.lower() in run.title().lower() + " "]


def show(result):
    run = result.run
    if options.markdown:
        print(f"| {run.model} | {run.broken or run.name} | `{run.switches or '(none)'}` | "
              f"{result.states:,} | {result.depth} | {result.megabytes:.0f} | "
              f"{result.seconds:.1f} | {result.said} |", flush=True)
        return
    print(f"{'' if result.good else 'FAILED: '}{run.title()}: {result.states:,} states, depth "
          f"{result.depth}, {result.megabytes:.0f} MB, {result.seconds:.1f} s; {result.said}",
          flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the part that ./dev test runs")
    parser.add_argument("--only", default="", metavar="TEXT", help="runs whose name contains it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument("--memory", type=int, default=4000, metavar="MB", help="for one run")
    parser.add_argument("--seconds", type=int, default=900, help="for one run")
    parser.add_argument("--markdown", action="store_true", help="lines of a table")
    global options
    options = parser.parse_args()
    passed = failed = 0
    for program in ("spin", "gcc"):
        if shutil.which(program) is None:
            print(f"{program} is not installed\n0 passed, 1 failed")
            return 1
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for result in pool.map(explore, chosen()):
            passed += result.good
            failed += not result.good
            show(result)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
