"""The rows of the table: each function measures one and appends a Row for every floor in it."""
import dataclasses
import json
import pathlib
import statistics
import subprocess
import sys
import threading
import time

from server import CpuSplit

CLASSES = [
    {"id": "Place", "properties": [
        {"name": "place_id", "type": "string", "primary_key": True, "required": True}]},
    {"id": "Item", "properties": [
        {"name": "item_id", "type": "string", "primary_key": True, "required": True},
        {"name": "name", "type": "string", "required": True},
        {"name": "quantity", "type": "integer", "required": True, "constraints": {"min": 0}},
        {"name": "price", "type": "number", "constraints": {"min": 0}},
        {"name": "color", "type": "string"}],
     "relationships": [
         {"predicate": "stored_in", "target": "Place", "cardinality": "n:1"}]},
]


@dataclasses.dataclass
class Row:
    what: str
    floor: float
    measured: float
    unit: str
    at_most: bool = False  # the floor is a ceiling
    details: dict = dataclasses.field(default_factory=dict)

    @property
    def passed(self):
        return self.measured <= self.floor if self.at_most else self.measured >= self.floor


def say(text):
    print(f"    {text}", file=sys.stderr, flush=True)


class Bench:
    """A server, the programs that measure it, and the rows so far."""

    def __init__(self, server, build, options):
        self.server, self.build, self.options = server, pathlib.Path(build), options
        self.rows, self.checks, self.next_key = [], [], 0
        self.baseline = {}

    def run_json(self, program, *arguments):
        command = [str(self.build / "bench" / program), *map(str, arguments)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout)

    def load(self, scenario, **options):
        arguments = [scenario, "--port", self.server.port]
        for name, value in options.items():
            arguments += [f"--{name}", value]
        if scenario in ("create", "bulk"):
            arguments += ["--first", self.next_key]
        result = self.run_json("load/saffron_load_generator", *arguments)
        if scenario in ("create", "bulk"):
            self.next_key += result["sent_in_all"] * (100 if scenario == "bulk" else 1)
        if result["ok"] != result["requests"] or result["broken"]:
            self.checks.append(f"{scenario}: answers {result['statuses']}, "
                               f"{result['broken']} broken: {result['first_refusal'][:200]}")
            say(self.checks[-1])
        return result

    def durable_put(self, seconds):
        folder = self.server.data_dir.parent / "durable_put"
        return self.run_json("durable_put/bench_durable_put", folder, seconds)

    def set_up(self):
        self.server.must("POST", "/api/v1/database/create?wait=20", {"name": "bench"})
        for definition in CLASSES:
            self.server.must("POST", "/api/v1/database/bench/ontology?wait=20", definition)
        place = {"instances": [{"place_id": f"P-{n:02}"} for n in range(20)]}
        self.server.must("POST", "/api/v1/instances/bench/async/Place/bulk-create?wait=20", place)
        time.sleep(0.5)
        self.baseline = self.server.metrics()

    def backlog(self):
        """Commands accepted and not yet decided, in the graph, in the search index."""
        now = self.server.metrics()

        def since(name):
            return now.get(name, 0.0) - self.baseline.get(name, 0.0)
        decided = since("saffron_worker_decided_total")
        accepted = since("saffron_append_events_total") - decided
        return {"accepted": int(accepted), "undecided": int(accepted - decided),
                "graph": int(accepted - since("saffron_graph_nodes_total")),
                "search": int(accepted - since("saffron_projection_documents_total"))}

    def drain(self, patience_s):
        """Waits until every command is COMPLETED and found by a search; (seconds, done?)."""
        begin = time.monotonic()
        while True:
            left = self.backlog()
            behind = max(left["undecided"], left["graph"], left["search"])
            seconds = time.monotonic() - begin
            if behind <= 0 or seconds > patience_s:
                return seconds, behind <= 0
            time.sleep(0.1 if behind < 5000 else 0.5)

    def must_drain(self, what):
        seconds, done = self.drain(self.options.patience_s)
        if not done:
            self.checks.append(f"{what}: not all COMPLETED after {seconds:.0f} s: "
                               f"{self.backlog()}")
            say(self.checks[-1])
        return seconds


