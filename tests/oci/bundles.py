"""Bundles with a busybox root, and the runtime's commands on them."""
import contextlib
import json
import os
import shutil
import subprocess
import uuid

from cases import SANDBOX, Skip, check, equal
from cases import wait_until as wait_explained

BUSYBOX = shutil.which("busybox")
APPLETS = ("sh ls cat mount umount id ps sleep echo true false hostname env touch tty mkdir rm ln grep pwd kill nc httpd wget stty "
           "head tail wc stat umask ip test date dd free nproc uname trap rmdir chmod chown readlink").split()


def make_rootfs(path):
    if BUSYBOX is None:
        raise Skip("needs busybox (Debian package busybox-static)")
    for name in ("bin", "proc", "sys", "dev", "tmp", "etc", "root", "home/alice", "v"):
        os.makedirs(f"{path}/{name}", exist_ok=True)
    os.chmod(f"{path}/tmp", 0o1777)
    shutil.copy(BUSYBOX, f"{path}/bin/busybox")
    for name in APPLETS:
        os.symlink("busybox", f"{path}/bin/{name}")
    with open(f"{path}/etc/passwd", "w") as file:
        file.write("root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000:alice:/home/alice:/bin/sh\n")
    with open(f"{path}/etc/group", "w") as file:
        file.write("root:x:0:\nalice:x:1000:\nwheel:x:77:alice\n")


class Bundle:
    """A bundle in `folder`, whose config.json is what `spec` writes, with no terminal."""

    def __init__(self, folder, script="true", rootless=False):
        self.folder, self.root = folder, f"{folder}/state"
        if not os.path.exists(f"{folder}/rootfs"):
            make_rootfs(f"{folder}/rootfs")
        self.id = f"t-{uuid.uuid4().hex[:12]}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{folder}/config.json")
        equal(self.call("spec", "--bundle", folder).stderr, "")
        with open(f"{folder}/config.json") as file:
            self.config = json.load(file)
        self.config["process"].update(terminal=False, args=["sh", "-c", script])
        self.config["root"]["readonly"] = False

    def save(self):
        with open(f"{self.folder}/config.json", "w") as file:
            json.dump(self.config, file)

    def call(self, *words, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([SANDBOX, "--root", self.root, *words], capture_output=True, text=True,
                              errors="surrogateescape", timeout=60, **options)

    def run(self, *options, **more):
        self.save()
        return self.call("run", "--bundle", self.folder, *options, self.id, **more)

    def output(self):
        """What the container prints; it must succeed."""
        result = self.run()
        equal((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def create(self, *options):
        """`create` with its output in files: the container holds them open."""
        self.save()
        with open(f"{self.folder}/out", "w") as out, open(f"{self.folder}/err", "w") as err:
            result = subprocess.run([SANDBOX, "--root", self.root, "--log", f"{self.folder}/log", "--log-format", "json",
                                     "create", "--bundle", self.folder, *options, self.id],
                                    stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=60)
        return result.returncode

    def printed(self):
        with open(f"{self.folder}/out") as file:
            return file.read()

    def errors(self):
        with open(f"{self.folder}/err") as file:
            return file.read()

    def state(self):
        result = self.call("state", self.id)
        equal(result.returncode, 0)
        return json.loads(result.stdout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.call("delete", "--force", self.id)

    def refused(self, *words):
        """create fails, says each of `words`, logs it, and leaves nothing."""
        check(self.create() == 1, "create succeeded")
        for word in words:
            check(word in self.errors(), f"{word!r} is not in:\n{self.errors()}")
        with open(f"{self.folder}/log") as file:
            last = json.loads(file.read().splitlines()[-1])
        equal((last["level"], sorted(last)), ("error", ["level", "msg", "time"]))
        check(self.nothing_left(), str(os.listdir(self.root)))

    def nothing_left(self):
        return not os.path.exists(f"{self.root}/{self.id}") and not groups_called(self.id)


def groups_called(name):
    found = []
    for top, folders, _ in os.walk("/sys/fs/cgroup"):
        found += [f"{top}/{folder}" for folder in folders if folder == name]
        if top.count("/") > 4:
            folders.clear()
    return found


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root for the id maps of a container")


def wait_until(condition):
    wait_explained(condition, "it never became true")
