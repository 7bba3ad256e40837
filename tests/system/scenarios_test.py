"""The acceptance list of every release, with a real `serve` where one process can show it. The
others, and the simulation's tests of each: docs/testing.md."""
import glob
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from crash_clients import Clients, judge, read_log  # noqa: E402
from saffron_process import run_tests, wait_for  # noqa: E402
from steps_test import SETTINGS, StepServer  # noqa: E402

HOLD_WORKER = "worker.claim.before:1:hold,never:1:kill"


class Scenario(unittest.TestCase):
    settings = SETTINGS

    def setUp(self):
        folder = tempfile.TemporaryDirectory(
            prefix="saffron-scenario-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.server = StepServer(os.path.join(self.folder, "data"), **self.settings)
        self.addCleanup(self.end)
        self.server.start()
        self.clients = Clients(self.server.port, 1, 1)
        self.clients.set_up()
        self.client = self.clients.threads[0]
        self.addCleanup(self.client.close)
        self.write(10)

    def end(self):
        if self.server.process and self.server.process.poll() is None:
            self.server.kill()

    def write(self, count):
        for _ in range(count):
            self.client.step()

    def ask(self, method, path, body=None):
        status, answer, _ = self.server.ask(method, "/api/v1" + path, body)
        self.assertIn(status, (200, 202), answer)
        return answer

    def restart(self, orders="never:1:kill", ready=True):
        self.end()
        self.server.arm(orders).start(ready)

    def killed_at(self, orders, write=None, again=()):
        """The server dies there with one command to do, and those after it as `again` says; then
        one carries on. The client asks until it is told."""
        self.server.settled()
        self.restart("lane.ack.after:1:pass," + orders)
        writer = threading.Thread(target=write or self.client.step)
        writer.start()
        self.server.wait_until_it("kill")
        for more in again:
            self.restart(more, ready=False)
            self.server.wait_until_it("kill")
        self.restart()
        writer.join()

    def expect_once(self, but=()):
        """Everything decided, nothing lost, doubled or reordered, sinks as the log says."""
        report = self.server.settled(but)
        found = judge(read_log(self.server.data_dir), self.clients.acknowledged())
        self.assertEqual(found["outcomes"], found["commands"])
        self.assertEqual(report["log"]["commands"], found["commands"])
        for item in self.client.items:
            status, answer, _ = self.server.ask(
                "GET", f"/api/v1/instance/shop/instance/{item.name}?class=Item")
            size = answer["data"]["document"]["size"] if status == 200 else None
            self.assertEqual(size, item.size, item.name)
        return report

    def part(self, name):
        return os.path.join(self.server.data_dir, name)

    def all_commands_are_consumed(self):
        """Every offset of the workers is at the end."""
        bus = sqlite3.connect(f"file:{self.part('bus.db')}?mode=ro", uri=True)
        behind = bus.execute(
            "SELECT count(*) FROM partitions AS p WHERE p.topic LIKE '%_commands' AND"
            " (SELECT max(id) & ((1 << 44) - 1) FROM records WHERE id >> 44 = p.number) >="
            " ifnull((SELECT max(next) FROM offsets AS o WHERE o.topic = p.topic"
            "         AND o.partition = p.partition), 0)").fetchone()[0]
        bus.close()
        return behind == 0

    def hold_worker(self):
        """The worker of what a client writes next. What comes again after the start, from the
        publisher or the bus, is consumed before that, lest another worker stand still with it."""
        self.restart("lane.ack.after:1:pass," + HOLD_WORKER)
        wait_for("the bus has everything", lambda: self.ask(
            "GET", "/admin/status")["publisher"]["lag_slots"] == 0)
        wait_for("all is consumed", self.all_commands_are_consumed)

    def parked_command(self):
        """Two processes die on it; then it is parked, where two attempts are allowed."""
        item = next(item for item in self.client.items if item.size is not None)
        told = len(self.client.acknowledged)

        def update():
            self.client.change(item, "PUT", "update", item.size + 1)
        killed = "worker.append.before:1:kill"
        self.killed_at(killed, update, again=[killed])
        command = self.client.acknowledged[told]
        wait_for("it is parked", lambda: self.status_of(command).get("parked"))
        return command

    def status_of(self, command):
        return self.ask("GET", f"/commands/{command.command_id}/status")

    def stopped(self):
        self.assertEqual(self.server.stop()[0], 0, self.server.tail())

    def replace(self, name, by=None):
        """A part of the data, file or folder, by an older copy or by nothing."""
        for path in glob.glob(self.part(name) + "*"):
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.remove(path)
        if by:
            (shutil.copytree if os.path.isdir(by) else shutil.copy)(by, self.part(name))

    def copy_of(self, name):
        copy = os.path.join(self.folder, name.replace("/", "-"))
        (shutil.copytree if os.path.isdir(self.part(name)) else shutil.copy)(self.part(name), copy)
        return copy


class Scenario01_CheckpointRolledBackOrDeleted(Scenario):
    CHECKPOINT = "objects/checkpoints/event_publisher.json"

    def test_effects_happen_once(self):
        self.expect_once()
        self.stopped()
        older = self.copy_of(self.CHECKPOINT)
        for by in (older, None):
            self.restart()
            self.write(10)
            self.expect_once()
            self.stopped()
            self.replace(self.CHECKPOINT, by)
        self.restart()
        self.write(5)
        self.expect_once()


class Scenario02_WorkerAndGraphWriterKilled(Scenario):
    OUTCOME = "worker.append.before:1:pass,"  # of an outcome, from here on

    def test_at_each_step_of_a_command(self):
        for orders in ("worker.claim.after:1:kill", "worker.append.before:1:kill",
                       self.OUTCOME + "lane.reserve.after:1:kill",
                       self.OUTCOME + "lane.commit.after:1:kill",
                       self.OUTCOME + "lane.finalize.before:1:kill",
                       "worker.offsets.before:1:kill", "graph.commit.before:1:kill",
                       "graph.commit.after:1:kill"):
            with self.subTest(orders=orders):
                self.killed_at(orders)
                self.write(2)
                self.expect_once()


class Scenario03_ProjectionKilled(Scenario):
    def test_before_the_write_after_it_and_before_the_offsets(self):
        for step in ("projection.write.before", "projection.write.after",
                     "projection.offsets.before", "projection.watermark.before"):
            with self.subTest(step=step):
                self.killed_at(step + ":1:kill")
                self.write(2)
                self.expect_once()


class Scenario04_DeliveriesShuffledMissingAndRepeated(Scenario):
    def test_nothing_is_lost_applied_twice_or_out_of_order(self):
        self.expect_once()
        self.hold_worker()
        self.write(20)
        wait_for("the bus has them", lambda: self.ask(
            "GET", "/admin/status")["publisher"]["lag_slots"] == 0)
        self.end()
        bus = sqlite3.connect(self.part("bus.db"))
        topic = ("SELECT number FROM partitions WHERE topic = 'instance_commands'",)
        number = bus.execute(*topic).fetchone()[0]
        rows = bus.execute("SELECT id, record FROM records WHERE id >> 44 = ? ORDER BY id",
                           (number,)).fetchall()
        self.assertGreater(len(rows), 25)
        (first, one), (second, other) = rows[-9], rows[-4]
        for row, record in ((first, other), (second, one)):
            bus.execute("UPDATE records SET record = ? WHERE id = ?", (record, row))
        for row, _ in (rows[-7], rows[-6]):  # one repeats its neighbour, so it is missing
            bus.execute("UPDATE records SET record = ? WHERE id = ?", (rows[-8][1], row))
        bus.execute("UPDATE offsets SET next = 0 WHERE topic = 'instance_commands'")
        bus.commit()
        bus.close()
        self.restart()
        self.write(5)
        self.expect_once(but=("bus: instance_commands",))  # what was done to it is told


class Scenario06_FailureParkingReplayDiscard(Scenario):
    settings = {**SETTINGS, "INSTANCE_WORKER_MAX_RETRY_ATTEMPTS": "2"}

    def test_an_aggregate_is_parked_replayed_and_discarded(self):
        for verb, status in (("replay", "COMPLETED"), ("discard", "FAILED")):
            command = self.parked_command()
            self.assertEqual(self.status_of(command)["status"], "RETRYING")
            # All others flow.
            self.ask("POST", "/instances/shop/async/Item/create?wait=20",
                     {"data": {"item_id": "other-" + verb, "size": 1}})
            reason = ["--reason", "a test"] if verb == "discard" else []
            self.server.command("dlq", verb, "Instance", command.aggregate, *reason)
            wait_for("it is " + status,
                     lambda: self.status_of(command)["status"] == status)
        report = self.server.settled()
        self.assertEqual(report["log"]["rejected"], 1)


class Scenario07_OddIds(Scenario):
    def test_ids_do_not_collide(self):
        names = ["a", "A", "a:b", "a-b", "a_b", "a:b:c", "main:Item:a", "0", "00", "-", ":", "::",
                 "x" * 255, "x" * 254]
        for size, name in enumerate(names):
            self.ask("POST", "/instances/shop/async/Item/create?wait=20",
                     {"data": {"item_id": name, "size": size}})
        self.restart()
        self.server.settled()
        for size, name in enumerate(names):
            found = self.ask("GET", f"/instance/shop/instance/{name}?class=Item")["data"]
            self.assertEqual(found["document"], {"item_id": name, "size": size})


class Scenario09_ObjectStoreOnABadDay(Scenario):
    seed = 7

    def start_with(self, faults):
        self.end()
        self.server.environment["SAFFRON_STORE_FAULTS"] = faults
        self.server.start(ready=False)

    def answers(self):
        """A start that meets a fault is refused, and tried again with other ones."""
        if self.server.process.poll() is not None:
            self.seed += 1
            self.start_with(f"{self.seed}:120")
        try:
            return self.server.ask("GET", "/health/live")[0] == 200
        except OSError:
            return False

    def test_lost_answers_conflicts_errors_slow_and_late_writes(self):
        self.start_with(f"{self.seed}:120")
        wait_for("it is up", self.answers, 60)
        self.write(200)  # enough to draw every fault
        self.server.process.send_signal(signal.SIGTERM)
        self.server.process.wait(timeout=60)
        with open(self.server.log, encoding="utf-8", errors="replace") as log:
            told = [line for line in log if line.startswith("store faults:")][-1].split()[2:]
        drawn = dict(entry.split("=") for entry in told)
        self.assertEqual(set(drawn), {"refused", "slow", "conflict", "lost-answer", "late"})
        self.assertTrue(all(int(count) > 0 for count in drawn.values()), drawn)
        del self.server.environment["SAFFRON_STORE_FAULTS"]
        self.server.start()
        self.expect_once()

    def test_a_store_that_ignores_conditions_is_refused(self):
        self.start_with("ignores-conditions")
        self.assertNotEqual(self.server.process.wait(timeout=60), 0)
        self.assertIn("accepts If-None-Match and ignores it", self.server.tail())


class Scenario10_StoresThatFellBack(Scenario):
    def fall_back(self, name, older):
        self.expect_once()
        self.stopped()
        copy = self.copy_of(name) if older else None
        self.restart()
        self.write(15)
        self.expect_once()
        self.end()
        self.replace(name, copy)
        self.restart()
        self.write(5)  # each with the number before it: none is used again
        self.expect_once()

    def test_registry_restored(self):
        self.fall_back("registry", older=True)

    def test_registry_empty(self):
        self.fall_back("registry", older=False)

    def test_bus_gone(self):
        self.fall_back("bus.db", older=False)

    def test_bus_older(self):
        self.fall_back("bus.db", older=True)

    def test_graph_older_than_the_registry(self):
        self.fall_back("graph", older=True)

    def test_search_older_than_the_registry(self):
        self.fall_back("search", older=True)


if __name__ == "__main__":
    run_tests()
