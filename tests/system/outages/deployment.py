"""A whole deployment: five engines behind proxies, six processes, and the supervisor that starts
again what was killed."""
import os
import signal
import subprocess
import sys
import tempfile
import time

from engines import ROOT, environment_of, make_engines

sys.path.insert(0, str(ROOT / "tools"))
from last_will import at_my_end  # noqa: E402
from stack_services import Service, six_services, stop_all  # noqa: E402

# Leases so short that a pause of some seconds is beyond them.
LEASES = {"PROCESSED_EVENT_HEARTBEAT_INTERVAL_SECONDS": "1",
          "PROCESSED_EVENT_LEASE_TIMEOUT_SECONDS": "5",
          "SAFFRON_PUBLISHER_LEASE_SECONDS": "5",
          "SAFFRON_RESERVATION_SECONDS": "2",
          "SAFFRON_KAFKA_SESSION_TIMEOUT_MS": "6000",
          "INSTANCE_WORKER_MAX_RETRY_ATTEMPTS": "3",
          "EVENT_PUBLISHER_POLL_INTERVAL": "1"}
START_SECONDS = 300


class ServersMissing(Exception):
    """They cannot be had here."""


def first_free_port():
    script = f"source {ROOT}/testing/servers/lib.sh && free_port 10"
    return int(subprocess.run(["bash", "-c", script], check=True, stdout=subprocess.PIPE,
                              text=True).stdout)


class Deployment:
    """Started and stopped by the main thread: its processes die with it."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="saffron-outages-")
        self.home = self.folder.name
        os.chmod(self.home, 0o755)  # PostgreSQL runs as a user of its own
        self.engines = make_engines(self.home, first_free_port())
        self.last_will = at_my_end(*[engine.command("down", "-9")
                                     for engine in self.engines.values()])
        self.services, self.killed, self.problems = {}, set(), []

    def start(self):
        starting = [(engine, engine.starting()) for engine in self.engines.values()]
        failed = [engine for engine, process in starting if process.wait() != 0]
        if failed:
            for engine in failed:
                with open(str(engine.folder) + ".up.log", encoding="utf-8") as log:
                    print(log.read(), file=sys.stderr)
            raise ServersMissing(" ".join(engine.name for engine in failed))
        passed = {name: text for name, text in os.environ.items()
                  if name == "PATH" or name.endswith("SAN_OPTIONS")}
        self.environment = {**passed, **environment_of(self.engines), **LEASES}
        for service in six_services(self.environment, self.home):
            self.services[service.name] = service.start()
        if not self.wait_ready(*self.services):
            raise RuntimeError(f"not ready after {START_SECONDS} s: {self.health()}\n{self.logs()}")
        return self

    def oms_ports(self):
        return [self.services["oms"].port, self.services["oms-2"].port]

    def add(self, command):
        """One more of a kind, beside the first."""
        service = Service(command, self.environment, self.home, 2)
        self.services[service.name] = service.start()
        if not self.wait_ready(service.name):
            raise RuntimeError(f"{service.name} is not ready:\n{service.tail()}")
        return service

    def wait_ready(self, *names):
        """A start may give up, on servers that were just made: a supervisor's work."""
        self.killed.update(names)
        return wait_until(self.all_ready, START_SECONDS)

    def remove(self, service):
        del self.services[service.name]
        code, _ = service.stop()
        if code != 0:
            self.problems.append(f"{service.name} stopped with {code}: {service.tail()}")

    def kill(self, service):
        self.killed.add(service.name)
        service.kill()

    def supervise(self):
        """Starts again what was killed, until it is ready. Nothing else may end by itself."""
        for service in self.services.values():
            if service.running():
                continue
            if service.name not in self.killed:
                self.problems.append(f"{service.name} ended by itself with "
                                     f"{service.process.returncode}:\n{service.tail()}")
            self.killed.add(service.name)
            service.start()

    def health(self):
        """service: {part: status} of those that are not well; None: no answer."""
        found = {}
        for service in self.services.values():
            try:
                status, answer = service.ask("GET", "/health/ready", timeout=3)
                # A process that is too busy says 503 and no more.
                told = answer.get("components", {}) if isinstance(answer, dict) else {}
                parts = {name: part["status"] for name, part in told.items()
                         if part["status"] != "ok"}
                found[service.name] = {} if status == 200 else parts or {"answer": status}
            except OSError:
                found[service.name] = None
        return found

    def all_ready(self):
        self.supervise()
        ready = all(parts == {} for parts in self.health().values())
        if ready:
            self.killed.clear()
        return ready

    def logs(self, lines=6):
        """The end of each log, for a person."""
        return "\n".join(f"--- {service.name}\n" + "\n".join(service.tail().splitlines()[-lines:])
                         for service in self.services.values())

    def stop(self):
        for service in self.services.values():
            if service.running():
                service.process.send_signal(signal.SIGCONT)
        stop_all(list(self.services.values()))
        for engine in self.engines.values():
            engine.proxy.do("pass")
            # Data are thrown away: nothing to save.
            engine.run("down", "-9")
            engine.close()
        self.last_will.close()
        self.folder.cleanup()


def wait_until(condition, seconds, step=0.1):
    """Whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(step)
    return True
