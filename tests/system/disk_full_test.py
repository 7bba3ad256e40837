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
MIB = 64
NOTE = "n" * 2000  # so that what a store keeps in hand is used up soon
CREATE = "/api/v1/instances/shop/async/Order/create"


class DiskFullTest(unittest.TestCase):
    def setUp(self):
        if not small_disk.may_mount():
            self.skipTest("no mount namespace can be had here; in one process: "
                          "DirectorySpaceTest, RocksdbRegistryTest.AFullDisk..., SqliteTest.Full...")
        self.folder = tempfile.TemporaryDirectory(prefix="saffron-full-")
        data = os.path.join(self.folder.name, "data")
        # The data folder itself is that of the bus.
        self.disks = {name: small_disk.SmallDisk(os.path.join(data, name), MIB)
                      for name in ("", "objects", "registry", "graph", "search")}
        self.server = Server(data, SAFFRON_RESERVATION_SECONDS="1",
                             SAFFRON_REQUEST_TIMEOUT_SECONDS="2").start()
        self.expect(200, "POST", "/database/create?wait=20", {"name": "shop"})
        self.expect(200, "POST", "/database/shop/ontology?wait=20", ORDER)
        self.accepted = set()
        for i in range(5):
            self.assertEqual(self.create(f"before-{i}", wait=20)[0], 200)

    def tearDown(self):
        if not small_disk.may_mount():
            return
        if self.server.process.poll() is None:
            self.server.kill()
        else: print("ENDED", self.server.process.returncode, self.server.tail())
        for name in reversed(self.disks):
            self.disks[name].unmount()
        self.folder.cleanup()

    def expect(self, status, method, path, body=None):
        got, answer, _ = self.server.ask(method, "/api/v1" + path, body)
        self.assertEqual(got, status, answer)
        return answer

    def create(self, order, wait=0):
        """The id is the key too: asked again, it is the same command."""
        status, answer, headers = self.server.ask(
            "POST", CREATE + (f"?wait={wait}" if wait else ""),
            {"data": {"order_id": order, "note": NOTE}}, {"Idempotency-Key": order})
        if status in (200, 202):
            self.accepted.add(order)
        return status, answer, headers

    def readiness(self):
        status, answer, _ = self.server.ask("GET", "/health/ready")
        return status, answer["components"]

    def wait_until_named(self, component):
        def named():
            status, components = self.readiness()
            return status == 503 and components[component].get("reason") == "no space left"
        wait_for(f"readiness names {component}", named)

    def write_until_refused(self, disk):
        """What is refused for want of space."""
        for i in range(3000):
            disk.fill()
            order = f"full-{i}"
            status, answer, headers = self.create(order)
            if status != 202:
                return order, status, answer, headers
        raise AssertionError("a full disk took 3000 commands")

    def expect_reads(self):
        document = self.expect(200, "GET", "/instance/shop/instance/before-1?class=Order")
        self.assertEqual(document["data"]["instance_id"], "before-1")
        history = self.expect(200, "GET", "/aggregates/Instance/shop:main:Order:before-1/events")
        self.assertEqual(len(history["data"]["events"]), 2)
        self.assertGreaterEqual(
            self.expect(200, "GET", "/instance/shop/class/Order/count")["count"], 5)

    def expect_exactly_once(self):
        """Every acknowledged command once; nothing that is there but was never asked for."""
        wait_for("everything is ready again", lambda: self.readiness()[0] == 200)
        self.assertEqual(self.create("after", wait=20)[0], 200)
        report = self.server.verify()
        self.assertTrue(report["clean"], report)
        # The database and the class are two more.
        self.assertEqual(report["log"]["commands"], len(self.accepted) + 2, report)
        self.assertEqual(report["log"]["outcomes"], report["log"]["commands"], report)
        self.assertEqual(self.expect(200, "GET", "/instance/shop/class/Order/count")["count"],
                         len(self.accepted))
        self.assertEqual(self.server.stop()[0], 0, self.server.tail())
        self.server.start()
        again = self.server.verify()
        self.assertTrue(again["clean"], again)
        self.assertEqual(again["digest"], report["digest"])

    def refused_and_resumed(self, name, component):
        disk = self.disks[name]
        refused, status, answer, headers = self.write_until_refused(disk)
        self.assertEqual(status, 503, answer)
        self.assertIn("Retry-After", headers)
        self.assertIn("command_id", answer)
        self.wait_until_named(component)
        self.expect_reads()
        status, answer, _ = self.create("reason")
        self.assertEqual(status, 503, answer)
        self.assertIn(f"{component} (no space left)", answer["message"])
        self.assertNotIn(self.folder.name, str(answer), "paths are for the log")
        disk.free()
        # The same commands again: whatever became of the first try, they are there once.
        for order in (refused, "reason"):
            wait_for(f"{order} is taken", lambda order=order: self.create(order)[0] == 202)
        self.expect_exactly_once()

    def late_and_resumed(self, name, component):
        """A sink's disk: commands are acknowledged, for the log has them; they complete later."""
        disk = self.disks[name]
        for i in range(3000):
            disk.fill()
            status, answer, _ = self.create(f"full-{i}")
            self.assertEqual(status, 202, answer)
            if self.readiness()[0] == 503:
                break
        self.wait_until_named(component)
        self.assertEqual(self.create("late")[0], 202)
        self.expect_reads()
        disk.free()
        self.expect_exactly_once()

    def test_the_log(self):
        self.refused_and_resumed("objects", "object_store")

    def test_the_registry(self):
        self.refused_and_resumed("registry", "registry")

    def test_the_graph(self):
        self.late_and_resumed("graph", "graph-writer")

    def test_the_search_index(self):
        self.late_and_resumed("search", "projection")

    def test_the_bus(self):
        self.late_and_resumed("", "publisher")


if __name__ == "__main__":
    small_disk.enter_namespace()
    unittest.main(verbosity=2)
