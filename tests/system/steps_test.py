"""Kills and pauses a real server at every named step, under load: `saffron_steps`, the program with
its steps (src/base/step.h, testing/steps).

    steps_test.py                              every step, killed once and paused once
    steps_test.py --cycles 2000 [--jobs 3] [--seed 1]   goes on; `./dev crash` runs it

A pause is longer than a reservation, a lease and a heartbeat. Clients go on all the while
(crash_clients.py); after some cycles the log is judged and another one is begun."""
import argparse
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from crash_clients import Clients, judge, read_log  # noqa: E402
from saffron_process import PROGRAM, Server, run_tests, wait_for  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STEPS_PROGRAM = os.environ.get("SAFFRON_STEPS_PROGRAM",
                               "build/release/testing/steps/saffron_steps")
# The shortest that may be set; a pause is longer than each.
SETTINGS = {"SAFFRON_RESERVATION_SECONDS": "1", "SAFFRON_REQUEST_TIMEOUT_SECONDS": "3",
            "SAFFRON_PUBLISHER_LEASE_SECONDS": "1", "PROCESSED_EVENT_LEASE_TIMEOUT_SECONDS": "1",
            "PROCESSED_EVENT_HEARTBEAT_INTERVAL_SECONDS": "0.3", "SAFFRON_LOG_LEVEL": "warning",
            # Not the commands are to blame.
            "ONTOLOGY_WORKER_MAX_RETRY_ATTEMPTS": "1000",
            "INSTANCE_WORKER_MAX_RETRY_ATTEMPTS": "1000"}
PAUSE_S = 1.2
SETTLED_S = int(os.environ.get("SAFFRON_SETTLED_SECONDS", "240"))
REACHED_S = 120

# What must have happened for a step to be reached: orders before the one that is meant.
HELD_LANE = "lane.commit.before:1:hold"
LEADS = {
    "resolver.take": HELD_LANE, "resolver.tombstone": HELD_LANE, "resolver.undo": HELD_LANE,
    # The resolver waits until the lane that finds its tombstone is about to undo.
    "lane.undo": HELD_LANE + ",resolver.tombstone.after:1:hold",
    "resolver.finalize": "lane.ack.after:1:hold",
}
# How the process before must have died: with slots that the registry on file does not know; with a
# reservation on file and no slot.
FENCE_LEAD = "lane.ack.after:1:kill"
TOMBSTONE_LEAD = HELD_LANE + ",registry.flush.after:2:kill"


def all_steps():
    """Every step of the sources."""
    steps = set()
    for folder, _, names in os.walk(os.path.join(ROOT, "src")):
        for name in names:
            if name.endswith(".cc"):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    steps.update(re.findall(r'SAFFRON_STEP\("([a-z._]+)"\)', file.read()))
    return sorted(steps)


def orders_for(step, action, draw):
    lead = LEADS.get(step.rsplit(".", 1)[0])
    seldom = lead or step.startswith(("fence", "rebuild", "publisher.checkpoint",
                                      "projection.watermark", "store.swap"))
    count = 1 if seldom else draw.randint(1, 6)
    return (lead + "," if lead else "") + f"{step}:{count}:{action}"


class StepServer(Server):
    program = STEPS_PROGRAM

    def arm(self, orders):
        self.environment["SAFFRON_AT_STEP"] = orders
        return self

    def wait_until_it(self, what, also=lambda: None):
        """Until the process stopped ("stop") or was killed ("kill") at its step."""
        deadline = time.monotonic() + REACHED_S
        while time.monotonic() < deadline:
            seen = os.waitid(os.P_PID, self.process.pid,
                             os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if seen is None:
                if also():
                    return False
                time.sleep(0.003)
                continue
            if seen.si_code == os.CLD_STOPPED and what == "stop":
                os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)
                return True
            if seen.si_status == signal.SIGKILL and what == "kill":
                self.process.wait()
                return True
            raise AssertionError(f"{self.environment['SAFFRON_AT_STEP']}: ended\n{self.tail()}")
        raise AssertionError(f"{self.environment['SAFFRON_AT_STEP']}: not reached\n{self.tail()}")

    def pause(self):
        time.sleep(PAUSE_S)
        self.process.send_signal(signal.SIGCONT)

    def settled(self, but=()):
        """What verify says when everything is decided, and nothing differs `but` these parts."""
        def clean():
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}\n{self.tail()}")
            report = self.verify(clean=not but)
            differs = [one["where"] for one in report["differences"]]
            if report["log"]["undecided"] or not all(one.startswith(but or "-") for one in differs):
                return None
            return report
        return wait_for("everything is decided and verify finds nothing", clean,
                        SETTLED_S)


