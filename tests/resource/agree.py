"""Whoever asks how large the machine is gets the same answer, whatever limits the sandbox runs under.

agree.py SANDBOX ENGINE [CASE...]: each function test_* is a case. The control groups are made by hand, so that limits
of several levels can be had."""
import json
import os
import shutil
import subprocess
import sys
import time
import traceback

SANDBOX, ENGINE = os.path.abspath(sys.argv[1]), sys.argv[2]
PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe.py")
CONTROLLERS = ["memory", "cpu", "cpuacct", "cpuset", "pids"]
KIB_PER_MIB = 1024


class Skip(Exception):
    pass


class Group:
    """A group of each hierarchy below the test's own, with limits; ends with the test."""

    def __init__(self, parent=None, memory=None, cpus=None, cpuset=None):
        self.parent, self.children = parent, []
        self.name = f"{parent.name}/inner" if parent else f"sandbox-agree-{os.getpid()}"
        self.version = version()
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


def host_cpus():
    return sorted(os.sched_getaffinity(0))


def host_memory_kib():
    return int(open("/proc/meminfo").readline().split()[1])


def sandbox(*command):
    return [SANDBOX, "run", f"--platform={ENGINE}", "--bind", f"{os.path.dirname(PROBE)}:{os.path.dirname(PROBE)}:ro", "--", *command]


def probe(group, *options):
    result = subprocess.run(sandbox("/usr/bin/python3", PROBE, *options), capture_output=True, text=True, timeout=300,
                            preexec_fn=group.enter if group else None)
    check(result.returncode == 0, result.stdout + result.stderr)
    return json.loads(result.stdout)


def check(condition, explanation=""):
    if not condition:
        raise AssertionError(explanation)


def all_equal(answers, expected, what):
    wrong = {name: answer for name, answer in answers.items() if answer != expected}
    check(not wrong, f"{what}: expected {expected}, but {wrong}")


