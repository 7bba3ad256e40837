#!/usr/bin/env python3
"""Measures a release build of Saffron on real engines: bench/real.py --help

Starts MinIO, PostgreSQL, Kafka and OpenSearch on fresh data, a double of TerminusDB unless
TERMINUS_SERVER_URL names a server, and the services on them, each as a process of its own, and
measures each row beside its raw limit on the same servers. Prints a table; writes real.json and
real.md. Exit 0 when every floor is met, 1 otherwise.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import real_rows
from real_graph import graph
from real_search import projection
from real_stack import Deployment
from run import ROOT, machine, table

# In this order: each leaves the log to the next.
ROWS = {name: getattr(real_rows, name) for name in (
    "creates", "requests", "ack", "delivery", "claims", "million")}
ROWS |= {"projection": projection, "graph": graph, "publisher": real_rows.publisher}


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench --real",
                                     description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default="build/release", help="folder of the release build")
    parser.add_argument("--out", default=str(ROOT / "build" / "bench"),
                        help="where results and, while running, data go: on a real disk")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, one round")
    parser.add_argument("--rows", default=",".join(ROWS), help="some of: %(default)s")
    parser.add_argument("--seconds", type=float, help="of each measurement (6)")
    parser.add_argument("--rounds", type=int, help="of alternating measurements (3)")
    parser.add_argument("--backlog", type=int, help="events that the publisher drains (200,000)")
    parser.add_argument("--documents", type=int, help="for projection and graph (100,000)")
    parser.add_argument("--linger-events", type=int,
                        help="at 1,000 a second, for the count of S3 requests (120,000)")
    options = parser.parse_args()
    options.rows = options.rows.split(",")
    for name in options.rows:
        if name not in ROWS:
            parser.error(f"no row is called {name}")
    quick = options.quick
    options.seconds = options.seconds or (2 if quick else 6)
    options.rounds = options.rounds or (1 if quick else 3)
    options.backlog = options.backlog or (20_000 if quick else 200_000)
    options.documents = options.documents or (10_000 if quick else 100_000)
    options.linger_events = options.linger_events or (12_000 if quick else 120_000)
    options.deliveries = 50 if quick else 500
    options.patience_s = 300 if quick else 1200
    return options


def measure(options, program, folder):
    deployment = Deployment(program, folder)
    bench = real_rows.RealBench(deployment, options.build, options)
    try:
        bench.set_up()
        for name, row in ROWS.items():
            if name in options.rows:
                print(f"==> {name}", file=sys.stderr, flush=True)
                row(bench)
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        bench.checks.append(str(error))
    finally:
        deployment.close()
    return bench


def main():
    options = arguments()
    out = pathlib.Path(options.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    options.build = str(pathlib.Path(options.build).resolve())
    program = pathlib.Path(options.build) / "saffron"
    if not program.exists():
        sys.exit(f"{program} does not exist: ./dev build")
    facts = machine(out)
    with tempfile.TemporaryDirectory(prefix="real-", dir=out, ignore_cleanup_errors=True) as folder:
        bench = measure(options, program, folder)
    text = table(bench.rows, facts, bench.checks)
    text += "".join(f"\nNot measured: {what}: {why}.\n" for what, why in bench.not_measured)
    report = {"machine": facts, "options": vars(options), "checks": bench.checks,
              "not_measured": bench.not_measured,
              "rows": [dict(vars(row), passed=row.passed) for row in bench.rows]}
    (out / "real.json").write_text(json.dumps(report, indent=1))
    (out / "real.md").write_text(text)
    print(text)
    print(f"Everything measured: {out / 'real.json'}")
    return 0 if bench.rows and not bench.checks and all(row.passed for row in bench.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