class Life:
    """One data directory through many deaths of its server, with clients that go on."""

    def __init__(self, folder, seed):
        self.random = random.Random(seed)
        self.server = StepServer(os.path.join(folder, f"life-{seed}"), **SETTINGS)
        self.clients = Clients(self.server.port, 4, seed, pause_s=0.01)
        self.kills = self.pauses = self.led = 0
        self.server.start()
        self.clients.set_up()
        self.clients.start()

    def run(self, step, action):
        """A cycle: the server dies or pauses at the step, and the next one carries on."""
        begun = self.clients.answers()
        if step.startswith("rebuild.registry"):
            self.rebuild_registry(step, action)
        elif step.startswith("fence"):
            self.at_start(step, action)
        else:
            self.restart(orders_for(step, action, self.random))
            over = threading.Event()
            if step.startswith("rebuild"):
                target = step.split(".")[1]
                threading.Thread(target=self.rebuild, args=(target, over), daemon=True).start()
            self.carry_out(action)
            over.set()
        self.go_on(begun)

    def carry_out(self, action):
        if action == "kill":
            self.server.wait_until_it("kill")
            self.kills += 1
        else:
            self.server.wait_until_it("stop")
            self.server.pause()
            self.pauses += 1

    def restart(self, orders):
        if self.server.process.poll() is None:
            self.server.kill()
        self.server.arm(orders).start(ready=False)

    def at_start(self, step, action):
        """What was to lead there may not have: the flush came too early, or too late."""
        lead = TOMBSTONE_LEAD if step.startswith("fence.tombstone") else FENCE_LEAD
        for _ in range(30):
            self.restart(lead)
            self.server.wait_until_it("kill")
            self.led += 1
            self.server.arm(f"{step}:1:{action}").start(ready=False)
            begun = self.clients.answers()
            if self.server.wait_until_it(action, lambda: self.clients.answers() > begun + 20):
                break
        else:
            raise AssertionError(f"{step}: no start came by")
        if action == "stop":
            self.server.pause()
            self.pauses += 1
        else:
            self.kills += 1

    def rebuild(self, target, over):
        """Asked for until it was done, or the cycle is over."""
        while not over.is_set():
            try:
                if self.server.ask("POST", "/api/v1/admin/rebuild", {"target": target})[0] == 200:
                    return
            except (OSError, ValueError, http.client.HTTPException):
                time.sleep(0.02)

    def rebuild_registry(self, step, action):
        """The command, with the server stopped. One that was paused comes to its end."""
        self.server.kill()
        self.server.arm(f"{step}:1:{action}")
        with open(self.server.log, "ab") as log:
            self.server.process = subprocess.Popen(
                [STEPS_PROGRAM, "rebuild", "registry", "--data-dir", self.server.data_dir],
                env={**self.server.environment, "SAFFRON_LISTEN": "127.0.0.1:9"}, stdout=log,
                stderr=log)
        self.carry_out(action)
        if action == "stop":
            code = self.server.process.wait(timeout=REACHED_S)
            assert code == 0, self.server.tail()

    def go_on(self, begun):
        """Progress, after a pause by the process itself, after a death by the next one."""
        if self.server.process.poll() is not None:
            self.restart("none:1:kill")
        wait_for("clients are answered again",
                 lambda: self.clients.check() or self.clients.answers() > begun, REACHED_S)

    def end(self):
        """Every request is answered, and the log is judged."""
        self.restart("none:1:kill")
        wait_for("the server is ready", self.server.is_ready, REACHED_S)
        self.clients.end()
        report = self.server.settled()
        found = judge(read_log(self.server.data_dir), self.clients.acknowledged())
        assert found["outcomes"] == found["commands"] == report["log"]["commands"], (found, report)
        for item in self.clients.items():
            status, answer, _ = self.server.ask(
                "GET", f"/api/v1/instance/shop/instance/{item.name}?class=Item")
            size = answer["data"]["document"]["size"] if status == 200 else None
            assert size == item.size, (item.name, size, item.size)
        code, _ = self.server.stop()
        assert code == 0, self.server.tail()
        return found

    def kill(self):
        self.clients.ended.set()
        if self.server.process.poll() is None:
            self.server.kill()


