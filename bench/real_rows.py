"""The rows of `./dev bench --real`: each function measures one beside its raw limit, in turns of a
few rounds, and appends a Row with the median ratio."""
import json
import pathlib
import statistics
import time

from real_stack import ALL, Watch, growth, run, wait_until
from rows import CLASSES, Row, say

PUTS = ('saffron_s3_requests_total{method="PUT"}', 'saffron_s3_requests_total{method="other"}')
GETS = ('saffron_s3_requests_total{method="GET"}',)
SLOTS = ("saffron_append_batch_events_count",)
TRIPS = ("saffron_registry_round_trips_total",)
FOLLOWERS = ("publisher", "ontology-worker", "instance-worker")  # of the log; all read it once


class RealBench:
    def __init__(self, deployment, build, options):
        self.stack, self.build, self.options = deployment, pathlib.Path(build), options
        self.rows, self.checks, self.not_measured = [], [], []
        self.next_key = 0

    def program(self, name, *arguments, **environment):
        folder = self.build if name.startswith("src/") else self.build / "bench"
        return json.loads(run([folder / name, *arguments], **environment))

    def load(self, scenario, **options):
        arguments = [scenario, "--port", self.stack.services["oms"].port, "--first", self.next_key]
        for name, value in options.items():
            arguments += [f"--{name}", value]
        result = self.program("load/saffron_load_generator", *arguments)
        self.next_key += result["sent_in_all"] * (100 if scenario == "bulk" else 1)
        if result["ok"] != result["requests"] or result["broken"]:
            self.checks.append(f"{scenario}: answers {result['statuses']}, {result['broken']} "
                               f"broken: {result['first_refusal'][:200]}")
            say(self.checks[-1])
        return result

    def serial_put(self, seconds):
        """The store alone: one client, one put of 600 bytes after the other, bare libcurl."""
        servers = self.stack.servers
        return self.program("s3_put/bench_s3_put", servers["MINIO_ENDPOINT_URL"], 1,
                            2 * seconds, 600, MINIO_ACCESS_KEY=servers["MINIO_ACCESS_KEY"],
                            MINIO_SECRET_KEY=servers["MINIO_SECRET_KEY"])["bare_libcurl"]

    def postgres(self, what, seconds):
        return self.program("src/adapters/postgres/bench_postgres_registry",
                            self.stack.servers["POSTGRES_URL"], seconds, what)

    def set_up(self):
        oms = self.stack.only(*ALL)[0]
        place = {"instances": [{"place_id": f"P-{n:02}"} for n in range(20)]}
        for path, body in [("database/create", {"name": "bench"}),
                           *[("database/bench/ontology", each) for each in CLASSES],
                           ("instances/bench/async/Place/bulk-create", place)]:
            status, answer = oms.ask("POST", f"/api/v1/{path}?wait=30", body)
            if status // 100 != 2:
                raise RuntimeError(f"{path}: {status} {answer}")

    def settle(self):
        """Until no service has anything left to do."""
        def at_rest():
            before = self.work_done()
            time.sleep(1.5)
            return self.work_done() == before
        wait_until("the pipeline comes to rest", at_rest, self.options.patience_s)

    def work_done(self):
        names = ("saffron_append_events_total", "saffron_publisher_events_total",
                 "saffron_graph_nodes_total", "saffron_projection_documents_total",
                 "saffron_worker_decided_total")
        return {service: growth({}, values, *names)
                for service, values in self.stack.counters().items()}


def ratio_row(what, floor, rounds, details, at_most=False):
    ratios = [each["ratio"] for each in rounds]
    return Row(what, floor, statistics.median(ratios), "x", at_most=at_most,
               details={**details, "lowest": min(ratios), "highest": max(ratios),
                        "rounds": rounds})


def median(rounds, name):
    return statistics.median(each[name] for each in rounds)


def creates(bench):
    """The OMS alone on MinIO and PostgreSQL; what follows it would share its cores."""
    bench.stack.only("oms")
    rounds = []
    for _ in range(bench.options.rounds):
        put = bench.serial_put(bench.options.seconds / 2)
        watch = Watch(bench.stack)
        created = bench.load("create", clients=256, seconds=bench.options.seconds, warmup=1)
        rounds.append({"puts_per_s": put["puts_per_s"], "creates_per_s": created["ok_per_s"],
                       "p99_ms": created["latency_us"]["p99"] / 1e3,
                       "ratio": created["ok_per_s"] / put["puts_per_s"], "cpu": watch.take()})
        say(f"serial put {put['puts_per_s']:.0f}/s, creates {created['ok_per_s']:.0f}/s")
    bench.rows.append(ratio_row(
        "creates over HTTP, 256 clients, of the store's serial PUT/s", 20, rounds,
        {"creates_per_s": median(rounds, "creates_per_s"),
         "puts_per_s": median(rounds, "puts_per_s"),
         "p99_ms": median(rounds, "p99_ms"), "cpu": rounds[-1]["cpu"]}))


