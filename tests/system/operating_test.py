"""Every command of docs/operating.md, taken from the page itself: those of one process on a
directory and those of a deployment of six processes on real engines, backup and restore among them.
A command of the page that is not run here fails, and so does a metric or log line that is not.

Without the servers' packages it ends with 77, a visible skip; with SAFFRON_REQUIRE_SERVERS that is
a failure.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from crash_clients import ITEM, read_log  # noqa: E402
from operating_page import ROOT, Page, Shell  # noqa: E402
from saffron_process import PROGRAM, free_port, passed_on, run_tests, wait_for  # noqa: E402
import scenarios_test  # noqa: E402
sys.path.insert(0, str(ROOT / "tools"))
from stack_services import (Service, environment_of, six_services, stack_script,  # noqa: E402
                            stop_all)

SKIPPED = 77
PAGE = Page()
# The reservations of these processes last a second.
RESERVATION = {"SAFFRON_RESERVATION_SECONDS": "1"}
# What the page makes up, and what stands for it.
PUT_IN = {"sleep 10": "sleep 2.5", "--from SLOT": "--from 2", "--sample N": "--sample 5",
          "--memory MIB": "--memory 64"}
# A wait in which a slot is written at least.
COUNT = "$(find saffron-data/objects/events -name '*.jsonl' | wc -l)"
WHILE_MORE_COMES = (f"n={COUNT}; sleep 2.5; while [ {COUNT} -le $n ]; do sleep 0.1; done; "
                    f"echo {COUNT} >slots")
# Written like log lines in the page; what they are.
NO_LOG_LINES = {
    "aggregate_versions": "table", "event_index": "table", "processed_events": "table",
    "processed_events.status": "column", "command_failures_dlq": "topic",
    "projection_failures_dlq": "topic", "bus.db": "file", "format.json": "file",
    "expected_seq": "parameter", "min_seq": "parameter", "min_position": "parameter",
    "head_slot": "member", "object_store": "component", "ontology_change_pending": "error",
    "pg_dump": "program", "skipped_stale": "status"}


def with_program_on_path(environment, folder):
    """`saffron` is this build's, as an operator would have it."""
    programs = os.path.join(folder, "bin")
    os.makedirs(programs)
    os.symlink(os.path.abspath(PROGRAM), os.path.join(programs, "saffron"))
    return {**environment, "PATH": programs + ":" + environment["PATH"]}


def answers(port, path="/health/ready"):
    return subprocess.run(["curl", "-sf", "-o", "/dev/null", f"http://127.0.0.1:{port}{path}"],
                          check=False).returncode == 0


def slots_in(data_dir):
    return sum(name.endswith(".jsonl") for _, _, names in os.walk(data_dir + "/objects/events/")
               for name in names)


def metrics_in(text):
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


