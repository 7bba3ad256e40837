"""Power cuts of a real server, below fdatasync: what it writes and syncs is journaled
(power_cut/write_journal.cc), and its directory is rebuilt as a cut at many moments may leave it
(power_cut/power_cut.py). With the default durability nothing acknowledged is lost, the next start
needs nobody, and `saffron verify` finds nothing. With SAFFRON_DURABILITY=none some cut loses."""
import filecmp
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import unittest
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import power_cut  # noqa: E402
from crash_clients import Clients, judge, read_log  # noqa: E402
from saffron_process import Server, run_tests, wait_for  # noqa: E402

LIBRARY = os.path.abspath(os.environ.get(
    "SAFFRON_WRITE_JOURNAL", "build/release/tests/system/power_cut/libwrite_journal.so"))
SEED = int(os.environ.get("SAFFRON_CUT_SEED", "1"))
# Cuts whose log is looked at, and of these those in which a server starts.
CUTS = int(os.environ.get("SAFFRON_CUTS", "200"))
STARTS = int(os.environ.get("SAFFRON_CUT_STARTS", "30"))
COMMANDS = 250  # acknowledged in each of the lives that are journaled


def lost(data_dir, acknowledged):
    """The acknowledged that are not at their positions. What nobody was told of may be missing."""
    slots, missing = {}, []
    for one in acknowledged:
        _, slot, ordinal = one.position.split("-")
        if slot not in slots:
            path = os.path.join(data_dir, f"objects/events/000/+{int(slot) // 10000:016}",
                                f"{int(slot):020}.jsonl")
            try:
                with open(path, "rb") as file:
                    slots[slot] = file.read().splitlines()[1:]
            except FileNotFoundError:
                slots[slot] = []
        try:
            event = json.loads(slots[slot][int(ordinal)])
        except (IndexError, ValueError):
            event = {"event_id": None}
        if event["event_id"] != one.command_id:
            missing.append(one)
    return missing


class PowerCutTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(
            prefix="saffron-cut-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.random = random.Random(SEED)
        self.journal = os.path.join(self.folder, "journal")
        self.root = os.path.join(self.folder, "root")
        os.mkdir(self.root)

    def server(self, root, boot, **more):
        """On the data below a root, as if the machine had been booted anew."""
        server = Server(os.path.join(root, "data"), LD_PRELOAD=LIBRARY,
                        SAFFRON_JOURNAL_BOOT=boot, SAFFRON_RESERVATION_SECONDS="1",
                        SAFFRON_REQUEST_TIMEOUT_SECONDS="3", **more)
        server.log = os.path.join(self.folder, "server.log")
        self.addCleanup(self.end, server)
        return server

    @staticmethod
    def end(server):
        if server.process and server.process.poll() is None:
            server.kill()

    def new_boot(self):
        path = os.path.join(self.folder, f"boot-{uuid.uuid4()}")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{uuid.uuid4()}\n")
        return path

    def journaled_run(self, **more):
        """Two lives under load: one that is killed, and one that goes on and stops."""
        server = self.server(self.root, self.new_boot(), SAFFRON_JOURNAL=self.journal,
                             SAFFRON_JOURNAL_ROOT=self.root, **more).start()
        clients = Clients(server.port, 4, SEED, mark=lambda: os.path.getsize(self.journal))
        clients.set_up()
        clients.start()

        def written(count):
            clients.check()
            return clients.answers() >= count
        wait_for("commands are acknowledged", lambda: written(COMMANDS), 120)
        server.process.send_signal(signal.SIGUSR2)  # not between a change and its record
        server.process.wait()
        server.start()
        wait_for("more are acknowledged", lambda: written(2 * COMMANDS), 120)
        clients.end()
        self.assertEqual(server.stop()[0], 0, server.tail())
        return clients.acknowledged(), power_cut.read_journal(self.journal)

    def cuts(self, acknowledged, records, count):
        """Moments: half of them those at which somebody has just been told something."""
        ends = [record[1] for record in records]
        first = min(one.mark for one in acknowledged)
        marks = [self.random.choice(acknowledged).mark for _ in range(count // 2)]
        others = self.random.choices([end for end in ends if end >= first // 2],
                                     k=count - len(marks))
        return marks + others

    def rebuilt(self, records, cut, keep):
        root = os.path.join(self.folder, "cut")
        shutil.rmtree(root, ignore_errors=True)
        power_cut.rebuild(power_cut.replay(records, cut), root, keep)
        return root

    def same(self, one, other):
        """Every file of two directories, but for SQLite's shared memory."""
        compared = filecmp.dircmp(one, other)
        only = compared.left_only + compared.right_only
        self.assertEqual([name for name in only if not name.endswith("-shm")], [])
        _, differ, failed = filecmp.cmpfiles(
            one, other, [name for name in compared.common_files if not name.endswith("-shm")],
            shallow=False)
        self.assertEqual(differ + failed, [], one)
        for name in compared.common_dirs:
            self.same(os.path.join(one, name), os.path.join(other, name))

    def test_nothing_acknowledged_is_lost(self):
        acknowledged, records = self.journaled_run()
        self.same(self.rebuilt(records, records[-1][1], power_cut.keep_everything), self.root)
        cuts = self.cuts(acknowledged, records, CUTS)
        for number, cut in enumerate(cuts):
            with self.subTest(seed=SEED, cut=cut):
                root = self.rebuilt(records, cut, power_cut.Chance(self.random))
                told = [one for one in acknowledged if one.mark <= cut]
                self.assertEqual([vars(one) for one in lost(root + "/data", told)], [])
                if number % max(1, len(cuts) // STARTS) == 0:
                    self.start_again(root, told)
        print(f"{len(cuts)} cuts of {len(records)} changes with {len(acknowledged)} commands "
              "acknowledged; 0 lost")

    def start_again(self, root, told):
        """Nobody helps: it starts, decides what is left, and takes new commands."""
        server = self.server(root, self.new_boot()).start()
        status, answer, _ = server.ask("POST", "/api/v1/database/create?wait=20", {"name": "after"})
        self.assertEqual(status, 200, answer)

        def settled():
            report = server.verify()
            return report["clean"] and report["log"]["undecided"] == 0
        wait_for("everything is decided and verify finds nothing", settled, 60)
        server.kill()
        judge(read_log(server.data_dir), told, everything_answered=False)

    def test_without_durability_something_is_lost(self):
        """So the cuts can lose, and the judge sees it."""
        acknowledged, records = self.journaled_run(SAFFRON_DURABILITY="none")
        losses = 0
        for cut in self.cuts(acknowledged, records, 20):
            root = self.rebuilt(records, cut, power_cut.Chance(self.random))
            losses += bool(lost(root + "/data", [one for one in acknowledged if one.mark <= cut]))
        self.assertGreater(losses, 0)
        print(f"without durability {losses} of 20 cuts lost something")


if __name__ == "__main__":
    run_tests()
