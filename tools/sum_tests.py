#!/usr/bin/env python3
"""Sums the results of one ctest run: sum_tests.py FOLDER

FOLDER has ctest.xml (JUnit) and one JSON file a GoogleTest program that ended by itself. A program
without one counts by the last line "N passed, N failed" of its output, else as one test. A program
that failed although every test case in its JSON passed (a crash, a leak, a timeout) counts as one
more that failed. Prints what was skipped and, last, "N passed, N failed".
"""
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

COUNT_LINE = re.compile(r"^(\d+) passed, (\d+) failed", re.MULTILINE)


def read_gtest(path):
    """Returns (passed, failed names, skipped names) of one program, or None if it broke off."""
    try:
        report = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except ValueError:
        return None
    passed, failed, skipped = 0, [], []
    for suite in report.get("testsuites", []):
        for case in suite.get("testsuite", []):
            name = f"{suite['name']}.{case['name']}"
            if case.get("status") != "RUN":
                continue
            if case.get("failures"):
                failed.append(name)
            elif case.get("result") == "SKIPPED":
                skipped.append(name)
            else:
                passed += 1
    return passed, failed, skipped


def summarize(folder):
    reports = {}
    for path in sorted(folder.glob("*.json")):
        # A program run twice writes NAME.json and NAME_1.json.
        report = read_gtest(path)
        if report is not None:
            reports.setdefault(re.sub(r"_\d+$", "", path.stem), []).append(report)
    passed, failed, skipped = 0, [], []
    for entry in ElementTree.parse(folder / "ctest.xml").getroot().iter("testcase"):
        program = entry.get("name")
        ok = entry.get("status") == "run" and entry.find("failure") is None
        reason = entry.find("skipped")
        if reason is not None and reason.get("message", "").startswith(("SKIP_", "Disabled")):
            skipped.append(program)
            continue
        counted_failures = 0
        if program in reports:
            for ok_cases, bad_cases, skipped_cases in reports[program]:
                passed += ok_cases
                failed += [f"{program}: {name}" for name in bad_cases]
                skipped += [f"{program}: {name}" for name in skipped_cases]
                counted_failures += len(bad_cases)
        else:
            lines = COUNT_LINE.findall(entry.findtext("system-out") or "")
            if lines:
                passed += int(lines[-1][0])
                counted_failures = int(lines[-1][1])
                failed += [program] * counted_failures
            elif ok:
                passed += 1
        if not ok and counted_failures == 0:
            failed.append(f"{program}: ended badly (not built, crash, time-out or sanitizer)")
    return passed, failed, skipped


def main():
    try:
        passed, failed, skipped = summarize(pathlib.Path(sys.argv[1]))
    except (OSError, ElementTree.ParseError) as error:
        passed, failed, skipped = 0, [f"no results: {error}"], []
    for name in skipped:
        print(f"skipped  {name}")
    for name in failed:
        print(f"FAILED   {name}")
    print(f"{passed} passed, {len(failed)} failed")
    # Nothing run is no success.
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