class Run:
    """Cycles on several lives at once; what was done, in numbers."""

    def __init__(self, cycles, jobs, seed):
        self.cycles, self.jobs, self.seed = list(cycles), jobs, seed
        self.lock, self.failures = threading.Lock(), []
        self.reached = set()
        self.counts = dict.fromkeys(("kills", "pauses", "led", "commands", "repeated", "lives"), 0)
        self.begun = time.monotonic()

    def take(self, most):
        with self.lock:
            taken, self.cycles = self.cycles[:most], self.cycles[most:]
        return taken

    def work(self, folder, job):
        for number in range(1_000_000):
            cycles = self.take(12)
            if not cycles or self.failures:
                return
            self.live(folder, f"{self.seed}.{job}.{number}", cycles)

    def live(self, folder, seed, cycles):
        life = None
        try:
            life = Life(folder, seed)
            for step, action in cycles:
                life.run(step, action)
                self.reached.add((step, action))
            found = life.end()
            with self.lock:
                self.counts["commands"] += found["commands"]
                self.counts["lives"] += 1
                self.counts["repeated"] += sum(one.unanswered for one in life.clients.threads)
        except Exception as failure:  # the first one is told
            self.failures.append(f"life {seed}, {cycles}: {failure!r}\n"
                                 f"data: {life and life.server.data_dir}")
        finally:
            if life:
                life.kill()
                with self.lock:
                    for name in ("kills", "pauses", "led"):
                        self.counts[name] += getattr(life, name)

    def all(self, folder, progress=False):
        jobs = [threading.Thread(target=self.work, args=(folder, job)) for job in range(self.jobs)]
        for job in jobs:
            job.start()
        for job in jobs:
            while job.is_alive():
                job.join(20)
                if progress:
                    print(f"{time.monotonic() - self.begun:6.0f} s  {self}", flush=True)
        return self

    def __str__(self):
        counts = self.counts
        return (f"{counts['kills']} kills and {counts['pauses']} pauses at steps, "
                f"{counts['led']} kills that lead there; {counts['lives']} logs with "
                f"{counts['commands']} commands judged, {counts['repeated']} requests repeated; "
                f"{len(self.failures)} failures")


def scratch():
    """A process that dies leaves the page cache behind: memory will do."""
    return tempfile.TemporaryDirectory(prefix="saffron-steps-",
                                       dir="/dev/shm" if os.path.isdir("/dev/shm") else None)


class StepsTest(unittest.TestCase):
    def test_the_product_has_no_steps(self):
        with open(PROGRAM, "rb") as file:
            product = file.read()
        with open(STEPS_PROGRAM, "rb") as file:
            with_steps = file.read()
        for name in [*all_steps(), "SAFFRON_AT_STEP", "SAFFRON_STORE_FAULTS",
                     "SAFFRON_MUTATION"]:
            self.assertNotIn(name.encode(), product)
            self.assertIn(name.encode(), with_steps)

    def test_killed_and_paused_at_every_step_nothing_is_lost_doubled_or_reordered(self):
        cycles = [(step, action) for step in all_steps() for action in ("kill", "stop")]
        self.assertGreater(len(cycles), 90)
        random.Random(1).shuffle(cycles)
        with scratch() as folder:
            run = Run(cycles, 2, 1).all(folder)
        self.assertEqual(run.failures, [])
        self.assertEqual(run.reached, set(cycles))
        print(run)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int)
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", default="", help="steps that match")
    arguments, _ = parser.parse_known_args()
    if arguments.cycles is None:
        run_tests()
    draw, cycles = random.Random(arguments.seed), []
    steps = [step for step in all_steps() if re.search(arguments.only, step)]
    while len(cycles) < arguments.cycles:
        every = [(step, action) for step in steps for action in ("kill", "stop")]
        draw.shuffle(every)
        cycles += every
    print(f"seed {arguments.seed}, {len(steps)} steps", flush=True)
    folder = tempfile.mkdtemp(prefix="saffron-steps-", dir=os.environ.get("TMPDIR", "/dev/shm"))
    run = Run(cycles[:arguments.cycles], arguments.jobs, arguments.seed).all(folder, progress=True)
    if run.failures:
        print("\n".join(run.failures))
        sys.exit(1)
    print(json.dumps(run.counts))
    subprocess.run(["rm", "-rf", folder], check=True)


if __name__ == "__main__":
    main()
