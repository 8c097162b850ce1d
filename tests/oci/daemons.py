"""containerd and dockerd with directories of their own, and an image to run."""
import atexit
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
import uuid

from bundles import make_rootfs, need_root
from cases import SANDBOX, Skip, check

IMAGE = "docker.io/library/sandbox-test:1"


def write_image(folder, name=IMAGE, command=("sh",)):
    """A docker archive of one layer: what `docker save` writes."""
    if not os.path.exists(f"{folder}/image"):
        make_rootfs(f"{folder}/image")
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        archive.add(f"{folder}/image", arcname=".")
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
                         "config": {"Cmd": list(command), "Env": ["PATH=/bin"]}, "history": [{"created_by": "test"}]}).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    path = f"{folder}/image.tar"
    with tarfile.open(path, "w") as archive:
        for member, content in ((config_name, config), ("layer.tar", layer.getvalue()), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


class Daemon:
    """A daemon that ends with the test, and what it mounted with it."""

    def __init__(self, *programs):
        need_root()
        for program in programs:
            if shutil.which(program) is None:
                raise Skip(f"needs {program} (section peers of tools/packages.txt)")
        self.folder = tempfile.mkdtemp(prefix="sandbox-daemon.")
        self.process = None
        atexit.register(self.stop)

    def start(self, command, is_ready):
        with open(f"{self.folder}/log", "w") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        for _ in range(600):
            if is_ready():
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise Skip(f"{command[0]} does not start here: {self.log()[-500:]}")

    def command(self, *words, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=60, **options)

    def log(self):
        with open(f"{self.folder}/log", errors="replace") as file:
            return file.read()

    def clean(self):
        """Ends what the daemon runs."""

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.clean()
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        with open("/proc/self/mountinfo") as file:
            points = [line.split()[4] for line in file if self.folder in line.split()[4]]
        for point in reversed(points):
            subprocess.run(["umount", "-l", point], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)


def output_until_end(command):
    """What a command prints before a line "end-of-output", after which it is given a line and ends."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        lines = []
        for line in process.stdout:
            if line.rstrip("\r\n") == "end-of-output":
                break
            lines.append(line)
        else:
            check(False, f"{''.join(lines)!r} and then no more: {process.stderr.read()}")
        process.communicate("\n", timeout=60)
    return "".join(lines)


CONTAINERD_CONFIG = """version = 2
root = "{0}/root"
state = "{0}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{0}/grpc.sock"
[ttrpc]
  address = "{0}/ttrpc.sock"
"""


class Containerd(Daemon):
    def __init__(self):
        super().__init__("containerd", "ctr", "containerd-shim-runc-v2")
        self.namespace = f"test-{uuid.uuid4().hex[:8]}"
        with open(f"{self.folder}/config.toml", "w") as file:
            file.write(CONTAINERD_CONFIG.format(self.folder))
        self.start(["containerd", "--config", f"{self.folder}/config.toml"], lambda: self.ctr("version").returncode == 0)
        imported = self.ctr("images", "import", write_image(self.folder))
        check(imported.returncode == 0, imported.stderr)

    def ctr(self, *words, **options):
        return self.command("ctr", "--address", f"{self.folder}/grpc.sock", "--namespace", self.namespace, *words, **options)

    def run(self, *words, **options):
        return self.ctr("run", "--runc-binary", SANDBOX, *words, **options)

    def printed(self, *words, script, arguments=("run", "--rm", "--runc-binary", SANDBOX)):
        """What a shell in the container prints, errors included. It stays until that was read: ctr 1.6 drops what its
        copying threads have not come to when a program ends, whatever the runtime."""
        command = ["ctr", "--address", f"{self.folder}/grpc.sock", "--namespace", self.namespace, *arguments, *words,
                   "sh", "-c", f"{{ {script}; }} 2>&1; echo end-of-output; read line"]
        return output_until_end(command)

    def printed_by_exec(self, *words, script):
        return self.printed(*words, script=script, arguments=("tasks", "exec"))

    def clean(self):
        for name in self.ctr("tasks", "ls", "-q").stdout.split():
            self.ctr("tasks", "kill", "--all", "--signal", "SIGKILL", name)
            self.ctr("tasks", "delete", "--force", name)
        for name in self.ctr("containers", "ls", "-q").stdout.split():
            self.ctr("containers", "delete", name)


class Docker(Daemon):
    def __init__(self):
        super().__init__("dockerd", "docker", "containerd")
        config = {"runtimes": {"sandbox": {"path": SANDBOX}}, "default-runtime": "sandbox",
                  "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 1024, "Soft": 1024}}}
        with open(f"{self.folder}/daemon.json", "w") as file:
            json.dump(config, file)
        self.start(["dockerd", "--config-file", f"{self.folder}/daemon.json", "--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec",
                    "-H", f"unix://{self.folder}/docker.sock", "-p", f"{self.folder}/pid", "--iptables=false", "--ip6tables=false",
                    "--ip-forward=false", "--bridge=none", "--storage-driver", "overlay2", "--exec-opt", "native.cgroupdriver=cgroupfs"],
                   lambda: self("version").returncode == 0)
        loaded = self("load", "-i", write_image(self.folder, "sandbox-test:1"))
        check(loaded.returncode == 0, loaded.stderr)

    def __call__(self, *words, **options):
        return self.command("docker", "-H", f"unix://{self.folder}/docker.sock", *words, **options)

    def run(self, *words, **options):
        return self("run", "--network", "none", *words, **options)

    def clean(self):
        names = self("ps", "-a", "-q").stdout.split()
        if names:
            self("rm", "-f", *names)