class EmbeddedTest(scenarios_test.Scenario):
    """One process on a directory."""
    settings = {**scenarios_test.SETTINGS, **RESERVATION, "INSTANCE_WORKER_MAX_RETRY_ATTEMPTS": "2"}

    def setUp(self):
        super().setUp()
        address = f"127.0.0.1:{self.server.port}"
        os.symlink("data", os.path.join(self.folder, "saffron-data"))
        self.backup = os.path.join(self.folder, "backup")
        os.mkdir(self.backup)
        self.shell = Shell(
            PAGE, self.folder,
            with_program_on_path({**passed_on(), **RESERVATION, "SAFFRON_LISTEN": address},
                                 self.folder),
            {**PUT_IN, "localhost:8000": address, "/backup": self.backup})

    def served(self, start):
        """The command of the page serves, and stops when it is told to."""
        process = self.shell.starting(start)
        try:
            wait_for("it is ready", lambda: answers(self.server.port), 60)
            found = self.ask("GET", "/instance/shop/class/Item/count")
        finally:
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(timeout=30), 0)
        return found

    def test_looked_at_verified_and_rebuilt(self):
        self.server.settled()
        run = self.shell.run
        run("curl -sf localhost:8000/health/ready")
        self.assertIn("saffron_publisher_lag_slots 0", run("curl -sf localhost:8000/metrics"))
        self.assertLessEqual(metrics_in(self.server.ask("GET", "/metrics")[1].decode()),
                             PAGE.metrics())
        self.assertIn("publisher", run("saffron status"))
        self.assertIn("0 failed", run("saffron check"))
        for words in ("", " --from SLOT", " --sample N", " --memory MIB"):
            run("saffron verify" + words)
        shutil.rmtree(self.part("objects/indexes/by-date"))
        self.assertNotEqual(self.server.command("verify", check=False).returncode, 0)
        run("saffron verify --repair index")
        for target in ("graph", "search"):
            run("saffron rebuild " + target)
        self.server.settled()
        self.stopped()
        run("saffron rebuild registry")
        run("saffron verify --repair registry")
        count = self.served("saffron serve  ")
        self.assertEqual(self.served("saffron serve"), count)

    def test_a_parked_aggregate_is_listed_shown_replayed_and_discarded(self):
        command = self.parked_command()
        self.shell.put_in["shop:main:Order:ORD-17"] = command.aggregate
        self.assertIn(command.aggregate, self.shell.run("saffron dlq list"))
        shown = self.shell.run("saffron dlq list\n")  # and show, and replay
        self.assertIn(command.command_id, shown)
        wait_for("it is replayed", lambda: self.status_of(command)["status"] == "COMPLETED")
        command = self.parked_command()
        self.shell.put_in["shop:main:Order:ORD-17"] = command.aggregate
        self.shell.run("saffron dlq discard")
        wait_for("it is discarded", lambda: self.status_of(command)["status"] == "FAILED")
        self.assertIn("wrong currency", json.dumps(self.status_of(command)))

    def write_on(self, name):
        """Creates, until the server is gone."""
        for number in range(1, 1_000_000):
            try:
                status, answer, _ = self.server.ask(
                    "POST", "/api/v1/instances/shop/async/Item/create",
                    {"data": {"item_id": f"{name}-{number}", "size": number}}, timeout=100)
            except OSError:
                return
            if status == 202:
                self.acknowledged.append(answer["command_id"])
            time.sleep(0.02)

    def slot_is_missing(self):
        try:
            read_log(self.server.data_dir)
            return False
        except AssertionError:
            return True

    def test_a_directory_is_backed_up_while_it_is_written_to_and_restored(self):
        """And while a writer stands still between its number and the log: the slots above it are
        there, and its own is not."""
        self.server.settled()
        self.restart("lane.commit.before:1:hold,never:1:kill")
        self.acknowledged = []
        writers = [threading.Thread(target=self.write_on, args=[name]) for name in ("one", "two")]
        writers[0].start()
        wait_for("a slot is reserved", lambda: self.ask(
            "GET", "/admin/status")["registry"]["reservations"])
        writers[1].start()
        wait_for("the next one is there", self.slot_is_missing)
        for again in (False, True):  # the second time what is new is added
            before = set(self.acknowledged)
            self.shell.run("top=$(find saffron-data", **{"sleep 10": WHILE_MORE_COMES})
            place = self.as_data(self.backup + "/log", str(again))
            copied = {event["metadata"]["command_id"] for _, event in read_log(place)}
            self.assertLessEqual(before, copied)
            with open(os.path.join(self.folder, "slots"), encoding="utf-8") as slots:
                self.assertLess(slots_in(place), int(slots.read()))
        self.end()
        for writer in writers:
            writer.join()
        self.shell.run("mkdir -p restored/objects")
        self.served("saffron serve --data-dir restored")

    def as_data(self, objects, name):
        """A data directory that has these objects."""
        place = os.path.join(self.folder, "of-" + name)
        os.mkdir(place)
        os.symlink(objects, os.path.join(place, "objects"))
        return place

