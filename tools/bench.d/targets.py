"""Where it is measured: natively, in `sandbox` on each platform, and in every peer that is installed."""

import json
import os
import shutil
import subprocess

PEER_PACKAGES = ["runsc", "proot", "bubblewrap", "strace", "crun"]


class Target:
    """One way to run a program: the words that go before its command line, or the reason why it cannot be used."""

    def __init__(self, name, prefix, version_argv=None, unusable=None, startup_only=False):
        self.name = name
        self.prefix = prefix
        self.version_argv = version_argv
        self.unusable = unusable
        self.startup_only = startup_only

    def command(self, argv):
        return [*self.prefix, *argv]

    def startup_timer(self, micro, runs):
        """The native command that times `runs` starts of /bin/true in this target."""
        return [micro, "time", str(runs), *self.command(["/bin/true"])]

    def version(self):
        if not self.version_argv or self.unusable:
            return ""
        try:
            done = subprocess.run(self.version_argv, capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        # The first line with a digit: some programs open with a banner.
        lines = [line for line in done.stdout.splitlines() if any(c.isdigit() for c in line)]
        return lines[0].strip(" |\t") if lines else ""


class Crun(Target):
    """crun runs a bundle, so only its start-up is comparable: the bundle's program is /bin/true on the host's /usr."""

    HIDE_CGROUP_V2 = "umount -n /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\""

    def __init__(self, directory):
        super().__init__("crun", [], ["crun", "--version"], startup_only=True)
        if not shutil.which("crun"):
            self.unusable = "not installed"
            return
        self.bundle = os.path.join(directory, "bundle")
        self.write_bundle()

    def write_bundle(self):
        root = os.path.join(self.bundle, "rootfs")
        os.makedirs(root)
        for name in ["bin", "lib", "lib64"]:
            os.symlink("usr/" + name, os.path.join(root, name))
        for name in ["usr", "proc", "dev", "sys"]:
            os.mkdir(os.path.join(root, name))
        config = {
            "ociVersion": "1.0.2",
            "process": {"terminal": False, "cwd": "/", "args": ["/bin/true"], "env": ["PATH=/usr/bin"],
                        "user": {"uid": 0, "gid": 0}, "noNewPrivileges": True},
            "root": {"path": "rootfs", "readonly": True},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                       {"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]}],
            "linux": {"namespaces": [{"type": t} for t in ["pid", "mount", "ipc", "uts", "network"]]},
        }
        with open(os.path.join(self.bundle, "config.json"), "w", encoding="ascii") as stream:
            json.dump(config, stream)

    def startup_timer(self, micro, runs):
        # crun refuses hosts with both cgroup versions, so the timer runs in a mount namespace that shows version 1 only.
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", self.HIDE_CGROUP_V2, "sh",
                micro, "time", str(runs), "crun", "--cgroup-manager=disabled", "run", "--bundle", self.bundle,
                f"sandbox-bench-{os.getpid()}"]


def find_sandbox(repository, wanted):
    """The `sandbox` binary: the one asked for, else this repository's newest build, else the installed one."""
    if wanted:
        return os.path.abspath(wanted)
    builds = [os.path.join(repository, "build", preset, "tools", "sandbox") for preset in ["release", "dev"]]
    return next((path for path in builds if os.access(path, os.X_OK)), shutil.which("sandbox"))


def all_targets(repository, sandbox, sandbox_arguments, directory):
    binary = find_sandbox(repository, sandbox)
    targets = [Target("native", [])]
    for platform in ["notify", "ptrace"]:
        unusable = None
        if not binary:
            unusable = "not built: cmake --preset release && cmake --build build/release --target sandbox"
        targets.append(Target(f"sandbox-{platform}",
                              [binary or "sandbox", "run", f"--platform={platform}", *sandbox_arguments, "--"],
                              [binary or "sandbox", "--version"], unusable))
    peers = [
        Target("runsc", ["runsc", "--ignore-cgroups", "--network=none", "--platform=ptrace", "do", "-force-overlay=true"],
               ["runsc", "--version"]),
        Target("proot", ["proot"], ["proot", "--version"]),
        Target("bwrap", ["bwrap", "--unshare-all", "--dev-bind", "/", "/"], ["bwrap", "--version"]),
        Target("strace", ["strace", "-f", "--seccomp-bpf", "-e", "trace=%file", "-o", "/dev/null"], ["strace", "--version"]),
    ]
    for peer in peers:
        if not shutil.which(peer.prefix[0]):
            peer.unusable = "not installed (tools/bench --install-peers)"
    return targets + peers + [Crun(directory)]


def install_peers(repository):
    """Installs the peers' packages. Returns the exit status of the installer."""
    script = os.path.join(repository, "tools", "install-packages")
    if os.access(script, os.X_OK) and subprocess.run([script, "peers"], check=False).returncode == 0:
        return 0
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*sudo, "apt-get", "update", "-qq"], check=False)
    return subprocess.run([*sudo, "apt-get", "install", "-y", "--no-install-recommends", *PEER_PACKAGES], check=False).returncode
