"""Control groups with limits made by hand, so that limits of several levels can be had; and sandboxes in them."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tools"))
from cases import check, main, prints_fine, SANDBOX, sandbox, Skip, wait_until  # noqa: E402, F401: for the scripts beside this one

ENGINE = sys.argv[2]
CONTROLLERS = ["memory", "cpu", "cpuacct", "cpuset", "pids"]


class Group:
    """A group of each hierarchy below the test's own, with limits; ends with the test."""

    def __init__(self, parent=None, memory=None, cpus=None, cpuset=None):
        self.parent, self.children = parent, []
        self.name = f"{parent.name}/inner" if parent else f"sandbox-agree-{os.getpid()}"
        self.version = version()
        if parent and self.version == 2:
            parent.write("memory", "cgroup.subtree_control", "+memory +cpu +cpuset +pids")
        for path in set(self.paths().values()):
            os.mkdir(path)
        if self.version == 1:
            self.write("cpuset", "cpuset.mems", open("/sys/fs/cgroup/cpuset/cpuset.mems").read())
            self.write("cpuset", "cpuset.cpus", open("/sys/fs/cgroup/cpuset/cpuset.cpus").read())
        if parent:
            parent.children.append(self)
        self.set(memory, cpus, cpuset)

    def paths(self):
        if self.version == 2:
            return {controller: f"/sys/fs/cgroup/{self.name}" for controller in CONTROLLERS}
        return {controller: f"/sys/fs/cgroup/{controller}/{self.name}" for controller in CONTROLLERS}

    def write(self, controller, file, value):
        with open(f"{self.paths()[controller]}/{file}", "w") as opened:
            opened.write(str(value))

    def set(self, memory=None, cpus=None, cpuset=None):
        if memory is not None:
            self.write("memory", "memory.limit_in_bytes" if self.version == 1 else "memory.max", memory * 1024 * 1024)
        if cpus is not None:
            quota = int(cpus * 100000)
            self.write("cpu", "cpu.cfs_quota_us", quota) if self.version == 1 else self.write("cpu", "cpu.max", f"{quota} 100000")
        if cpuset is not None:
            self.write("cpuset", "cpuset.cpus", cpuset)

    def enter(self):
        for path in set(self.paths().values()):
            with open(f"{path}/cgroup.procs", "w") as procs:
                procs.write("0")

    def remove(self):
        for child in self.children:
            child.remove()
        for path in set(self.paths().values()):
            for _ in range(100):
                try:
                    os.rmdir(path)
                    break
                except OSError:
                    time.sleep(0.02)


def version():
    if all(os.path.exists(f"/sys/fs/cgroup/{controller}/cgroup.procs") for controller in CONTROLLERS):
        return 1
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        have = open("/sys/fs/cgroup/cgroup.subtree_control").read().split()
        if {"memory", "cpu", "cpuset"} <= set(have):
            return 2
    raise Skip("neither version of control groups has memory, cpu and cpuset for us here")


def sandboxed(*command, options=()):
    return [SANDBOX, "run", f"--platform={ENGINE}", *options, "--", *command]


def with_group(case, **limits):
    version()
    if os.geteuid() != 0:
        raise Skip("control groups are made by root")
    group = Group(**limits)
    try:
        case(group)
    finally:
        group.remove()