def check_agreement(answers, cpus, memory_kib):
    all_equal(answers["cpus"], cpus, "CPUs")
    all_equal(answers["memory"], memory_kib, "memory in KiB")
    all_equal(answers["swap"], answers["swap"]["sysinfo"], "swap in KiB")
    # Some kernels count pages that are not theirs to give (a balloon) in one of the two files only.
    free = [kib for name, kib in answers["free"].items() if name != "/proc/vmstat" or memory_kib != host_memory_kib()]
    check(max(free) - min(free) < 24 * KIB_PER_MIB, f"free memory: {answers['free']}")
    up = answers["uptime"].values()
    check(max(up) - min(up) < 4 and max(up) < 200, f"uptime: {answers['uptime']}")
    meminfo = answers["meminfo"]
    check(meminfo["MemFree"] <= meminfo["MemTotal"] and meminfo["MemAvailable"] <= meminfo["MemTotal"], str(meminfo))
    check(meminfo["Active"] == meminfo["Active(anon)"] + meminfo["Active(file)"], str(meminfo))
    check(answers["shm"] <= memory_kib, f"/dev/shm has {answers['shm']} KiB")
    if "java_heap" in answers:
        # A quarter of the memory; half of a small one, up to 126 MiB (os::max_heap_for_limited_address_space aside).
        heap = max(memory_kib // 4, min(memory_kib // 2, 126 * KIB_PER_MIB))
        check(abs(answers["java_heap"] - heap) <= 4 * KIB_PER_MIB, f"java's heap: {answers['java_heap']} KiB, expected {heap}")
    if "htop_memory" in answers:
        check(answers["htop_memory"], f"htop's memory was not found in its screen: {answers.get('htop_screen')!r}")
        size, unit = answers["htop_memory"]
        shown = size * {"K": 1, "M": 1024, "G": 1024**2, "T": 1024**3}[unit]
        check(abs(shown - memory_kib) <= memory_kib * 0.01, f"htop: {size}{unit}, expected {memory_kib} KiB")
    for name in answers["missing"]:
        print(f"not installed here: {name}")


def test_no_limit():
    check_agreement(probe(None, "--all"), len(host_cpus()), host_memory_kib())


def test_half_a_cpu():
    with_group(lambda group: check_agreement(probe(group, "--all"), 1, 512 * KIB_PER_MIB), memory=512, cpus=0.5)


def test_one_and_a_half_cpus():
    cpus = min(2, len(host_cpus()))
    with_group(lambda group: check_agreement(probe(group), cpus, 768 * KIB_PER_MIB), memory=768, cpus=1.5)


def test_cpuset():
    last = host_cpus()[-1]

    def case(group):
        answers = probe(group, "--all")
        check_agreement(answers, 1, 640 * KIB_PER_MIB)
        check(answers["affinity"] == [last], str(answers["affinity"]))

    with_group(case, memory=640, cpuset=last)


def test_cpuset_and_quota():
    both = host_cpus()[:2]
    cpuset = ",".join(map(str, both))
    with_group(lambda group: check_agreement(probe(group), 1, host_memory_kib()), cpus=0.7, cpuset=cpuset)
    with_group(lambda group: check_agreement(probe(group), len(both), host_memory_kib()), cpus=64, cpuset=cpuset)


def test_nested_in_a_smaller_one():
    def case(outer):
        # Version 1 refuses a quota above the parent's.
        inner = Group(parent=outer, memory=2048)
        check_agreement(probe(inner), 1, 320 * KIB_PER_MIB)

    if version() == 2:
        raise Skip("groups with processes have no children on version 2")
    with_group(case, memory=320, cpus=0.9)


def test_update_is_seen_at_once():
    """The same process, with files that it keeps open."""
    program = """
import os, sys
meminfo, online = os.open("/proc/meminfo", os.O_RDONLY), os.open("/sys/devices/system/cpu/online", os.O_RDONLY)
for _ in sys.stdin:
    os.lseek(meminfo, 0, os.SEEK_SET)
    print(os.read(meminfo, 4096).split()[1].decode(), os.pread(online, 100, 0).decode().strip(), os.sysconf("SC_PHYS_PAGES") * 4,
          os.cpu_count(), len(os.sched_getaffinity(0)), flush=True)
"""

    def case(group):
        running = subprocess.Popen(sandbox("/usr/bin/python3", "-c", program), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   preexec_fn=group.enter)

        def ask():
            running.stdin.write("\n")
            running.stdin.flush()
            return running.stdout.readline().split()

        def expect(memory_mib, cpus):
            online = {1: f"{host_cpus()[0]}"}.get(cpus, "0-1")
            kib = str(memory_mib * KIB_PER_MIB)
            found = ask()
            check(found == [kib, online, kib, str(cpus), str(cpus)], f"{memory_mib} MiB and {cpus} CPUs, but {found}")

        try:
            expect(512, 1)
            group.set(memory=1024)
            expect(1024, 1)
            group.set(memory=300)
            expect(300, 1)
            if host_cpus()[:2] == [0, 1]:
                group.set(cpus=2)
                expect(300, 2)
                group.set(cpus=0.1)
                expect(300, 1)
                group.set(cpus=1)
        finally:
            running.stdin.close()
            running.wait(timeout=60)

    with_group(case, memory=512, cpus=1)


def test_affinity_stays_the_workloads_own():
    """A thread that pins itself is told so; one that asks for all CPUs it is shown runs on any."""
    if len(host_cpus()) < 2:
        raise Skip("one CPU")
    program = """
import os
first = os.sched_getaffinity(0)
assert len(first) == 1, first
os.sched_setaffinity(0, first)
assert os.sched_getaffinity(0) == first
try:
    os.sched_setaffinity(0, {99})
    raise SystemExit("a CPU that is not there was accepted")
except OSError as error:
    assert error.errno == 22, error
print("fine")
"""

    def case(group):
        result = subprocess.run(sandbox("/usr/bin/python3", "-c", program), capture_output=True, text=True, timeout=60,
                                preexec_fn=group.enter)
        check(result.stdout == "fine\n", result.stdout + result.stderr)

    with_group(case, cpus=0.9)


def test_time_is_the_groups():
    """/proc/stat counts what was used, for each CPU and in all, and idle time is what the quota left."""
    program = """
import os, time
def ticks():
    rows = [line.split() for line in open("/proc/stat") if line.startswith("cpu")]
    return {row[0]: list(map(int, row[1:])) for row in rows}
before, start = ticks(), time.monotonic()
while sum(os.times()[:2]) < 0.6:
    for _ in range(100000): pass
time.sleep(0.5)
after, elapsed = ticks(), time.monotonic() - start
for name in before:
    assert all(b <= a for b, a in zip(before[name], after[name])), (name, before, after)
used = sum(after["cpu"][:3]) - sum(before["cpu"][:3])
assert 50 <= used <= 90, used
all_time = sum(after["cpu"]) - sum(before["cpu"])
assert all_time <= 0.5 * elapsed * 100 + 12, (all_time, elapsed)
parts = [sum(after[name][i] for name in after if name != "cpu") for i in range(10)]
assert all(abs(parts[i] - after["cpu"][i]) <= len(after) for i in range(10)), (parts, after)
print("fine")
"""

    def case(group):
        result = subprocess.run(sandbox("/usr/bin/python3", "-c", program), capture_output=True, text=True, timeout=60,
                                preexec_fn=group.enter)
        check(result.stdout == "fine\n", result.stdout + result.stderr)

    with_group(case, cpus=0.5)


def with_group(case, **limits):
    version()
    if os.geteuid() != 0:
        raise Skip("control groups are made by root")
    group = Group(**limits)
    try:
        case(group)
    finally:
        group.remove()


def main():
    cases = {name[5:]: function for name, function in globals().items() if name.startswith("test_")}
    failed = skipped = 0
    for name in sys.argv[3:] or cases:
        try:
            cases[name]()
        except Skip as reason:
            print(f"SKIP: {name}: {reason}")
            skipped += 1
        except Exception:
            traceback.print_exc()
            print(f"FAILED: {name}\nrepeat with: {sys.executable} {os.path.abspath(__file__)} {SANDBOX} {ENGINE} {name}")
            failed += 1
    sys.exit(1 if failed else 77 if skipped else 0)


main()
