"""docs/operating.md as its test reads it: every command, and the names of metrics and log lines."""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# What an inline command begins with; indented blocks are all commands.
PROGRAMS = ("saffron", "curl", "psql", "pg_dump", "pg_restore", "rclone", "rsync", "./dev")


def blocks_in(lines):
    """The indented blocks: an empty line ends one."""
    block = []
    for line in [*lines, ""]:
        if line.startswith("    "):
            block.append(line[4:])
        elif block:
            yield "\n".join(block)
            block = []


class Page:
    def __init__(self, path=ROOT / "docs/operating.md"):
        self.text = path.read_text(encoding="utf-8")
        lines = self.text.splitlines()
        self.blocks = list(blocks_in(lines))
        plain = "\n".join(line for line in lines if not line.startswith("    "))
        self.code = set(re.findall(r"`([^`\n]+)`", plain))
        inline = {code for code in self.code if " " in code and code.split()[0] in PROGRAMS}
        self.commands = [*self.blocks, *sorted(inline)]
        self.taken = set()

    def take(self, start):
        """The one command that is `start`, or begins with it; from now on it counts as run."""
        found = ([text for text in self.commands if text == start] or
                 [text for text in self.commands if text.startswith(start)])
        if len(found) != 1:
            raise AssertionError(f"{len(found)} commands of the page begin with '{start}'")
        self.taken.add(found[0])
        return found[0]

    def never_run(self):
        return [text for text in self.commands if text not in self.taken]

    def metrics(self):
        return {name for code in self.code for name in re.findall(r"saffron_[a-z0-9_]+", code)}

    def names(self):
        """Of log lines, and whatever else is written like them."""
        return {code for code in self.code if re.fullmatch(r"[a-z]+(?:[_.][a-z]+)+", code)
                and not code.startswith("saffron_")}


class Shell:
    """Runs commands of the page where its operator would stand: in a folder, with an environment.
    `put_in`: what stands for the names that the page made up."""

    def __init__(self, page, folder, environment, put_in):
        self.page, self.folder, self.environment = page, folder, environment
        self.put_in = put_in

    def script(self, start, **more):
        text = self.page.take(start)
        for name, value in {**self.put_in, **more}.items():
            text = text.replace(name, value)
        return ["bash", "-euo", "pipefail", "-c", text]

    def run(self, start, **more):
        """What it prints; it must succeed."""
        done = subprocess.run(self.script(start, **more), cwd=self.folder, env=self.environment,
                              capture_output=True, text=True, timeout=180)
        if done.returncode != 0:
            raise AssertionError(f"{start} -> {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def starting(self, start):
        """A command that goes on, as a process that SIGTERM reaches."""
        words = self.script(start)
        words[-1] = "exec " + words[-1]
        return subprocess.Popen(words, cwd=self.folder, env=self.environment,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
