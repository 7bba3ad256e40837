"""The six processes of a deployment on real engines: MinIO, PostgreSQL, Kafka, OpenSearch, and
TerminusDB's double (or the server that TERMINUS_SERVER_URL names).

The example is loaded while an OMS and a worker are killed and start again; then the log is what an
embedded run makes of the same files, and every store is what the log says. What one OMS took, the
other shows. Without the servers' packages it ends with 77, a visible skip; with
SAFFRON_REQUIRE_SERVERS that is a failure.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, str(ROOT / "tools"))
from saffron_process import PROGRAM, Server, passed_on, run_tests, wait_for  # noqa: E402
from stack_services import (Service, environment_of, six_services, stack_script,  # noqa: E402
                            stop_all)

SKIPPED = 77
STEPS_PROGRAM = os.environ.get("SAFFRON_STEPS_PROGRAM",
                               str(ROOT / "build/release/testing/steps/saffron_steps"))
ORDERS = 400
ITEM = {"id": "Item", "properties": [
    {"name": "item_id", "type": "string", "required": True, "primary_key": True},
    {"name": "size", "type": "integer"}]}


def load_command(shop, url):
    return [PROGRAM, "load", "--db", "logistics", "--ontology",
            str(ROOT / "examples/logistics/ontology.json"), "--data", shop, "--wait", "--server",
            url]


class Writer(threading.Thread):
    """A client of its own database: creates, and updates every second one, again and again with the
    same key until it is told what became of it. Counts what it was told."""

    def __init__(self, oms):
        super().__init__(daemon=True)
        self.oms, self.ended, self.created, self.updated = oms, threading.Event(), 0, 0
        self.failure = None

    def send(self, method, path, body, key):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                status, answer = self.oms.ask(method, "/api/v1" + path, body,
                                              {"Idempotency-Key": key})
            except OSError:
                status = 0
            if status in (0, 429, 503):
                time.sleep(0.05)
                continue
            if status not in (200, 202):
                raise AssertionError(f"{method} {path}: {status} {answer}")
            return answer
        raise AssertionError(f"{method} {path}: no answer in a minute")

    def run(self):
        try:
            while not self.ended.is_set():
                name = f"W-{self.created}"
                answer = self.send("POST", "/instances/noise/async/Item/create",
                                   {"data": {"item_id": name, "size": 1}}, "create " + name)
                self.created += 1
                if self.created % 2:
                    continue
                number = answer["sequence_number"]
                self.send("PUT", f"/instances/noise/async/Item/{name}/update?expected_seq={number}",
                          {"data": {"size": 2}}, "update " + name)
                self.updated += 1
        except AssertionError as failure:
            self.failure = failure


class Refused(threading.Thread):
    """Asks for an instance again and again, at an OMS whose store refuses every write."""

    def __init__(self, oms, name):
        super().__init__(daemon=True)
        self.oms, self.name_of_item, self.refused, self.told = oms, name, 0, None
        self.start()

    def run(self):
        while self.told in (None, 503):
            try:
                self.told = self.oms.ask("POST", "/api/v1/instances/busy/async/Item/create",
                                         {"data": {"item_id": self.name_of_item}},
                                         {"Idempotency-Key": self.name_of_item})[0]
                self.refused += self.told == 503
            except OSError:
                self.told = None


class StackTest(unittest.TestCase):
    """The tests follow each other on one deployment."""
    services = []

    @classmethod
    def start(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="saffron-stack-test-")
        home = cls.folder.name
        os.chmod(home, 0o755)  # PostgreSQL runs as a user of its own
        os.environ["STACK_DIR"] = os.path.join(home, "servers")
        cls.shop = os.path.join(home, "shop")
        subprocess.run([str(ROOT / "examples/logistics/generate.py"), str(ORDERS), cls.shop],
                       check=True, stdout=subprocess.DEVNULL)
        cls.environment = {
            **passed_on(), **environment_of(stack_script("up").stdout),
            # A killed worker's claims are taken over soon.
            "PROCESSED_EVENT_HEARTBEAT_INTERVAL_SECONDS": "1",
            "PROCESSED_EVENT_LEASE_TIMEOUT_SECONDS": "10"}
        # All at once, on servers that have nothing: whoever is first makes what is missing.
        cls.services = [service.start() for service in six_services(cls.environment, home)]
        cls.named = {service.name: service for service in cls.services}
        for service in cls.services:
            service.wait_ready()
        cls.first, cls.second = cls.services[:2]

    @classmethod
    def tearDownClass(cls):
        stop_all(cls.services)
        stack_script("down", check=False)
        cls.folder.cleanup()

    def verify(self, url):
        done = subprocess.run([PROGRAM, "verify", "--json", "--server", url],
                              env=self.environment, capture_output=True, text=True, timeout=120)
        self.assertTrue(done.stdout, done.stderr)
        return json.loads(done.stdout)

    @staticmethod
    def of_logistics(report):
        return {entry["name"]: entry for entry in report["classes"]
                if entry["name"].startswith("logistics:")}

    def embedded_run(self):
        """What one process on a directory makes of the same files."""
        server = Server(os.path.join(self.folder.name, "embedded")).start()
        try:
            subprocess.run(load_command(self.shop, f"http://127.0.0.1:{server.port}"), check=True,
                           env=server.environment, stdout=subprocess.DEVNULL)
            return server.verify()
        finally:
            server.stop()

    def test_1_killed_under_load_nothing_is_lost_or_doubled(self):
        self.assertEqual(self.first.ask("POST", "/api/v1/database/create?wait=30",
                                        {"name": "noise"})[0], 200)
        self.assertEqual(self.first.ask("POST", "/api/v1/database/noise/ontology?wait=30",
                                        ITEM)[0], 200)
        writer = Writer(self.second)
        writer.start()
        worker, fences = self.named["instance-worker"], self.fences()
        wait_for("the writer writes", lambda: writer.created > 5 or writer.failure)
        with open(os.path.join(self.folder.name, "load.log"), "w+") as log:
            load = subprocess.Popen(load_command(self.shop, self.first.url), env=self.environment,
                                    stdout=log, stderr=log)
            wait_for("the load is under way", lambda: self.first.ask(
                "GET", "/api/v1/database/exists/logistics")[1]["data"]["exists"])
            for killed in (self.first, worker, self.second):
                before = writer.created
                wait_for("more is written", lambda: writer.created > before + 5 or writer.failure)
                killed.kill()
                killed.start()
                killed.wait_ready()
            code = load.wait(timeout=120)
            log.seek(0)
            self.assertEqual(code, 0, log.read())
        writer.ended.set()
        writer.join(70)
        self.assertIsNone(writer.failure)
        report = wait_for("everything is decided and in every store", self.clean_report, 60)
        expected = self.of_logistics(self.embedded_run())
        self.assertEqual(len(expected), 8)
        self.assertEqual(self.of_logistics(report), expected)
        noise = next(entry for entry in report["classes"] if entry["name"] == "noise:main:Item")
        self.assertEqual(noise["present"], writer.created)
        self.assertEqual(noise["commands"], writer.created + writer.updated)
        self.assertEqual(noise["rejected"], 0)
        self.assertEqual(self.fences(), fences, "A7: a start fenced those that write")
        print(f"{ORDERS} orders and {noise['commands']} commands of a second client; "
              f"{report['log']['commands']} commands in {report['head_slot']} slots")

    def fences(self):
        count = 0
        for service in self.services:
            with open(service.log, encoding="utf-8", errors="replace") as log:
                count += log.read().count("fence_started")
        return count

    def clean_report(self):
        report = self.verify(self.second.url)
        done = report["log"]["commands"] == report["log"]["outcomes"]
        return report if report["clean"] and done else None

    def test_2_what_one_oms_took_the_other_shows(self):
        write = "/api/v1/instances/noise/async/Item/create"
        for i in range(5):
            status, answer = self.first.ask("POST", write, {"data": {"item_id": f"X-{i}",
                                                                     "size": 7}})
            self.assertEqual(status, 202, answer)
            number, position = answer["sequence_number"], answer["position"]
            read = f"/api/v1/instance/noise/instance/X-{i}?class=Item&min_seq={number}&wait=20"
            self.assertEqual(self.second.ask("GET", read)[0], 200)
            status, page = self.second.ask(
                "POST", f"/api/v1/query/noise?min_position={position}&wait=20",
                {"class": "Item", "filters": [{"field": "item_id", "op": "eq",
                                               "value": f"X-{i}"}]})
            self.assertEqual(status, 200, page)
            self.assertIn(f"X-{i}", json.dumps(page))
            update = (f"/api/v1/instances/noise/async/Item/X-{i}/update?expected_seq={number}"
                      "&wait=20")
            self.assertEqual(self.second.ask("PUT", update, {"data": {"size": 8}})[0], 200)
            # The first one's number is not current any more.
            self.assertEqual(self.first.ask("PUT", update, {"data": {"size": 9}})[0], 409)

    def test_3_a_class_made_by_one_oms_is_known_to_the_other(self):
        other = {**ITEM, "id": "Other"}
        self.assertEqual(self.first.ask("POST", "/api/v1/database/noise/ontology?wait=30",
                                        other)[0], 200)
        create = "/api/v1/instances/noise/async/Other/create?wait=20"
        self.assertEqual(self.second.ask("POST", create, {"data": {"item_id": "O"}})[0], 200)
        self.assertEqual(self.second.ask("POST", create, {"data": {"nothing": 1}})[0], 422)

    def test_4_sinks_are_rebuilt_beside_those_that_run(self):
        for target in ("graph", "search"):
            status, answer = self.first.ask("POST", "/api/v1/admin/rebuild", {"target": target},
                                            timeout=120)
            self.assertEqual(status, 200, answer)
            # The processes that write and read it go on in the new one.
            create = "/api/v1/instances/noise/async/Item/create?wait=30"
            name = "after-" + target
            self.assertEqual(self.second.ask("POST", create, {"data": {"item_id": name}})[0], 200)
            wait_for("the stores are what the log says", self.clean_report, 60)
            read = f"/api/v1/instance/noise/instance/{name}?class=Item"
            self.assertEqual(self.second.ask("GET", read)[0], 200)

    def test_5_a_worker_answers_health_and_metrics_alone(self):
        worker = self.named["instance-worker"]
        status, health = worker.ask("GET", "/health")
        self.assertEqual(status, 200)
        self.assertLessEqual({"object_store", "registry", "graph", "instance-worker",
                              "graph-writer"}, set(health["components"]))
        self.assertNotIn("publisher", health["components"])
        self.assertEqual(worker.ask("GET", "/health/live")[0], 200)
        self.assertIn(b"saffron_worker_decided_total", worker.ask("GET", "/metrics")[1])
        self.assertEqual(worker.ask("GET", "/")[1]["service"], "instance-worker")
        self.assertEqual(worker.ask("GET", "/api/v1/database/list")[0], 404)

    def test_6_A11_a_transaction_over_busy_aggregates_gets_in(self):
        """Some of sixteen are always reserved by batches of another OMS that come to nothing."""
        names = [f"B-{i}" for i in range(16)]
        refuses = os.path.join(self.folder.name, "refuses")
        one = {**self.environment, "SAFFRON_RESERVATION_SECONDS": "1"}
        other = {**one, "SAFFRON_REQUEST_TIMEOUT_SECONDS": "2", "SAFFRON_APPEND_LANES": "16",
                 "SAFFRON_STORE_FAULTS": "refuses-while:" + refuses}
        oms = [Service("oms", environment, self.folder.name, number, STEPS_PROGRAM).start()
               for number, environment in ((3, one), (4, other))]
        self.addCleanup(stop_all, oms)
        for service in oms:
            service.wait_ready()
        self.assertEqual(oms[0].ask("POST", "/api/v1/database/create?wait=30",
                                    {"name": "busy"})[0], 200)
        self.assertEqual(oms[0].ask("POST", "/api/v1/database/busy/ontology?wait=30",
                                    ITEM)[0], 200)
        pathlib.Path(refuses).touch()
        clients = [Refused(oms[1], name) for name in names]
        wait_for("all are busy", lambda: all(client.refused > 1 for client in clients), 60)
        status, answer = oms[0].ask(
            "POST", "/api/v1/transactions?db=busy&wait=20", {"commands": [
                {"op": "create", "class": "Item", "id": name, "data": {"item_id": name}}
                for name in names]})
        self.assertEqual(status, 200, answer)
        os.remove(refuses)
        for client in clients:
            client.join(60)
            self.assertEqual(client.told, 409)
        wait_for("the stores are what the log says", self.clean_report, 60)
        print(f"refused {sum(client.refused for client in clients)} times meanwhile")

    def test_7_a_server_that_is_named_and_not_there_is_an_error(self):
        for variable, text in (("MINIO_ENDPOINT_URL", "http://127.0.0.1:9"),
                               ("POSTGRES_URL", "postgresql://u:s3cret@127.0.0.1:9/d"),
                               ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9"),
                               ("TERMINUS_SERVER_URL", "http://127.0.0.1:9"),
                               ("ELASTICSEARCH_URL", "http://127.0.0.1:9")):
            done = subprocess.run([PROGRAM, "oms", "--listen", "127.0.0.1:0"],
                                  env={**self.environment, variable: text}, capture_output=True,
                                  text=True, timeout=60)
            self.assertEqual(done.returncode, 4, f"{variable}\n{done.stderr}")
            self.assertNotIn("s3cret", done.stderr)
            self.assertNotIn("started", done.stderr)

    def test_8_every_process_stops_gracefully(self):
        for service in self.services:
            code, seconds = service.stop()
            self.assertEqual(code, 0, service.tail())
            self.assertLess(seconds, 11, service.name)


def set_up():
    """False: the servers cannot be had here."""
    try:
        StackTest.start()
        return True
    except subprocess.CalledProcessError:
        StackTest.tearDownClass()
        return False
    except BaseException:
        StackTest.tearDownClass()
        raise


def setUpModule():
    if not StackTest.services and not set_up():
        raise unittest.SkipTest("the servers cannot be had here")


if __name__ == "__main__":
    if not set_up():
        sys.exit(1 if os.environ.get("SAFFRON_REQUIRE_SERVERS") else SKIPPED)
    run_tests()
