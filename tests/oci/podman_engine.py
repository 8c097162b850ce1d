"""podman with a store of its own, as root and as an ordinary user."""
import atexit
import os
import shutil
import subprocess
import tempfile

from bundles import make_rootfs, need_root
from cases import SANDBOX, Skip, check, equal

RUNTIME = os.environ.get("SANDBOX_TEST_RUNTIME", "sandbox")
STORAGE = """[storage]
driver = "overlay"
runroot = "{0}/run"
graphroot = "{0}/graph"
"""
# Engines without CAP_SYS_RESOURCE cannot have podman's own default limits, with any runtime.
CONTAINERS = """[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{0}/tmp"
runtime_supports_json = ["crun", "runc", "sandbox"]
[engine.runtimes]
sandbox = ["{1}"]
"""


class Podman:
    """podman with a store of its own, which goes with the process."""
    become = []  # the words before podman's own
    storage = STORAGE

    def __init__(self):
        need_root()
        for program in ("podman", "conmon", "tar"):
            if shutil.which(program) is None:
                raise Skip(f"needs {program} (section peers of tools/packages.txt)")
        self.folder = tempfile.mkdtemp(prefix="sandbox-podman.")
        atexit.register(self.remove)
        for name, text in (("storage.conf", self.storage), ("containers.conf", CONTAINERS)):
            with open(f"{self.folder}/{name}", "w") as file:
                file.write(text.format(self.folder, SANDBOX))
        make_rootfs(f"{self.folder}/rootfs")
        subprocess.run(["tar", "-C", f"{self.folder}/rootfs", "-cf", f"{self.folder}/image.tar", "."], check=True)
        self.prepare()
        imported = self("import", f"{self.folder}/image.tar", "image")
        if imported.returncode != 0:
            raise Skip(f"podman does not work here: {imported.stderr}")

    def prepare(self):
        pass

    def environment(self):
        return {**os.environ, "CONTAINERS_CONF": f"{self.folder}/containers.conf",
                "CONTAINERS_STORAGE_CONF": f"{self.folder}/storage.conf"}

    def __call__(self, *words, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([*self.become, "podman", "--runtime", RUNTIME, *words], env=self.environment(), capture_output=True, text=True,
                              errors="replace", timeout=90, cwd=self.folder, **options)

    def run(self, *words, **options):
        return self("run", "--rm", "--network", "none", *words, **options)

    def output(self, *words):
        result = self.run(*words)
        equal((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def start(self, script, *options):
        """A container called "c" that runs the script."""
        result = self("run", "-d", "--name", "c", "--network", "none", *options, "image", "sh", "-c", script)
        check(result.returncode == 0, result.stderr)

    def status(self, field="Status"):
        return self("inspect", "-f", "{{.State." + field + "}}", "c").stdout.strip()

    def remove(self):
        self("rm", "-f", "-a", "-t", "0")
        self("pod", "rm", "-f", "-a")
        subprocess.run(["umount", "-l", f"{self.folder}/graph/overlay"], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)


class UserPodman(Podman):
    """The same for an ordinary user with no id but the own one: what needs several ids is not asked."""
    become = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]
    storage = STORAGE + """[storage.options.overlay]
ignore_chown_errors = "true"
"""

    def prepare(self):
        os.chmod(self.folder, 0o755)
        for name in ("home", "user"):
            os.makedirs(f"{self.folder}/{name}", mode=0o700)
        subprocess.run(["chown", "-R", "65534:65534", self.folder], check=True)

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": f"{self.folder}/home", "XDG_RUNTIME_DIR": f"{self.folder}/user",
                "CONTAINERS_CONF": f"{self.folder}/containers.conf", "CONTAINERS_STORAGE_CONF": f"{self.folder}/storage.conf"}

    def remove(self):
        self("rm", "-f", "-a", "-t", "0")
        self("pod", "rm", "-f", "-a")
        self("system", "migrate")  # ends the process that keeps its namespaces
        shutil.rmtree(self.folder, ignore_errors=True)