class DeploymentTest(unittest.TestCase):
    """Six processes on real engines. The tests follow each other on one deployment."""
    services = []

    @classmethod
    def start(cls):
        cls.holder = tempfile.TemporaryDirectory(prefix="saffron-operating-")
        cls.folder = cls.holder.name
        os.chmod(cls.folder, 0o755)  # PostgreSQL runs as a user of its own
        os.environ["STACK_DIR"] = os.path.join(cls.folder, "servers")
        environment = {**passed_on(), **environment_of(stack_script("up").stdout), **RESERVATION,
                       # So long a worker that was stopped while it joined holds up its group.
                       "SAFFRON_KAFKA_SESSION_TIMEOUT_MS": "6000"}
        cls.services = [service.start() for service in six_services(environment, cls.folder)]
        for service in cls.services:
            service.wait_ready(180)
            PAGE.take(f"saffron {service.command_name}")
        cls.named = {service.name: service for service in cls.services}
        cls.oms, cls.items = cls.services[0], 0
        os.mkdir(os.path.join(cls.folder, "backup"))
        cls.shell = Shell(
            PAGE, cls.folder, with_program_on_path(environment, cls.folder),
            {**PUT_IN, "http://oms:8000": cls.oms.url, "/backup": cls.folder + "/backup",
             "http://publisher:8001": cls.named["publisher"].url})
        for path, body in (("/database/create", {"name": "shop"}),
                           ("/database/shop/ontology", ITEM)):
            cls.carried_out(cls.oms, path, body)
        cls.write(20)

    @classmethod
    def tearDownClass(cls):
        stop_all(cls.services)
        kafka = os.path.join(cls.folder, "kafka")
        subprocess.run([ROOT / "testing/servers/kafka.sh", "down", kafka], check=False)
        stack_script("down", check=False)
        cls.holder.cleanup()

    @classmethod
    def carried_out(cls, service, path, body):
        status, answer = service.ask("POST", f"/api/v1{path}?wait=30", body)
        if status not in (200, 202):
            raise AssertionError(f"{path}: {status} {answer}\n{service.tail()}")
        command = answer.get("command_id") or answer["data"]["command_id"]
        # The leases of the dead are in a restored registry, too: they run out first.
        try:
            wait_for("it is COMPLETED", lambda: service.ask(
                "GET", f"/api/v1/commands/{command}/status")[1]["status"] == "COMPLETED", 50)
        except AssertionError:
            status = service.ask("GET", f"/api/v1/commands/{command}/status")
            raise AssertionError(f"{path}: {status}\n{service.tail()}") from None

    @classmethod
    def write(cls, count, service=None):
        for _ in range(count):
            cls.items += 1
            cls.carried_out(service or cls.oms, "/instances/shop/async/Item/create",
                         {"data": {"item_id": f"I-{cls.items}", "size": cls.items}})

    def verified(self, service):
        """What it has, once every store has it: whatever differs is told."""
        def clean():
            done = subprocess.run([PROGRAM, "verify", "--json", "--server", service.url],
                                  env=service.environment, capture_output=True, text=True,
                                  timeout=120)
            report = json.loads(done.stdout)
            return report if report["clean"] and not report["log"]["undecided"] else None
        return wait_for("verify finds nothing", clean, 60)

    def one_process(self, changed=None):
        """All parts in one process on the engines of the deployment."""
        service = Service("serve", {**self.shell.environment, **(changed or {})}, self.folder)
        self.services.append(service.start().wait_ready(180))
        return service

    def sql(self, statement):
        return subprocess.run(["psql", self.shell.environment["POSTGRES_URL"], "-qtAc",
                               "set search_path = spice_event_registry; " + statement], check=True,
                              stdout=subprocess.PIPE, text=True).stdout.strip()

    def test_1_configured_and_validated(self):
        told = self.shell.run("saffron config")
        self.assertIn(self.shell.environment["KAFKA_BOOTSTRAP_SERVERS"], told)
        self.assertNotIn(self.shell.environment["MINIO_SECRET_KEY"], told)
        self.shell.run("saffron version")
        told = self.shell.run("saffron check --server")  # and status, and verify
        self.assertIn("0 failed", told)

    def test_2_a_worker_more(self):
        port = free_port()
        self.shell.environment["SAFFRON_LISTEN"] = f"127.0.0.1:{port}"
        process = self.shell.starting("saffron instance-worker  ")
        wait_for("it is ready", lambda: answers(port), 60)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=30), 0)

    def test_3_every_metric_is_served_and_every_one_served_is_in_the_page(self):
        served = set()
        for service in self.services:
            served |= metrics_in(service.ask("GET", "/metrics")[1].decode())
        self.assertEqual(served, PAGE.metrics())

    def test_4_maintained(self):
        of = " processed_events where handler = 'instance_worker'"
        wait_for("all are done", lambda: self.sql(f"select count(*) from{of} and status = 'done'")
                 == str(self.items))
        self.sql("update processed_events set status = 'failed' where handler = 'instance_worker'"
                 " and aggregate_id = 'shop:main:Item:I-1'")
        self.sql("update processed_events set processed_at = processed_at - interval '31 days'"
                 f" where event_id in (select event_id from{of}"
                 " and aggregate_id like 'shop:main:Item:I-1%') and handler = 'instance_worker'")
        # What is older than thirty days goes with the next pass of a worker, a minute apart.
        wait_for("old rows are deleted",
                 lambda: self.sql("select count(*) from" + of) == str(self.items - 10), 300)
        self.shell.run('psql "$POSTGRES_URL" -c \'reindex')
        self.shell.run("cat >lifecycle.xml")
        self.assertIn("<ID>probes</ID>", self.lifecycle())
        self.write(1)
        self.verified(self.oms)

    def lifecycle(self):
        settings = self.shell.environment
        return subprocess.run(
            ["curl", "-sf", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user",
             f"{settings['MINIO_ACCESS_KEY']}:{settings['MINIO_SECRET_KEY']}",
             settings["MINIO_ENDPOINT_URL"] + "/spice-event-store?lifecycle="], check=True,
            stdout=subprocess.PIPE, text=True).stdout

    def test_5_backed_up_and_restored(self):
        self.shell.run("pg_dump")
        saved = self.items
        self.shell.run("export RCLONE_CONFIG_LOG_TYPE=s3")  # into another bucket
        self.write(5)
        stop_all(self.services)
        kafka = subprocess.Popen(
            [ROOT / "testing/servers/kafka.sh", "up", os.path.join(self.folder, "kafka")],
            stdout=subprocess.PIPE, text=True)
        self.registry_restored()
        names = self.shell.script("export EVENT_STORE_BUCKET")
        names[-1] += "\nenv -0"
        told = subprocess.run(names, env={}, check=True, stdout=subprocess.PIPE, text=True).stdout
        names = dict(line.split("=", 1) for line in told.split("\0") if line)
        self.assertEqual(kafka.wait(timeout=120), 0)
        names["KAFKA_BOOTSTRAP_SERVERS"] = kafka.stdout.read().strip()
        self.all_restored(names, saved)

    def registry_restored(self):
        """From the dump, which is older than the log; then from the log alone."""
        self.shell.run('psql "$POSTGRES_URL" -c \'drop')
        for again in (False, True):
            if again:
                self.shell.environment["SAFFRON_LISTEN"] = f"127.0.0.1:{free_port()}"
                self.shell.run("saffron rebuild registry")
            service = self.one_process()
            self.write(1, service)
            self.assertEqual(self.count(self.verified(service)), self.items)
            service.stop()

    def all_restored(self, names, saved):
        service = self.one_process(names)
        self.assertEqual(self.count(self.verified(service)), saved)
        self.items = saved
        self.write(1, service)  # with a number of its own
        self.assertEqual(self.count(self.verified(service)), saved + 1)

    @staticmethod
    def count(report):
        return next(one["present"] for one in report["classes"] if one["name"] == "shop:main:Item")