def http_rows(bench):
    """live, create and get in turns: the ratios are of neighbours in time."""
    seconds, rounds = bench.options.seconds, []
    bench.load("bulk", clients=4, requests=200)
    keys = bench.next_key
    bench.must_drain("first instances")
    for _ in range(bench.options.rounds):
        live = bench.load("live", clients=64, seconds=seconds, warmup=0.5)
        get = bench.load("get", clients=64, seconds=seconds, warmup=0.5, keys=keys)
        cpu = CpuSplit(bench.server)
        create = bench.load("create", clients=64, seconds=seconds, warmup=0.5)
        split = cpu.take()
        each_us = cpu.seconds_used * 1e6 / max(1, create["accepted_in_all"])
        rounds.append({"live": live, "get": get, "create": create, "create_cpu": split,
                       "cpu_us_each": each_us})
        say(f"live {live['ok_per_s']:.0f}/s, get {get['ok_per_s']:.0f}/s, "
            f"create {create['ok_per_s']:.0f}/s")
        bench.must_drain("creates")

    def rate(name):
        return statistics.median(each[name]["ok_per_s"] for each in rounds)

    def ratio(name):
        return statistics.median(each[name]["ok_per_s"] / each["live"]["ok_per_s"]
                                 for each in rounds)
    create_p99 = statistics.median(each["create"]["latency_us"]["p99"] for each in rounds) / 1e3
    details = {"live_per_s": rate("live"), "create_per_s": rate("create"),
               "create_p99_ms": round(create_p99, 2),
               "cpu_us_each": statistics.median(each["cpu_us_each"] for each in rounds),
               "cpu": rounds[-1]["create_cpu"],
               "rounds": rounds}
    bench.rows += [
        Row("durable creates, 64 clients, of /health/live", 0.35, ratio("create"), "x",
            details=details),
        Row("durable creates, 64 clients", 12_000, rate("create"), "/s"),
        Row("GET instance by id, 64 clients, of /health/live", 0.6, ratio("get"), "x",
            details={"get_per_s": rate("get"), "live_per_s": rate("live")}),
    ]


def one_client(bench):
    rounds = []
    for _ in range(bench.options.rounds):
        put = bench.durable_put(bench.options.seconds / 2)
        create = bench.load("create", clients=1, seconds=bench.options.seconds, warmup=0.2)
        rounds.append({"put": put, "create": create})
        say(f"bare put p50 {put['latency_us']['p50']:.0f} us, "
            f"one client p50 {create['latency_us']['p50']:.0f} us")
        bench.must_drain("one client")

    def us(what, which):
        return statistics.median(each[what]["latency_us"][which] for each in rounds)
    completed = bench.load("create", clients=1, seconds=bench.options.seconds, wait=20)
    for which, floor in (("p50", 3.0), ("p99", 6.0)):
        ratio = statistics.median(each["create"]["latency_us"][which] /
                                  each["put"]["latency_us"][which] for each in rounds)
        if ratio < 1:  # an acknowledgement holds such a put; others' syncs must have helped it
            bench.checks.append(f"one client: {which} is below that of the bare put alone: syncs "
                                "share journal commits here, so the row proves nothing")
        details = {"ack_us": us("create", which), "put_us": us("put", which),
                   "acks_per_s": statistics.median(each["create"]["ok_per_s"] for each in rounds),
                   "completed_us": completed["latency_us"][which]}
        bench.rows.append(Row(f"one client: ack {which}, of the bare durable put", floor, ratio,
                              "x", at_most=True, details=details))
    bench.must_drain("one client, completed")


