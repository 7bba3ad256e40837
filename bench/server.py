"""The server under test: started on a data directory, asked over HTTP, watched in /proc."""
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One `saffron serve`. `log` is its standard error and output, appended over restarts."""

    def __init__(self, program, data_dir, log):
        self.program, self.data_dir, self.log = program, pathlib.Path(data_dir), pathlib.Path(log)
        self.process, self.port = None, 0

    def start(self, patience_s=120):
        """Returns the seconds from exec to the first 200 of /health/ready."""
        self.port = free_port()
        environment = dict(os.environ, SAFFRON_LISTEN=f"127.0.0.1:{self.port}",
                           SAFFRON_DATA_DIR=str(self.data_dir), SAFFRON_LOG_LEVEL="warning")
        begin = time.monotonic()
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen([self.program, "serve"], env=environment,
                                            stdout=output, stderr=subprocess.STDOUT)
        while time.monotonic() < begin + patience_s:
            if self.process.poll() is not None:
                break
            if self.status_of("/health/ready") == 200:
                return time.monotonic() - begin
            time.sleep(0.005)
        tail = self.log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"the server did not become ready:\n{tail}")

    def stop(self):
        """Returns the seconds that a graceful stop took."""
        if self.process is None:
            return 0.0
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        return time.monotonic() - begin

    def request(self, method, path, body=None, timeout_s=60):
        """(status, body as text)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            text = json.dumps(body) if body is not None else None
            connection.request(method, path, text, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def status_of(self, path):
        try:
            return self.request("GET", path, timeout_s=5)[0]
        except OSError:
            return None

    def must(self, method, path, body=None):
        status, text = self.request(method, path, body)
        if status // 100 != 2:
            raise RuntimeError(f"{method} {path}: {status} {text[:500]}")
        return json.loads(text)

    def metrics(self):
        """Name -> value summed over labels; buckets left out."""
        sums = {}
        for line in self.request("GET", "/metrics")[1].splitlines():
            if not line or line.startswith("#"):
                continue
            name, value = line.rsplit(" ", 1)
            name = name.split("{", 1)[0]
            if not name.endswith("_bucket"):
                sums[name] = sums.get(name, 0.0) + float(value)
        return sums

    def memory_mib(self):
        """VmRSS (now), VmHWM (peak) and RssAnon (not backed by files), in MiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return {name: round(int(fields[name].split()[0]) / 1024, 1)
                for name in ("VmRSS", "VmHWM", "RssAnon")}

    def cpu_by_thread(self):
        """Name of thread -> CPU seconds so far; threads of one name are summed."""
        seconds = {}
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            try:
                stat = (task / "stat").read_text()
            except OSError:
                continue
            name = stat[stat.index("(") + 1:stat.rindex(")")]
            fields = stat[stat.rindex(")") + 2:].split()
            used = (int(fields[11]) + int(fields[12])) / TICKS
            seconds[name] = seconds.get(name, 0.0) + used
        return seconds


class CpuSplit:
    """CPU of each thread of the server between two moments, as shares of one core."""

    def __init__(self, server):
        self.server, self.before, self.begin = server, server.cpu_by_thread(), time.monotonic()
        self.seconds_used = 0.0  # of all threads, known after take()

    def take(self):
        seconds = time.monotonic() - self.begin
        used = {name: (after - self.before.get(name, 0.0)) / seconds
                for name, after in self.server.cpu_by_thread().items()}
        self.seconds_used = sum(used.values()) * seconds
        busy = sorted(((share, name) for name, share in used.items() if share >= 0.02),
                      reverse=True)
        return {name: round(share, 2) for share, name in busy}
