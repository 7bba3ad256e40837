#!/usr/bin/env python3
"""Measures a release build of Saffron against its floors: bench/run.py --help

Starts `saffron serve` on fresh data, loads it over HTTP and compares each rate with a raw limit
of the same run: /health/live, or a bare durable put. Prints a table; writes results.json and
results.md. Exit 0 when every floor is met and nothing was lost, 1 otherwise.
"""
import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

import rows
from server import Server

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROWS = {"http": rows.http_rows, "one_client": rows.one_client, "pipeline": rows.pipeline,
        "paced": rows.paced, "bulk": rows.bulk}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build/release", help="folder of the release build")
    parser.add_argument("--out", default=str(ROOT / "build" / "bench"),
                        help="where results and, while running, data go: on a real disk")
    parser.add_argument("--quick", action="store_true", help="a tenth of the data, one round")
    parser.add_argument("--rows", default=",".join([*ROWS, "loaded"]),
                        help="some of: %(default)s")
    parser.add_argument("--commands", type=int, help="for the bulk curve (1,000,000)")
    parser.add_argument("--pipeline-commands", type=int, help="for the pipeline (100,000)")
    parser.add_argument("--seconds", type=float, help="of each measurement (4)")
    parser.add_argument("--rounds", type=int, help="of alternating measurements (3)")
    parser.add_argument("--data", help="folder of CSV files for the loaded server, with --ontology "
                        "or --mapping (default: examples/logistics, about 35,500 rows)")
    parser.add_argument("--ontology", help="its classes")
    parser.add_argument("--mapping", help="how its columns become properties")
    options = parser.parse_args()
    quick = options.quick
    options.rows = options.rows.split(",")
    for name in options.rows:
        if name not in ROWS and name != "loaded":
            parser.error(f"no row is called {name}")
    options.commands = options.commands or (100_000 if quick else 1_000_000)
    options.pipeline_commands = options.pipeline_commands or (20_000 if quick else 100_000)
    options.seconds = options.seconds or (2 if quick else 4)
    options.rounds = options.rounds or (1 if quick else 3)
    options.paced_s = 10 if quick else 30
    options.window = max(10_000, min(100_000, options.commands // 10))
    options.patience_s = 120 if quick else 900
    return options


def filesystem_of(path):
    """(type, device) of the file system that holds `path`, as the kernel names them."""
    best = ("", "?", "?")
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        device, where, kind = line.split()[:3]
        inside = str(path) == where or str(path).startswith(where.rstrip("/") + "/")
        if inside and len(where) >= len(best[0]):
            best = (where, kind, device)
    return best[1], best[2]


def machine(data_dir):
    model = "?"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = pathlib.Path("/proc/meminfo").read_text().split()[1]
    kind, device = filesystem_of(data_dir)
    return {"cores": len(os.sched_getaffinity(0)), "cpu": model, "kernel": platform.release(),
            "memory_gib": round(int(memory) / 1024 / 1024, 1), "filesystem": kind,
            "device": device, "load_before": os.getloadavg(), "at": time.strftime("%FT%TZ",
                                                                                time.gmtime())}


def dataset_of(options, folder):
    """Arguments of `saffron load`."""
    if options.data is None:
        subprocess.run([ROOT / "examples/logistics/generate.py", "8900", folder],
                       check=True, stdout=subprocess.DEVNULL)
        return ["--db", "logistics", "--ontology", str(ROOT / "examples/logistics/ontology.json"),
                "--data", str(folder)]
    chosen = ["--db", "dataset", "--data", options.data]
    for name in ("ontology", "mapping"):
        if getattr(options, name):
            chosen += [f"--{name}", getattr(options, name)]
    return chosen


def short(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def note_of(row):
    """What bounds a row, as far as it was measured."""
    notes = []
    for name, text in row.details.items():
        if name == "cpu":
            notes.append("CPU " + ", ".join(f"{thread} {share}" for thread, share
                                            in list(text.items())[:5]))
        elif isinstance(text, (int, float)) and len(notes) < 5:
            notes.append(f"{name} {short(text)}")
    return "; ".join(notes)


def table(results, facts, checks):
    lines = [f"{facts['cores']} cores ({facts['cpu']}), kernel {facts['kernel']}, "
             f"{facts['filesystem']}, load before "
             + " ".join(f"{each:.1f}" for each in facts["load_before"]), "",
             "| what | floor | measured | | notes |", "|---|---|---|---|---|"]
    for row in results:
        sign = "at most " if row.at_most else ""
        verdict = "pass" if row.passed else "MISSED"
        lines.append(f"| {row.what} | {sign}{short(row.floor)}{row.unit} | "
                     f"{short(row.measured)}{row.unit} | {verdict} | {note_of(row)} |")
    if facts["load_before"][0] > 0.5:
        lines += ["", "The machine was not quiet: only ratios and CPU times mean anything."]
    lines += ["", *[f"WRONG: {check}" for check in checks]]
    return "\n".join(lines).rstrip() + "\n"


def measure(options, program, folder):
    results, checks = [], []
    log = pathlib.Path(options.out) / "server.log"
    log.unlink(missing_ok=True)
    chosen = [name for name in ROWS if name in options.rows]
    servers = []
    try:
        if chosen:
            servers.append(Server(program, folder / "data", log))
            servers[-1].start()
            bench = rows.Bench(servers[-1], options.build, options)
            bench.rows, bench.checks = results, checks
            bench.set_up()
            for name in chosen:
                print(f"==> {name}", file=sys.stderr, flush=True)
                ROWS[name](bench)
            rows.verify_reads(bench)
            servers[-1].stop()
            # Its files stay to the end: ext4 searches long for an inode where many were freed.
        if "loaded" in options.rows:
            print("==> loaded", file=sys.stderr, flush=True)
            dataset = dataset_of(options, folder / "dataset")
            servers.append(Server(program, folder / "loaded", log))
            servers[-1].start()
            results += rows.loaded(servers[-1], program, dataset, checks)
    except RuntimeError as error:
        checks.append(str(error))
    finally:
        for server in servers:
            server.stop()
    return results, checks


def main():
    options = arguments()
    out = pathlib.Path(options.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    program = pathlib.Path(options.build).resolve() / "saffron"
    if not program.exists():
        sys.exit(f"{program} does not exist: ./dev build")
    facts = machine(out)
    with tempfile.TemporaryDirectory(prefix="data-", dir=out) as folder:
        results, checks = measure(options, str(program), pathlib.Path(folder))
    text = table(results, facts, checks)
    report = {"machine": facts, "options": vars(options), "checks": checks,
              "rows": [dict(vars(row), passed=row.passed) for row in results]}
    (out / "results.json").write_text(json.dumps(report, indent=1))
    (out / "results.md").write_text(text)
    print(text)
    print(f"Everything measured: {out / 'results.json'}")
    return 0 if results and not checks and all(row.passed for row in results) else 1


if __name__ == "__main__":
    sys.exit(main())
