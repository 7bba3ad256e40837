#!/usr/bin/env python3
"""./dev stack demo: every service as a process of its own, the OMS twice, on real servers; the
example loaded through one OMS and read through the other; verify; then serves until Ctrl-C."""
import argparse
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stack_services import (PROGRAM, ROOT, environment_of, six_services, stack_script,  # noqa: E402
                            stop_all)

BOLD, PLAIN = ("\x1b[1m", "\x1b[0m") if sys.stdout.isatty() else ("", "")


def step(text):
    print(f"\n{BOLD}==> {text}{PLAIN}", flush=True)


def run(environment, *arguments):
    shown = " ".join(f"'{word}'" if " " in word else word for word in arguments)
    print(f"    $ {shown.replace(PROGRAM, 'saffron')}", flush=True)
    begin = time.monotonic()
    subprocess.run(arguments, env=environment, check=True)
    return time.monotonic() - begin


def tour(services, environment, folder, orders):
    first, second = services[0], services[1]
    step(f"Loading the example through the first OMS: a shop with {orders} orders")
    run(environment, str(ROOT / "examples/logistics/generate.py"), str(orders), f"{folder}/shop")
    load = run(environment, PROGRAM, "load", "--server", first.url, "--db", "logistics",
               "--ontology", str(ROOT / "examples/logistics/ontology.json"), "--data",
               f"{folder}/shop", "--wait")
    step("Graph, three hops, through the second OMS")
    run(environment, PROGRAM, "query", "logistics", "Return", "--where", "reason = damaged",
        "--hop", "returned_items:OrderItem", "--hop", "sku:Sku", "--hop", "variant_of:Product",
        "--paths", "--limit", "3", "--server", second.url)
    step("Verify: the log against registry, bus, graph and search")
    verify = run(environment, PROGRAM, "verify", "--server", second.url)
    step("Check: the runbook's validation, with a probe that goes through all six")
    processes = [word for service in services[1:] for word in ("--process", service.url)]
    check = run(environment, PROGRAM, "check", "--server", first.url, *processes)
    step("Memory")
    for service in services:
        print(f"    {service.name:18} {service.memory_mib():5} MiB   {service.url}")
    subprocess.run([str(ROOT / "tools/stack.sh"), "status"], check=True)
    print(f"\n    load {load:.1f} s, verify {verify:.1f} s, check {check:.1f} s", flush=True)


def demonstrate(options):
    step("Starting MinIO, PostgreSQL, Kafka, OpenSearch and TerminusDB (or its double)")
    begin = time.monotonic()
    exports = stack_script("up").stdout
    print(f"    ready after {time.monotonic() - begin:.1f} s")
    environment = {**os.environ, **environment_of(exports)}
    with tempfile.TemporaryDirectory(prefix="saffron-stack-") as folder:
        services = six_services(environment, folder)
        try:
            step("Starting six processes: five services, the OMS twice")
            begin = time.monotonic()
            for service in services:
                service.start()
            for service in services:
                service.wait_ready()
                print(f"    {service.name:18} {service.url}")
            print(f"    ready after {time.monotonic() - begin:.1f} s")
            tour(services, environment, folder, options.orders)
            if not options.exit:
                step("Serving until Ctrl-C")
                print(f"    export SAFFRON_LISTEN={services[0].url[7:]}\n    saffron status\n"
                      f"    logs: {folder}", flush=True)
                while True:
                    time.sleep(3600)
        finally:
            stop_all(services)


def main():
    parser = argparse.ArgumentParser(prog="./dev stack demo")
    parser.add_argument("--exit", action="store_true", help="stop everything after the tour")
    parser.add_argument("--orders", type=int, default=1000)
    options = parser.parse_args()
    try:
        demonstrate(options)
    except KeyboardInterrupt:
        pass
    finally:
        if options.exit:
            stack_script("down")


if __name__ == "__main__":
    main()
