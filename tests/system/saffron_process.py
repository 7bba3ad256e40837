"""A real `saffron serve` on loopback, for the system tests: start, ask, kill, start again."""
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import unittest

PROGRAM = os.environ.get("SAFFRON_PROGRAM", "build/release/saffron")
SANITIZED = os.environ.get("SAFFRON_SANITIZED", "")  # of the program: "thread", ...


def run_tests():
    """unittest.main with the last line that `./dev test` counts."""
    result = unittest.main(verbosity=2, exit=False).result
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed", flush=True)
    sys.exit(0 if result.wasSuccessful() else 1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition, seconds=30):
    """Waits for a condition; never for luck."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


def passed_on():
    """Nothing of the caller's settings but what finds programs, tunes the sanitizers and breaks
    rules on purpose."""
    return {name: text for name, text in os.environ.items()
            if name in ("PATH", "SAFFRON_MUTATION") or name.endswith("SAN_OPTIONS")}


class Server:
    program = PROGRAM

    def __init__(self, data_dir, **environment):
        self.data_dir = data_dir
        self.port = free_port()
        self.environment = {**passed_on(), **environment}
        self.process = None
        self.log = os.path.join(os.path.dirname(data_dir), os.path.basename(data_dir) + ".log")

    def start(self, ready=True):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "serve", "--listen", f"127.0.0.1:{self.port}", "--data-dir",
                 self.data_dir],
                env=self.environment, stdout=log, stderr=log)
        if ready:
            wait_for("the server is ready", self.is_ready, 60)
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended: see {self.log}\n" + self.tail())
        try:
            return self.ask("GET", "/health/ready")[0] == 200
        except OSError:
            return False

    def tail(self):
        with open(self.log, "rb") as log:
            return log.read()[-2000:].decode(errors="replace")

    def ask(self, method, path, body=None, headers=None, timeout=40):
        """(status, decoded body, headers)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            payload = None
            sent = dict(headers or {})
            if body is not None:
                payload = body if isinstance(body, (bytes, str)) else json.dumps(body)
                sent.setdefault("Content-Type", "application/json")
            connection.request(method, path, payload, sent)
            answer = connection.getresponse()
            data = answer.read()
            try:
                decoded = json.loads(data) if data else None
            except ValueError:
                decoded = data
            return answer.status, decoded, dict(answer.getheaders())
        finally:
            connection.close()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """A graceful stop; the exit code and the seconds it took."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        return code, time.monotonic() - begin

    def rss_mib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        return 0.0

    def command(self, *arguments, check=True, timeout=300):
        """Runs a command of the program against this server."""
        done = subprocess.run(
            [PROGRAM, *arguments, "--server", f"http://127.0.0.1:{self.port}"],
            env=self.environment, capture_output=True, text=True, timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments} -> {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def verify(self, clean=True):
        return json.loads(self.command("verify", "--json", check=clean).stdout)