def requests(bench):
    """What a batch costs, with everything running that belongs to a deployment, beyond what the
    services ask while nothing happens (leases, heartbeats, looks at the end of the log)."""
    bench.stack.only(*ALL)
    bench.settle()
    started, idle_from = time.monotonic(), bench.stack.counters()
    time.sleep(bench.options.seconds * 2)
    before = bench.stack.counters()
    idle_s, loaded_from = time.monotonic() - started, time.monotonic()
    loaded = bench.load("create", clients=256, seconds=bench.options.seconds * 2)
    bench.settle()
    after = bench.stack.counters()
    stretch = (time.monotonic() - loaded_from) / idle_s

    def grown(service, names):
        idle = growth(idle_from[service], before[service], *names)
        return max(0, growth(before[service], after[service], *names) - idle * stretch)

    slots = sum(grown(service, SLOTS) for service in after)
    puts = sum(grown(service, PUTS) for service in after)
    oms_slots, trips = grown("oms", SLOTS), grown("oms", TRIPS)
    reads = {service: round(grown(service, GETS) / slots, 2) for service in FOLLOWERS}
    idle_puts = sum(growth(idle_from[each], before[each], *PUTS) for each in after)
    details = {"slots": slots, "oms_slots": oms_slots, "idle_puts_per_s": idle_puts / idle_s,
               "creates_per_s": loaded["ok_per_s"],
               "events_a_slot": sum(grown(each, ("saffron_append_events_total",))
                                    for each in after) / slots}
    idle_trips = growth(idle_from["oms"], before["oms"], *TRIPS)
    bench.rows += [
        Row("PUT-class S3 requests a batch, all services, by-date entries included", 1.2,
            puts / slots, "", at_most=True, details=details),
        Row("GETs of a batch by each following process (the most)", 1.0, max(reads.values()), "",
            at_most=True, details={**reads, "of_the_oms": grown("oms", GETS) / slots}),
        Row("PostgreSQL round trips a batch, OMS", 2.5, trips / oms_slots, "", at_most=True,
            details={"round_trips": trips, "oms_slots": oms_slots,
                     "idle_per_s": idle_trips / idle_s}),
    ]


def ack(bench):
    bench.stack.only("oms")
    rounds = []
    for _ in range(bench.options.rounds):
        put = bench.serial_put(bench.options.seconds / 2)
        commit = bench.postgres("commit", bench.options.seconds / 2)
        created = bench.load("create", clients=64, rate=200, seconds=bench.options.seconds)
        ack_ms = created["latency_us"]["p50"] / 1e3
        rounds.append({"put_ms": put["p50_ms"], "commit_ms": commit["p50_ms"], "ack_ms": ack_ms,
                       "ack_p99_ms": created["latency_us"]["p99"] / 1e3,
                       "ratio": ack_ms / (put["p50_ms"] + commit["p50_ms"])})
        say(f"put {put['p50_ms']:.2f} ms + commit {commit['p50_ms']:.2f} ms, ack {ack_ms:.2f} ms")
    bench.rows.append(ratio_row(
        "ack p50 at 200 events/s, of one raw PUT + one PostgreSQL commit", 2, rounds,
        {name: median(rounds, name) for name in ("ack_ms", "ack_p99_ms", "put_ms", "commit_ms")},
        at_most=True))


def delivery(bench):
    bench.stack.only(*ALL)
    bench.settle()
    measured = bench.program("kafka_probe/bench_kafka_probe", "delivery",
                             bench.stack.servers["KAFKA_BOOTSTRAP_SERVERS"],
                             bench.stack.services["oms"].port, bench.options.deliveries)
    bare, ours = measured["bare"], measured["saffron"]
    say(f"bare p99 {bare['p99_ms']} ms, from ack to Kafka p99 {ours['p99_ms']} ms")
    bench.rows.append(Row("ack to Kafka delivery, idle, p99 above the broker's own", 50,
                          ours["p99_ms"] - bare["p99_ms"], " ms", at_most=True,
                          details={"p99_ms": ours["p99_ms"], "p50_ms": ours["p50_ms"],
                                   "broker_p99_ms": bare["p99_ms"],
                                   "broker_p50_ms": bare["p50_ms"],
                                   "messages": bench.options.deliveries}))