class PageTest(unittest.TestCase):
    """After the others, as its name is the last of them."""

    def test_every_command_of_the_page_was_run(self):
        self.assertEqual(PAGE.never_run(), [])

    def test_every_name_of_a_log_line_is_logged(self):
        self.assertLessEqual(NO_LOG_LINES.keys(), PAGE.names())
        sources = "\n".join(path.read_text(encoding="utf-8") for path in
                            sorted((ROOT / "src").rglob("*.cc")) if "_test" not in path.name)
        logged = set(re.findall(r'\b(?:Debug|Info|Warning|Error)\(\s*"([a-z_.]+)"', sources))
        self.assertLessEqual(PAGE.names() - NO_LOG_LINES.keys(), logged)


def set_up():
    """False: the servers or programs cannot be had here."""
    missing = [name for name in ("rsync", "rclone", "pg_dump") if not shutil.which(name)]
    if missing:
        print("missing:", *missing)
        return False
    try:
        DeploymentTest.start()
        return True
    except subprocess.CalledProcessError:
        DeploymentTest.tearDownClass()
        return False
    except BaseException:
        DeploymentTest.tearDownClass()
        raise


if __name__ == "__main__":
    if not set_up():
        sys.exit(1 if os.environ.get("SAFFRON_REQUIRE_SERVERS") else SKIPPED)
    run_tests()
