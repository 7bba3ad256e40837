"""A production deployment under measurement: the servers of tools/stack.sh, the services as
processes of their own, and their counters."""
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from server import CpuSplit, Server  # noqa: E402
from stack_services import Service, environment_of, stack_script, stop_all  # noqa: E402

ALL = ("oms", "publisher", "ontology-worker", "instance-worker", "projection-worker")


class Process(Service):
    """One service, watched like the server of bench/server.py."""
    cpu_by_thread = Server.cpu_by_thread

    def counters(self):
        """name{labels} -> value, as /metrics prints it; buckets left out."""
        values = {}
        text = self.ask("GET", "/metrics")[1].decode()
        for line in text.splitlines():
            name, _, value = line.rpartition(" ")
            if name and not name.startswith("#") and "_bucket{" not in name:
                values[name] = float(value)
        return values


def growth(before, after, *names):
    """By how much the counters whose names begin so have grown, all together."""
    return sum(value - before.get(name, 0.0) for name, value in after.items()
               if name.startswith(names))


class Deployment:
    """Servers with fresh data in `folder`; services come and go."""

    def __init__(self, program, folder):
        self.folder = pathlib.Path(folder)
        self.services = {}
        os.environ["SAFFRON_PROGRAM"] = str(program)
        os.environ["STACK_DIR"] = str(self.folder / "servers")
        os.chmod(self.folder, 0o755)  # PostgreSQL runs as a user of its own
        # The script's defaults for a demo are not for load.
        os.environ.setdefault("OPENSEARCH_HEAP", "1g")
        try:
            self.servers = environment_of(stack_script("up").stdout)
        except subprocess.CalledProcessError:
            stack_script("down", check=False)
            sys.exit("The servers do not start.")
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.environment = {**kept, **self.servers, "SAFFRON_LOG_LEVEL": "warning"}

    def only(self, *names, **variables):
        """Runs these services and no others; started anew when `variables` are given."""
        for name, service in list(self.services.items()):
            if name not in names or variables:
                stop_all([service])
                del self.services[name]
        for name in names:
            if name not in self.services:
                service = Process(name, {**self.environment, **variables}, str(self.folder))
                self.services[name] = service.start()
        for name in names:
            self.wait_ready(self.services[name])
        return [self.services[name] for name in names]

    @staticmethod
    def wait_ready(service):
        try:
            service.wait_ready(120)
        except RuntimeError:
            if service.running():
                raise
            # Servers that were not ready for it: once more, as a supervisor would.
            service.start().wait_ready(120)

    def counters(self):
        return {name: service.counters() for name, service in self.services.items()}

    def close(self):
        stop_all(self.services.values())
        stack_script("down", check=False)


class Watch:
    """CPU of every service between two moments: 'service/thread' -> share of a core."""

    def __init__(self, deployment):
        self.splits = {name: CpuSplit(service) for name, service in deployment.services.items()}

    def take(self):
        shares = {f"{name}/{thread}": share for name, split in self.splits.items()
                  for thread, share in split.take().items()}
        return dict(sorted(shares.items(), key=lambda each: -each[1]))


def wait_until(what, condition, patience_s=600, pause_s=0.05):
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {patience_s} s")
        time.sleep(pause_s)


def run(command, **environment):
    done = subprocess.run([str(word) for word in command], env={**os.environ, **environment},
                          stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout
