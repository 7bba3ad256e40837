#!/usr/bin/env python3
"""Shows that the random simulation notices broken rules, and keeps docs/mutations.md.

mutations_test.py --program explore_mutants            replays what the page says
mutations_test.py --program explore_mutants --write    looks for seeds again and writes the page

A broken rule is noticed at the seed of the page or, where the simulation has changed since, within
the number of seeds that the page promises. Prints, last, "N passed, N failed".
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys

import mutations
from history_mutants_test import CAUGHT_BY

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/mutations.md"
REPLAYED = 3  # seeds from the recorded one on
MINUTES = 5
HEAD = """# Mutations

Made by `./dev sim --mutations`; `mutations_test` replays it in `./dev test`. Each row breaks rules
of the protocol by switches of `src/eventlog/mutation.h` and says which checker notices: in a random
simulation (`append`: the protocol of the log alone; `embedded`: the same over engines that die with
their process; `pipeline`: everything), at which seed and within how many it is promised, or in
histories that are built step by step (`history_mutants_test`). To see one fail, and its story:

    ./dev sim --seeds 1000 --mutation SecondOutcome

| mutation | what it breaks | simulation | noticed as | seed | histories |
|---|---|---|---|---|---|
"""


def explore(program, names, world, first, seeds):
    """(seed, violation) that was noticed, or nothing."""
    environment = dict(os.environ, SAFFRON_MUTATION=mutations.numbers_of(names))
    command = [program, "--world", world, "--seed", str(first), "--seeds", str(seeds),
               "--minutes", str(MINUTES), "--shrink-runs", "0", "--mutation", names]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    found = re.search(r"caught at seed (\d+): (.*)", ran.stdout)
    if not found or "ended by signal: Segm" in found.group(2):  # of the simulation, not of a rule
        return None
    return int(found.group(1)), found.group(2)


def short(violation):
    """Its first words: which checker it is, without what names one event."""
    words = violation.split()
    taken = words[:1]
    for word in words[1:7]:
        if any(c.isdigit() or c == "/" for c in word):
            break
        taken.append(word)
    return " ".join(taken).rstrip(":").replace("|", "/")


def rule_of(names, broken):
    if "+" in names:
        return "these together"
    alone = mutations.BACKED_UP.get(names)
    return broken[names] + (f". Alone: {alone}" if alone else "")


def rows_of(found):
    """Lines of the table. `found`: {names: (seed, violation)} of simulations."""
    broken = mutations.read()
    order = [name for name in broken if name != "None"]
    order += [names for names in mutations.SIMULATED if "+" in names]
    for names in order:
        world, within = mutations.SIMULATED.get(names, ("", 0))
        noticed, seed = "", ""
        if within and names in found:
            noticed, seed = short(found[names][1]), f"{found[names][0]} of {within}"
        histories = ", ".join(f"`{test}`" for test in CAUGHT_BY.get(names, []))
        title = " + ".join(f"`{name}`" for name in names.split("+"))
        yield f"| {title} | {rule_of(names, broken)} | {world} | {noticed} | {seed} | {histories} |"


def recorded():
    """{names: (seed, noticed as)} of the page."""
    found = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and re.match(r"\d+ of", cells[4]):
            names = cells[0].replace("`", "").replace(" ", "")
            found[names] = (int(cells[4].split()[0]), cells[3])
    return found


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def add(self, good, text):
        self.passed += good
        self.failed += not good
        print(text if good else f"FAILED: {text}", flush=True)


def replay(report, program):
    known = recorded()
    expected = HEAD + "\n".join(rows_of(known)) + "\n"
    report.add(PAGE.read_text() == expected, "the page is what the tables in code make of it")
    noticed = {name for names in mutations.SIMULATED for name in names.split("+")}
    missed = [name for name in mutations.read() if name not in {"None", *noticed, *CAUGHT_BY}]
    report.add(not missed, f"mutations that nothing notices: {', '.join(missed) or 'none'}")
    for names, (world, within) in mutations.SIMULATED.items():
        first = known.get(names, (1, ""))[0]
        found = explore(program, names, world, first, REPLAYED)
        found = found or explore(program, names, world, 1, within)
        report.add(found is not None, f"{names}: {world}: " +
                   (f"seed {found[0]}: {found[1]}" if found else f"survives {within} seeds"))


def write(report, program, only):
    found = recorded() if PAGE.exists() else {}
    for names, (world, within) in mutations.SIMULATED.items():
        if only and names not in only:
            continue
        seen = explore(program, names, world, 1, within)
        found.pop(names, None)
        if seen:
            found[names] = seen
        report.add(seen is not None, f"{names}: {world}: {seen}")
    PAGE.write_text(HEAD + "\n".join(rows_of(found)) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only", action="append", help="write: look for these alone")
    options = parser.parse_args()
    report = Report()
    if options.write:
        write(report, options.program, options.only)
    else:
        replay(report, options.program)
    print(f"{report.passed} passed, {report.failed} failed")
    return 0 if report.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
