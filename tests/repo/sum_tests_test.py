#!/usr/bin/env python3
"""What ./dev test counts: nothing that failed, crashed or never ran is taken for a success."""
import json
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import sum_tests  # noqa: E402: found by the line above


def gtest_json(*results):
    cases = []
    for number, result in enumerate(results):
        case = {"name": f"C{number}", "status": "RUN", "result": "COMPLETED"}
        if result == "failed":
            case["failures"] = [{"failure": "x"}]
        elif result == "skipped":
            case["result"] = "SKIPPED"
        elif result == "filtered":
            case["status"] = "NOTRUN"
        cases.append(case)
    return json.dumps({"testsuites": [{"name": "S", "testsuite": cases}]})


def entry(name, status="run", inner=""):
    return f'<testcase name="{name}" status="{status}">{inner}</testcase>'


def summary(entries, reports=()):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        text = "<testsuite>" + "".join(entries) + "</testsuite>"
        (folder / "ctest.xml").write_text(text, encoding="utf-8")
        for name, report in dict(reports).items():
            (folder / name).write_text(report, encoding="utf-8")
        passed, failed, skipped = sum_tests.summarize(folder)
        return passed, len(failed), len(skipped)


FAILURE = "<failure/>"


class SumTest(unittest.TestCase):
    def test_single_cases_are_counted(self):
        reports = {"a.json": gtest_json("ok", "ok", "failed", "skipped", "filtered")}
        self.assertEqual(summary([entry("a", "fail", FAILURE)], reports), (2, 1, 1))

    def test_a_program_run_twice_counts_twice(self):
        reports = {"a.json": gtest_json("ok"), "a_1.json": gtest_json("ok", "ok")}
        self.assertEqual(summary([entry("a")], reports), (3, 0, 0))

    def test_a_crash_is_a_failure(self):
        self.assertEqual(summary([entry("a", "fail", FAILURE)]), (0, 1, 0))

    def test_a_leak_after_passing_cases_is_a_failure(self):
        reports = {"a.json": gtest_json("ok")}
        self.assertEqual(summary([entry("a", "fail", FAILURE)], reports), (1, 1, 0))

    def test_a_program_that_was_not_built_is_a_failure(self):
        skipped = '<skipped message="Unable to find executable"/>'
        self.assertEqual(summary([entry("a", "notrun", skipped)]), (0, 1, 0))

    def test_count_lines(self):
        output = "<system-out>1 passed, 9 failed\n7 passed, 2 failed\n</system-out>"
        self.assertEqual(summary([entry("a", "fail", FAILURE + output)]), (7, 2, 0))

    def test_a_cut_report_is_a_failure(self):
        reports = {"a.json": gtest_json("ok")[:40]}
        self.assertEqual(summary([entry("a", "fail", FAILURE)], reports), (0, 1, 0))


def main():
    result = unittest.TextTestRunner(verbosity=0).run(
        unittest.defaultTestLoader.loadTestsFromName("__main__"))
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
