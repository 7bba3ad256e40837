"""Loads data through HTTP while the server is killed with SIGKILL at random moments; the loader
resumes. The history must be that of an uninterrupted load."""
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from saffron_process import PROGRAM, Server  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KILLS = int(os.environ.get("SAFFRON_KILLS", "8"))
SIZE = os.environ.get("SAFFRON_KILL_SIZE", "400")
THREEPL = os.environ.get("SAFFRON_KILL_DATA", "")


def load_command(server, data):
    source = (["--mapping", os.path.join(ROOT, "tests/threepl/mapping.json"), "--data", THREEPL]
              if THREEPL else
              ["--ontology", os.path.join(ROOT, "examples/logistics/ontology.json"), "--data",
               data])
    return [PROGRAM, "load", "--server", f"http://127.0.0.1:{server.port}", "--db", "shop",
            *source, "--jobs", "2", "--retry-seconds", "120", "--wait"]


class KillTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="saffron-kill-")
        self.data = os.path.join(self.folder.name, "data")
        subprocess.run([sys.executable, os.path.join(ROOT, "examples/logistics/generate.py"), SIZE,
                        self.data], check=True, capture_output=True)

    def tearDown(self):
        self.folder.cleanup()

    def load(self, server):
        done = subprocess.run(load_command(server, self.data), capture_output=True, text=True,
                              timeout=600)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_a_killed_server_ends_with_the_same_history(self):
        quiet = Server(os.path.join(self.folder.name, "quiet")).start()
        begin = time.monotonic()
        self.load(quiet)
        seconds = time.monotonic() - begin
        expected = quiet.verify()
        self.assertEqual(quiet.stop()[0], 0)

        server = Server(os.path.join(self.folder.name, "killed")).start()
        generator = random.Random(int(os.environ.get("SAFFRON_KILL_SEED", "1")))
        answers = []
        loader = threading.Thread(target=lambda: answers.append(self.load(server)))
        loader.start()
        kills = 0
        while loader.is_alive() and kills < KILLS:
            time.sleep(generator.uniform(0.02, max(0.2, 1.5 * seconds / KILLS)))
            if not loader.is_alive():
                break
            server.kill()
            kills += 1
            server.start()
        loader.join()
        self.assertEqual(len(answers), 1, "the loader failed")
        # What is left of the moments, on a server that has nothing to do.
        while kills < KILLS:
            server.kill()
            kills += 1
            server.start()
        found = server.verify()
        self.assertTrue(found["clean"], found)
        self.assertEqual(found["digest"], expected["digest"])
        self.assertEqual(found["classes"], expected["classes"])
        again = self.load(server)
        self.assertEqual(server.verify()["digest"], expected["digest"], again)
        print(f"{kills} kills during a load of {seconds:.1f} s; digest {found['digest'][:16]}")
        self.assertEqual(server.stop()[0], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
