"""Saffron's services as processes over the servers of `./dev stack`: for its demo and its test."""
import http.client
import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("SAFFRON_PROGRAM", str(ROOT / "build/release/saffron"))
# The exit code of a start whose servers were not ready in time.
NOT_NOW = 4
# Every service, and a second OMS.
SIX = ("oms", "oms", "publisher", "ontology-worker", "instance-worker", "projection-worker")


def stack_script(command, check=True, **environment):
    return subprocess.run([str(ROOT / "tools/stack.sh"), command], check=check, text=True,
                          env={**os.environ, **environment}, stdout=subprocess.PIPE)


def environment_of(exports):
    """The variables of `./dev stack env`."""
    found = {}
    for line in exports.splitlines():
        for word in shlex.split(line)[1:]:
            name, _, value = word.partition("=")
            found[name] = value
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Service:
    """One process; its log is appended to over all its runs."""

    def __init__(self, command, environment, folder, number=1, program=PROGRAM):
        self.program, self.command_name = program, command
        self.name = command if number == 1 else f"{command}-{number}"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {**environment, "PROCESSED_EVENT_OWNER": self.name}
        self.log = os.path.join(folder, self.name + ".log")
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                # It must not outlive us, however we end.
                ["setpriv", "--pdeathsig", "KILL", self.program,
                 self.command_name, "--listen", f"127.0.0.1:{self.port}"],
                env=self.environment, stdout=log, stderr=log, start_new_session=True)
        return self

    def tail(self, size=3000):
        with open(self.log, "rb") as log:
            return log.read()[-size:].decode(errors="replace")

    def is_ready(self):
        if self.process.poll() == NOT_NOW:  # what a supervisor does
            self.start()
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.tail()}")
        try:
            return self.ask("GET", "/health/ready", timeout=5)[0] == 200
        except OSError:
            return False

    def wait_ready(self, seconds=60):
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} is not ready after {seconds} s:\n{self.tail()}")
            time.sleep(0.05)
        return self

    def ask(self, method, path, body=None, headers=None, timeout=40):
        """(status, decoded body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            sent = dict(headers or {})
            payload = None
            if body is not None:
                payload = json.dumps(body)
                sent["Content-Type"] = "application/json"
            connection.request(method, path, payload, sent)
            answer = connection.getresponse()
            data = answer.read()
            try:
                return answer.status, json.loads(data) if data else None
            except ValueError:
                return answer.status, data
        finally:
            connection.close()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """A graceful stop: the exit code and the seconds it took."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        return code, time.monotonic() - begin

    def running(self):
        return self.process is not None and self.process.poll() is None

    def memory_mib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) // 1024
        return 0


def six_services(environment, folder):
    services, seen = [], {}
    for command in SIX:
        seen[command] = seen.get(command, 0) + 1
        services.append(Service(command, environment, folder, seen[command]))
    return services


def stop_all(services):
    """Together: what one waits for the others still do."""
    for service in services:
        if service.running():
            service.process.send_signal(signal.SIGTERM)
    for service in services:
        if service.process is None:
            continue
        try:
            service.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            service.kill()