def pipeline(bench):
    """Loads N commands at once; the whole time until the last is COMPLETED and searchable."""
    commands = bench.options.pipeline_commands
    cpu, begin = CpuSplit(bench.server), time.monotonic()
    loaded = bench.load("bulk", clients=16, requests=commands // 100)
    bench.must_drain("pipeline")
    seconds = time.monotonic() - begin
    split = cpu.take()
    say(f"{commands} commands COMPLETED in {seconds:.1f} s")
    bench.rows.append(Row("accepted -> COMPLETED, whole pipeline", 4000, commands / seconds, "/s",
                          details={"commands": commands,
                                   "accepted_per_s": loaded["items_per_s"],
                                   "cpu_us_each": cpu.seconds_used * 1e6 / commands,
                                   "cpu": split}))


def paced(bench):
    """Offers 4,000 creates/s and watches the backlog: bounded means sustained."""
    rate, seconds, samples, stop = 4000, bench.options.paced_s, [], threading.Event()

    def watch():
        begin = time.monotonic()
        while not stop.wait(0.5):
            samples.append({"s": round(time.monotonic() - begin, 1), **bench.backlog()})
    watcher = threading.Thread(target=watch)
    cpu = CpuSplit(bench.server)
    watcher.start()
    offered = bench.load("create", clients=64, rate=rate, seconds=seconds)
    stop.set()
    watcher.join()
    split = cpu.take()
    bench.must_drain("paced")
    behind = [max(each["undecided"], each["graph"], each["search"]) for each in samples]
    quarter = max(1, len(behind) // 4)
    early, late = behind[quarter:2 * quarter], behind[-quarter:]
    growth = (statistics.mean(late) - statistics.mean(early)) / (seconds / 2)
    say(f"backlog at {rate}/s: {behind[::max(1, len(behind) // 10)]}")
    bench.rows.append(Row(f"creates answered of {rate}/s offered", 0.98,
                          offered["ok_per_s"] / rate, "x"))
    bench.rows.append(Row(
        f"backlog growth with {rate}/s offered", 0.01 * rate, growth, " commands/s", at_most=True,
        details={"offered_ok_per_s": offered["ok_per_s"], "backlog": behind, "cpu": split,
                 "p99_ms": offered["latency_us"]["p99"] / 1e3}))


def bulk(bench):
    commands, window = bench.options.commands, bench.options.window
    cpu = CpuSplit(bench.server)
    loaded = bench.load("bulk", clients=16, requests=commands // 100, window=window)
    split = cpu.take()
    curve = loaded["window_items_per_s"]
    for n, rate in enumerate(curve, 1):
        say(f"{n * window:>10,} commands: {rate:,.0f}/s")
    begin = time.monotonic()
    bench.must_drain("bulk")
    drained = time.monotonic() - begin
    last = statistics.mean(curve[-2:]) if curve else loaded["items_per_s"]
    bench.rows.append(Row(
        f"bulk of 100, 16 clients, at {bench.next_key:,} commands", 40_000, last, " events/s",
        details={"curve": curve, "window": window, "whole_per_s": loaded["items_per_s"],
                 "p99_ms": loaded["latency_us"]["p99"] / 1e3, "cpu": split,
                 "completed_after_s": round(drained, 1),
                 "completed_per_s": round(commands / (loaded["seconds"] + drained)),
                 "memory_mib": bench.server.memory_mib()}))


def verify_reads(bench):
    """Nothing was lost on the way: every accepted instance is counted and can be read."""
    seconds, counted = time.monotonic(), None
    while time.monotonic() < seconds + 10:
        text = bench.server.request("GET", "/api/v1/instance/bench/class/Item/count")[1]
        counted = json.loads(text)
        counted = counted.get("count", counted.get("data", {}).get("count"))
        if counted == bench.next_key:
            break
        time.sleep(0.2)
    keys = min(bench.next_key, 50_000)
    read = bench.load("get", clients=16, requests=keys, keys=keys)
    if counted != bench.next_key or read["ok"] != keys:
        bench.checks.append(f"{bench.next_key} instances were sent, {counted} are counted; "
                            f"{read['ok']} of {keys} could be read")
        say(bench.checks[-1])


def loaded(server, program, dataset, checks):
    """Rows for memory and restart with a real data set loaded through `saffron load`."""
    command = [program, "load", "--server", f"http://127.0.0.1:{server.port}", *dataset, "--wait"]
    begin = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - begin
    if done.returncode != 0:
        checks.append(f"saffron load failed: {done.stderr[-500:]}")
        say(checks[-1])
        return []
    say(done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "loaded")
    time.sleep(2)
    memory, restarts, stops = server.memory_mib(), [], []
    for _ in range(3):
        stops.append(server.stop())
        restarts.append(server.start())
    say(f"{memory}, ready again after {restarts}")
    details = {"load_s": round(seconds, 1), "load": done.stdout.strip()[-600:], **memory}
    return [Row("RSS with the data set loaded", 200, memory["VmRSS"], " MiB", at_most=True,
                details=details),
            Row("restart to ready (slowest of 3)", 1.0, max(restarts), " s", at_most=True,
                details={"restarts_s": restarts, "graceful_stops_s": stops,
                         "after_restart": server.memory_mib()})]
