#!/usr/bin/env python3
"""./dev outages: every fault of every engine and process, one by one and in pairs, under load, on a
deployment of real servers and processes. Prints each cell and writes the table as Markdown."""
import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from cell import CellResult, Stage  # noqa: E402
from deployment import Deployment  # noqa: E402
from engines import ROOT  # noqa: E402
from faults import PAIRS, all_faults  # noqa: E402

CELLS_A_DEPLOYMENT = 12  # verify reads the whole log after each

HEAD = """# Outages

Every fault of every engine and process of a production deployment, one by one and in pairs:
six processes on real MinIO, PostgreSQL, Kafka and OpenSearch and the double of TerminusDB, each
behind a proxy, under the load of six clients that create, update, delete and make again. Written by
`./dev outages`; how to run it and what each column means: [below](#how-to-read-it).

"""
COLUMNS = ("fault", "sent", "acknowledged", "refused", "repeated", "lost", "doubled",
           "reordered", "fault s", "told after", "recovered after", "", "commit", "load")
FOOT = """
## How to read it

    ./dev outages                       # the faults one by one
    ./dev outages --pairs               # and the pairs
    ./dev outages --cells 'kafka' --seconds 30

- *sent*: commands; each is repeated with its `Idempotency-Key`, at either OMS, until it is
  answered: *acknowledged* (202), or *refused* (409 of two clients on one thing, who both named
  the same number); *repeated*: more than once, as an answer was lost or was 503.
- *lost*: acknowledged, and not in the log, not decided, or not on the bus. *Doubled*: in the log
  twice, under another number than was told, with two outcomes, or refused and yet there.
  *Reordered*: numbers of a thing not dense in the log, or first seen on the bus out of order.
- *told after*: every process that needs the engine was not ready and named the part. `-`: not asked
  for, as the fault need not stop anything. The fault lasts until it is told.
- *recovered after*: from the end of the fault until all are ready, each client got a new command
  accepted, and a write was decided and read in graph and search. Nobody helps; a killed process is
  started again, as a supervisor would.
- *load*: the machine's load average when the cell ended. Where it is far above the cores the
  seconds tell of the machine, not of Saffron.
- *ok*: besides, no process ended by itself, `saffron verify` is clean, every command COMPLETED or
  FAILED, graph and search have the last state of each thing.

Down: `kill -9` and back. Paused: SIGSTOP of the server. Drop: connections broken and refused.
Delay: 0.4 s an answer. Cut: some ten connections a second broken when the server answers what it
has done. Throttle: 20 kB/s a connection. Restored: PostgreSQL from a base backup that was taken
online before the load. Topics deleted: commands and outcomes of instances. Suspended: SIGSTOP of
a process for 20 s, beyond every lease, a second one beside it; an instance worker while it holds
claims. Alone without an engine: one process is refused by it for 60 s, a second one beside it is
not, and before the end what is written must be decided and read. Leases are short here
(`tests/system/outages/deployment.py`); with the defaults takeovers take as long as
[configuration.md](configuration.md) says. `outage_test` runs a part of it in `./dev test`.
"""


def row_of(result):
    recovered = ("never" if result.recovery_seconds is None else f"{result.recovery_seconds:.1f} s")
    return (result.name, result.sent, result.acknowledged, result.refused, result.repeated,
            result.lost, result.doubled, result.reordered, f"{result.fault_seconds:.0f}",
            result.told or "-", recovered, "ok" if result.passed() else "**failed**", result.commit,
            result.load_average)


def machine():
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} x {model.group(1) if model else platform.machine()}"


def commit():
    done = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"],
                          capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def table(results):
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(map(str, row_of(result))) + " |" for result in results]
    return "\n".join(lines) + "\n"


def load_results(path):
    """Those of an earlier run, to add to."""
    results = []
    for members in json.loads(pathlib.Path(path).read_text(encoding="utf-8")):
        result = CellResult(members["name"])
        result.__dict__.update(members)
        results.append(result)
    return results


def save(results, path, not_run):
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(report(results, not_run), encoding="utf-8")
    target.with_suffix(".json").write_text(json.dumps([vars(result) for result in results]),
                                           encoding="utf-8")


