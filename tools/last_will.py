#!/usr/bin/env python3
"""last_will.py: runs commands once whoever started it has ended, however that came about.

Each line of its input is a command as a JSON list of words; the end of its input, which is the end
of the process that holds the other side, is the moment. It runs in a session of its own, as
nobody's child, so that what kills a test and its children does not kill it.
"""
import json
import os
import pathlib
import subprocess
import sys


def at_my_end(*commands):
    """Has the commands run when this process ends. Returns the pipe: closing it is an end, too."""
    reader, writer = os.pipe()
    subprocess.run(["setsid", "--fork", sys.executable, str(pathlib.Path(__file__).resolve())],
                   stdin=reader, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    os.close(reader)
    pipe = os.fdopen(writer, "w")
    for command in commands:
        pipe.write(json.dumps([str(word) for word in command]) + "\n")
    pipe.flush()
    return pipe


def main():
    commands = [json.loads(line) for line in sys.stdin]
    for command in commands:
        subprocess.run(command, check=False)


if __name__ == "__main__":
    main()
