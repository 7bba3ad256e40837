"""Outages of the six processes of a deployment on real engines, a chosen part of the matrix that
`./dev outages` runs whole: each engine with its nastiest fault, processes killed, pairs. Nothing
lost, nothing doubled, order kept, readiness tells, everything resumes by itself.

Then what reads and repairs across processes: the event stream over a killed OMS, and the dead
letters. Without the servers' packages it ends with 77, a visible skip; with SAFFRON_REQUIRE_SERVERS
that is a failure.
"""
import http.client
import json
import os
import pathlib
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "outages"))
from cell import Stage  # noqa: E402
from deployment import Deployment, ServersMissing  # noqa: E402
from faults import all_faults  # noqa: E402
from load import DATABASE  # noqa: E402
from saffron_process import run_tests, wait_for  # noqa: E402
from stack_services import PROGRAM  # noqa: E402

SKIPPED = 77
SECONDS = 4
CREATE = f"/api/v1/instances/{DATABASE}/async/Item/create"


class Reader(threading.Thread):
    """Follows the event stream of one OMS until it breaks; remembers (position, event id)."""

    def __init__(self, service, last=None):
        super().__init__(daemon=True)
        self.seen = []
        self.connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
        self.headers = {"Last-Event-ID": last} if last else {}

    def run(self):
        try:
            start = "" if self.headers else "?from=0-1-0"
            self.connection.request("GET", "/api/v1/events/stream" + start, headers=self.headers)
            position = None
            for line in self.connection.getresponse():
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "id":
                    position = value
                elif name == "data":
                    self.seen.append((position, json.loads(value)["event_id"]))
        except (OSError, http.client.HTTPException):
            pass  # the server was killed, or the test has ended
        finally:
            self.connection.close()