def report(results, not_run):
    total = {name: sum(getattr(result, name) for result in results)
             for name in ("sent", "acknowledged", "lost", "doubled", "reordered")}
    day = datetime.datetime.now(datetime.timezone.utc).date()
    text = HEAD + f"{day}, {machine()}.\n\n"
    text += (f"{len(results)} cells, {sum(result.passed() for result in results)} ok: "
             + ", ".join(f"{value} {name}" for name, value in total.items()) + ".\n\n")
    if not_run:
        text += f"Not run: {', '.join(not_run)}.\n\n"
    singles = [result for result in results if "+" not in result.name]
    pairs = [result for result in results if "+" in result.name]
    for title, part in (("## One by one", singles), ("## In pairs", pairs)):
        if part:
            text += f"{title}\n\n{table(part)}\n"
    return text.rstrip("\n") + "\n" + FOOT


def chosen(options):
    names = [] if options.only_pairs else [(name,) for name in all_faults()]
    if options.pairs or options.only_pairs:
        names += PAIRS
    cells = [(" + ".join(parts), parts) for parts in names]
    return [cell for cell in cells if re.search(options.cells, cell[0])]


def run(cells, options, results):
    deadline = time.monotonic() + options.minutes * 60
    while cells and time.monotonic() < deadline:
        deployment = Deployment()
        try:
            stage = Stage(deployment.start()).open()
            for name, parts in cells[:CELLS_A_DEPLOYMENT]:
                if time.monotonic() > deadline:
                    return
                faults = [all_faults()[part] for part in parts]
                result = stage.run(name, faults, options.seconds)
                result.commit, result.load_average = commit(), f"{os.getloadavg()[0]:.0f}"
                results.append(result)
                cells.remove((name, parts))
                print(("ok     " if result.passed() else "FAILED ") + result.line(), flush=True)
                for problem in result.problems:
                    print("       " + problem, flush=True)
                save(results, options.out, [cell[0] for cell in cells])
                if not result.passed():
                    break  # its history is not to be trusted any more
        finally:
            if options.keep_logs:
                keep_logs(deployment, options.keep_logs, len(results))
            deployment.stop()


def keep_logs(deployment, folder, number):
    target = pathlib.Path(folder) / str(number)
    target.mkdir(parents=True, exist_ok=True)
    for service in deployment.services.values():
        (target / f"{service.name}.log").write_bytes(pathlib.Path(service.log).read_bytes())


def main():
    parser = argparse.ArgumentParser(prog="./dev outages", description=__doc__)
    parser.add_argument("--cells", default=".", metavar="PATTERN", help="only those that match")
    parser.add_argument("--pairs", action="store_true", help="also the pairs")
    parser.add_argument("--only-pairs", action="store_true", help="the pairs alone")
    parser.add_argument("--seconds", type=float, default=6, metavar="N", help="of each fault (6)")
    parser.add_argument("--minutes", type=float, default=600, metavar="N",
                        help="begin no cell after so long")
    parser.add_argument("--out", default=str(ROOT / "build/outages.md"), metavar="FILE")
    parser.add_argument("--add", metavar="FILE", help="what passed in FILE, the JSON beside an "
                        "earlier table, is kept and not run again")
    parser.add_argument("--keep-logs", metavar="FOLDER", help="copy the processes' logs there")
    parser.add_argument("--list", action="store_true", help="name the cells")
    options = parser.parse_args()
    cells = chosen(options)
    if options.list:
        print("\n".join(name for name, _ in cells))
        return 0
    results = load_results(options.add) if options.add else []
    known = {result.name for result in results if result.passed()}
    results = [result for result in results if result.passed()]
    cells = [cell for cell in cells if cell[0] not in known]
    run(cells, options, results)
    failed = sum(not result.passed() for result in results)
    print(f"{len(results) - failed} passed, {failed} failed, {len(cells)} not run; {options.out}")
    return 1 if failed or cells or not results else 0


if __name__ == "__main__":
    sys.exit(main())
