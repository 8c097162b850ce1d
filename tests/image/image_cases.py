"""What the cases of images share: a store of their own, and runs as root and as an ordinary user."""
import os
import shutil
import subprocess
import time

from cases import SANDBOX, Skip, check, equal
from images import BUSYBOX

NOBODY = 65534


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise Skip(f"{program} is not installed")


class Store:
    """A store in `folder`; every command of it runs as `uid`, or as the caller."""

    def __init__(self, folder, uid=None):
        if BUSYBOX is None:
            raise Skip("busybox is not installed")
        self.data = os.path.join(folder, f"data{'' if uid is None else uid}")
        os.makedirs(self.data, exist_ok=True)
        self.path = os.path.join(self.data, "sandbox")
        self.command, self.identity = SANDBOX, {}
        if uid is not None and os.geteuid() == 0:
            os.chown(self.data, uid, uid)
            self.identity = {"user": uid, "group": uid, "extra_groups": []}
            # The build may lie where only root may look.
            self.command = os.path.join(folder, "sandbox")
            if not os.path.exists(self.command):
                shutil.copy(SANDBOX, self.command)

    def popen_options(self):
        return {"env": {**os.environ, "XDG_DATA_HOME": self.data, "HOME": self.data}, "cwd": self.data, **self.identity}

    def sandbox(self, *arguments, timeout=100):
        return subprocess.run([self.command, *arguments], capture_output=True, text=True, errors="surrogateescape",
                              stdin=subprocess.DEVNULL, timeout=timeout, **self.popen_options())

    def run(self, image, *arguments, **options):
        return self.sandbox("run", "--image", image, *arguments, **options)

    def prints(self, expected, image, *arguments, **options):
        result = self.run(image, *arguments, **options)
        check(result.returncode == 0, result.stderr)
        equal(result.stdout, expected)

    def layers(self):
        path = os.path.join(self.path, "layers")
        return sorted(os.listdir(path)) if os.path.exists(path) else []

    def is_clean(self):
        """Nothing half-done is left."""
        equal(os.listdir(os.path.join(self.path, "unpacking")), [])


def both_users(folder):
    """As whoever runs the tests and, if that is root, as an ordinary user with one id."""
    yield Store(folder)
    if os.geteuid() == 0:
        yield Store(folder, NOBODY)


def wait_until(condition, explanation, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, explanation)
        time.sleep(0.01)
