"""Commands without a server: they take the lock of the data directory, and leave it as a server
would. With one, they ask it."""
import glob
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from saffron_process import PROGRAM, Server, free_port, passed_on, run_tests, wait_for  # noqa: E402

ITEM = {"id": "Item", "properties": [
    {"name": "item_id", "type": "string", "required": True, "primary_key": True},
    {"name": "size", "type": "integer"}]}
ITEMS = 40
OK, FAILED, USAGE, REFUSED, NOT_NOW = range(5)


class OfflineTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="saffron-offline-")
        self.server = Server(os.path.join(self.folder.name, "data"))
        # Where nobody listens: what a command finds that asks the server first.
        self.nobody = {**passed_on(), "SAFFRON_LISTEN": f"127.0.0.1:{free_port()}",
                       "SAFFRON_DATA_DIR": self.server.data_dir}

    def tearDown(self):
        if self.server.process and self.server.process.poll() is None:
            self.server.kill()
        self.folder.cleanup()

    def run_command(self, *arguments, expect=OK, environment=None):
        done = subprocess.run([PROGRAM, *arguments], env=environment or self.nobody,
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, expect, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done

    def json_of(self, *arguments, **more):
        return json.loads(self.run_command(*arguments, "--json", **more).stdout)

    def post(self, path, body, expect):
        status, answer, _ = self.server.ask("POST", "/api/v1" + path, body)
        self.assertEqual(status, expect, answer)
        return answer

    def write_and_kill(self):
        """Some accepted commands, and a server that had no time for all of them."""
        self.server.start()
        self.post("/database/create?wait=20", {"name": "shop"}, 200)
        self.post("/database/shop/ontology?wait=20", ITEM, 200)
        items = [{"item_id": f"I-{i}", "size": i} for i in range(ITEMS)]
        self.post("/instances/shop/async/Item/bulk-create", {"instances": items}, 202)
        self.server.kill()

    def digest(self):
        """Of the whole log, once everything in it is decided: verify waits for no decision, but
        while it lasts they are made."""
        def decided():
            found = self.json_of("verify")
            self.assertTrue(found["clean"], found)
            return found if found["log"]["undecided"] == 0 else None
        return wait_for("every command is decided", decided)["digest"]

    def test_a_killed_server_is_looked_at_and_brought_to_order(self):
        self.write_and_kill()
        found = self.run_command("status")
        self.assertIn("no server answers", found.stderr)
        self.assertIn(self.server.data_dir, found.stderr)
        self.assertEqual(json.loads(self.run_command("dlq", "list", "--json").stdout)["parked"], [])
        digest = self.digest()
        for target in ("graph", "search", "registry"):
            self.assertEqual(self.json_of("rebuild", target)["target"], target)
            self.assertEqual(self.digest(), digest)
        shown = self.run_command("query", "shop", "Item", "--where", "size >= 38", "--sort", "size")
        self.assertEqual([json.loads(line)["instance_id"] for line in shown.stdout.splitlines()],
                         ["I-38", "I-39"])
        self.run_command("dlq", "replay", "Instance", "shop:main:Item:I-1", expect=REFUSED)
        self.server.start()
        self.assertEqual(self.server.verify()["digest"], digest)

    def test_looking_decides_nothing(self):
        self.write_and_kill()
        before = self.json_of("status")
        self.run_command("query", "shop", "Item")
        after = self.json_of("status")
        for name in ("head_slot", "graph", "search"):
            self.assertEqual(before[name], after[name])

    def test_a_running_server_keeps_its_directory(self):
        self.server.start()
        pid = str(self.server.process.pid)
        for command in (["status"], ["verify"], ["rebuild", "registry"], ["rebuild", "graph"]):
            done = self.run_command(*command, "--data-dir", self.server.data_dir, expect=NOT_NOW)
            self.assertIn("in use by process " + pid, done.stderr)
            done = self.run_command(*command, expect=NOT_NOW)
            self.assertIn("in use by process " + pid, done.stderr)
        done = self.server.command("rebuild", "registry", check=False)
        self.assertEqual(done.returncode, REFUSED)
        self.assertIn("with the server stopped", done.stderr)
        self.assertTrue(self.server.verify()["clean"])

    def test_where_there_is_no_data_none_is_made(self):
        nowhere = os.path.join(self.folder.name, "nowhere")
        for command in (["status"], ["verify"], ["rebuild", "registry"], ["query", "shop"]):
            done = self.run_command(*command, "--data-dir", nowhere, expect=NOT_NOW)
            self.assertIn(f"there is no log in {nowhere}", done.stderr)
            done = self.run_command(*command, expect=NOT_NOW)
            self.assertIn("no server answers", done.stderr)
        self.assertFalse(os.path.exists(nowhere))
        self.assertFalse(os.path.exists(self.server.data_dir))

    def test_files_are_loaded_without_a_server(self):
        self.write_and_kill()
        files = os.path.join(self.folder.name, "files")
        os.makedirs(files)
        with open(os.path.join(files, "Item.csv"), "w", encoding="utf-8") as file:
            file.write("item_id,size\nI-1,1\nnew,7\n")
        ontology = os.path.join(self.folder.name, "ontology.json")
        with open(ontology, "w", encoding="utf-8") as file:
            json.dump({"classes": [ITEM]}, file)
        found = self.json_of("load", "--db", "shop", "--ontology", ontology, "--data", files,
                             "--wait", "--data-dir", self.server.data_dir)
        self.assertEqual((found["accepted"], found["duplicates"], found["completed"]), (1, 1, 2))
        self.assertEqual(self.json_of("query", "shop", "Item", "--id", "new")["data"]["document"],
                         {"item_id": "new", "size": 7})

    def registry_files(self):
        return glob.glob(os.path.join(self.server.data_dir, "registry", "*"))

    # "run `saffron rebuild registry`" was said, and that command said the same.
    def test_a_damaged_registry_is_made_again(self):
        self.write_and_kill()
        digest = self.digest()
        for file in self.registry_files():
            if os.path.basename(file).startswith("MANIFEST-"):
                os.truncate(file, 100)
        done = self.run_command("status", expect=FAILED)
        self.assertIn("saffron rebuild registry", done.stderr)
        self.run_command("rebuild", "registry")
        self.assertEqual(self.digest(), digest)
        self.assertEqual(glob.glob(self.server.data_dir + "/registry.*"), [])

    def test_verify_repairs_the_registry_of_a_stopped_server(self):
        self.write_and_kill()
        digest = self.digest()
        for file in self.registry_files():
            if os.path.basename(file).startswith("MANIFEST-"):
                os.truncate(file, 100)
        done = self.run_command("verify", "--repair", "registry")
        self.assertIn("registry in", done.stdout)
        self.assertIn("Clean", done.stdout)
        self.assertEqual(self.digest(), digest)
        done = self.run_command("verify", "--repair", "registry")  # nothing to do
        self.assertNotIn("rebuilt", done.stdout)

    def test_verify_repairs_the_index_while_the_server_runs(self):
        self.write_and_kill()
        self.digest()
        entries = glob.glob(self.server.data_dir + "/objects/indexes/by-date/*/*/*/*.json")
        self.assertTrue(entries)
        for entry in entries:
            os.remove(entry)
        self.server.start()
        done = self.server.command("verify", check=False)
        self.assertEqual(done.returncode, FAILED, done.stdout)
        self.assertIn("saffron verify --repair index", done.stdout)
        done = self.server.command("verify", "--repair", "index")
        self.assertIn("repaired", done.stdout)
        self.assertTrue(self.server.verify()["clean"])
        sampled = json.loads(self.server.command("verify", "--sample", "3", "--json").stdout)
        self.assertEqual(sampled["log"]["slots"], 3)

    def test_a_rebuild_that_fails_leaves_the_registry_as_it_was(self):
        self.write_and_kill()
        self.digest()
        slots = glob.glob(self.server.data_dir + "/objects/events/**/*.jsonl", recursive=True)
        victim = sorted(slots)[1]
        with open(victim, "r+b") as slot:
            slot.seek(-10, os.SEEK_END)
            byte = slot.read(1)[0]
            slot.seek(-10, os.SEEK_END)
            slot.write(bytes([byte ^ 1]))
        done = self.run_command("rebuild", "registry", expect=FAILED)
        self.assertIn(os.path.basename(victim)[:20], done.stderr)
        self.assertEqual(self.json_of("status")["registry"]["undecided_commands"], 0)
        self.assertFalse(self.json_of("verify", expect=FAILED)["clean"])


if __name__ == "__main__":
    run_tests()
