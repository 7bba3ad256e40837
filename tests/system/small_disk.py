"""Small file systems of their own, for tests that fill a disk or make it read-only.

They are mounted in a mount namespace that belongs to the test alone (`unshare`): nobody else sees
them, and they are gone with the process however it ends."""
import os
import subprocess
import sys

INSIDE = "SAFFRON_TEST_NAMESPACE"
# As root; else as the root of a user namespace, where the kernel allows that.
WAYS = (["unshare", "--mount", "--propagation", "private"],
        ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "private"])


def enter_namespace():
    """Starts the program again in a namespace where it may mount. Returns in that namespace, or
    where none can be had: then may_mount() is false."""
    if INSIDE in os.environ:
        return
    for way in WAYS:
        try:
            mounts = subprocess.run([*way, "mount", "-t", "tmpfs", "probe", "/mnt"],
                                    capture_output=True, check=False).returncode == 0
        except OSError:
            mounts = False
        if mounts:
            os.environ[INSIDE] = "1"
            os.execvp(way[0], [*way, sys.executable, *sys.argv])


def may_mount():
    return INSIDE in os.environ


def mount_read_only(path):
    subprocess.run(["mount", "--bind", path, path], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", path], check=True)


def unmount(path):
    subprocess.run(["umount", path], check=True)


class SmallDisk:
    """A tmpfs of so many MiB on a folder, which is made."""

    def __init__(self, path, mib):
        assert may_mount()
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "saffron-test", path],
                       check=True)
        self.path = path
        self.ballast = os.path.join(path, "ballast")

    def fill(self):
        """Takes every free block; a server may free some later, so this can be said again."""
        ballast = os.open(self.ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            for size in (1 << 20, 1 << 12):
                while True:
                    try:
                        os.write(ballast, b"\1" * size)
                    except OSError:
                        break
        finally:
            os.close(ballast)

    def free(self):
        os.remove(self.ballast)

    def unmount(self):
        unmount(self.path)
