"""A real server on the embedded default: a few documents, starts and stops, refusals."""
import os
import signal
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from saffron_process import Server, wait_for  # noqa: E402

ORDER = {"id": "Order", "properties": [
    {"name": "order_id", "type": "string", "required": True, "primary_key": True},
    {"name": "total", "type": "number"}, {"name": "note", "type": "string"}]}


class ServeTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="saffron-serve-")
        self.server = Server(os.path.join(self.folder.name, "data"))

    def tearDown(self):
        if self.server.process and self.server.process.poll() is None:
            self.server.kill()
        self.folder.cleanup()

    def expect(self, status, method, path, body=None, headers=None):
        got, answer, _ = self.server.ask(method, "/api/v1" + path, body, headers)
        self.assertEqual(got, status, answer)
        return answer

    def make_orders(self):
        self.expect(200, "POST", "/database/create?wait=20", {"name": "shop"})
        self.expect(200, "POST", "/database/shop/ontology?wait=20", ORDER)

    def create(self, order, **more):
        return self.expect(200, "POST", "/instances/shop/async/Order/create?wait=20",
                           {"data": {"order_id": order, **more}})

    def test_the_life_of_a_document(self):
        self.server.start()
        self.make_orders()
        self.assertEqual(self.create("O-1", total=19.99)["sequence_number"], 1)
        document = self.expect(200, "GET", "/instance/shop/instance/O-1?class=Order&min_seq=1")
        self.assertIn("19.99", str(document))
        self.expect(200, "PUT", "/instances/shop/async/Order/O-1/update?expected_seq=1&wait=20",
                    {"data": {"note": "gift"}})
        stale = self.expect(409, "PUT", "/instances/shop/async/Order/O-1/update?expected_seq=1",
                            {"data": {"note": "late"}})
        self.assertEqual(stale["detail"]["error"], "optimistic_concurrency_conflict")
        self.assertEqual(stale["detail"]["actual_seq"], 2)
        history = str(self.expect(200, "GET", "/aggregates/Instance/shop:main:Order:O-1/events"))
        for event in ("CREATE_INSTANCE_REQUESTED", "INSTANCE_CREATED", "UPDATE_INSTANCE_REQUESTED",
                      "INSTANCE_UPDATED"):
            self.assertIn(event, history)
        self.expect(200, "DELETE",
                    "/instances/shop/async/Order/O-1/delete?expected_seq=2&wait=20")
        self.expect(404, "GET", "/instance/shop/instance/O-1?class=Order&min_seq=3")

    def test_a_retry_with_the_same_key_gets_the_first_answer(self):
        self.server.start()
        self.make_orders()
        body = {"data": {"order_id": "O-7", "total": 1}}
        key = {"Idempotency-Key": "order-seven"}
        first = self.expect(202, "POST", "/instances/shop/async/Order/create", body, key)
        again = self.expect(202, "POST", "/instances/shop/async/Order/create", body, key)
        self.assertEqual(first["command_id"], again["command_id"])
        self.assertEqual(first["sequence_number"], again["sequence_number"])
        other = {"data": {"order_id": "O-7", "total": 2}}
        self.expect(422, "POST", "/instances/shop/async/Order/create", other, key)

    def test_an_item_of_a_bulk_repeated_on_its_own_is_the_same_command(self):
        """A13 of docs/histories.md."""
        self.server.start()
        self.make_orders()
        rows = [{"order_id": f"O-{i}", "total": i} for i in range(3)]
        bulk = self.expect(202, "POST", "/instances/shop/async/Order/bulk-create",
                           {"instances": rows}, {"Idempotency-Key": "three-orders"})
        item = bulk["result"]["items"][1]
        alone = self.expect(200, "POST", "/instances/shop/async/Order/create?wait=20",
                            {"data": rows[1]}, {"Idempotency-Key": item["command_id"]})
        self.assertEqual(alone["command_id"], item["command_id"])
        self.assertEqual(alone["sequence_number"], item["sequence_number"])
        events = self.expect(200, "GET", "/aggregates/Instance/shop:main:Order:O-1/events")
        self.assertEqual(len(events["data"]["events"]), 2)

    def test_a_database_made_again_is_empty_and_takes_the_old_ids(self):
        """C9 and C10 of docs/histories.md."""
        self.server.start()
        self.make_orders()
        self.create("O-1", note="of the first shop")
        self.expect(200, "DELETE", "/database/shop?expected_seq=1&wait=20")
        self.make_orders()
        self.expect(404, "GET", "/instance/shop/instance/O-1?class=Order")
        number = self.create("O-1", note="of the second")["sequence_number"]
        self.assertEqual(number, 2)
        order = str(self.expect(200, "GET", "/instance/shop/instance/O-1?class=Order&min_seq=2"))
        self.assertIn("of the second", order)
        self.server.verify()

    def test_a_stop_is_graceful_and_a_restart_knows_everything(self):
        self.server.start()
        self.make_orders()
        for i in range(20):
            self.create(f"O-{i}", total=i)
        code, seconds = self.server.stop()
        self.assertEqual(code, 0, self.server.tail())
        self.assertLess(seconds, 10)
        begin = time.monotonic()
        self.server.start()
        ready = time.monotonic() - begin
        self.assertEqual(self.expect(200, "GET", "/instance/shop/class/Order/count")["count"], 20)
        self.assertTrue(self.server.verify()["clean"])
        print(f"stop {seconds:.2f} s, restart to ready {ready:.2f} s")

    def test_a_second_signal_ends_at_once_and_loses_nothing(self):
        self.server.start()
        self.make_orders()
        self.create("O-1")
        self.server.process.send_signal(signal.SIGTERM)
        self.server.process.send_signal(signal.SIGTERM)
        self.server.process.wait(timeout=15)
        self.server.start()
        self.expect(200, "GET", "/instance/shop/instance/O-1?class=Order")

    def test_a_second_process_is_refused(self):
        self.server.start()
        other = Server(self.server.data_dir)
        other.start(ready=False)
        self.assertNotEqual(other.process.wait(timeout=20), 0)
        self.assertIn(str(self.server.process.pid), other.tail())
        self.assertTrue(self.server.is_ready())

    def test_a_flipped_bit_in_a_slot_is_found_and_named(self):
        self.server.start()
        self.make_orders()
        self.create("O-1")
        self.server.stop()
        slots = []
        for folder, _, files in os.walk(os.path.join(self.server.data_dir, "objects", "events")):
            slots += [os.path.join(folder, name) for name in files if name.endswith(".jsonl")]
        victim = sorted(slots)[1]
        with open(victim, "r+b") as slot:
            slot.seek(-10, os.SEEK_END)
            byte = slot.read(1)[0]
            slot.seek(-10, os.SEEK_END)
            slot.write(bytes([byte ^ 1]))
        self.server.start(ready=False)
        wait_for("the server answers", self.answers)
        done = self.server.command("verify", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(os.path.basename(victim)[:20], done.stdout + done.stderr)

    def answers(self):
        try:
            return self.server.ask("GET", "/health/live")[0] == 200
        except OSError:
            return False

    def test_a_read_only_directory_is_refused_with_its_name(self):
        os.makedirs(self.server.data_dir)
        self.server.data_dir = "/proc/saffron-cannot-be-here"
        self.server.log = os.path.join(self.folder.name, "refused.log")
        self.server.start(ready=False)
        self.assertNotEqual(self.server.process.wait(timeout=20), 0)
        self.assertIn("/proc/saffron-cannot-be-here", self.server.tail())


if __name__ == "__main__":
    unittest.main(verbosity=2)
