"""The ways to show a container its memory limit that bench-resource-view compares: how each is set up and entered."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time

from processes import read_text

NGINX_CONFIG = """
{user}pid {directory}/nginx.pid; error_log {directory}/error.log; worker_processes 1; daemon off;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3;
  uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "hello\\n"; }} }} }}
"""
START_TIMEOUT_S = 30


class Unusable(Exception):
    """A way that cannot be used here; the text says why."""


def needs(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            raise Unusable(f"{tool} is not installed (--install-peers)")


def run(argv, **options):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **options)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise Unusable(f"{argv[0]}: {said}")
    return done.stdout


def wait_for(condition, what, process=None):
    end = time.monotonic() + START_TIMEOUT_S
    while not condition():
        if time.monotonic() > end or (process and process.poll() is not None):
            raise Unusable(f"{what} does not start")
        time.sleep(0.05)


class MemoryGroup:
    """A control group of our own with a memory limit, on either version."""

    def __init__(self, name, limit_bytes):
        is_v2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
        lines = [line.split(":", 2) for line in read_text("/proc/self/cgroup").splitlines()]
        own = next((path for number, controllers, path in lines
                    if (number == "0" if is_v2 else "memory" in controllers.split(","))), None)
        if own is None:
            raise Unusable("the host has no memory controller")
        top = "/sys/fs/cgroup" if is_v2 else "/sys/fs/cgroup/memory"
        limit_file = "memory.max" if is_v2 else "memory.limit_in_bytes"
        # On version 2 a group with processes has no limited children: then an ancestor's.
        while True:
            self.path = os.path.normpath(f"{top}/{own}/{name}")
            try:
                if is_v2:
                    with open(os.path.join(os.path.dirname(self.path), "cgroup.subtree_control"), "w", encoding="ascii") as stream:
                        stream.write("+memory")
                os.mkdir(self.path)
                with open(os.path.join(self.path, limit_file), "w", encoding="ascii") as stream:
                    stream.write(str(limit_bytes))
                return
            except OSError as error:
                self.remove()
                if own in ("", "/"):
                    raise Unusable(f"a memory limit cannot be set: {error.strerror}") from error
                own = os.path.dirname(own)

    def enter(self, argv):
        return ["sh", "-c", 'echo 0 > "$0/cgroup.procs" && exec "$@"', self.path, *argv]

    def remove(self):
        try:
            os.rmdir(self.path)
        except OSError:
            pass


class View:
    """One way. `once` and `each` say what has to be set up on a host, and for every container, by whom runs it."""

    name = ""
    once = "-"
    each = "-"
    is_api = False

    def __init__(self, bench):
        self.bench = bench
        self.unusable = None

    def try_start(self):
        try:
            self.start()
        except Unusable as reason:
            self.unusable = str(reason)
            self.stop()

    def start(self):
        """Errors: Unusable."""

    def stop(self):
        """Leaves nothing behind; also after a start that failed."""

    def workload(self, script):
        bench = self.bench
        return [os.path.join(bench.directory, "view_workload"), bench.directory, str(bench.port), script]

    def command(self, script):
        """What runs `script` in a container with nginx."""
        return self.workload(script)


class Native(View):
    name = "native"
    group = None

    def start(self):
        needs("nginx")
        self.group = MemoryGroup(f"bench-{self.name}-{os.getpid()}", self.bench.limit_bytes)

    def command(self, script):
        return self.group.enter(self.workload(script))

    def stop(self):
        if self.group:
            self.group.remove()


class Lxcfs(Native):
    name = "lxcfs"
    once = "root, FUSE, a daemon"
    # The daemon is in a mount namespace of its own, and the container in a copy of it with the binds: it must never
    # read its own files.
    HOLDER = """lxcfs -p "$1/pid" "$1/mount" > "$1/log" 2>&1 &
until [ -e "$1/mount/proc/meminfo" ]; do kill -0 $! || exit 1; sleep 0.05; done
exec unshare --mount --propagation private sh -c '
  for file in "$1"/mount/proc/*; do [ -d "$file" ] || mount --bind "$file" "/proc/${file##*/}"; done
  touch "$1/ready"
  exec sleep infinity' sh "$1"
