"""Limits: bad values, control groups on this machine, and that nothing of them stays behind."""
import glob
import os
import re
import signal
import subprocess
import time

from cases import check, equal, is_alive, main, refused, SANDBOX, sandbox, Skip, wait_until


def need_groups():
    if os.geteuid() != 0:
        raise Skip("needs root, or a delegated cgroup, to make control groups")
    result = sandbox("run", "--pids-limit", "100", "true")
    if "cannot enforce" in result.stderr:
        raise Skip(result.stderr.splitlines()[0])


def groups_of(name):
    """Directories of control groups of the sandbox called `name`."""
    return [path for root, folders, _ in os.walk("/sys/fs/cgroup") for path in
            (os.path.join(root, folder) for folder in folders if folder.startswith(f"sandbox-{name}-"))]


def start(*arguments):
    """A sandbox in the background whose program has started."""
    process = subprocess.Popen([SANDBOX, "run", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    equal(process.stdout.readline(), "ready\n")
    return process


def unique(name):
    return f"{name}-{os.getpid()}"


def test_values_that_are_none():
    for option in ("--memory", "--cpus", "--cpuset-cpus", "--pids-limit", "--cpu-weight", "--blkio-weight"):
        for value in ("abc", "-1", "0", "1x", "", "99999999999999999999999"):
            if (option, value) != ("--cpuset-cpus", "0"):
                refused(sandbox("run", f"{option}={value}", "true"), option)
    for value in ("0-", "-", "2-1", "0,,1", "0,", "0;1", " 0"):
        refused(sandbox("run", "--cpuset-cpus", value, "true"), "--cpuset-cpus")
    for value in ("/dev/null:rbps=1", "/nonexistent:rbps=1", "254:0", "999:999:rbps=1m", "x", ":", "rbps=1"):
        refused(sandbox("run", "--io-max", value, "true"), "--io-max")
    refused(sandbox("run", "--unenforced-limits", "maybe", "true"), "refuse|warn")


def test_values_beyond_the_machine():
    refused(sandbox("run", "--memory", "1", "true"), "--memory", "so little")
    refused(sandbox("run", "--memory", "900t", "true"), "--memory", "the host has")
    refused(sandbox("run", "--memory", "8m", "--memory-swap", "4m", "true"), "--memory-swap", "smaller")
    refused(sandbox("run", "--memory-swap", "4m", "true"), "--memory is not given")
    refused(sandbox("run", "--cpus", "0.001", "true"), "--cpus", "1 ms", "0.01")
    refused(sandbox("run", "--cpus", "100000", "true"), "--cpus", "the host has")
    refused(sandbox("run", "--cpuset-cpus", "8000", "true"), "--cpuset-cpus", "no CPU 8000")
    refused(sandbox("run", "--pids-limit", "1", "true"), "--pids-limit", "--no-init")
    refused(sandbox("run", "--cpu-weight", "10001", "true"), "1 to 10000")
    refused(sandbox("run", "--blkio-weight", "9", "true"), "10 to 1000")


def test_names():
    for name in ("a/b", "..", ".hidden", "-x", "a b", "x" * 65, "@1", "é"):
        refused(sandbox("run", f"--name={name}", "true"), "name")


def test_a_run_without_limits_makes_no_group():
    result = sandbox("run", "--net", "none", "--", "cat", "/proc/self/cgroup")
    equal(result.returncode, 0)
    with open("/proc/self/cgroup") as own:
        count = len(own.readlines())
    equal(len(result.stdout.splitlines()), count)
    check("sandbox-" not in result.stdout, result.stdout)


def test_limits_reach_the_kernel():
    need_groups()
    name = unique("limits")
    process = start("--name", name, "--memory", "64m", "--memory-swap", "96m", "--cpus", "0.5", "--cpuset-cpus", "0",
                    "--cpu-weight", "50", "--pids-limit", "30", "--", "sh", "-c", "echo ready; sleep 30")
    try:
        found = {}
        for folder in groups_of(name):
            for path in glob.glob(folder + "/*"):
                try:
                    with open(path) as file:
                        found[os.path.basename(path)] = file.read().strip()
                except OSError:
                    pass
        check(found, "no group was made")
        pairs = {"memory.limit_in_bytes": "67108864", "memory.memsw.limit_in_bytes": "100663296",
                 "cpu.cfs_quota_us": "50000", "cpu.shares": "512", "memory.max": "67108864", "cpu.max": "50000 100000",
                 "memory.swap.max": "33554432", "cpu.weight": "50", "cpuset.cpus": "0", "pids.max": "30"}
        present = {file: value for file, value in pairs.items() if file in found}
        check(len(present) >= 5, sorted(found))
        equal({file: found[file] for file in present}, present)
        sentry = str(process.pid)
        for folder in groups_of(name):
            with open(folder + "/cgroup.procs") as file:
                members = file.read().split()
            check(members and sentry not in members, f"{folder}: {members}, sentry {sentry}")
    finally:
        process.terminate()
        process.communicate(timeout=20)
    equal(groups_of(name), [])


def test_name_is_taken():
    need_groups()
    name = unique("taken")
    process = start("--name", name, "--", "sh", "-c", "echo ready; sleep 30")
    try:
        refused(sandbox("run", "--name", name, "true"), name, "EBUSY")
    finally:
        process.terminate()
        process.communicate(timeout=20)
    equal(sandbox("run", "--name", name, "true").returncode, 0)
    equal(groups_of(name), [])


GROW = "x = []\nfor i in range(4000): x.append(bytearray(1 << 20))"


def test_memory_kill_is_told():
    need_groups()
    result = sandbox("run", "--memory", "64m", "--memory-swap", "64m", "--", "python3", "-c", GROW)
    equal(result.returncode, 137)
    for word in ("64 MiB (--memory)", "peak use", "1 process"):
        check(word in result.stderr, result.stderr)
    result = sandbox("run", "--memory", "64m", "--", "sh", "-c", f"python3 -c '{GROW}'; exit 3")
    equal(result.returncode, 3)
    check("the kernel killed 1 process" in result.stderr, result.stderr)


def test_smallest_memory_runs():
    need_groups()
    equal(sandbox("run", "--memory", "8m", "true").returncode, 0)
    result = sandbox("run", "--memory", "2m", "true")
    check(result.returncode in (0, 137), result.stderr)


# Each process forks until it may not, and none ends: a shell's `b | b &` ends where its forks fail.
BOMB = """
import os, time
print("ready", flush=True)
while True:
    try:
        os.fork()
    except BlockingIOError:
        time.sleep(0.1)
"""


def test_fork_bomb_stays_small():
    need_groups()
    name = unique("bomb")
    process = start("--name", name, "--pids-limit", "40", "--", "python3", "-c", BOMB)

    def counts(file):
        """What the groups have under that name, as numbers; not every kernel has each file."""
        found = []
        for path in (f"{folder}/{file}" for folder in groups_of(name)):
            if os.path.exists(path):
                with open(path) as text:
                    found.append(int(text.read().removeprefix("max ")))
        return found

    try:
        wait_until(lambda: counts("pids.current") == [40], "the bomb does not reach its limit")
        wait_until(lambda: all(count > 100 for count in counts("pids.events")), "no fork was refused")
        check(all(count == 40 for count in counts("pids.current") + counts("pids.peak")), "more than 40 tasks")
        equal(subprocess.run(["true"]).returncode, 0)
        start_of_others = sandbox("run", "--pids-limit", "40", "true")
        equal((start_of_others.returncode, start_of_others.stderr), (0, ""))
    finally:
        process.terminate()
        process.communicate(timeout=20)
    equal(groups_of(name), [])


def test_a_time_limit_ends_all_processes():
    need_groups()
    name = unique("timeout")
    result = sandbox("run", "--name", name, "--pids-limit", "40", "--timeout", "1s", "--", "sh", "-c", "sleep 99 & sleep 99")
    equal((result.returncode, groups_of(name)), (124, []))


def check_leftovers(name, death, clean_up):
    """What a sentry that died by the signal `death` leaves is gone after `clean_up`."""
    need_groups()
    process = start("--name", name, "--memory", "64m", "--", "sh", "-c", "sleep 1000 & sleep 1000 & echo ready; wait")
    members = []
    for folder in groups_of(name):
        with open(folder + "/cgroup.procs") as file:
            members += file.read().split()
    check(len(set(members)) >= 3, members)
    process.send_signal(death)
    process.communicate()
    wait_until(lambda: not any(is_alive(pid) for pid in members), "the workload outlived its sentry")
    check(groups_of(name), "nobody cleaned up yet, so the test shows nothing")
    result = clean_up()
    equal((result.returncode, groups_of(name)), (0, []))
    return result


def test_killed_sentry_leaves_nothing_for_long():
    check_leftovers(unique("killed"), signal.SIGKILL, lambda: sandbox("run", "--pids-limit", "100", "true"))


def test_gc_removes_what_a_crashed_sentry_left():
    name = unique("crashed")
    result = check_leftovers(name, signal.SIGSEGV, lambda: sandbox("gc"))
    check(name in result.stdout, result.stdout)
    check(name not in sandbox("gc").stdout, "it is removed twice")


def test_terminated_sentry_cleans_up():
    need_groups()
    name = unique("terminated")
    process = start("--name", name, "--", "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
    check(groups_of(name), "no group was made")
    with open(groups_of(name)[0] + "/cgroup.procs") as file:
        os.kill(int(file.read().split()[0]), signal.SIGKILL)
    process.communicate(timeout=20)
    equal(process.returncode, 137)
    equal(groups_of(name), [])


def test_the_state_directory_is_hidden():
    need_groups()
    result = sandbox("run", "--memory", "64m", "--", "ls", "-A", "/run/sandbox")
    equal((result.returncode, result.stdout), (0, ""))


def test_unenforceable_limit():
    need_groups()
    schedulers = "".join(open(path).read() for path in glob.glob("/sys/block/*/queue/scheduler"))
    if "[bfq]" in schedulers:
        raise Skip("a disk uses bfq, so weights are enforced")
    refused(sandbox("run", "--blkio-weight", "50", "true"), "cannot enforce --blkio-weight", "bfq", "--unenforced-limits=warn")
    result = sandbox("run", "--blkio-weight", "50", "--unenforced-limits=warn", "--", "echo", "ran")
    equal((result.returncode, result.stdout), (0, "ran\n"))
    check("--blkio-weight is shown but not enforced" in result.stderr, result.stderr)


def test_limits_of_a_user_without_groups():
    if os.geteuid() != 0 or not os.path.exists("/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        raise Skip("needs root, to become a user, and cgroup v1, which no user may write to")
    become = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]
    run = [*become, SANDBOX, "run", "--memory", "64m"]
    if subprocess.run([*become, SANDBOX, "--version"], capture_output=True).returncode != 0:
        raise Skip("an ordinary user cannot execute this build")
    options = {"capture_output": True, "text": True, "cwd": "/", "env": {"PATH": os.environ["PATH"]}}
    refused(subprocess.run([*run, "true"], **options), "cannot enforce --memory", "EACCES", "root")
    shown = ["--unenforced-limits=warn", "--cpus", "1", "--", "awk", "/^Mem[TF]/ { print $2 }", "/proc/meminfo"]
    result = subprocess.run([*run, *shown], **options)
    check("--memory is shown but not enforced" in result.stderr, result.stderr)
    if "cannot enter a user namespace" not in result.stderr:
        equal((result.returncode, result.stdout), (0, "65536\n65536\n"))
        result = subprocess.run([*run, "--unenforced-limits=warn", "--cpus", "1", "nproc"], **options)
        equal((result.returncode, result.stdout), (0, "1\n"))


def test_limits_where_no_group_is_visible():
    """A container whose /sys/fs/cgroup is not mounted: refused, and with the limits shown by all that is asked."""
    if os.geteuid() != 0:
        raise Skip("needs root to hide /sys/fs/cgroup")
    hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/fs/cgroup && exec "$0" run "$@"', SANDBOX]
    options = {"capture_output": True, "text": True}
    for option in ("--memory=512m", "--cpus=1", "--cpuset-cpus=0", "--pids-limit=30", "--cpu-weight=50"):
        refused(subprocess.run([*hidden, option, "true"], **options), f"cannot enforce {option.split('=')[0]}", "/sys/fs/cgroup")
    cpu = max(os.sched_getaffinity(0))
    script = "awk '/^MemTotal/ { print $2 }' /proc/meminfo; getconf _PHYS_PAGES; nproc; grep -c ^cpu[0-9] /proc/stat; taskset -cp $$"
    result = subprocess.run([*hidden, "--unenforced-limits=warn", "--memory=512m", f"--cpuset-cpus={cpu}", "--", "bash", "-c", script],
                            **options)
    equal(result.stderr.count("is shown but not enforced"), 2)
    *numbers, affinity = result.stdout.splitlines()
    equal(numbers, ["524288", "131072", "1", "1"])
    equal(affinity.rsplit(" ", 1)[1], str(cpu))


if __name__ == "__main__":
    main(globals())
