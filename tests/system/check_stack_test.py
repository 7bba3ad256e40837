"""`saffron check` against six processes on real engines: all ticks; and crosses, each with its exit
code, when the publisher is away, when the environment is another deployment's, and when an engine
is. Without the servers' packages it ends with 77, a visible skip; with SAFFRON_REQUIRE_SERVERS
that is a failure.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, str(ROOT / "tools"))
from saffron_process import PROGRAM, run_tests, wait_for  # noqa: E402
from stack_services import environment_of, six_services, stack_script, stop_all  # noqa: E402

SKIPPED = 77


class CheckStackTest(unittest.TestCase):
    """The tests follow each other on one deployment."""
    services = []

    @classmethod
    def start(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="saffron-check-stack-")
        home = cls.folder.name
        os.chmod(home, 0o755)  # PostgreSQL runs as a user of its own
        os.environ["STACK_DIR"] = os.path.join(home, "servers")
        passed = {name: text for name, text in os.environ.items()
                  if name == "PATH" or name.endswith("SAN_OPTIONS")}
        cls.environment = {**passed, **environment_of(stack_script("up").stdout)}
        cls.services = [service.start() for service in six_services(cls.environment, home)]
        for service in cls.services:
            service.wait_ready(180)
        cls.named = {service.name: service for service in cls.services}

    @classmethod
    def tearDownClass(cls):
        stop_all(cls.services)
        stack_script("down", check=False)
        cls.folder.cleanup()

    def report(self, timeout, **changed):
        """The exit code, and the items by verdict."""
        processes = [word for service in self.services[1:] for word in ("--process", service.url)]
        done = subprocess.run(
            [PROGRAM, "check", "--json", "--server", self.services[0].url, *processes,
             "--timeout", str(timeout)],
            env={**self.environment, **changed}, capture_output=True, text=True, timeout=300)
        self.assertTrue(done.stdout, done.stderr)
        items = {"passed": [], "failed": [], "not_applicable": []}
        for item in json.loads(done.stdout)["items"]:
            items[item["verdict"]].append(item["id"])
            if item["verdict"] == "failed":
                self.assertTrue(item["next_step"], item)
        for secret in ("minioadmin123", "saffron-secret"):
            self.assertNotIn(secret, done.stdout + done.stderr)
        return done.returncode, items, done.stdout

    def test_1_all_ticks(self):
        code, items, text = self.report(120)
        self.assertEqual(code, 0, text)
        self.assertEqual((items["failed"], items["not_applicable"]), ([], []), text)
        self.assertEqual(len(items["passed"]), 31)

    def test_2_without_a_publisher_nothing_advances(self):
        publisher = self.named["publisher"]
        publisher.stop()
        code, items, text = self.report(3)
        self.assertEqual(code, 1, text)
        self.assertLessEqual({"process_health", "publisher_advances", "by_date_entry"},
                             set(items["failed"]), text)
        self.assertLessEqual({"probe_accepted", "slot_in_store", "stale_write_refused"},
                             set(items["passed"]), text)
        publisher.start().wait_ready(180)
        # The deletion was accepted meanwhile, and is carried out now.
        wait_for("the probe is gone", lambda: self.named["oms"].ask(
            "GET", "/api/v1/database/list")[1]["data"]["databases"] == [], 120)

    def test_3_the_environment_of_another_deployment_makes_nothing(self):
        """Names that nobody uses: each is a cross, and none is made."""
        other = {"EVENT_STORE_BUCKET": "nobodys-bucket",
                 "EVENT_STORE_SEQUENCE_SCHEMA": "nobodys_schema",
                 "SAFFRON_TERMINUS_DATABASE": "nobodys",
                 "SAFFRON_ELASTICSEARCH_PREFIX": "nobodys"}
        for _ in range(2):  # had the first run made them, the second would tick them
            code, items, text = self.report(60, **other)
            self.assertEqual(code, 1, text)
            self.assertEqual(items["failed"],
                             ["object_store", "graph", "search", "registry_schema"], text)
            self.assertLessEqual({"store_conformance", "slot_in_store", "consumer_done"},
                                 set(items["not_applicable"]), text)

    def test_4_an_engine_that_is_away_gets_its_cross(self):
        for variable, text, item in (
                ("MINIO_ENDPOINT_URL", "http://127.0.0.1:9", "object_store"),
                ("POSTGRES_URL", "postgresql://u:saffron-secret@127.0.0.1:9/d", "registry"),
                ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9", "bus"),
                ("TERMINUS_SERVER_URL", "http://127.0.0.1:9", "graph"),
                ("ELASTICSEARCH_URL", "http://127.0.0.1:9", "search")):
            code, items, report = self.report(60, **{variable: text})
            self.assertEqual(code, 1, report)
            self.assertEqual(items["failed"], [item], report)


def set_up():
    """False: the servers cannot be had here."""
    try:
        CheckStackTest.start()
        return True
    except subprocess.CalledProcessError:
        CheckStackTest.tearDownClass()
        return False
    except BaseException:
        CheckStackTest.tearDownClass()
        raise


if __name__ == "__main__":
    if not set_up():
        sys.exit(1 if os.environ.get("SAFFRON_REQUIRE_SERVERS") else SKIPPED)
    run_tests()