"""
    holder = None

    def start(self):
        needs("lxcfs", "unshare", "nsenter")
        if os.geteuid() != 0:
            raise Unusable("needs root")
        if not os.path.exists("/dev/fuse"):
            raise Unusable("the host has no /dev/fuse")
        super().start()
        self.folder = os.path.join(self.bench.directory, "lxcfs")
        os.makedirs(os.path.join(self.folder, "mount"))
        self.holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", self.HOLDER, "sh", self.folder],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(os.path.join(self.folder, "ready")), "lxcfs", self.holder)
        binds = read_text(f"/proc/{self.holder.pid}/mounts").count("lxcfs /proc/")
        self.each = f"{binds} bind mounts"

    def command(self, script):
        return ["nsenter", "--target", str(self.holder.pid), "--mount", "--", *super().command(script)]

    def stop(self):
        if self.holder:
            self.holder.kill()
            self.holder.wait()
            daemon = read_text(os.path.join(self.folder, "pid")).strip()
            if daemon.isdigit():
                os.kill(int(daemon), signal.SIGTERM)
                wait_for(lambda: not os.path.exists(f"/proc/{daemon}"), "the end of lxcfs")
        super().stop()


class Sandbox(View):
    def __init__(self, bench, platform):
        super().__init__(bench)
        self.name = f"sandbox-{platform}"
        self.platform = platform

    def start(self):
        needs("nginx")
        if not self.bench.sandbox:
            raise Unusable("not built: cmake --preset release && cmake --build build/release --target sandbox")

    def command(self, script):
        return [self.bench.sandbox, "run", f"--platform={self.platform}", "--memory", str(self.bench.limit_bytes),
                *self.bench.sandbox_arguments, "--", *self.workload(script)]


class Runsc(View):
    """Only for the bar of sysinfo(2): its /proc/meminfo is no peer's, and nginx is not started in it."""

    name = "runsc"

    def start(self):
        needs("runsc")

    def command(self, script):
        return ["runsc", "--ignore-cgroups", "--network=none", "--platform=ptrace", "do", "-force-overlay=true", "sh", "-c", script]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class EngineApi(View):
    """podman's HTTP API on its unix socket: what a program would have to be changed to ask."""

    name = "engine-api"
    once = "an engine and its API service"
    each = "its socket"
    is_api = True
    CONTAINERS = """[containers]
default_ulimits=["nofile=20000:20000","nproc=32768:32768"]
[engine]
cgroup_manager="cgroupfs"
events_logger="file"
{runtime}tmp_dir="{folder}/run/tmp"
[network]
network_backend="cni"
"""
    STORAGE = '[storage]\ndriver="vfs"\nrunroot="{folder}/run"\ngraphroot="{folder}/graph"\n'
    service = connection = None
    is_started = False

    def podman(self, *arguments):
        return run(["podman", *arguments], env=self.environment)

    def start(self):
        needs("podman", "nginx")
        if os.geteuid() != 0:
            raise Unusable("needs root")
        self.folder = os.path.join(self.bench.directory, "podman")
        root = os.path.join(self.folder, "rootfs")
        for name in ["usr", "etc", "proc", "sys", "dev", "tmp", "run", "var/log/nginx", self.bench.directory.lstrip("/")]:
            os.makedirs(os.path.join(root, name))
        for name in ["bin", "sbin", "lib", "lib64"]:
            os.symlink("usr/" + name, os.path.join(root, name))
        # crun of Debian 12 refuses hosts with both versions of control groups.
        facts = {"folder": self.folder, "runtime": 'runtime="runc"\n' if shutil.which("runc") else ""}
        for name, text in [("containers.conf", self.CONTAINERS), ("storage.conf", self.STORAGE)]:
            with open(os.path.join(self.folder, name), "w", encoding="ascii") as stream:
                stream.write(text.format(**facts))
        self.environment = dict(os.environ, CONTAINERS_CONF=os.path.join(self.folder, "containers.conf"),
                                CONTAINERS_STORAGE_CONF=os.path.join(self.folder, "storage.conf"))
        self.had_parent = os.path.isdir("/sys/fs/cgroup/memory/libpod_parent")
        self.is_started = True
        directory = self.bench.directory
        self.podman("run", "--detach", "--name", "box", "--network", "none", "--memory", str(self.bench.limit_bytes),
                    "--volume", "/usr:/usr:ro", "--volume", "/etc/passwd:/etc/passwd:ro", "--volume", "/etc/group:/etc/group:ro",
                    "--volume", f"{directory}:{directory}", "--rootfs", root, *self.workload("sleep 100000"))
        path = os.path.join(self.folder, "socket")
        self.service = subprocess.Popen(["podman", "system", "service", "--time=0", f"unix://{path}"], env=self.environment,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(path), "podman system service", self.service)
        self.connection = UnixConnection(path)
        self.limit_bytes()

    def limit_bytes(self):
        """One request, on a connection that stays open."""
        self.connection.request("GET", "/v4.0.0/libpod/containers/stats?containers=box&stream=false")
        answer = json.loads(self.connection.getresponse().read())
        if not answer.get("Stats"):
            raise Unusable(f"the API answers {str(answer)[:100]}")
        return answer["Stats"][0]["MemLimit"]

    def time_requests(self, count):
        begin = time.monotonic_ns()
        for _ in range(count):
            self.limit_bytes()
        return time.monotonic_ns() - begin

    def stop(self):
        if self.connection:
            self.connection.close()
        if self.service:
            self.service.terminate()
            self.service.wait()
        if self.is_started:
            subprocess.run(["podman", "rm", "--force", "--time", "0", "box"], env=self.environment, capture_output=True, check=False)
            if not self.had_parent:
                subprocess.run(["find", "/sys/fs/cgroup", "-depth", "-type", "d", "-path", "*/libpod_parent*",
                                "-exec", "rmdir", "{}", ";"], capture_output=True, check=False)


def all_views(bench):
    return [Native(bench), Lxcfs(bench), EngineApi(bench), Sandbox(bench, "notify"), Sandbox(bench, "ptrace"), Runsc(bench)]