class OutageTest(unittest.TestCase):
    """The tests follow each other on one deployment."""
    deployment = stage = None

    @classmethod
    def start(cls):
        cls.deployment = Deployment()
        cls.stage = Stage(cls.deployment.start()).open()
        cls.oms = cls.deployment.services["oms"]
        cls.other = cls.deployment.services["oms-2"]

    @classmethod
    def tearDownClass(cls):
        if cls.deployment:
            cls.deployment.stop()

    def cell(self, *names):
        faults = [all_faults()[name] for name in names]
        result = self.stage.run(" + ".join(names), faults, SECONDS)
        print(result.line(), flush=True)
        self.assertTrue(result.passed(), "\n".join(result.problems))
        self.assertGreater(result.acknowledged, 0)

    def test_01_object_store_answers_lost(self):
        self.cell("minio cut")

    def test_02_registry_restored_from_an_older_backup(self):
        self.cell("postgres restored")

    def test_03_bus_topics_deleted(self):
        self.cell("kafka topics deleted")

    def test_04_search_down(self):
        self.cell("opensearch down")

    def test_05_graph_down_and_a_worker_killed(self):
        self.cell("terminusdb down", "instance-worker killed")

    def test_06_object_store_and_registry_away(self):
        self.cell("minio drop", "postgres down")

    def test_07_oms_and_publisher_killed_without_a_bus(self):
        self.cell("kafka drop", "oms killed", "publisher killed")

    def test_08_two_instance_workers_on_one_event(self):
        self.cell("instance-worker suspended")

    def events_of_the_log(self):
        found, start = [], ""
        while True:
            data = self.other.ask("GET", f"/api/v1/events?limit=1000{start}")[1]["data"]
            found += [entry["event"] for entry in data["events"]]
            if not data["events"]:
                return found
            start = "&from=" + data["next"]

    def create(self, item, **more):
        status, answer = self.other.ask("POST", CREATE + "?wait=30", {"data": {"item_id": item,
                                                                              **more}})
        self.assertEqual(status, 200, answer)
        return answer

    def test_11_the_event_stream_goes_on_over_a_killed_oms(self):
        first = Reader(self.oms)
        first.start()
        self.create("streamed-1")
        wait_for("events come", lambda: len(first.seen) >= 2, 60)
        self.deployment.kill(self.oms)
        first.join(60)
        self.create("streamed-2")
        self.assertTrue(wait_for("the OMS is back", self.deployment.all_ready, 120))
        # At the same OMS, started again, and at the other one.
        for service in (self.oms, self.other):
            rest = Reader(service, first.seen[-1][0])
            rest.start()
            self.create("streamed-to-" + service.name)
            expected = [event["event_id"] for event in self.events_of_the_log()]
            wait_for("all of the log has come",
                     lambda: len(first.seen) + len(rest.seen) >= len(expected), 60)
            whole = [event for _, event in first.seen + rest.seen]
            self.assertEqual(whole[:len(expected)], expected)

    def dlq(self, *words):
        done = subprocess.run([PROGRAM, "dlq", *words, "--json", "--server", self.other.url],
                              env=self.deployment.environment, capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def parked(self):
        return {entry["aggregate_id"] for entry in self.dlq("list")["parked"]}

    def damage(self, aggregate):
        """Flips the checksum of its last outcome in the registry; again to mend it."""
        self.assertEqual(self.deployment.engines["postgres"].sql(
            "update aggregate_versions set outcome_crc32c = outcome_crc32c # 1"
            f" where aggregate_id = '{aggregate}' and outcome_crc32c is not null returning 1"), "1")

    def update(self, item, number, size):
        """The id of the command."""
        status, answer = self.oms.ask(
            "PUT", f"/api/v1/instances/{DATABASE}/async/Item/{item}/update?expected_seq={number}",
            {"data": {"size": size}})
        self.assertEqual(status, 202, answer)
        return answer["command_id"]

    def decided(self, command):
        status, answer = self.other.ask("GET", f"/api/v1/commands/{command}/status?wait=20")
        self.assertEqual(status, 200, answer)
        return answer["status"]

    def park(self, items):
        """Their last outcomes cannot be read, so nothing after them is decided. Whoever has a slot
        in memory reads it there and compares no checksum: so the worker has just started, and there
        is an item more, because a start reads the last slot of the log."""
        for item in items:
            self.create(item, size=1)
        self.create("in-the-last-slot")
        wait_for("all is settled", lambda: self.deployment.engines["postgres"].sql(
            "select 1 where not exists (select from reservations)"))
        for aggregate in items.values():
            self.damage(aggregate)
        self.deployment.kill(self.deployment.services["instance-worker"])
        wait_for("the worker is back", self.deployment.all_ready, 120)
        commands = {item: [self.update(item, 1, 2), self.update(item, 2, 3)] for item in items}
        wait_for("both are parked", lambda: set(items.values()) <= self.parked(), 120)
        return commands

    def test_12_dead_letters_are_listed_shown_replayed_and_discarded(self):
        items = {name: f"{DATABASE}:main:Item:{name}" for name in ("replayed", "discarded")}
        commands = self.park(items)
        for item, aggregate in items.items():
            shown = self.dlq("show", "Instance", aggregate)
            self.assertEqual([one["event_id"] for one in shown["commands"]], commands[item])
            self.damage(aggregate)
        self.create("not-held-up")
        self.dlq("replay", "Instance", items["replayed"])
        self.assertEqual(self.parked() & set(items.values()), {items["discarded"]})
        self.dlq("discard", "Instance", items["discarded"], "--reason", "a test")
        self.assertFalse(self.parked() & set(items.values()))
        for item, first in (("replayed", "COMPLETED"), ("discarded", "FAILED")):
            told = [self.decided(command) for command in commands[item]]
            self.assertEqual(told, [first, "COMPLETED"])
            self.assertEqual(self.decided(self.update(item, 3, 4)), "COMPLETED")
            self.assertEqual(self.outcomes(items[item]), [1, 2, 3, 4])
            read = f"/api/v1/instance/{DATABASE}/instance/{item}?class=Item&min_seq=4&wait=20"
            code, shown = self.other.ask("GET", read)
            self.assertEqual((code, shown["data"]["document"]["size"]), (200, 4))
        found = []
        wait_for("the stores are what the log says", lambda: self.stage.verify(found), 120)

    def outcomes(self, aggregate):
        """The numbers of its outcomes, in the order of the log."""
        return [event["sequence_number"] for event in self.events_of_the_log()
                if event["aggregate_id"] == aggregate and event["metadata"]["kind"] != "command"]


def set_up():
    """False: the servers cannot be had here."""
    try:
        OutageTest.start()
        return True
    except ServersMissing:
        OutageTest.tearDownClass()
        return False
    except BaseException:
        OutageTest.tearDownClass()
        raise


if __name__ == "__main__":
    if not set_up():
        sys.exit(1 if os.environ.get("SAFFRON_REQUIRE_SERVERS") else SKIPPED)
    run_tests()
