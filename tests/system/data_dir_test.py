"""Data directories that a server must not touch: of a newer format, of another log, of a process
that still runs, read-only. Each is refused with one line that says what to do, and is as before."""
import hashlib
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import small_disk  # noqa: E402
from saffron_process import Server  # noqa: E402

ORDER = {"id": "Order", "properties": [
    {"name": "order_id", "type": "string", "required": True, "primary_key": True}]}
USAGE, UNREACHABLE = 2, 4  # exit codes
# What a start may write before it knows whose directory it is: who asked last, and RocksDB's own
# bookkeeping (its rows are compared by `verify`).
NOTES = ("objects/~lock", "registry/")


def contents(home, leaving_out=()):
    found = {}
    for folder, _, files in os.walk(home):
        for name in files:
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, home)
            if relative.startswith(tuple(leaving_out)):
                continue
            with open(path, "rb") as file:
                found[relative] = hashlib.sha256(file.read()).hexdigest()
    return found


class DataDirTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="saffron-dir-")
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def filled(self, name, orders):
        """A stopped directory with so many orders, and the digest of its log."""
        server = Server(self.path(name)).start()
        self.addCleanup(lambda: server.process.poll() is None and server.kill())
        self.ask(server, "/database/create", {"name": "shop"})
        self.ask(server, "/database/shop/ontology", ORDER)
        self.add_orders(server, 0, orders)
        digest = server.verify()["digest"]
        self.assertEqual(server.stop()[0], 0, server.tail())
        return server, digest

    def ask(self, server, path, body):
        status, answer, _ = server.ask("POST", f"/api/v1{path}?wait=20", body)
        self.assertEqual(status, 200, answer)

    def add_orders(self, server, first, last):
        for i in range(first, last):
            self.ask(server, "/instances/shop/async/Order/create",
                     {"data": {"order_id": f"O-{i}"}})

    def expect_refused(self, server, code, *words):
        """Starts it; it must end by itself, with one line of its own."""
        with open(server.log, "w"):
            pass
        server.start(ready=False)
        self.assertEqual(server.process.wait(timeout=20), code, server.tail())
        lines = [line for line in server.tail().splitlines() if line.startswith("saffron: ")]
        self.assertEqual(len(lines), 1, server.tail())
        for word in words:
            self.assertIn(word, lines[0])

    def expect_serves(self, server, digest):
        server.start()
        report = server.verify()
        self.assertTrue(report["clean"], report)
        self.assertEqual(report["digest"], digest)
        self.assertEqual(server.stop()[0], 0)

    def test_a_log_of_a_newer_format(self):
        server, digest = self.filled("data", 2)
        path = os.path.join(server.data_dir, "objects/events/format.json")
        with open(path, encoding="utf-8") as file:
            ours = file.read()
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"format": 2, "made": "by a version that words it otherwise"}, file)
        before = contents(server.data_dir)
        self.expect_refused(server, USAGE, "events/format.json", "format 2", "format 1")
        self.assertEqual(contents(server.data_dir), before)
        with open(path, "w", encoding="utf-8") as file:
            file.write(ours)
        self.expect_serves(server, digest)

    def test_derived_files_of_a_newer_format(self):
        server, digest = self.filled("data", 2)
        for part in ("bus.db", "graph/graph-1.db", "search/search-1.db"):
            path = os.path.join(server.data_dir, part)
            for version in (2, 1):
                with sqlite3.connect(path) as database:
                    database.execute(f"PRAGMA user_version={version}")
                database.close()
                if version == 1:
                    break
                before = contents(server.data_dir, NOTES)
                self.expect_refused(server, USAGE, part, "has format 2")
                self.assertEqual(contents(server.data_dir, NOTES), before)
        self.expect_serves(server, digest)

    def test_parts_of_another_log(self):
        ours, digest = self.filled("ours", 3)
        theirs, _ = self.filled("theirs", 5)
        for part, words in (("registry", ("belongs to log", "saffron rebuild registry")),
                            ("bus.db", ("bus.db follows from log",)),
                            ("graph", ("graph-1.db follows from log",)),
                            ("search", ("search-1.db follows from log",))):
            own = os.path.join(ours.data_dir, part)
            other = os.path.join(theirs.data_dir, part)
            shutil.move(own, self.path("aside"))
            (shutil.copytree if os.path.isdir(other) else shutil.copy)(other, own)
            before = contents(ours.data_dir, NOTES)
            self.expect_refused(ours, USAGE, *words)
            self.assertEqual(contents(ours.data_dir, NOTES), before, part)
            (shutil.rmtree if os.path.isdir(own) else os.remove)(own)
            shutil.move(self.path("aside"), own)
        self.expect_serves(ours, digest)

    def test_an_older_log_under_newer_parts(self):
        server, digest = self.filled("data", 2)
        objects = os.path.join(server.data_dir, "objects")
        shutil.copytree(objects, self.path("backup"))
        server.start()
        self.add_orders(server, 2, 6)
        self.assertEqual(server.stop()[0], 0)
        shutil.rmtree(objects)
        shutil.copytree(self.path("backup"), objects)
        self.expect_refused(server, USAGE, "the registry is ahead of the log")
        shutil.rmtree(os.path.join(server.data_dir, "registry"))
        self.expect_refused(server, USAGE, "the graph is ahead of the log", "move the graph away")
        for part in ("graph", "search"):
            shutil.rmtree(os.path.join(server.data_dir, part))
        os.remove(os.path.join(server.data_dir, "bus.db"))
        self.expect_serves(server, digest)

    def test_a_process_that_still_runs(self):
        server, digest = self.filled("data", 2)
        server.start()
        other = Server(server.data_dir)
        other.log = self.path("other.log")
        self.expect_refused(other, UNREACHABLE, f"in use by process {server.process.pid}")
        self.assertEqual(server.verify()["digest"], digest)
        self.assertEqual(server.stop()[0], 0)

    def test_a_read_only_directory(self):
        if not small_disk.may_mount():
            self.skipTest("no mount namespace can be had here; without one: "
                          "DirectoryOwnerTest.MissingPermissionIsNamed")
        server, digest = self.filled("data", 2)
        before = contents(server.data_dir)
        small_disk.mount_read_only(server.data_dir)
        try:
            self.expect_refused(server, UNREACHABLE, server.data_dir, "Read-only file system")
            self.assertEqual(contents(server.data_dir), before)
        finally:
            small_disk.unmount(server.data_dir)
        self.expect_serves(server, digest)


if __name__ == "__main__":
    small_disk.enter_namespace()
    unittest.main(verbosity=2)