def claims(bench):
    bench.stack.only()
    rounds = []
    for _ in range(bench.options.rounds):
        rates = bench.postgres("claims", bench.options.seconds)
        rounds.append({**rates, "ratio": rates["batched_per_s"] / rates["single_per_s"]})
        say(f"claim + done: {rates['single_per_s']:.0f}/s one by one, "
            f"{rates['batched_per_s']:.0f}/s in batches of {rates['batch']}")
    bench.rows.append(ratio_row(
        "worker claim + done on PostgreSQL, of one row a transaction", 10, rounds,
        {name: median(rounds, name) for name in ("batch", "batched_per_s", "single_per_s")}))


def million(bench):
    """As many seconds as asked for; what it says of a million is by proportion, and says so."""
    bench.stack.only(*ALL, SAFFRON_APPEND_LINGER_MS="200")
    bench.settle()
    before = bench.stack.counters()
    # Each command is an event and its outcome another one.
    bench.load("create", clients=256, rate=500, seconds=bench.options.linger_events / 1000)
    bench.settle()
    after = bench.stack.counters()
    events = sum(growth(before[name], after[name], "saffron_append_events_total") for name in after)
    by_service = {name: growth(before[name], after[name], *PUTS) for name in after}
    puts = sum(by_service.values())
    bench.rows.append(Row(
        f"PUT-class S3 requests at 1,000 events/s, linger 200 ms: measured over {events:,.0f} "
        "events, a million by proportion", 13_000, puts / events * 1e6, "", at_most=True,
        details={"events": events, "requests": puts, **by_service}))


def rate_of(service, counter, total, patience_s, gauge="", gauge_end=0.0):
    """(a second, how many) from the first look at which it has begun to the last of `total`, and
    until the gauge, if one is named, has reached its end."""
    first = None
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        values, now = service.counters(), time.monotonic()
        count = growth({}, values, counter)
        if first is None and count > 0:
            first = (now, count)
        if first is not None and count >= total and values.get(gauge, gauge_end) >= gauge_end:
            return (count - first[1]) / max(now - first[0], 1e-9), count - first[1]
        time.sleep(0.02)
    raise RuntimeError(f"{counter} does not reach {total}")


def fill(bench, commands):
    bench.load("bulk", clients=16, requests=max(1, commands // 100))


def publisher(bench):
    """The whole log, again and again: each round has a checkpoint of its own. The last row that
    anything may follow: the bus then holds everything several times."""
    oms = bench.stack.only("oms")[0]
    fill(bench, bench.options.backlog)
    values = oms.counters()
    size = round(growth({}, values, "saffron_append_batch_bytes_sum") /
                 growth({}, values, "saffron_append_events_total"))
    bench.stack.only()
    kafka, rounds = bench.stack.servers["KAFKA_BOOTSTRAP_SERVERS"], []
    backlog = bench.options.backlog
    bench.program("kafka_probe/bench_kafka_probe", "publish", kafka, backlog // 10, size)
    for number in range(bench.options.rounds):
        bare = bench.program("kafka_probe/bench_kafka_probe", "publish", kafka, backlog, size)
        service = bench.stack.only("publisher",
                                   EVENT_PUBLISHER_CHECKPOINT_KEY=f"checkpoints/{number}.json")[0]
        watch = Watch(bench.stack)
        rate, events = rate_of(service, "saffron_publisher_events_total", backlog,
                               bench.options.patience_s)
        rounds.append({"bare_per_s": bare["per_s"], "events_per_s": rate, "events": events,
                       "ratio": rate / bare["per_s"], "cpu": watch.take()})
        bench.stack.only()
        say(f"bare {bare['per_s']:.0f}/s, publisher {rate:.0f}/s")
    bench.rows.append(ratio_row(
        f"publisher draining a backlog of {backlog:,}, of a bare producer", 0.5, rounds,
        {"events_per_s": median(rounds, "events_per_s"),
         "bare_per_s": median(rounds, "bare_per_s"), "bytes": size, "cpu": rounds[-1]["cpu"]}))
