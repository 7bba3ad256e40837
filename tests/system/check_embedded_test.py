"""`saffron check` against one process on a directory: what the API shows gets its tick, the engines
that nobody but the process can see are not ticked, and a server that is away ends with exit code 4.
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from saffron_process import PROGRAM, Server, run_tests  # noqa: E402

SHOWN_BY_THE_API = {
    "server_health", "object_store", "registry", "bus", "graph", "search", "clock_server",
    "tls_server", "probe_accepted", "slot_in_store", "publisher_advances", "probe_completed",
    "stale_write_refused", "probe_deleted"}


class CheckTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="saffron-check-")
        self.server = Server(os.path.join(self.folder.name, "data"))

    def tearDown(self):
        if self.server.process and self.server.process.poll() is None:
            self.server.kill()
        self.folder.cleanup()

    def report(self, *arguments, code=0):
        done = self.server.command("check", "--json", *arguments, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        report = json.loads(done.stdout)
        of = {}
        for item in report["items"]:
            of.setdefault(item["verdict"], set()).add(item["id"])
        return of

    def databases(self):
        answer = self.server.ask("GET", "/api/v1/database/list")[1]
        return [entry["name"] for entry in answer["data"]["databases"]]

    def test_what_the_api_shows_is_ticked_and_nothing_else(self):
        self.server.start()
        items = self.report("--timeout", "60")
        self.assertEqual(items["passed"], SHOWN_BY_THE_API)
        self.assertNotIn("failed", items)
        self.assertEqual(self.databases(), [])
        # The history of the probe stays: its creation and its deletion, decided.
        log = self.server.ask("GET", "/api/v1/events?limit=100")[1]
        self.assertEqual(len(log["data"]["events"]), 4)
        self.assertTrue(self.server.verify()["clean"])

    def test_a_server_that_wants_a_token_gets_it_and_does_not_see_it_printed(self):
        self.server.environment["OMS_ADMIN_TOKEN"] = "s3cret-of-admin"
        self.server.start()
        done = self.server.command("check", "--timeout", "60")
        self.assertIn("14 passed, 0 failed", done.stdout)
        self.assertNotIn("s3cret", done.stdout + done.stderr)
        self.server.environment["OMS_ADMIN_TOKEN"] = "another"
        self.assertIn("probe_accepted", self.report("--timeout", "5", code=3)["failed"])

    def test_a_server_that_is_away_is_exit_code_4(self):
        items = self.report(code=4)
        self.assertEqual(items["failed"], {"server_health"})
        self.assertNotIn("probe_accepted", items["passed"])

    def test_a_bad_configuration_is_exit_code_2(self):
        done = subprocess.run([PROGRAM, "check"], capture_output=True, text=True, timeout=60,
                              env={**self.server.environment, "MINIO_ENDPOINT_URL": "nowhere"})
        self.assertEqual(done.returncode, 2, done.stderr)


if __name__ == "__main__":
    run_tests()
