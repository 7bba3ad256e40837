"""A relay in front of one server that breaks what passes: the C++ one of testing/servers, as a
process of its own so that it costs the test nothing."""
import os
import pathlib
import subprocess

SAFFRON = pathlib.Path(os.environ.get("SAFFRON_PROGRAM", "build/release/saffron"))
PROGRAM = os.environ.get("SAFFRON_PROXY_PROGRAM",
                         str(SAFFRON.parent / "testing/servers/saffron_loopback_proxy"))


class Proxy:
    def __init__(self, target):
        self.process = subprocess.Popen([PROGRAM, target], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        if not self.address:
            raise RuntimeError(f"no proxy for {target}")

    def do(self, command):
        """"pass", "refuse", "hold", "cut N", "delay MS", "throttle BYTES": ends the one before."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer != "ok":
            raise RuntimeError(f"the proxy, to {command}: {answer or 'it ended'}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
