"""What a program can wait for instead of reading again and again: pressure triggers, and events of its group.

events.py SANDBOX ENGINE [CASE...]: each function test_* is a case."""
import os
import subprocess

from groups import check, main, prints_fine, sandbox, sandboxed, Skip, version, wait_until

ASK_TWICE = """
import ctypes, os, select, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)

def waits_for(fd, events, seconds=20):
    poll = select.poll()
    poll.register(fd, events)
    return poll.poll(seconds * 1000)

def watch(path):
    inotify = libc.inotify_init1(os.O_CLOEXEC)
    assert libc.inotify_add_watch(inotify, path.encode(), 2) >= 0, os.strerror(ctypes.get_errno())
    return inotify
"""


def python(program, *options):
    return sandboxed("/usr/bin/python3", "-c", ASK_TWICE + program, options=options)


def unified_inside():
    """Where the v2 hierarchy is inside."""
    for path in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        if os.path.exists(f"{path}/cgroup.controllers"):
            return path
    raise Skip("the host has no hierarchy of version 2")


def need_root():
    if os.geteuid() != 0:
        raise Skip("control groups are made by root")


def test_pressure_triggers_fire():
    need_root()
    if not os.path.exists("/proc/pressure/cpu"):
        raise Skip("the host's kernel does not measure pressure")
    unified_inside()
    program = """
files = {name: os.open(f"/proc/pressure/{name}", os.O_RDWR | os.O_NONBLOCK) for name in ("cpu", "memory")}
for fd in files.values():
    assert os.write(fd, b"some 20000 1000000\\0") > 0
assert not waits_for(files["memory"], select.POLLPRI, 0.2)
busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(4)]
assert waits_for(files["cpu"], select.POLLPRI) == [(files["cpu"], select.POLLPRI)]
for one in busy: one.kill()
try:
    os.write(files["cpu"], b"nonsense")
    sys.exit("nonsense was taken")
except OSError:
    pass
assert "avg10=" in os.pread(files["cpu"], 4096, 0).decode()
print("fine")
"""
    prints_fine(python(program, "--cpus", "0.5"))


def test_group_events_wake_up():
    """By poll(2) and by inotify(7), on a change made outside; and the descriptor is for reading only."""
    need_root()
    file = f"{unified_inside()}/cgroup.events"
    program = f"""
events, inotify = os.open("{file}", os.O_RDONLY), watch("{file}")
before = os.read(events, 4096)
assert b"frozen 0" in before, before
print("ready", flush=True)
assert waits_for(events, select.POLLPRI)
assert waits_for(inotify, select.POLLIN)
assert b"populated 1" in os.pread(events, 4096, 0)
for path in ("{file}", f"/proc/self/fd/{{events}}"):
    for flags in (os.O_WRONLY, os.O_RDWR):
        try:
            os.open(path, flags)
            sys.exit("the file opens for writing")
        except OSError as error:
            assert error.errno in (13, 30), error
assert os.stat("{file}").st_ino == os.fstat(events).st_ino
assert os.readlink(f"/proc/self/fd/{{events}}") == "{file}"
print("fine")
"""
    running = subprocess.Popen(python(program, "--name", f"events-{os.getpid()}"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               stdin=subprocess.DEVNULL, text=True)
    check(running.stdout.readline() == "ready\n", "it does not start")
    group = subprocess.run(["find", unified_inside(), "-type", "d", "-name", f"sandbox-events-{os.getpid()}-*"],
                           capture_output=True, text=True, check=True).stdout.split()
    check(len(group) == 1, str(group))
    for state in "10":
        with open(f"{group[0]}/cgroup.freeze", "w") as freeze:
            freeze.write(state)
        wait_until(lambda: f"frozen {state}" in open(f"{group[0]}/cgroup.events").read(), f"the group does not get to frozen {state}")
    rest, _ = running.communicate(timeout=60)
    check(rest == "fine\n", rest)


def test_an_update_wakes_up():
    """inotify(7) on a limit tells that somebody outside has written it."""
    need_root()
    file = "/sys/fs/cgroup/memory.max" if version() == 2 else "/sys/fs/cgroup/memory/memory.limit_in_bytes"
    program = f"""
inotify = watch("{file}")
print("ready", flush=True)
assert waits_for(inotify, select.POLLIN)
assert open("{file}").read() == "134217728\\n", open("{file}").read()
print("fine")
"""
    name = f"update-{os.getpid()}"
    running = subprocess.Popen(python(program, "--name", name, "--memory", "64m"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               stdin=subprocess.DEVNULL, text=True)
    check(running.stdout.readline() == "ready\n", "it does not start")
    updated = sandbox("update", "--memory", "128m", name)
    check(updated.returncode == 0, updated.stderr)
    rest, _ = running.communicate(timeout=60)
    check(rest == "fine\n", rest)


def test_memory_events_wake_up():
    need_root()
    if version() != 2:
        raise Skip("version 1 tells of memory by eventfd, which has to be written to the group")
    program = """
path = "/sys/fs/cgroup/memory.events"
events = os.open(path, os.O_RDONLY)
os.read(events, 4096)
grown = subprocess.Popen(["/usr/bin/python3", "-c", "x = bytearray(200 << 20)"], stderr=subprocess.DEVNULL)
assert waits_for(events, select.POLLPRI)
assert grown.wait() == -9, grown.returncode
assert "oom_kill 1\\n" in os.pread(events, 4096, 0).decode(), os.pread(events, 4096, 0)
print("fine")
"""
    prints_fine(python(program, "--memory", "64m", "--memory-swap", "64m"))


if __name__ == "__main__":
    main(globals(), first_case=3)
