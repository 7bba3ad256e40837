"""Stored bytes that are not what was written: of a slot, found on read, named, served to nobody; of
a derived file, no answer changes or the damage is told."""
import glob
import json
import os
import random
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from saffron_process import Server, wait_for  # noqa: E402

ORDER = {"id": "Order", "properties": [
    {"name": "order_id", "type": "string", "required": True, "primary_key": True},
    {"name": "note", "type": "string"}]}
ORDERS = 12
NOTE = b"as it was written"
# Files that a trial damages, each in so many places: every trial starts a server.
OBJECTS = int(os.environ.get("SAFFRON_DAMAGE_OBJECTS", "12"))  # of the log, at most 20
POSITIONS = int(os.environ.get("SAFFRON_DAMAGE_POSITIONS", "6"))  # beside the named ones
CUTS = 4
TRIALS = int(os.environ.get("SAFFRON_DAMAGE_TRIALS", "4"))


def flip(path, bit):
    with open(path, "r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0]
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))


class DamageTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="saffron-damage-")
        self.addCleanup(self.folder.cleanup)
        self.server = Server(os.path.join(self.folder.name, "data"))
        self.addCleanup(self.end_server)
        self.random = random.Random(3)
        self.server.start()
        for path, body in (("/database/create", {"name": "shop"}),
                           ("/database/shop/ontology", ORDER),
                           *(("/instances/shop/async/Order/create",
                              {"data": {"order_id": f"O-{i}", "note": NOTE.decode()}})
                             for i in range(ORDERS))):
            status, answer, _ = self.server.ask("POST", f"/api/v1{path}?wait=20", body)
            self.assertEqual(status, 200, answer)
        self.digest = self.server.verify()["digest"]  # waits for the index, too
        self.answers = self.all_answers()
        self.assertEqual(self.server.stop()[0], 0)
        self.home = self.server.data_dir
        self.slots = sorted(glob.glob(self.home + "/objects/events/000/*/*.jsonl"))

    def end_server(self):
        if self.server.process and self.server.process.poll() is None:
            self.server.kill()

    def read(self, path):
        status, answer, _ = self.server.ask("GET", "/api/v1" + path)
        return status, answer

    def all_answers(self):
        """What a client is told of everything."""
        paths = ["/database/list", "/database/shop/ontology/Order",
                 "/instance/shop/class/Order/count"]
        for i in range(ORDERS):
            paths += [f"/instance/shop/instance/O-{i}?class=Order",
                      f"/aggregates/Instance/shop:main:Order:O-{i}/events"]
        return {path: self.read(path) for path in paths}

    def answering(self):
        """False when it has ended instead: then it must have said why."""
        def known():
            if self.server.process.poll() is not None:
                return "ended"
            try:
                return self.server.ask("GET", "/health/live")[0] == 200 and "answers"
            except OSError:
                return None
        return wait_for("the server answers or ends", known) == "answers"

    def number_of(self, slot):
        return int(os.path.basename(slot)[:20])

    def test_a_slot_is_named_and_not_served(self):
        self.server.start()
        # The last ones are read by the start.
        for slot in self.random.sample(self.slots[:-2], 8):
            key = "events/000/" + os.path.basename(slot)
            whole = os.path.getsize(slot)
            with open(slot, "rb") as file:
                written = file.read()
            if self.number_of(slot) % 2:
                flip(slot, self.random.randrange(whole * 8))
            else:
                os.truncate(slot, self.random.randrange(whole))
            status, answer = self.read(f"/events?from=0-{self.number_of(slot)}-0&limit=1")
            self.assertEqual(status, 500, answer)
            self.assertIn(key, answer["message"])
            done = self.server.command("verify", check=False)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn(key, done.stdout)
            with open(slot, "wb") as file:
                file.write(written)
            self.assertEqual(
                self.read(f"/events?from=0-{self.number_of(slot)}-0&limit=1")[0], 200)
        self.assertIn("read_failed", self.server.tail())
        report = self.server.verify()
        self.assertTrue(report["clean"], report)

    def flips_of(self, slot):
        """Bits of every class of bytes: each member of the header, its line end, and of the events
        their first, last and some other bytes and line ends."""
        with open(slot, "rb") as file:
            written = file.read()
        header = written.index(b"\n")
        places = [written.index(name) + 3 for name in (
            b'"format"', b'"log_id"', b'"slot"', b'"kind"', b'"batch_id"', b'"writer"',
            b'"reserved_at"', b'"count"', b'"bytes"', b'"sha256"')]
        places += [written.index(b'"sha256":') + 12, header, header + 1, len(written) - 1]
        places += [self.random.randrange(header + 1, len(written)) for _ in range(POSITIONS)]
        return [place * 8 + self.random.randrange(8) for place in places]

    def test_every_flip_and_cut_of_the_log_is_found(self):
        """One in each of several objects at a time, and verify must name every one of them."""
        self.server.start()
        objects = self.random.sample(self.slots, min(OBJECTS, len(self.slots), 20))
        whole = {}
        for slot in objects:
            with open(slot, "rb") as file:
                whole[slot] = file.read()
        bits = {slot: self.flips_of(slot) for slot in objects}
        tried = found = 0
        for turn in range(len(bits[objects[0]]) + CUTS):
            for slot in objects:
                if turn < CUTS:
                    os.truncate(slot, self.random.randrange(len(whole[slot])))
                else:
                    flip(slot, bits[slot][turn - CUTS])
            told = {one["where"] for one in self.verdict()["differences"]}
            for slot in objects:
                tried += 1
                found += "events/000/" + os.path.basename(slot) in told
                with open(slot, "wb") as file:
                    file.write(whole[slot])
        print(f"log: {len(objects)} objects x {tried // len(objects)} positions: "
              f"{found} of {tried} found")
        self.assertEqual(found, tried)
        self.assertTrue(self.server.verify()["clean"])

    def verdict(self):
        return json.loads(self.server.command("verify", "--json", check=False).stdout)

    def test_a_document_flipped_in_a_sink_is_served_and_found(self):
        for part in ("graph", "search"):
            self.end_server()
            home = self.copy("flipped-" + part)
            flipped = 0
            for path in glob.glob(f"{home}/{part}/*"):
                with open(path, "rb") as file:
                    stored = file.read()
                at = stored.find(NOTE)
                while at >= 0:  # every copy of every document that holds it
                    flip(path, at * 8)
                    flipped += 1
                    at = stored.find(NOTE, at + 1)
            self.assertGreater(flipped, 0)
            self.server = Server(home).start()
            found = self.verdict()
            self.assertFalse(found["clean"], found)
            self.assertTrue(any(one["where"].startswith(part + ": Instance shop:main:Order:O-")
                                for one in found["differences"]), found)
            changed = self.all_answers() != self.answers
            self.assertEqual(changed, part == "graph", "instances are read from the graph")
            self.server.command("rebuild", part)
            self.assertTrue(self.server.verify()["clean"])
            self.assertEqual(self.all_answers(), self.answers)

    # Regression: the reader of the log kept up to 64 failures, and each was waited for in turn
    # after the slot had been put right.
    def test_nobody_goes_past_a_damaged_slot(self):
        """Graph and bus are to be made again from the log, and a slot of it is damaged."""
        slot = self.slots[len(self.slots) // 2]
        key = "events/000/" + os.path.basename(slot)
        with open(slot, "rb") as file:
            written = file.read()
        flip(slot, len(written) * 4)
        for part in ("graph", "search", "objects/checkpoints"):
            shutil.rmtree(os.path.join(self.server.data_dir, part))
        for path in glob.glob(self.server.data_dir + "/bus.db*"):
            os.remove(path)
        self.server.start(ready=False)
        self.assertTrue(self.answering(), self.server.tail())

        def stopped_at_it():
            status, answer, _ = self.server.ask("GET", "/health/ready")
            return status == 503 and all(
                answer["components"][name]["status"] == "CORRUPT"
                for name in ("publisher", "graph-writer"))
        wait_for("publisher and graph writer say so", stopped_at_it)
        for line in ("publisher.step_failed", "graph_writer.step_failed"):
            self.assertTrue(any(line in told and key in told
                                for told in self.server.tail().splitlines()), self.server.tail())
        # What comes after it is not there, rather than there without what came before.
        self.assertEqual(self.read(f"/instance/shop/instance/O-{ORDERS - 1}?class=Order")[0], 404)
        with open(slot, "wb") as file:
            file.write(written)
        wait_for("ready again", self.server.is_ready)
        report = self.server.verify()
        self.assertTrue(report["clean"], report)
        self.assertEqual(report["digest"], self.digest)
        self.assertEqual(self.all_answers(), self.answers)

    def copy(self, name):
        home = os.path.join(self.folder.name, name)
        shutil.copytree(self.home, home)
        return home

    def damaged_copy(self, part, trial):
        """A server on a copy in which one bit of one file of a part is turned, or its end cut."""
        home = self.copy(f"{part.replace('/*', '')}-{trial}")
        files = [path for path in sorted(glob.glob(f"{home}/{part}"))
                 if os.path.isfile(path) and os.path.getsize(path) > 0
                 and not os.path.basename(path).startswith(("LOG", "LOCK"))]
        path = self.random.choice(files)
        size = os.path.getsize(path)
        with open(path, "rb") as file:
            document = file.read().rfind(NOTE)
        if trial % 4 == 3:
            os.truncate(path, self.random.randrange(size))
        elif trial % 4 == 0 and document >= 0:
            flip(path, document * 8)  # still a document, but another one
        else:
            flip(path, self.random.randrange(size * 8))
        return Server(home), path

    def test_derived_files(self):
        whole = Server(self.copy("whole")).start()
        self.assertTrue(whole.verify()["clean"])
        self.assertEqual(whole.stop()[0], 0)
        told = silent = 0
        for part in ("registry/*", "graph/*", "search/*", "bus.db"):
            for trial in range(TRIALS):
                self.end_server()
                self.server, path = self.damaged_copy(part, trial)
                self.server.start(ready=False)
                if not self.answering():
                    self.assertIn("saffron: ", self.server.tail(), path)
                    told += 1
                    continue
                done = self.server.command("verify", "--json", check=False, timeout=60)
                changed = [path for path, answer in self.all_answers().items()
                           if answer != self.answers[path]]
                if changed:
                    self.assertNotEqual(done.returncode, 0, f"{path} unseen: {changed}")
                told += done.returncode != 0
                silent += done.returncode == 0
        print(f"{told} told, {silent} without any effect on an answer")


if __name__ == "__main__":
    unittest.main(verbosity=2)
