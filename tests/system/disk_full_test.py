"""A real server whose disks run full, one at a time: writes are refused with the reason and nothing
of them is half there, reads go on, readiness names the component; with space it goes on by itself,
and every acknowledged command is there exactly once."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import small_disk  # noqa: E402
from saffron_process import Server, wait_for  # noqa: E402

ORDER = {"id": "Order", "properties": [
    {"name": "order_id", "type": "string", "required": True, "primary_key": True},
    {"name": "note", "type": "string"}]}
# Small, but with room for the backlog once the ballast is gone.
SMALL_MIB, ROOMY_MIB = 64, 256
BULK = 200
# So that what a store keeps in hand is used up soon: documents for most; the registry has only ids.
NOTE, TAIL = "n" * 1000, "x" * 200
ORDERS = "/api/v1/instances/shop/async/Order"


class DiskFullTest(unittest.TestCase):
    note, tail = NOTE, ""

    def start_on(self, small):
        """A server with every store on a disk of its own, and one of them small."""
        if not small_disk.may_mount():
            self.skipTest("no mount namespace can be had here; without one: DirectorySpaceTest.*, "
                          "RocksdbRegistryTest.AFullDisk*, SqliteTest.Full*, WatchedStore.*")
        self.folder = tempfile.TemporaryDirectory(prefix="saffron-full-")
        self.addCleanup(self.folder.cleanup)
        data = os.path.join(self.folder.name, "data")
        # The data folder itself is that of the bus.
        for name in ("", "objects", "registry", "graph", "search"):
            disk = small_disk.SmallDisk(os.path.join(data, name),
                                        SMALL_MIB if name == small else ROOMY_MIB)
            self.addCleanup(disk.unmount)
            if name == small:
                self.disk = disk
        self.server = Server(data, SAFFRON_RESERVATION_SECONDS="1",
                             SAFFRON_REQUEST_TIMEOUT_SECONDS="2")
        self.addCleanup(self.end_server)
        self.server.start()
        self.expect(200, "POST", "/database/create?wait=20", {"name": "shop"})
        self.expect(200, "POST", "/database/shop/ontology?wait=20", ORDER)
        self.accepted = set()
        for i in range(5):
            self.assertEqual(self.create(f"before-{i}", wait=20)[0], 200)

    def end_server(self):
        if self.server.process and self.server.process.poll() is None:
            self.server.kill()

    def expect(self, status, method, path, body=None):
        got, answer, _ = self.server.ask(method, "/api/v1" + path, body)
        self.assertEqual(got, status, answer)
        return answer

    def count(self):
        return self.expect(200, "GET", "/instance/shop/class/Order/count")["count"]

    def create(self, order, wait=0):
        """The id is the key too: asked again, it is the same command."""
        status, answer, headers = self.server.ask(
            "POST", ORDERS + "/create" + (f"?wait={wait}" if wait else ""),
            {"data": {"order_id": order, "note": self.note}}, {"Idempotency-Key": order})
        if status in (200, 202):
            self.accepted.add(order)
        return status, answer, headers

    def create_many(self, name):
        """A bulk of orders; true when each was taken."""
        orders = [f"{name}-{i}-{self.tail}" for i in range(BULK)]
        status, answer, _ = self.server.ask(
            "POST", ORDERS + "/bulk-create",
            {"instances": [{"order_id": order, "note": self.note} for order in orders]},
            {"Idempotency-Key": name})
        if status == 503:
            return False
        self.assertEqual(status, 202, answer)
        taken = [item["error"] is None if "error" in item else True
                 for item in answer["result"]["items"]]
        self.accepted.update(order for order, ok in zip(orders, taken) if ok)
        return all(taken)

    def readiness(self):
        status, answer, _ = self.server.ask("GET", "/health/ready")
        return status, answer["components"]

    def wait_until_named(self, component):
        def named():
            status, components = self.readiness()
            return status == 503 and components[component].get("reason") == "no space left"
        wait_for(f"readiness names {component}", named)

    def write_until_refused(self):
        """The bulk that was not taken, or not whole, for want of space."""
        # The registry's journal has 35 MiB set aside before the ballast comes.
        for i in range(1000):
            self.disk.fill()
            if not self.create_many(f"full{i}"):
                return f"full{i}"
        raise AssertionError("a full disk took 1000 bulks")

    def seen_soon(self, condition):
        """Health is asked every two seconds."""
        try:
            return wait_for("", condition, 3)
        except AssertionError:
            return False

    def expect_reads(self):
        document = self.expect(200, "GET", "/instance/shop/instance/before-1?class=Order")
        self.assertEqual(document["data"]["instance_id"], "before-1")
        history = self.expect(200, "GET", "/aggregates/Instance/shop:main:Order:before-1/events")
        self.assertEqual(len(history["data"]["events"]), 2)
        self.assertGreaterEqual(self.count(), 5)

    def expect_exactly_once(self):
        """Every acknowledged command once; nothing that is there but was never asked for."""
        wait_for("everything is ready again", lambda: self.readiness()[0] == 200)
        wait_for("a new one completes", lambda: self.create("after", wait=20)[0] == 200, 100)
        wait_for("everything is decided", lambda: self.count() == len(self.accepted), 200)
        report = self.server.verify()
        self.assertTrue(report["clean"], report)
        # The database and the class are two more.
        self.assertEqual(report["log"]["commands"], len(self.accepted) + 2, report)
        self.assertEqual(report["log"]["outcomes"], report["log"]["commands"], report)
        self.assertEqual(self.count(), len(self.accepted))
        self.assertEqual(self.server.stop()[0], 0, self.server.tail())
        self.server.start()
        again = self.server.verify()
        self.assertTrue(again["clean"], again)
        self.assertEqual(again["digest"], report["digest"])

    def refused_and_resumed(self, component):
        bulk = self.write_until_refused()
        self.disk.fill()
        self.wait_until_named(component)
        self.expect_reads()
        status, answer, headers = self.create("single")
        self.assertEqual(status, 503, answer)
        self.assertIn("Retry-After", headers)
        self.assertIn("command_id", answer)
        self.assertIn(f"{component} (no space left)", answer["message"])
        self.assertNotIn(self.folder.name, str(answer), "paths are for the log")
        self.disk.free()
        # The same commands again: whatever became of the first try, they are there once.
        wait_for("the bulk is taken", lambda: self.create_many(bulk))
        wait_for("the single is taken", lambda: self.create("single")[0] == 202)
        self.expect_exactly_once()

    def late_and_resumed(self, component):
        """A sink's disk: commands are acknowledged, for the log has them; they complete later."""
        for i in range(20):
            self.disk.fill()
            self.assertTrue(self.create_many(f"full{i}"))
            if self.seen_soon(lambda: self.readiness()[0] == 503):
                break
        self.wait_until_named(component)
        self.assertEqual(self.create("late")[0], 202)
        self.expect_reads()
        self.disk.free()
        self.expect_exactly_once()

    def test_the_log(self):
        self.start_on("objects")
        self.refused_and_resumed("object_store")

    def test_the_registry(self):
        self.note, self.tail = "", TAIL
        self.start_on("registry")
        self.refused_and_resumed("registry")

    def test_the_graph(self):
        self.start_on("graph")
        self.late_and_resumed("graph-writer")

    def test_the_search_index(self):
        self.start_on("search")
        self.late_and_resumed("projection")

    def test_the_bus(self):
        self.start_on("")
        self.late_and_resumed("publisher")


if __name__ == "__main__":
    small_disk.enter_namespace()
    unittest.main(verbosity=2)
